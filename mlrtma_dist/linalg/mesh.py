"""Mesh: Chebyshev nodes in place and height in an area of a grid, where smooth fields are evaluated instead.

A field that is smooth across an area is evaluated at the tensor product of Chebyshev points in two directions along
the ground and in height, as many as its scales ask for. Of the Chebyshev series through its values (Trefethen 2013,
Approximation Theory and Approximation Practice, chapters 2 to 4) a block of the area's points takes a shorter one: that
through its values at the fewer nodes that the block needs. The directions are those of the plane that touches the
sphere in the area's middle, or of a plane domain itself, so that neither poles nor the date line matter.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.chebyshev import chebpts1, chebvander

from mlrtma_dist.grid.domain import EARTH_RADIUS
from mlrtma_dist.grid.points import Points

WIDEST = 2.0e6  # m of radius; a wider area is no longer near its plane: no mesh
LEAST = 3  # nodes along the ground
POINTS_OF_A_NODE = 2  # of the area; with fewer a mesh does not pay


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
        spacing: largest mean distance of neighbouring nodes along each, m, shape (3,).
        counts: of nodes along each.
    """

    points: Points
    origin: np.ndarray
    axes: np.ndarray
    middle: np.ndarray
    half: np.ndarray
    spacing: np.ndarray
    counts: tuple[int, ...]

    def series(self, values: np.ndarray) -> "Series":
        """The Chebyshev series through k columns of values at the nodes, shape (n, k)."""
        inverses = [_through_nodes(count) for count in self.counts]
        series = _transformed(values.reshape(*self.counts, -1), inverses)
        return Series(self, series.astype(np.float32))


@dataclass(frozen=True)
class Series:
    """Fields as Chebyshev series in an area.

    Attributes:
        mesh: of the area.
        coefficients: of each degree along the ground and in height and of k fields, shape (*mesh.counts, k), float32.
    """

    mesh: Mesh
    coefficients: np.ndarray

    def at(self, points: Points) -> np.ndarray:
        """The fields at a compact block of m points of the area, shape (m, k), float64."""
        mesh = self.mesh
        place = np.stack([*(mesh.axes @ (points.position - mesh.origin).T), points.elevation])
        place = (place - mesh.middle[:, None]) / mesh.half[:, None]
        low, high = place.min(axis=1), place.max(axis=1)
        middle, half = 0.5 * (high + low), np.maximum(0.5 * (high - low), 1e-6)
        coefficients = self._shorter(middle, half)
        terms = coefficients.shape[0] * coefficients.shape[1]
        inner = ((place - middle[:, None]) / half[:, None]).astype(np.float32)
        x, y, z = (chebvander(along, count - 1).T for along, count in zip(inner, coefficients.shape[:3], strict=True))
        by_height = coefficients.reshape(terms, -1).T @ (x[:, None] * y).reshape(terms, -1)
        return np.einsum("hkm,hm->km", by_height.reshape(len(z), -1, len(points)), z).T.astype(np.float64)

    def _shorter(self, middle: np.ndarray, half: np.ndarray) -> np.ndarray:
        """The coefficients in a part of the area, given in halves of its width by centre and half the width, (3,) each.

        One node more than the spacing asks for keeps the error that of the area's series.
        """
        most = self.mesh.counts
        enough = _counts(half * self.mesh.half, self.mesh.spacing)
        counts = [min(1 + count, limit) for count, limit in zip(enough, most, strict=True)]
        matrices = [
            _through_nodes(count) @ _polynomials(centre + width * chebpts1(count), degrees)
            for count, degrees, centre, width in zip(counts, most, middle, half, strict=True)
        ]
        return _transformed(self.coefficients, [matrix.astype(np.float32) for matrix in matrices])


def _transformed(values: np.ndarray, matrices: list[np.ndarray]) -> np.ndarray:
    """Matrices (a, x), (b, y), (c, z) applied along the first three axes of values (x, y, z, k), shape (a, b, c, k)."""
    (a, x), (b, y), (c, z) = (matrix.shape for matrix in matrices)
    along_x = (matrices[0] @ values.reshape(x, -1)).reshape(a, y, -1)
    along_y = (matrices[1] @ along_x).reshape(a, b, z, -1)
    return matrices[2] @ along_y


def _polynomials(x: np.ndarray, count: int) -> np.ndarray:
    """The first Chebyshev polynomials at few places from -1 to 1, shape (n, count): sooner done than recurrences."""
    return np.cos(np.arccos(np.clip(x, -1.0, 1.0))[:, None] * np.arange(count))


@functools.cache
def _through_nodes(count: int) -> np.ndarray:
    """The matrix (count, count) from values at Chebyshev points to the coefficients of the series through them."""
    return np.linalg.inv(chebvander(chebpts1(count), count - 1))


def _counts(half: np.ndarray, spacing: np.ndarray) -> list[int]:
    """Numbers of nodes in x, y and height of what is twice ``half`` (3,) wide."""
    intervals = [math.ceil(2 * h / s) for h, s in zip(half, spacing, strict=True)]
    return [*(max(LEAST, 1 + number) for number in intervals[:2]), 2 + intervals[2] if np.isfinite(spacing[2]) else 1]


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
    spacings = np.array([spacing, spacing, spacing_in_height if half[2] > 0 else np.inf])
    counts = _counts(half, spacings)
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
    return Mesh(points, centre, axes, middle, half, spacings, tuple(counts))


def _axes(position: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Unit vectors along a row of positions (n, 3) and across it, both at right angles to ``normal``, shape (2, 3)."""
    along = position[1] - position[0]
    along -= (along @ normal) * normal
    along /= np.linalg.norm(along)
    return np.stack([along, np.cross(normal, along)])
