"""3D-Var, global, in observation space (physical-space statistical analysis).

Minimises

    J(dx) = 1/2 dx' B^-1 dx + sum_i rho((d_i - (H dx)_i) / r_i),   d = y_o - H(x_b),

with rho Huber's function. By the representer theorem dx = BH'w, and w solves

    (HBH' + R_v) w = d,   R_v = diag(r^2 / v),

v the Huber weights of the last residuals (iteratively reweighted). Cohn et al. (1998) for the
observation-space form, Tavolato and Isaksen (2015) for Huber's norm in variational assimilation.
All observations act everywhere: one system for the whole domain, solved once; then the increment
of any block is one product with B. The first system is factored and the reweighted ones are
corrections of low rank to it; beyond MOST_FACTORED observations all are solved by conjugate
gradients, preconditioned by factors of diagonal blocks.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_solve
from scipy.spatial import cKDTree

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.linalg.mesh import Area
from mlrtma_dist.linalg.robust import reweight
from mlrtma_dist.linalg.solve import conjugate_gradient
from mlrtma_dist.linalg.sources import Sources
from mlrtma_dist.methods import local
from mlrtma_dist.methods.departure_kind import DepartureKind

MOST_FACTORED = 9000  # observations up to which the whole system is factored (650 MB, about 5 s on 2 cores)
BLOCK = 1500  # observations of a diagonal block of the preconditioner beyond that
SETTLED, MOST_ITERATIONS = 0.02, 8  # of the reweighting there, where each iteration costs a solution
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
        """Solve for the weights w; see ``methods.departure_method.DepartureMethod.fit``."""
        if not len(points):
            return self._fitted(points, departure, error**2, np.ones(0))
        hbh = self.covariance.matrix(points, points)
        if len(points) <= MOST_FACTORED:
            w, v = local.solve_robustly(hbh, departure, error, self.huber)
        else:
            w, v = self._iterate(hbh, points, departure, error)
        return self._fitted(points, w, error**2 / v, v)

    def _fitted(self, points, w, r_squared, weight) -> "ThreeDVarFit":
        tree = cKDTree(points.position) if len(points) else None
        return ThreeDVarFit(self.covariance, points, self.covariance.sources(points, w), r_squared, weight, tree)

    def _iterate(self, hbh, points, departure, error):
        """w and v as of ``local.solve_robustly``, by conjugate gradients."""
        precondition = _preconditioner(hbh, error**2, points)

        def solve(r_squared):
            apply = lambda x: hbh @ x.astype(np.float32) + r_squared * x  # noqa: E731
            columns = departure.reshape(len(departure), -1).T
            solved = [conjugate_gradient(apply, column, precondition=precondition) for column in columns]
            return np.stack(solved, axis=1).reshape(departure.shape)

        return reweight(solve, error, self.huber, settled=SETTLED, most_iterations=MOST_ITERATIONS)


def _preconditioner(hbh: np.ndarray, r_squared: np.ndarray, points: Points):
    """An approximate inverse of HBH' + R: exact within blocks of neighbours, which are told by their longitude."""
    blocks = np.array_split(np.argsort(points.longitude, kind="stable"), -(-len(points) // BLOCK))
    factors = [local.factored(hbh[np.ix_(block, block)], r_squared[block]) for block in blocks]

    def precondition(residual: np.ndarray) -> np.ndarray:
        result = np.empty_like(residual)
        for block, factor in zip(blocks, factors, strict=True):
            result[block] = cho_solve(factor, residual[block], check_finite=False)
        return result

    return precondition


@dataclass(frozen=True)
class ThreeDVarFit:
    """3D-Var with its weights; see ``methods.departure_method.Fit``.

    Attributes:
        covariance: of the background error; stations: of the n observations.
        sources: the increment as a field.
        r_squared: observation error variances over the weights of quality control, shape (n,).
        weight: of each observation, shape (n,); tree: of the stations' positions.
    """

    covariance: Covariance
    stations: Points
    sources: Sources
    r_squared: np.ndarray
    weight: np.ndarray
    tree: cKDTree | None

    def increment(self, points: Points) -> np.ndarray:
        """dx = BH'w at the points, shape (m,), or (m, k) as the departures were."""
        return self.sources.at(points)

    def within(self, area: Area) -> "ThreeDVarFit":
        """The fit made ready for an area; see ``departure_method.within``."""
        return replace(self, sources=self.sources.within(area))

    def error(self, points: Points) -> np.ndarray:
        """Standard deviation of the analysis error from the nearest observations, shape (m,)."""
        if self.tree is None or not len(points):
            return np.sqrt(self.covariance.variance_at(points))
        cells = local.cells(points.position, ERROR_CELL)
        sizes = np.array([len(cell) for cell in cells])
        sums = np.add.reduceat(points.position[np.concatenate(cells)], np.cumsum(sizes) - sizes)
        near = self._nearest(sums / sizes[:, None], points)
        return np.sqrt(local.posterior_variances(self.covariance, points, cells, self.stations, near, self.r_squared))

    def _nearest(self, middle: np.ndarray, points: Points) -> np.ndarray:
        """Rows of the observations that decide the error about each of c places (c, 3), shape (c, k)."""
        return self.tree.query(middle, k=range(1, min(ERROR_NEIGHBOURS, self.tree.n) + 1))[1]


THREEDVAR = DepartureKind(
    "threedvar", lambda prior: ThreeDVar(prior.covariance, prior.huber), covariance=True, isotropic=True
)
