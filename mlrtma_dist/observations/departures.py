"""Quality control against the first guess, and the rule by which a station leaves verification.

A departure is observation minus first guess in analysis space. The limit of the gross error check follows the
hour: where the first guess is bad everywhere, large departures are no sign of a bad report. The verification
rule follows nothing: it was fixed before any score was looked at (docs/quality_control.md).
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from mlrtma_dist.names import variable
from mlrtma_dist.observations.reports import measurements
from mlrtma_dist.observations.table import Flag, Observations

# Fields that neighbouring stations share. Gusts, fog and cloud bases are truly smaller than the distance
# between stations and have two modes (fog or none): only the fixed limit ``Variable.gross`` judges them.
SMOOTH = ("t2m", "d2m", "u10", "v10", "psfc")

# The flags that take a report out of verification, besides a departure beyond ``Variable.gross``.
UNVERIFIABLE = (
    Flag.PROVIDER
    | Flag.RANGE
    | Flag.POSITION
    | Flag.TIME
    | Flag.DUPLICATE
    | Flag.OUTSIDE
    | Flag.OTHER_TIME
    | Flag.LABEL
)


@dataclass(frozen=True)
class GrossLimits:
    """How far a report may be from the first guess.

    Attributes:
        factor: multiple of the expected, or of the hour's robust, standard deviation; of Gaussian departures 5
            flags one in 1.7 million, and the buddy check judges what is nearer.
        floor: share of ``Variable.gross`` below which no departure is gross: a gap wind of 9 m/s in a calm hour
            is weather, and what is wrong below is the buddy check's to find.
        quantile: where the tail of the hour's departures is measured. A first guess that is poor in one region
            makes a long tail of good reports: on 2022-08-24 06Z the median alone would have taken out
            Las Vegas, where four stations agree.
        fewest: reports from which a robust standard deviation is taken; the median of fewer is chance.
    """

    factor: float = 5.0
    floor: float = 0.5
    quantile: float = 0.95
    fewest: int = 10


def check_departures(
    observations: Observations,
    departure: np.ndarray,
    spread: np.ndarray,
    *,
    withheld: np.ndarray | None = None,
    limits: GrossLimits = GrossLimits(),
) -> Observations:
    """Flag reports too far from the first guess as gross errors; u10 and v10 are judged as one vector.

    The limit is min(gross, max(factor sqrt(spread^2 + error^2), factor robust, floor gross)), with ``robust``
    the larger of the standard deviations that the median and the 95 % quantile of the hour's absolute
    departures tell: a bias or a long tail of the first guess widens it, up to 5 % of bad reports do not.

    Args:
        observations: the table, with the flags of ``check_reports``.
        departure: observation minus first guess in analysis space, shape (n,); NaN is not judged.
        spread: standard deviation of the first guess' error in analysis space, shape (n,).
        withheld: mask (n,) of rows that are judged but count for no limit; None: no row is withheld.
        limits: see there.

    Raises:
        ValueError: an array is not of the table's length.
    """
    _require_length(observations, departure=departure, spread=spread)
    withheld = rows_withheld(observations, withheld)
    expected = np.hypot(np.nan_to_num(spread), observation_error(observations))
    gross = np.zeros(len(observations), dtype=bool)
    for rows in measurements(observations).values():
        properties = variable(str(observations.variable[rows[0, 0]]))
        size = _size(departure[rows])
        limit = properties.gross
        if properties.name in SMOOTH:
            judges = observations.good[rows].all(axis=1) & ~withheld[rows].any(axis=1) & np.isfinite(size)
            robust = 0.0
            if judges.sum() >= limits.fewest:
                robust = max(robust_deviation(size[judges], rows.shape[1], part) for part in (0.5, limits.quantile))
            scale = limits.factor * np.maximum(expected[rows].max(axis=1), robust)
            limit = np.minimum(properties.gross, np.maximum(scale, limits.floor * properties.gross))
        gross[rows[size > limit]] = True
    return observations.flagged(gross, Flag.GROSS)


def verifiable(observations: Observations, departure: np.ndarray) -> np.ndarray:
    """Mask of the reports by which an analysis is judged, shape (n,).

    A report leaves only for a flag of ``UNVERIFIABLE`` or a departure beyond ``Variable.gross`` (wind: the
    vector's). The adaptive gross error check, the buddy check, elevation and consistency never remove one.

    Args:
        observations: the table, with its flags.
        departure: observation minus FIRST GUESS (never an analysis) in analysis space, shape (n,); a report
            without one stays.

    Raises:
        ValueError: ``departure`` is not of the table's length.
    """
    _require_length(observations, departure=departure)
    kept = (observations.flags & np.uint32(UNVERIFIABLE)) == 0
    for rows in measurements(observations).values():
        size = _size(departure[rows])
        kept[rows[size > variable(str(observations.variable[rows[0, 0]])).gross]] = False
    return kept


def observation_error(observations: Observations) -> np.ndarray:
    """Standard deviation of each report's error in analysis space, shape (n,).

    The source's own where it gives one; ``Variable.error`` where it gives none and for logarithms, whose
    sources speak of metres.
    """
    error = np.empty(len(observations))
    for name in np.unique(observations.variable):
        properties, rows = variable(str(name)), observations.variable == name
        reported = observations.error[rows]
        usable = np.isfinite(reported) & (reported > 0.0) & (properties.transform == "identity")
        error[rows] = np.where(usable, reported, properties.error)
    return error


def robust_deviation(size: np.ndarray, components: int, quantile: float = 0.5) -> float:
    """Standard deviation per component of Gaussian vectors from a quantile of their ``size`` (n,)."""
    return float(np.quantile(size, quantile) / np.sqrt(chi2.ppf(quantile, components)))


def rows_withheld(observations: Observations, withheld: np.ndarray | None) -> np.ndarray:
    """The mask ``withheld`` (n,), or one without a withheld row for None.

    Raises:
        ValueError: the mask is not of the table's length.
    """
    if withheld is None:
        return np.zeros(len(observations), dtype=bool)
    _require_length(observations, withheld=withheld)
    return np.asarray(withheld, dtype=bool)


def _size(departure: np.ndarray) -> np.ndarray:
    """Length of each vector (m, p), shape (m,); infinite for what damage makes of a value (1e300)."""
    with np.errstate(over="ignore"):
        return np.linalg.norm(departure, axis=1)


def _require_length(observations: Observations, **arrays: np.ndarray) -> None:
    for name, array in arrays.items():
        if np.shape(array) != (len(observations),):
            raise ValueError(
                f"{name}: expected one value per report, shape ({len(observations)},), got {np.shape(array)}"
            )
