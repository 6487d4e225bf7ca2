"""Mesh: Chebyshev nodes in place and height in an area of a grid, where smooth fields are evaluated instead.

A field that is smooth across an area is evaluated at the tensor product of Chebyshev points in two directions along
the ground and in height, as many as its scales ask for, and carried to the points of the area by the Chebyshev series
through its values (Trefethen 2013, Approximation Theory and Approximation Practice, chapters 2 to 4). The directions
are those of the plane that touches the sphere in the area's middle, or of a plane domain itself, so that neither poles
nor the date line matter.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.chebyshev import chebpts1, chebvander

from mlrtma_dist.grid.domain import EARTH_RADIUS
from mlrtma_dist.grid.points import Points

WIDEST = 2.0e6  # m of radius; a wider area is no longer near its plane: no mesh
LEAST = 3  # nodes along the ground
NEGLIGIBLE = 1e-5  # of the largest coefficient: smaller ones are left out of a series, most of them in flat areas
POINTS_OF_A_NODE = 4  # of the area; with fewer a mesh does not pay


@dataclass(frozen=True)
class Area:
    """A part of a grid.

    Attributes:
        points: spread over the area row by row, its sides among them.
        size: number of all points of the area.
        lowest, highest: elevation among all of them, m.
    """

    points: Points
    size: int
    lowest: float
    highest: float


@dataclass(frozen=True)
class Mesh:
    """Nodes in an area.

    Attributes:
        points: the n nodes, height running fastest; land and relief are zero.
        origin: of the coordinates, m, shape (3,); axes: their directions, shape (2, 3).
        middle, half: centre and half the width of the area in x, y and height, m, shape (3,).
        counts: of nodes along each.
    """

    points: Points
    origin: np.ndarray
    axes: np.ndarray
    middle: np.ndarray
    half: np.ndarray
    counts: tuple[int, int, int]

    def series(self, values: np.ndarray) -> "Series":
        """The Chebyshev series through k columns of values at the nodes, shape (n, k), without its negligible terms."""
        series = values.reshape(*self.counts, -1)
        for axis, count in enumerate(self.counts):
            inverse = np.linalg.inv(chebvander(chebpts1(count), count - 1))
            series = np.moveaxis(np.tensordot(inverse, series, (1, axis)), 0, axis)
        size = np.abs(series).max(axis=3)
        counts = size >= NEGLIGIBLE * size.max()
        x, y = np.nonzero(counts.any(axis=2))
        height = 1 + int(np.flatnonzero(counts.any(axis=(0, 1))).max(initial=0))
        return Series(self, x, y, series[x, y, :height].astype(np.float32))


@dataclass(frozen=True)
class Series:
    """Fields as Chebyshev series in an area.

    Attributes:
        mesh: of the area.
        x, y: degrees of the t terms along the ground, shape (t,).
        coefficients: of each term, each degree in height below h, and k fields, shape (t, h, k).
    """

    mesh: Mesh
    x: np.ndarray
    y: np.ndarray
    coefficients: np.ndarray

    def at(self, points: Points) -> np.ndarray:
        """The fields at m points of the area, shape (m, k), float64."""
        mesh, (terms, height, columns) = self.mesh, self.coefficients.shape
        place = np.column_stack([(points.position - mesh.origin) @ mesh.axes.T, points.elevation])
        place = ((place - mesh.middle) / mesh.half).astype(np.float32)
        degrees = self.x.max(initial=0), self.y.max(initial=0), height - 1
        x, y, z = (chebvander(column, degree).T for column, degree in zip(place.T, degrees, strict=True))
        by_height = self.coefficients.reshape(terms, -1).T @ (x[self.x] * y[self.y])
        return np.einsum("hkm,hm->km", by_height.reshape(height, columns, -1), z).T.astype(np.float64)


def lay_mesh(area: Area, spacing: float, spacing_in_height: float) -> Mesh | None:
    """Lay a mesh through an area; None where it would not pay, or the area is too wide.

    Args:
        area: where the mesh is to hold.
        spacing, spacing_in_height: mean distance of neighbouring nodes along the ground and in height, m; infinite:
            nothing changes in height.
    """
    centre, radius = area.points.extent
    if radius > WIDEST or len(area.points) < 2:
        return None
    is_plane = not np.allclose(np.linalg.norm(area.points.position, axis=1), EARTH_RADIUS, rtol=1e-9)
    normal = np.array([0.0, 0.0, 1.0]) if is_plane else centre / np.linalg.norm(centre)
    axes = _axes(area.points.position, normal)
    ground = (area.points.position - centre) @ axes.T
    low = np.array([*ground.min(axis=0), area.lowest])
    high = np.array([*ground.max(axis=0), area.highest])
    half = 0.5 * (high - low)
    counts = [max(LEAST, 1 + math.ceil(2 * width / spacing)) for width in half[:2]]
    counts.append(
        2 + math.ceil(2 * half[2] / spacing_in_height) if half[2] > 0 and np.isfinite(spacing_in_height) else 1
    )
    if POINTS_OF_A_NODE * math.prod(counts) > area.size:
        return None
    middle, half = 0.5 * (low + high), np.maximum(half, 1e-3)
    x, y, z = (
        grid.ravel()
        for grid in np.meshgrid(
            *(m + h * chebpts1(count) for m, h, count in zip(middle, half, counts, strict=True)), indexing="ij"
        )
    )
    position = centre + np.outer(x, axes[0]) + np.outer(y, axes[1])
    if not is_plane:
        along = position @ normal  # up to the sphere
        lift = np.sqrt(along**2 + EARTH_RADIUS**2 - (position**2).sum(axis=1)) - along
        position += np.outer(lift, normal)
    zero = np.zeros(len(z))
    points = Points(zero, zero, position, z, zero, zero)
    return Mesh(points, centre, axes, middle, half, (counts[0], counts[1], counts[2]))


def _axes(position: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Unit vectors along a row of positions (n, 3) and across it, both at right angles to ``normal``, shape (2, 3)."""
    along = position[1] - position[0]
    along -= (along @ normal) * normal
    along /= np.linalg.norm(along)
    return np.stack([along, np.cross(normal, along)])
