"""Optimal interpolation, local: each block of targets uses the observations nearest to it.

    x_a = x_b + BH'(HBH' + R)^-1 d,   d = y_o - H(x_b)

Gandin (1963); Lorenc (1981) for analysis in boxes. Variational quality control by Huber's weights
(Tavolato and Isaksen 2015), found once at the stations, so that neighbouring boxes agree.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve
from scipy.spatial import cKDTree

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods import local
from mlrtma_dist.methods.departure_kind import DepartureKind

CELL = 0.5  # edge of a cell of targets, in units of the width that ``neighbours`` stations fill on average


@dataclass(frozen=True)
class OptimalInterpolation:
    """Local optimal interpolation.

    Attributes:
        covariance: of the background error.
        huber: limit of the variational quality control in observation errors; None: linear.
        neighbours: observations used for each block of targets.
    """

    covariance: Covariance
    huber: float | None = 1.5
    neighbours: int = 160

    def fit(self, points: Points, departure: np.ndarray, error: np.ndarray) -> "OptimalInterpolationFit":
        """Find the quality-control weights; see ``methods.departure_method.DepartureMethod.fit``."""
        tree = cKDTree(points.position) if len(points) else None
        weight = np.ones(len(points))
        cells = local.cells(points.position, self._cell_size(points)) if self.huber is not None else []
        for cell in cells:
            near = np.union1d(cell, local.nearest(tree, points.position[cell], self.neighbours))
            hbh = self.covariance.matrix(points[near], points[near])
            _, weights = local.solve_robustly(hbh, departure[near], error[near], self.huber)
            weight[cell] = weights[np.searchsorted(near, cell)]
        return OptimalInterpolationFit(
            self, points, departure, error**2 / weight, weight, tree, self._cell_size(points)
        )

    def _cell_size(self, points: Points) -> float:
        if len(points) <= self.neighbours:  # every block would use them all: one block, one system
            return np.inf
        *_, width, length = np.sort(np.ptp(points.position, axis=0))
        return max(CELL * float(np.sqrt(width * length * self.neighbours / len(points))), 1e-6)


@dataclass(frozen=True)
class OptimalInterpolationFit:
    """Optimal interpolation with its observations; see ``methods.departure_method.Fit``."""

    method: OptimalInterpolation
    stations: Points
    departure: np.ndarray
    r_squared: np.ndarray
    weight: np.ndarray
    tree: cKDTree | None
    cell_size: float

    def increment(self, points: Points) -> np.ndarray:
        """Analysis minus first guess, shape (m,), or (m, k) as the departures were."""
        result = np.zeros((len(points), *self.departure.shape[1:]))
        for block, near in self._blocks(points):
            stations = self.stations[near]
            factor = local.factored(self.method.covariance.matrix(stations, stations), self.r_squared[near])
            w = cho_solve(factor, self.departure[near])
            result[block] = self.method.covariance.apply(points[block], stations, w)
        return result

    def error(self, points: Points) -> np.ndarray:
        """Standard deviation of the analysis error, shape (m,)."""
        result = np.sqrt(self.method.covariance.variance_at(points))
        for block, near in self._blocks(points):
            observed = self.stations[near], self.r_squared[near]
            result[block] = np.sqrt(local.posterior_variance(self.method.covariance, points[block], *observed))
        return result

    def _blocks(self, points: Points):
        if self.tree is not None:
            for block in local.cells(points.position, self.cell_size):
                yield block, local.nearest(self.tree, points.position[block], self.method.neighbours)


OI = DepartureKind(
    "oi",
    lambda prior: OptimalInterpolation(prior.covariance, prior.huber, prior.settings.neighbours),
    covariance=True,
    isotropic=True,
)
