"""Scores of a slot as sums, which add up over any number of slots: reports minus first guess and minus analysis.

Of each variable: number of reports, sum and sum of squares of o-b, sum and sum of squares of o-a, analysis space. The
reports "used" made the analysis; "withheld" ones, of stations that the archive withholds, did not.
"""

import numpy as np

from mlrtma_dist.inference.analyse import at_reports
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.method import Answer
from mlrtma_dist.observations.departures import verifiable

USED, WITHHELD = KINDS = ("used", "withheld")
COLUMNS = ("n", "sum_b", "squares_b", "sum_a", "squares_a")
DIGITS = 7  # significant, of a sum
Sums = dict[str, dict[str, list[float]]]  # kind -> variable -> COLUMNS


def sums_of(case: Case, answer: Answer, analysis: Analysis) -> Sums:
    """The sums of one analysis.

    Args:
        case: what was analysed; answer: the analysis; analysis: the same on the grid and at the reports that were used.
    """
    used = np.isfinite(analysis.analysis_departure)  # which is known of the reports that were used alone
    names = analysis.observations.variable
    sums = {USED: _sums(names, analysis.background_departure, analysis.analysis_departure, used)}
    if case.withheld.any():
        rows = case.withheld & verifiable(case.observations, case.departure) & np.isfinite(case.value)
        analysed, _ = at_reports(case, answer, rows)
        sums[WITHHELD] = _sums(case.observations.variable, case.departure, case.value - analysed, rows)
    return sums


def _sums(variable, background, analysis, rows) -> dict[str, list[float]]:
    """Variable -> COLUMNS of the rows (n,) where both departures are finite."""
    rows = rows & np.isfinite(background) & np.isfinite(analysis)
    sums = {}
    for name in np.unique(variable[rows]):
        own = rows & (variable == name)
        b, a = background[own], analysis[own]
        numbers = (b.sum(), np.square(b).sum(), a.sum(), np.square(a).sum())
        sums[str(name)] = [int(own.sum()), *(float(f"{number:.{DIGITS}g}") for number in numbers)]
    return sums


def rms(sums: np.ndarray) -> tuple[float, float]:
    """Root mean squares of o-b and o-a of a row of COLUMNS; NaN without a report."""
    if not sums[0]:
        return np.nan, np.nan
    return float(np.sqrt(sums[2] / sums[0])), float(np.sqrt(sums[4] / sums[0]))


def biases(sums: np.ndarray) -> tuple[float, float]:
    """Means of o-b and o-a of a row of COLUMNS; NaN without a report."""
    return (float(sums[1] / sums[0]), float(sums[3] / sums[0])) if sums[0] else (np.nan, np.nan)
