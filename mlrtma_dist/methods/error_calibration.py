"""Calibration of the error that an analysis expects, where its background has used reports of the same stations.

The settings of an hour are fitted to the departures from the background (`hour_settings`). Where that background is an
analysis of the same stations, they lie nearer to it than other places do, and the error comes out too small. What a
station's own reports have put into the background is known (`Case.influence`); without it, and without its report
of this hour, its residual is that of a place without a station:

    r_i = d_i + k_i o_i - (increment at i by the others)        d: departure, o: own influence

with k_i the share of it that the others leave there (`local.LeftOut`): without it their departures would differ, too.
Then one factor c on the expected error of a variable makes the likelihood of all r largest,

    log p(r | c) = -1/2 sum_i [ log(c^2 s_i^2 + R) + r_i^2 / (c^2 s_i^2 + R) ],   s_i: expected at i by the others,

times a log-normal prior of c^2 about 1, so that few stations change little. R is the observation error variance of the
settings, not that fitted to the hour, which holds a part of what the background has wrong. Residuals are cut at three
robust deviations. The analysis itself stays as it is.
"""

from dataclasses import dataclass, replace

import numpy as np

from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.amplitude import PRIOR, clipped
from mlrtma_dist.methods.by_others import ByOthers
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.departure_method import Fit
from mlrtma_dist.methods.hour_settings import of_the_background
from mlrtma_dist.methods.settings import Classical
from mlrtma_dist.methods.wind import WIND, WindComponent
from mlrtma_dist.observations.own_influence import OwnInfluence

LOGS = np.linspace(-2.4, 2.4, 97)  # of c^2, searched: steps of 5 %, up to a factor of 11 as in ``amplitude``


@dataclass(frozen=True)
class CalibratedFit:
    """A fit whose expected error has a factor; see ``methods.departure_method.Fit``.

    Attributes:
        fit: of a variable, or of both components of a wind, as the hour's settings give it; factor: on its error.
    """

    fit: Fit
    factor: float

    @property
    def weight(self) -> np.ndarray:
        """Weight of each observation, shape (n,)."""
        return self.fit.weight

    @property
    def parts(self) -> tuple[Fit, ...]:
        """The fit itself, or the fits of which it is made."""
        return getattr(self.fit, "parts", (self.fit,))

    def combined(self, points: Points, first, increments: list[np.ndarray]) -> np.ndarray:
        """The increment from those of the parts."""
        own = getattr(self.fit, "combined", None)
        return own(points, first, increments) if own is not None else increments[0]

    def increment(self, points: Points) -> np.ndarray:
        """Of the fit, as it is, shape (m,), or (m, 2) of a wind."""
        return self.fit.increment(points)

    def error(self, points: Points) -> np.ndarray:
        """Of the fit, times the factor, shape (m,)."""
        return self.factor * self.fit.error(points)


def calibrated(fits: dict[str, Fit], settings: Classical, others: ByOthers) -> dict[str, Fit]:
    """The fits of a case with factors on their errors, where the influence of its stations on its first guess is known.

    Args:
        fits: of each variable; settings: of many hours.
        others: what the other reports give at each, for the variables that are calibrated.
    """
    if others.case.influence is None:
        return fits
    result = dict(fits)
    components = {name: fits[name] for name in others.assumed if isinstance(fits[name], WindComponent)}
    for name in (each for each in others.assumed if each not in components):
        result[name] = CalibratedFit(fits[name], error_factor(others, (name,), settings))
    if components:  # one fit of both
        wind = CalibratedFit(components[WIND[0]].wind, error_factor(others, WIND, settings))
        result |= {name: replace(each, wind=wind) for name, each in components.items()}
    return result


def error_factors(fits: dict[str, Fit]) -> dict[str, float]:
    """Variable -> factor on its expected error, of the fits that have one."""
    whole = {name: fit.wind if isinstance(fit, WindComponent) else fit for name, fit in fits.items()}
    return {name: fit.factor for name, fit in whole.items() if isinstance(fit, CalibratedFit)}


def error_factor(others: ByOthers, names: tuple[str, ...], settings: Classical) -> float:
    """The factor on the expected error of variables that have one error; arguments as of ``calibrated``."""
    case, error = others.case, settings.variables[names[0]].observation_error
    rows = case.used & np.isin(case.observations.variable, names) & np.isfinite(others.deviation)
    for name in names:
        own = rows & (case.observations.variable == name)
        rows[own] = of_the_background(case.first_guess, name, case.points[own])
    if not rows.any():
        return 1.0
    residual = (case.departure + others.kept * case.influence - others.increment)[rows]
    square, expected = clipped(residual, error, 1) ** 2, others.deviation[rows] ** 2
    variance = np.exp(LOGS)[:, None] * expected + error**2
    score = -0.5 * np.sum(np.log(variance) + square / variance, axis=1) - 0.5 * (LOGS / PRIOR) ** 2
    return float(np.exp(0.5 * LOGS[np.argmax(score)]))


def influence_of(
    case: Case, analysis: np.ndarray, others: ByOthers, earlier: OwnInfluence | None = None
) -> OwnInfluence:
    """What the stations of a case have put into its analysis at their places, earlier reports included.

    Args:
        case: that was analysed; analysis: at each report, analysis space, shape (n,), NaN where it is not known.
        others: what the other reports give at each.
        earlier: influence on the case's first guess. Of a station of which no report is used the others leave what
            they leave of all stations on the average. None: not known, or no station was silent.
    """
    without = others.value if case.influence is None else others.value - others.kept * case.influence
    rows = case.used & np.isfinite(analysis) & np.isfinite(without)
    table = case.observations[rows]
    own = OwnInfluence(table.station, table.variable, table.latitude, table.longitude, (analysis - without)[rows])
    if earlier is None or case.influence is None:
        return own
    kinds = np.unique(table.variable).tolist()
    return own.with_silent(earlier, {name: others.kept[rows][table.variable == name].mean() for name in kinds})
