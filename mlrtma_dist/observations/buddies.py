"""The buddy check: does a report's departure agree with what its neighbours' departures make of the place?

Each report is predicted from its neighbours alone by optimal interpolation of their departures (Gandin 1988,
Mon. Wea. Rev. 116, 1137, "Complex quality control"; Lorenc 1981, Mon. Wea. Rev. 109, 701), with neighbours
near in distance and in height. The residual is compared with its expected spread

    s^2 = error^2 + a v,

v the interpolation's own error variance and ``a`` how much rougher than assumed the hour is, so that the median
residual is a Gaussian's. The worst report of each neighbourhood is set aside first and its neighbours are judged
anew without it; one set aside wrongly, for a bad neighbour's sake, is taken back in the end.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from mlrtma_dist.observations.departures import SMOOTH, observation_error, robust_deviation, rows_withheld
from mlrtma_dist.observations.neighbours import leave_one_out, nearest_judges
from mlrtma_dist.observations.reports import measurements
from mlrtma_dist.observations.table import Flag, Observations


@dataclass(frozen=True)
class BuddyLimits:
    """How the buddy check chooses neighbours and when it flags.

    Attributes:
        tail: share of good Gaussian reports beyond the limit: 0.01 is 2.58 standard deviations (wind vector:
            3.03), so that a 5 sigma error is found by 95 of 100 where neighbours know the place to 0.6 sigma.
        radius: m; a neighbour further away says little about the place.
        height_scale: m of distance that one m of height counts for: 300 m of height are as far as 90 km.
        length: m, correlation length of departures, exp(-distance / length).
        neighbours: the nearest that predict; more add nothing to the interpolation.
        poor: multiple of the hour's deviation beyond which the median departure of the neighbours tells that
            the first guess is poor around, not that they are; smooth departures of a good one seldom reach it.
        fewest: with fewer good neighbours a report is isolated and passes.
        passes: at most so many rounds of setting the worst aside; 5 to 10 are usual.
    """

    tail: float = 0.01
    radius: float = 150e3
    height_scale: float = 300.0
    length: float = 150e3
    neighbours: int = 16
    poor: float = 1.5
    fewest: int = 4
    passes: int = 20


def check_buddies(
    observations: Observations,
    departure: np.ndarray,
    position: np.ndarray,
    height: np.ndarray,
    *,
    withheld: np.ndarray | None = None,
    limits: BuddyLimits = BuddyLimits(),
) -> Observations:
    """Flag reports that disagree with their neighbours; u10 and v10 are judged as one vector.

    Rows that carry a flag neither judge nor are judged; withheld rows are judged at the end and judge nobody.
    Variables outside ``SMOOTH`` and wind components without their partner pass.

    Args:
        observations: the table, with the flags of the earlier checks.
        departure: observation minus first guess in analysis space, shape (n,); NaN is neither judge nor judged.
        position: Cartesian coordinates, m, shape (n, 3).
        height: height of each report, m, shape (n,): the station's, the terrain's where it reports none.
        withheld: mask (n,); None: no row is withheld.
        limits: see there.

    Raises:
        ValueError: an array of another shape, or a height that is missing where a report could be judged.
    """
    size = len(observations)
    if np.shape(departure) != (size,) or np.shape(position) != (size, 3) or np.shape(height) != (size,):
        raise ValueError(
            f"expected departure ({size},), position ({size}, 3) and height ({size},), "
            f"got {np.shape(departure)}, {np.shape(position)} and {np.shape(height)}"
        )
    withheld = rows_withheld(observations, withheld)
    usable = observations.good & np.isfinite(departure)
    if np.isnan(height[usable]).any():
        row = int(np.flatnonzero(usable & np.isnan(height))[0])
        raise ValueError(
            f"row {row} (station {observations.station[row]}) has no height: give the terrain's where none is reported"
        )
    place = np.column_stack([position, limits.height_scale * height])
    error = observation_error(observations)
    odd = np.zeros(size, dtype=bool)
    for kind, rows in measurements(observations).items():
        if kind == "wind" or (kind in SMOOTH and kind not in ("u10", "v10")):
            rows = rows[usable[rows].all(axis=1)]
            judges = ~withheld[rows].any(axis=1)
            odd[rows[_disagreeing(departure[rows], error[rows].max(axis=1), place[rows[:, 0]], judges, limits)]] = True
    return observations.flagged(odd, Flag.BUDDY)


def _disagreeing(departure, error, place, judges, limits) -> np.ndarray:
    """Mask of the m measurements that disagree: departure (m, p), error (m,), place (m, 4) in m, judges (m,)."""
    odd = np.zeros(len(departure), dtype=bool)
    if judges.sum() <= limits.fewest:
        return odd
    departure = departure - np.median(departure[judges], axis=0)
    components = departure.shape[1]
    total = robust_deviation(np.linalg.norm(departure[judges], axis=1), components)
    noise = float(np.median(error[judges]))
    variance = max(total**2 - noise**2, (0.5 * noise) ** 2)  # of the first guess; robust statistics may leave nothing
    near = nearest_judges(place, judges, count=limits.neighbours, radius=limits.radius)
    residual, doubt = np.full(len(departure), np.nan), np.zeros(len(departure))
    again = np.arange(len(departure))
    for _ in range(limits.passes):
        left = np.where(odd[near], -1, near)
        residual[again], doubt[again] = leave_one_out(
            again, left[again], departure, error, place, variance=variance, length=limits.length, poor=limits.poor
        )
        residual[(left >= 0).sum(axis=1) < limits.fewest] = np.nan
        score = _scores(residual, doubt, error, left, judges & ~odd, components, limits.tail)
        limit = _limit(score[judges & ~odd & np.isfinite(residual)], components, limits.tail)
        candidate = np.where(judges & ~odd, score, 0.0)
        worst = (candidate > limit) & (candidate >= np.where(left >= 0, candidate[left], 0.0).max(axis=1))
        if not worst.any():
            break
        odd |= worst
        again = np.flatnonzero((worst[near] & (near >= 0)).any(axis=1))
    return score > limit  # by good neighbours only: takes back whom a bad one condemned


def _scores(residual, doubt, error, near, judges, components, tail) -> np.ndarray:
    """Residuals (m,) in units of their expected spread, 0 for the isolated.

    Where good neighbours disagree among themselves, at a coast or in mountains, a report may disagree more: the
    spread grows with the neighbours' mean square score, drawn towards 1 as by as many neighbours again. Scores
    count up to the Gaussian limit only, so that one bad neighbour hides another little.
    """
    finite = np.isfinite(residual)
    sample = judges & finite
    rough = _roughness(residual[sample], doubt[sample], error[sample], components)
    score = np.where(finite, np.nan_to_num(residual) / np.sqrt(error**2 + rough * doubt), 0.0)
    good = (near >= 0) & finite[near]
    square = np.where(good, np.minimum(score**2, chi2.isf(tail, components))[near] / components, 0.0).sum(axis=1)
    count = near.shape[1]
    return score / np.sqrt(np.maximum((count + square) / (count + good.sum(axis=1)), 1.0))


def _roughness(residual, doubt, error, components) -> float:
    """The factor of ``doubt`` (m,) that makes the median of residual^2 / (error^2 + factor doubt) that of chi squared.

    By bisection: the median falls as the factor grows. 0 where reports agree better than their errors allow.
    """
    truth = chi2.median(components)

    def too_small(factor):
        return np.median(residual**2 / (error**2 + factor * doubt)) > truth

    if not len(residual) or not too_small(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while too_small(high) and high < 1e6:
        high *= 4.0
    for _ in range(30):  # to 1e-9 of the bracket
        middle = 0.5 * (low + high)
        low, high = (middle, high) if too_small(middle) else (low, middle)
    return high


def _limit(score: np.ndarray, components: int, tail: float) -> float:
    """The score (m,) beyond which a report disagrees, wider where the hour's tail is longer than a Gaussian's.

    The ratio r of the 90 % quantile to the median tells the tail. The limit grows as r^3, which is what Student's
    distributions ask for at tail = 0.01 (1.41 times for 5.5 degrees of freedom, 1.63 for 4). Bad reports lengthen
    the tail, too, but theirs disappears as they are set aside pass by pass; that of real weather stays. One
    standard error of r, 1.21 / sqrt(m), is forgiven.
    """
    middle, far, end = np.sqrt(chi2.ppf([0.5, 0.9, 1.0 - tail], components))
    if len(score) < 20 or not np.median(score) > 0.0:  # too few to know a 90 % quantile, or all agree to the last digit
        return float(end)
    longer = np.quantile(score, 0.9) / np.median(score) * middle / far - 1.21 / np.sqrt(len(score))
    return float(end * max(longer, 1.0) ** 3)
