"""3D-Var, global, in observation space (physical-space statistical analysis).

Minimises

    J(dx) = 1/2 dx' B^-1 dx + sum_i rho((d_i - (H dx)_i) / r_i),   d = y_o - H(x_b),

with rho Huber's function. By the representer theorem dx = BH'w, and w solves

    (HBH' + R_v) w = d,   R_v = diag(r^2 / v),

v the Huber weights of the last residuals (iteratively reweighted). Cohn et al. (1998) for the
observation-space form, Tavolato and Isaksen (2015) for Huber's norm in variational assimilation.
All observations act everywhere: one system for the whole domain, solved once; then the increment
of any block is one product with B. The first system is factored, the reweighted ones are
solved by conjugate gradients with that factor as preconditioner.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial import cKDTree

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.linalg.robust import huber_weight
from mlrtma_dist.linalg.solve import conjugate_gradient
from mlrtma_dist.methods import local

MOST_FACTORED = 9000  # observations up to which the whole system is factored (650 MB, about 5 s on 2 cores)
BLOCK = 1500  # observations of a diagonal block of the preconditioner beyond that
ERROR_NEIGHBOURS = 64  # observations that decide the analysis error at a place; more change it by under 1 %
ERROR_CELL = 120e3  # m; edge of the blocks that share them


@dataclass(frozen=True)
class ThreeDVar:
    """Global 3D-Var in observation space.

    Attributes:
        covariance: of the background error.
        huber: limit of the variational quality control in observation errors; None: quadratic.
    """

    covariance: Covariance
    huber: float | None = 1.5

    def fit(self, points: Points, departure: np.ndarray, error: np.ndarray) -> "ThreeDVarFit":
        """Solve for the weights w; see ``methods.method.Method.fit``."""
        v = np.ones(len(points))
        w = np.zeros(len(points))
        if len(points):
            hbh = self.covariance.matrix(points, points)
            precondition = _preconditioner(hbh, error**2, points)
            for _ in range(local.MOST_ITERATIONS):
                r_squared = error**2 / v
                w = conjugate_gradient(
                    lambda x: hbh @ x.astype(np.float32) + r_squared * x, departure, precondition=precondition
                )
                before, v = v, huber_weight(r_squared * w / error, self.huber)
                if np.abs(v - before).max() < local.SETTLED:
                    break
        tree = cKDTree(points.position) if len(points) else None
        return ThreeDVarFit(self.covariance, points, w, error**2 / v, v, tree)


def _preconditioner(hbh: np.ndarray, r_squared: np.ndarray, points: Points):
    """An approximate inverse of HBH' + R: exact up to MOST_FACTORED observations, else of diagonal blocks."""
    n = len(r_squared)
    if n <= MOST_FACTORED:
        blocks = [np.arange(n)]
    else:
        order = np.argsort(points.longitude, kind="stable")
        blocks = np.array_split(order, -(-n // BLOCK))
    factors = []
    for block in blocks:
        a = hbh[np.ix_(block, block)].astype(np.float64)
        a[np.diag_indices(len(block))] += r_squared[block]
        factors.append(cho_factor(a, lower=True, overwrite_a=True, check_finite=False))

    def precondition(residual: np.ndarray) -> np.ndarray:
        result = np.empty_like(residual)
        for block, factor in zip(blocks, factors):
            result[block] = cho_solve(factor, residual[block], check_finite=False)
        return result

    return precondition


@dataclass(frozen=True)
class ThreeDVarFit:
    """3D-Var with its weights; see ``methods.method.Fit``."""

    covariance: Covariance
    stations: Points
    w: np.ndarray
    r_squared: np.ndarray
    weight: np.ndarray
    tree: cKDTree | None

    def increment(self, points: Points) -> np.ndarray:
        """dx = BH'w at the points, shape (m,)."""
        return self.covariance.apply(points, self.stations, self.w)

    def error(self, points: Points) -> np.ndarray:
        """Standard deviation of the analysis error from the nearest observations, shape (m,)."""
        result = np.full(len(points), np.sqrt(self.covariance.variance))
        if self.tree is not None:
            for block in local.cells(points.position, ERROR_CELL):
                near = local.nearest(self.tree, points.position[block], ERROR_NEIGHBOURS)
                variance = local.posterior_variance(self.covariance, points[block], self.stations[near], self.r_squared[near])
                result[block] = np.sqrt(variance)
        return result
