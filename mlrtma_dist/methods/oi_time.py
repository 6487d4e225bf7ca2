"""Optimal interpolation in place and time: the reports of a window of hours, each at its own time.

    x_a(p, t) = x_b(p, t) + B((p, t), .) H' (HBH' + R)^-1 d,   d_i = y_i - x_b(p_i, t_i),

    B((p, t), (q, t')) = sum_s B_s(p, q) (1 + a_s) exp(-a_s),   a_s = |t - t'| / tau_s

Optimal interpolation (Gandin 1963) whose observations have a time as well as a place, and with it Kriging in space and
time (Cressie and Wikle 2011, section 6.1.3). Time scales tau_s belong to the components of the covariance (key ``time``
of ``configs/methods``, hours); without them every report counts as one of the analysis time. All reports are in one
system, solved as that of 3D-Var is, with its variational quality control. Matern's correlation of smoothness 3/2
explains departures of real hours better than an exponential (docs/gridding_in_time.md).

The analysis has a value at any time of the window: `grid.points.TimedPoints` at ``Answer.at``.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from mlrtma_dist.grid.points import Points, TimedPoints, hours_of
from mlrtma_dist.methods.departure_kind import DepartureKind
from mlrtma_dist.methods.threedvar import ERROR_NEIGHBOURS, ThreeDVar, ThreeDVarFit

SLOT = 0.25  # hours; the errors of points within it follow from the same reports
HOUR_AS_DISTANCE = 50e3  # m of distance that an hour of age counts as, where the nearest reports decide an error


@dataclass(frozen=True)
class OptimalInterpolationInTime(ThreeDVar):
    """Optimal interpolation of reports that have times; attributes as of `threedvar.ThreeDVar`."""

    def _fitted(self, points, w, r_squared, weight) -> "InTimeFit":
        tree = cKDTree(_in_space_and_time(points.position, hours_of(points))) if len(points) else None
        return InTimeFit(self.covariance, points, self.covariance.sources(points, w), r_squared, weight, tree, w)


@dataclass(frozen=True)
class InTimeFit(ThreeDVarFit):
    """Optimal interpolation with its reports; see `threedvar.ThreeDVarFit`, whose tree here is of places and times.

    Attributes:
        solution: w, shape (n,), or (n, k) as the departures were.
    """

    solution: np.ndarray
    hour_as_distance = HOUR_AS_DISTANCE

    def increment(self, points: Points) -> np.ndarray:
        """Analysis minus first guess at the points at their times, shape (m,) or (m, k); without times at hour 0."""
        if not isinstance(points, TimedPoints):
            return self.sources.at(points)
        return self.covariance.apply(points, self.stations, self.solution)

    def error(self, points: Points) -> np.ndarray:
        """Standard deviation of the analysis error at the points at their times, shape (m,)."""
        if not isinstance(points, TimedPoints):
            return super().error(points)
        result = np.empty(len(points))
        slot = np.rint(points.hours / SLOT)
        for number in np.unique(slot):
            rows = slot == number
            result[rows] = super().error(points[rows])
        return result

    def _nearest(self, middle: np.ndarray, points: Points) -> np.ndarray:
        hours = np.full(len(middle), hours_of(points).mean())
        count = min(ERROR_NEIGHBOURS, self.tree.n)
        return self.tree.query(_in_space_and_time(middle, hours), k=range(1, count + 1))[1]


def _in_space_and_time(position: np.ndarray, hours: np.ndarray) -> np.ndarray:
    """Positions (n, 3) with hours (n,) as a fourth distance, m, shape (n, 4)."""
    return np.column_stack([position, hours * HOUR_AS_DISTANCE])


OI_TIME = DepartureKind(
    "oi_time",
    lambda prior: OptimalInterpolationInTime(prior.covariance, prior.huber),
    covariance=True,
    isotropic=True,
    in_time=True,
)
