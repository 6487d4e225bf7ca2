"""What preconditions 4D-Var of reports in its dual form: the matrix of the reports where departures persist, in blocks.

    1 + G G^T = 1 + R^-1/2 H B H' R^-1/2 o c^|k - l|     where departures persist with the correlation c

A block has reports of one variable that are near each other, at all times of the window. Left out are what blocks have
in common, the interpolation between grid points, and that the directions of wind turn from place to place.
"""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance

BLOCK = 2500  # reports of a block at most: 50 MB


class ReportBlocks:
    """An approximate inverse of 1 + G G^T."""

    def __init__(
        self,
        points: Points,
        kind: np.ndarray,
        time: np.ndarray,
        deviation: np.ndarray,
        covariances: Sequence[Covariance],
        *,
        correlation: float,
    ):
        """Factor the blocks.

        Args:
            points: places of n reports, without times; kind: number of each one's variable; time: number of its time;
                deviation: of its error; all of shape (n,).
            covariances: of each variable; correlation: c.
        """
        self._factors = []
        for number, covariance in enumerate(covariances):
            rows = np.flatnonzero(kind == number)
            rows = rows[np.argsort(points.longitude[rows], kind="stable")]
            for block in np.array_split(rows, max(1, -(-len(rows) // BLOCK))):
                own = points[block]
                matrix = covariance.matrix(own, own) * correlation ** np.abs(time[block, None] - time[block])
                matrix = matrix / (deviation[block, None] * deviation[block])
                matrix[np.diag_indices(len(block))] += 1.0
                self._factors.append((block, cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)))

    def __call__(self, residual: np.ndarray) -> np.ndarray:
        """The product with r, shape (n,)."""
        result = np.empty_like(residual)
        for block, factor in self._factors:
            result[block] = cho_solve(factor, residual[block], check_finite=False)
        return result
