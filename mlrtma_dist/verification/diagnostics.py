"""Diagnostics: do the errors that were assumed agree with the departures they led to?

Three questions, each with a closed answer in a linear Gaussian system whose assumed covariances are true:

- innovation chi-square: d^T (H B H^T + R)^-1 d / n has the mean 1 (Menard and Chang 2000, Mon. Wea. Rev. 128, 2672);
- Desroziers et al. (2005, Q. J. R. Meteorol. Soc. 131, 3385, section 2): <d_oa d_ob> is the observation error's
  variance, <(d_ob - d_oa) d_ob> the background error's in observation space;
- spread and skill at withheld stations: analysis error variance plus observation error variance is the mean square
  of observation minus analysis.

d_ob is observation minus first guess, d_oa observation minus analysis, all in analysis space.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import chi2

from mlrtma_dist.verification.bootstrap import (
    CONFIDENCE,
    cluster_numbers,
    cluster_sums,
    interval,
    ratio_of_sums,
    resampled_sums,
)
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.regions import ALL

LEAST_ROWS = 30  # of a network to be judged by itself: the estimate's own error is then below about 20 %


class DiagnosticError(ValueError):
    """Departures and covariances that do not fit each other."""


@dataclass(frozen=True)
class ChiSquare:
    """Innovation chi-square divided by its number of departures: 1 where the assumed errors are right.

    Attributes:
        value: above 1 the assumed errors are too small, below 1 too large; NaN of none.
        n: departures.
        lower, upper: what 95 % of consistent systems show; exact for the full covariance, for the diagonal
            approximation only where departures are independent (neighbours never quite are).
    """

    value: float
    n: int
    lower: float
    upper: float

    @property
    def consistent(self) -> bool:
        """Whether the value lies in the range of consistent systems."""
        return self.lower <= self.value <= self.upper


@dataclass(frozen=True)
class ErrorEstimate:
    """Assumed and estimated observation error of one variable and network.

    Attributes:
        variable, network: what was judged; network "all" is every network together.
        n: departures used.
        assumed: root mean square of the assumed standard deviations, analysis space.
        estimated: standard deviation by Desroziers et al., analysis space; NaN where the estimate is negative.
        lower, upper: 95 % interval of ``estimated`` (stations drawn), NaN for too few stations.
        background: estimated background error standard deviation at the stations; NaN where negative.
    """

    variable: str
    network: str
    n: int
    assumed: float
    estimated: float
    lower: float
    upper: float
    background: float

    @property
    def ratio(self) -> float:
        """Estimated over assumed: 1 where the assumption is right, 2 where it is half of what it should be."""
        return self.estimated / self.assumed


@dataclass(frozen=True)
class ReliabilityBin:
    """Withheld observations of similar predicted error: their number, predicted and actual rms departure."""

    n: int
    predicted: float
    actual: float


@dataclass(frozen=True)
class SpreadSkill:
    """Predicted against actual error at withheld stations.

    Attributes:
        n: observations that have a spread and an observation error.
        predicted: root of mean analysis error variance plus mean observation error variance, analysis space.
        actual: rms of observation minus analysis.
        ratio: actual over predicted: above 1 the predicted error is too small. NaN of none.
        lower, upper: 95 % interval of the ratio (stations drawn).
        bins: from the smallest predicted error to the largest, about equally many observations each.
    """

    n: int
    predicted: float
    actual: float
    ratio: float
    lower: float
    upper: float
    bins: tuple[ReliabilityBin, ...]


def innovation_chi_square(departure: np.ndarray, covariance: np.ndarray) -> ChiSquare:
    """d^T S^-1 d / n with the full innovation covariance S = H B H^T + R.

    Args:
        departure: observation minus first guess, shape (n,), analysis space.
        covariance: S, shape (n, n), symmetric positive definite.

    Raises:
        DiagnosticError: shapes that do not fit, a departure that is not finite, or S not positive definite.
    """
    size = len(departure)
    if np.shape(covariance) != (size, size):
        raise DiagnosticError(
            f"chi-square: {size} departures need a covariance of shape ({size}, {size}); got {np.shape(covariance)}"
        )
    if not np.isfinite(departure).all():
        invalid = np.sum(~np.isfinite(departure))
        raise DiagnosticError(f"chi-square: {invalid} of {size} departures are not finite; select the others first")
    try:
        factor = cho_factor(covariance, lower=True)
    except np.linalg.LinAlgError as error:
        raise DiagnosticError(
            f"chi-square: the covariance of {size} departures is not positive definite: {error}"
        ) from error
    return _chi_square(float(departure @ cho_solve(factor, departure)), size)


def diagonal_chi_square(departure: np.ndarray, spread: np.ndarray, observation_error: np.ndarray) -> ChiSquare:
    """Mean of d^2 / (spread^2 + observation_error^2), the diagonal of S in place of S.

    Its mean in a consistent system is 1, too, since the mean of d_i^2 is S_ii; its scatter is larger where departures
    are correlated.

    Args:
        departure: observation minus first guess (or minus an analysis made without it), shape (n,).
        spread: standard deviation of that field's error at the observation, shape (n,).
        observation_error: assumed standard deviation, shape (n,). Rows where any of the three is NaN are left out.
    """
    variance = np.square(spread) + np.square(observation_error)
    rows = np.isfinite(departure) & np.isfinite(variance)
    return _chi_square(float(np.sum(departure[rows] ** 2 / variance[rows])), int(rows.sum()))


def _chi_square(total: float, size: int) -> ChiSquare:
    if size == 0:
        return ChiSquare(np.nan, 0, np.nan, np.nan)
    tail = (1.0 - CONFIDENCE) / 2.0
    lower, upper = chi2.ppf([tail, 1.0 - tail], size) / size
    return ChiSquare(total / size, size, float(lower), float(upper))


def estimate_errors(
    background_departure: np.ndarray,
    analysis_departure: np.ndarray,
    observation_error: np.ndarray,
    *,
    variable: np.ndarray,
    network: np.ndarray,
    station: np.ndarray,
    weight: np.ndarray | None = None,
    seed: int = 0,
) -> list[ErrorEstimate]:
    """Desroziers et al. (2005) estimates by variable and network, from one analysis.

    Args:
        background_departure, analysis_departure: d_ob and d_oa of the observations that were analysed, shape (n,).
        observation_error: assumed standard deviations, shape (n,). Rows where any of the three is NaN are left out.
        variable, network, station: of each row, shape (n,).
        weight: of the variational quality control, shape (n,): an observation of weight w was analysed with the error
            variance R / w, and <w d_oa d_ob> is what compares with R. NaN or None counts as 1.
        seed: of the bootstrap.

    Returns:
        For each variable a row of all networks, then one for each network of at least ``LEAST_ROWS`` observations.
    """
    weight = np.ones(len(station)) if weight is None else np.where(np.isfinite(weight), weight, 1.0)
    product = weight * analysis_departure * background_departure
    explained = (background_departure - analysis_departure) * background_departure
    variance = np.square(observation_error)
    used = np.isfinite(product) & np.isfinite(variance)
    estimates = []
    for name in dict.fromkeys(variable[used].tolist()):
        of_variable = used & (variable == name)
        networks, counts = np.unique(network[of_variable], return_counts=True)
        large = networks[counts >= LEAST_ROWS]
        groups = {ALL: of_variable} | {str(kind): of_variable & (network == kind) for kind in large}
        for kind, rows in groups.items():
            lower, upper = _interval_of_root(station[rows], product[rows], np.ones(rows.sum()), seed)
            estimates.append(
                ErrorEstimate(
                    name,
                    kind,
                    int(rows.sum()),
                    assumed=_root(variance[rows].mean()),
                    estimated=_root(product[rows].mean()),
                    lower=lower,
                    upper=upper,
                    background=_root(explained[rows].mean()),
                )
            )
    return estimates


def _interval_of_root(clusters, above: np.ndarray, below: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % interval of the root of a ratio of sums over rows; a negative ratio counts as zero."""
    number, size = cluster_numbers(clusters)
    sums = resampled_sums(cluster_sums(number, size, above, below), seed=seed)
    return interval(np.sqrt(np.maximum(ratio_of_sums(sums, 0, 1), 0.0)), size)


