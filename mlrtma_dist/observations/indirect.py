"""Indirect observations of shallow water: two types that are nonlinear functions of depth and wind at one point.

    o1 = sqrt((u + W/s)^2 + v^2) - W/s        speed as seen from a platform that moves at W/s, less that of the platform
    o2 = D/s sin(s (h/D + v/W))               a phase: folded where its argument leaves +-pi/2

D and W bring height and wind to size one, s is the strength of the nonlinearity. For s -> 0 both become linear, u and
h + D v/W. For s above 1 most speeds say nothing of the direction, and most phases have several heights that fit.

The types are numbered as in ``TYPES``: h, u, v themselves, then o1, o2. H(x) is a type's value, its tangent the row of
derivatives by (h, u, v); the adjoint is the same row, so that <H' dx, w> = <dx, H'^T w> holds by itself.
"""

from dataclasses import dataclass

import numpy as np

VARIABLES = ("h", "u", "v")
TYPES = (*VARIABLES, "o1", "o2")


@dataclass(frozen=True)
class IndirectTypes:
    """The observation operator H of all types, point by point.

    Attributes:
        strength: s of the nonlinearity, without unit, above 0.
        height: D, which brings the height to size one, m.
        wind: W, which brings the wind to size one, m s-1.
    """

    strength: float = 0.3
    height: float = 8.0
    wind: float = 6.0

    def __post_init__(self):
        for name in ("strength", "height", "wind"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name}: expected more than 0, got {getattr(self, name):g}")

    def fields(self, state: np.ndarray) -> np.ndarray:
        """Every type everywhere, m or m s-1, shape (..., 5, y, x), of a state (..., 3, y, x) of h, u, v."""
        h, u, v = np.moveaxis(state, -3, 0)
        return np.stack([h, u, v, *self.indirect(h, u, v)], -3)

    def indirect(self, h, u, v, functions=np) -> tuple:
        """o1 and o2 of arrays, or of tensors where ``functions`` is torch; of one shape."""
        platform, phase = self.wind / self.strength, self.strength * (h / self.height + v / self.wind)
        speed = functions.hypot(u + platform, v) - platform
        return speed, self.height / self.strength * functions.sin(phase)

    def values(self, state: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """H(x) of observations.

        Args:
            state: h, u, v where each was made, shape (n, 3).
            kind: number of each one's type, shape (n,).

        Returns:
            Shape (n,).
        """
        everything = self.fields(state[:, :, None, None])[:, :, 0, 0]
        return np.take_along_axis(everything, kind[:, None], 1)[:, 0]

    def tangent(self, state: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Derivatives of each observation by h, u, v where it was made, shape (n, 3); arguments as of `values`.

        A speed of zero has no derivative; it is given the one of 0.
        """
        h, u, v = state.T
        along = u + self.wind / self.strength
        speed = np.maximum(np.hypot(along, v), np.finfo(float).tiny)
        slope = np.cos(self.strength * (h / self.height + v / self.wind))
        rows = np.zeros((len(state), len(TYPES), 3))
        rows[:, :3] = np.eye(3)
        rows[:, 3, 1:] = np.stack([along / speed, v / speed], 1)
        rows[:, 4] = np.stack([slope, np.zeros_like(h), slope * self.height / self.wind], 1)
        return np.take_along_axis(rows, kind[:, None, None], 1)[:, 0]
