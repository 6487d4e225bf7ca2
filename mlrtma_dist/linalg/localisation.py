"""Localisation: what makes covariances between distant points, which few members only sample noise of, vanish.

    L(p, q) = gc(|position_p - position_q| / radius) gc(|elevation_p - elevation_q| / height)

gc is the compact fifth-order function of Gaspari and Cohn (1999, eq. 4.10), positive definite in three dimensions. The
product of the two is so too (Schur), which one function of a distance in four dimensions would not be.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from mlrtma_dist.grid.points import Points


def gaspari_cohn(r: np.ndarray) -> np.ndarray:
    """The function of Gaspari and Cohn of a distance in units of its support: 1 at 0, 5/24 at 0.5, 0 from 1 on."""
    z = 2.0 * np.minimum(r, 1.0)
    inner = 1.0 + z * z * (-5.0 / 3.0 + z * (0.625 + z * (0.5 - 0.25 * z)))
    far = np.maximum(z, 1.0)
    outer = 4.0 - 5.0 * far + far**2 * (5.0 / 3.0 + far * (0.625 + far * (-0.5 + far / 12.0))) - 2.0 / (3.0 * far)
    return np.where(z < 1.0, inner, np.maximum(outer, 0.0))


@dataclass(frozen=True)
class Localisation:
    """A localisation in place and height.

    Attributes:
        radius: m; distance from which on nothing is shared (twice the half-width c of Gaspari and Cohn).
        height: m of difference in elevation likewise; None: elevation does not matter.
    """

    radius: float
    height: float | None = None

    def __post_init__(self):
        if not self.radius > 0 or (self.height is not None and not self.height > 0):
            raise ValueError(f"localisation: expected a positive radius and height in m, got {self}")

    def matrix(self, p: Points, q: Points) -> np.ndarray:
        """L(p, q), shape (len(p), len(q)), in [0, 1]; not evaluated where it is zero."""
        distance = cdist(p.position, q.position) / self.radius
        if self.height is None:
            return gaspari_cohn(distance)
        rise = np.abs(p.elevation[:, None] - q.elevation) / self.height
        result, near = np.zeros(distance.shape), (distance < 1.0) & (rise < 1.0)
        result[near] = gaspari_cohn(distance[near]) * gaspari_cohn(rise[near])
        return result
