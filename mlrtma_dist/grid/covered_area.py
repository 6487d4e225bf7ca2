"""The area of a plane that places cover: their convex hull, and what lies within a margin around it."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull

CORNERS = 8  # of the polygon around a place that stands for a circle


@dataclass(frozen=True, eq=False)
class CoveredArea:
    """A convex polygon.

    Attributes:
        vertices: counter-clockwise, shape (k, 2).
        sides: normal (outward, of unit length) and offset of each side, shape (k, 3): n . p + offset <= 0 inside.
    """

    vertices: np.ndarray
    sides: np.ndarray

    @classmethod
    def around(cls, places: np.ndarray, margin: float) -> "CoveredArea":
        """The convex hull of places, at least one, widened by a margin.

        Args:
            places: shape (n, 2).
            margin: above 0, in the unit of the places.
        """
        angle = 2.0 * np.pi * np.arange(CORNERS) / CORNERS
        circle = margin * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        corners = (places[:, None] + circle).reshape(-1, 2)
        hull = ConvexHull(corners)
        return cls(corners[hull.vertices], hull.equations)

    def nearest(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The point of the area nearest to each place, the place itself inside, and the distance to it.

        Args:
            places: shape (n, 2).

        Returns:
            Shapes (n, 2) and (n,); the distance of a place inside is exactly zero.
        """
        nearest, distance = np.array(places, dtype=np.float64), np.zeros(len(places))
        if self.holds_rectangle_of(nearest):  # most blocks of a grid
            return nearest, distance
        outside = self._beyond(nearest)
        nearest[outside], distance[outside] = self._on_sides(nearest[outside])
        return nearest, distance

    def _beyond(self, places: np.ndarray) -> np.ndarray:
        """Mask of the places outside, shape (n,)."""
        return (self.sides[:, :2] @ places.T + self.sides[:, 2:]).max(axis=0, initial=0.0) > 0.0

    def holds_rectangle_of(self, places: np.ndarray) -> bool:
        """Whether the corners of the places' rectangle are inside, and so are the places."""
        if not len(places):
            return True
        columns = np.ascontiguousarray(places.T)  # extremes of short rows would take twenty times as long
        low, high = columns.min(axis=1), columns.max(axis=1)
        return not self._beyond(np.array([low, high, (low[0], high[1]), (high[0], low[1])])).any()

    def _on_sides(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The nearest points on the polygon's sides, shape (n, 2), and the distances to them, shape (n,)."""
        if not len(places):
            return places, np.zeros(0)
        start = self.vertices
        along = np.roll(start, -1, axis=0) - start
        # Of a compact block only the sides that are as near as its radius allows can hold a nearest point.
        middle = places.mean(axis=0)
        radius = np.hypot(*(places - middle).T).max()
        from_middle = np.hypot(*(middle[:, None] - _projected(middle[None], start, along)[..., 0]))
        near = from_middle <= (from_middle.min() + 2.0 * radius) * (1.0 + 1e-9)
        nearest = _projected(places, start[near], along[near])
        offset = nearest - places.T[:, None]
        chosen = (offset[0] * offset[0] + offset[1] * offset[1]).argmin(axis=0), np.arange(len(places))
        return nearest[:, *chosen].T, np.hypot(*offset[:, *chosen])


def _projected(places: np.ndarray, start: np.ndarray, along: np.ndarray) -> np.ndarray:
    """The point nearest to each place (n, 2) on each side from ``start`` on ``along`` (k, 2), shape (2, k, n)."""
    offset = places.T[:, None] - start.T[:, :, None]
    x, y = along.T[:, :, None]
    share = (offset[0] * x + offset[1] * y) / (x * x + y * y)
    return start.T[:, :, None] + np.clip(share, 0.0, 1.0) * along.T[:, :, None]
