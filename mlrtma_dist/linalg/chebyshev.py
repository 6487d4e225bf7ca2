"""Chebyshev nodes in a block of points: where a smooth function of place and height is evaluated instead.

A block of the grid is a small box in (latitude, longitude, elevation), or (x, y) on a plane. A
function that is smooth across the box is evaluated at the tensor product of Chebyshev nodes and
carried to the points by the barycentric interpolating polynomial (Berrut and Trefethen 2004,
eq. 4.2). Nodes are as dense as the function asks for: ``spacing`` says how far apart they may be on average.
"""

import math
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.grid.domain import EARTH_RADIUS
from mlrtma_dist.grid.points import Points, cartesian

WIDEST_DEGREES = 4.0  # blocks wider than this in latitude or longitude are not smooth enough: no nodes
NODES_ACROSS = 4  # along latitude and longitude, at least
NODES_IN_HEIGHT = 3  # at least; stations lie above and below the block even where it is flat
POINTS_OF_A_NODE = 4  # fewer points than this per node, and interpolation does not pay


@dataclass(frozen=True)
class Nodes:
    """Nodes of a block and the weights that carry values from them to its points.

    Attributes:
        points: the nodes, as places, the last coordinate running fastest; land and relief are zero.
        weights: for latitude, longitude and elevation the matrix of shape (n, nodes along it).
    """

    points: Points
    weights: tuple[np.ndarray, np.ndarray, np.ndarray]

    def interpolate(self, values: np.ndarray) -> np.ndarray:
        """Values at the block's n points, (n,) or (n, k), from values at the nodes, (nodes,) or (nodes, k)."""
        latitude, longitude, elevation = self.weights
        planes = latitude @ values.reshape(latitude.shape[1], -1)
        shape = len(planes), longitude.shape[1], elevation.shape[1] * (values.size // len(values))
        lines = np.einsum("nj,njk->nk", longitude, planes.reshape(shape))
        if values.ndim == 1:
            return np.einsum("nk,nk->n", elevation, lines)
        return np.einsum("nk,nkc->nc", elevation, lines.reshape(len(lines), elevation.shape[1], -1))


def nodes(points: Points, spacing: tuple[float, float]) -> Nodes | None:
    """Lay nodes through a block; None where the block is too wide or too small for them, or on a plane.

    Args:
        points: the block.
        spacing: largest mean distance of neighbouring nodes along the ground and in height, m.
    """
    longitude = points.longitude
    if np.ptp(longitude) > 180.0:  # the block lies across the date line
        longitude = longitude % 360.0
    spans = np.ptp(points.latitude), np.ptp(longitude)
    if max(spans) > WIDEST_DEGREES or min(spans) == 0.0:
        return None
    degree = np.deg2rad(EARTH_RADIUS)
    widths = spans[0] * degree, spans[1] * degree * np.cos(np.deg2rad(np.abs(points.latitude).min()))
    counts = [max(NODES_ACROSS, 1 + math.ceil(width / spacing[0])) for width in widths]
    counts.append(max(NODES_IN_HEIGHT, 1 + math.ceil(np.ptp(points.elevation) / spacing[1])))
    if len(points) < POINTS_OF_A_NODE * np.prod(counts):
        return None
    axes, weights = zip(
        *(_axis(x, n) for x, n in zip((points.latitude, longitude, points.elevation), counts, strict=True)), strict=True
    )
    latitude, east, elevation = (grid.ravel() for grid in np.meshgrid(*axes, indexing="ij"))
    zero = np.zeros(len(latitude))
    return Nodes(Points(latitude, east, cartesian(latitude, east), elevation, zero, zero), weights)


def _axis(x: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev points of the second kind across the range of x, and each x's barycentric weights, (n, count)."""
    middle, half = 0.5 * (x.min() + x.max()), max(0.5 * np.ptp(x), 1e-9)
    node = middle - half * np.cos(np.pi * np.arange(count) / (count - 1))
    sign = (-1.0) ** np.arange(count)
    sign[[0, -1]] *= 0.5
    difference = x[:, None] - node
    hit = np.abs(difference) < 1e-12 * half
    difference[hit] = 1.0
    weight = sign / difference
    weight[hit.any(axis=1)] = 0.0
    weight[hit] = 1.0
    return node, weight / weight.sum(axis=1, keepdims=True)
