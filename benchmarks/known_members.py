"""Members known at given places: what a method of ensembles asks for the deviations at points."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from mlrtma_dist.grid.points import Points

SAME = 1.0  # m, in place and height


@dataclass(frozen=True)
class Known:
    """Deviations of members at known places, shape (members, n)."""

    tree: cKDTree
    deviations: np.ndarray

    def __call__(self, points: Points) -> np.ndarray:
        """The deviations at some of the places, shape (members, m)."""
        distance, row = self.tree.query(_places(points))
        assert not len(points) or distance.max() < SAME, "asked for members at a place that was never given"
        return self.deviations[:, row]


def known(points: Points, deviations: np.ndarray) -> Known:
    """Deviations (members, n) at n points."""
    return Known(cKDTree(_places(points)), deviations)


def _places(points: Points) -> np.ndarray:
    return np.column_stack([points.position, points.elevation])
