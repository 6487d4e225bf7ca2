"""Members whose deviations are known at some places only, as a function of points for methods of ensembles."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from mlrtma_dist.grid.points import Points

SAME = 1.0  # m, in place and height


@dataclass(frozen=True)
class MembersAt:
    """Deviations of members at known places, shape (members, n)."""

    tree: cKDTree
    deviations: np.ndarray

    def __call__(self, points: Points) -> np.ndarray:
        """The deviations at some of the places, shape (members, m)."""
        distance, row = self.tree.query(_places(points))
        assert not len(points) or distance.max() < SAME, "members have no deviations at this place"
        return self.deviations[:, row]


def members_at(points: Points, deviations: np.ndarray) -> MembersAt:
    """Deviations (members, n) at n points."""
    return MembersAt(cKDTree(_places(points)), deviations)


def _places(points: Points) -> np.ndarray:
    return np.column_stack([points.position, points.elevation])
