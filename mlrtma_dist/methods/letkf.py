"""Local ensemble transform Kalman filter (Hunt, Kostelich and Szunyogh 2007), analysis step.

Legend: N members; X their deviations from their mean at a target, Y at the stations; d = y_o - H(x_b);
R = diag(r^2 / rho), rho the localisation between target and station: a distant station is taken for an inaccurate one.

    P~ = [ (N - 1) / inflation I + Y' R^-1 Y ]^-1              (eq. 21)
    w  = P~ Y' R^-1 d,   increment X w                         (eqs. 20 and 22)
    W  = [ (N - 1) P~ ]^(1/2),   analysed deviations X W       (eqs. 23 and 24)

Each target has an analysis of its own; targets are taken in blocks, whose N x N systems come out of one matrix product
and are solved by one batched eigendecomposition. Inflation multiplies the background variance; relaxation draws the
analysed spread back to the background's (Whitaker and Hamill 2012, eq. 2).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.localisation import Localisation
from mlrtma_dist.linalg.robust import reweight
from mlrtma_dist.methods import local
from mlrtma_dist.methods.departure_kind import DepartureKind, Prior

CELL = 0.5  # edge of a block of targets in units of the radius: few stations that only part of a block needs
ELEMENTS = 2_000_000  # float64 numbers of an array held at a time, 16 MB
SETTLED, MOST_ITERATIONS = 1e-2, 30  # of the reweighting, whose every iteration costs an analysis at the stations


@dataclass(frozen=True)
class LETKF:
    """Local ensemble transform Kalman filter.

    Attributes:
        perturbations: the members' deviations from their mean at given points, shape (members, n), analysis space.
        localisation: of observations in place and height; None: every station acts everywhere.
        inflation: factor on the background variance.
        relaxation: to the background spread, 0 (none) to 1.
        huber: limit of the variational quality control in observation errors; None: linear.
        error_factor: on the observation errors: few members cannot fit what the full covariance beside which those
            were estimated can.
    """

    perturbations: Callable[[Points], np.ndarray]
    localisation: Localisation | None
    inflation: float = 1.0
    relaxation: float = 0.0
    huber: float | None = None
    error_factor: float = 1.0

    def __post_init__(self):
        if not self.inflation > 0 or not self.error_factor > 0 or not 0 <= self.relaxation <= 1:
            raise ValueError(
                "letkf: expected inflation > 0, error_factor > 0 and relaxation from 0 to 1, got "
                f"{self.inflation:g}, {self.error_factor:g} and {self.relaxation:g}"
            )

    def fit(self, points: Points, departure: np.ndarray, error: np.ndarray) -> "LETKFFit":
        """Find the quality-control weights; see ``methods.departure_method.DepartureMethod.fit``."""
        error = self.error_factor * error
        tree = cKDTree(points.position) if len(points) else None
        first = LETKFFit(self, points, departure, self.perturbations(points), tree, error**2, np.ones(len(points)))
        if self.huber is None or not len(points):
            return first
        blocks = list(first.blocks(points))

        def solve(r_squared: np.ndarray) -> np.ndarray:
            return (departure - replace(first, r_squared=r_squared).increment(points, blocks)) / r_squared

        _, weight = reweight(solve, error, self.huber, settled=SETTLED, most_iterations=MOST_ITERATIONS)
        return replace(first, r_squared=error**2 / weight, weight=weight)


@dataclass(frozen=True)
class LETKFFit:
    """The filter with its observations; see ``methods.departure_method.Fit``."""

    method: LETKF
    stations: Points
    departure: np.ndarray
    observed: np.ndarray
    tree: cKDTree | None
    r_squared: np.ndarray
    weight: np.ndarray

    def increment(self, points: Points, blocks: Iterable | None = None) -> np.ndarray:
        """X w at the points, shape (m,); ``blocks`` of these points, where they are asked again and again."""
        result = np.zeros(len(points))
        for rows, x, inverse, vectors, forcing in self._systems(self.blocks(points) if blocks is None else blocks):
            along = (vectors.mT @ forcing[..., None])[..., 0] * inverse
            result[rows] = ((x[:, None] @ vectors)[:, 0] * along).sum(axis=1)
        return result

    def error(self, points: Points) -> np.ndarray:
        """Spread of the analysed members, inflation and relaxation included, shape (m,)."""
        result = np.zeros(len(points))
        for rows, x, inverse, vectors, _ in self._systems(self.blocks(points)):
            result[rows] = self._relaxed(x, np.sqrt(((x[:, None] @ vectors)[:, 0] ** 2 * inverse).sum(axis=1)))
        return result

    def members(self, points: Points) -> np.ndarray:
        """Deviations of the analysed members from their mean, shape (members, m); their spread is ``error``."""
        result = np.zeros((len(self.observed), len(points)))
        for rows, x, inverse, vectors, _ in self._systems(self.blocks(points)):
            along = (x[:, None] @ vectors)[:, 0]
            spread = np.sqrt((along**2 * inverse).sum(axis=1))
            deviations = (vectors @ (along * np.sqrt((x.shape[1] - 1) * inverse))[..., None])[..., 0].T
            ratio = np.divide(self._relaxed(x, spread), spread, out=np.ones(len(x)), where=spread > 0)
            result[:, rows] = deviations * ratio
        return result

    def _relaxed(self, x: np.ndarray, spread: np.ndarray) -> np.ndarray:
        before = np.sqrt(self.method.inflation * (x * x).sum(axis=1) / (x.shape[1] - 1))
        return spread + self.method.relaxation * (before - spread)

    def blocks(self, points: Points):
        """Rows of ``points`` near each other and for them: X (m, N), the stations in reach (k,), their rho (m, k)."""
        localisation = self.method.localisation
        size = np.inf if localisation is None else CELL * localisation.radius
        x = self.method.perturbations(points).T
        for block in local.cells(points.position, size):
            near = self._near(points.position[block])
            width = x.shape[1] if localisation is None else max(len(near), x.shape[1] ** 2)
            step = max(1, ELEMENTS // width)
            for rows in np.split(block, range(step, len(block), step)):
                if localisation is None:
                    yield rows, x[rows], near, np.ones((1, len(near)))
                else:
                    yield rows, x[rows], near, localisation.matrix(points[rows], self.stations[near])

    def _systems(self, blocks: Iterable):
        """Rows and for them: X (m, N), eigenvalues (m, N) and -vectors (m, N, N) of P~, Y'R^-1 d (m, N).

        Without localisation one system serves all rows of a block; its arrays are of length 1 and broadcast.
        """
        number = len(self.observed)
        upper = np.triu_indices(number)  # Y'R^-1 Y is symmetric: half of it is summed
        place = np.zeros((number, number), np.int64)
        place[upper] = place[upper[::-1]] = np.arange(len(upper[0]))
        own = (number - 1) / self.method.inflation
        for rows, x, near, rho in blocks:
            y = self.observed[:, near]
            # one column a station: Y_i Y_i' and Y_i d_i, over its error variance
            loads = np.concatenate([y[upper[0]] * y[upper[1]], y * self.departure[near]]) / self.r_squared[near]
            sums = rho @ loads.T
            values, vectors = np.linalg.eigh(sums[:, place])
            yield rows, x, 1.0 / (own + np.maximum(values, 0.0)), vectors, sums[:, len(upper[0]) :]

    def _near(self, position: np.ndarray) -> np.ndarray:
        """Stations that a block can see."""
        if self.tree is None:
            return np.zeros(0, np.int64)
        if self.method.localisation is None:
            return np.arange(len(self.stations))
        centre = position.mean(axis=0)
        reach = self.method.localisation.radius + np.sqrt(((position - centre) ** 2).sum(axis=1).max())
        return np.array(sorted(self.tree.query_ball_point(centre, reach)), dtype=np.int64)


def _build(prior: Prior) -> LETKF:
    ensemble = prior.settings.ensemble
    how = ensemble.letkf
    return LETKF(prior.perturbations, how.localisation, how.weight, ensemble.relaxation, prior.huber, how.error_factor)


LETKF_KIND = DepartureKind("letkf", _build, members=True)