def _root(variance: float) -> float:
    return float(np.sqrt(variance)) if variance >= 0.0 else float("nan")


def spread_skill(matches: Matches, *, bins: int = 5, clusters: np.ndarray | None = None, seed: int = 0) -> SpreadSkill:
    """Compare predicted with actual errors at withheld stations.

    Args:
        matches: rows of one method and variable. Rows without prediction, spread or observation error are left out.
        bins: number of bins, fewer where there are fewer observations.
        clusters: what the bootstrap draws, a label for each row, shape (n,); None draws stations.
        seed: of the bootstrap.
    """
    total = matches.spread**2 + matches.observation_error**2
    rows = matches.scored & np.isfinite(total)
    predicted, actual = total[rows], matches.error[rows] ** 2
    size = len(predicted)
    if size == 0:
        return SpreadSkill(0, np.nan, np.nan, np.nan, np.nan, np.nan, ())
    labels = (matches.station if clusters is None else clusters)[rows]
    lower, upper = _interval_of_root(labels, actual, predicted, seed)
    parts = np.array_split(np.argsort(predicted, kind="stable"), min(bins, size))
    reliability = tuple(
        ReliabilityBin(len(part), _root(predicted[part].mean()), _root(actual[part].mean())) for part in parts
    )
    ratio = _root(actual.mean() / predicted.mean()) if predicted.any() else float("nan")
    return SpreadSkill(size, _root(predicted.mean()), _root(actual.mean()), ratio, lower, upper, reliability)
