"""Paired errors: two methods at the same reports, and ratios of their scores with intervals.

Of variable v, with errors e of the candidate (c) and of the reference (r) at the same reports j,

    rmse ratio_v = sqrt(sum_j e_c,j^2 / sum_j e_r,j^2)        CRPS ratio_v = sum_j CRPS_c,j / sum_j CRPS_r,j

and of several variables the geometric mean. Reports of one station, and of one date, err together: the interval is from
the 2.5 % to the 97.5 % quantile of ratios for which whole stations, or whole dates, are drawn with replacement, the
same ones for both methods (`bootstrap`); of the two intervals the lower of the lower ends and the upper of the upper
ends count. The CRPS is that of the predicted distribution (`crps.crps_of_matches`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlrtma_dist.verification.bootstrap import DRAWS, cluster_numbers, cluster_sums, interval, resampled_sums
from mlrtma_dist.verification.crps import crps_of_matches
from mlrtma_dist.verification.match import Matches

STATIONS, DATES = "stations", "dates"
RMSE, CRPS = "rmse", "CRPS"
POWER = {RMSE: 0.5, CRPS: 1.0}  # of a ratio of sums


@dataclass(frozen=True)
class Ratio:
    """A score of the candidate over that of the reference, and the ends of its interval; NaN where there is none."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class PairedErrors:
    """Two methods at the same reports.

    Attributes:
        candidate, reference: their matches, row by row of the same reports.
        draw: what the intervals draw, STATIONS, DATES or both.
        seed: of the draws.
    """

    candidate: Matches
    reference: Matches
    draw: tuple[str, ...] = (STATIONS, DATES)
    seed: int = 0

    @cached_property
    def losses(self) -> dict[str, np.ndarray]:
        """Score -> what is summed, of candidate and reference, shape (n, 2)."""
        both = self.candidate, self.reference
        return {
            RMSE: np.stack([each.error**2 for each in both], axis=1),
            CRPS: np.stack([crps_of_matches(each) for each in both], axis=1),
        }

    @cached_property
    def clusters(self) -> dict[str, np.ndarray]:
        """What is drawn -> label of each row, shape (n,)."""
        return {STATIONS: self.candidate.station, DATES: self.candidate.time.astype("datetime64[D]")}

    def ratio(self, score: str, variables: Sequence[str], rows: np.ndarray | None = None) -> Ratio:
        """The ratio of a score, the geometric mean of those of the variables.

        Args:
            score: RMSE or CRPS; variables: those without a report among the rows do not count.
            rows: mask (n,); None: all.
        """
        chosen = np.isin(self.candidate.variable, list(variables))
        rows = np.flatnonzero(chosen if rows is None else chosen & rows)
        column, count = cluster_numbers(self.candidate.variable[rows])
        losses = self.losses[score][rows]
        whole = np.stack([np.bincount(column, each, count) for each in losses.T], axis=1)
        ends = [self._interval(score, rows, column, count, self.clusters[kind]) for kind in self.draw]
        lower, upper = np.min([low for low, _ in ends]), np.max([high for _, high in ends])  # NaN where one is
        return Ratio(float(_geometric(whole[None], POWER[score])[0]), float(lower), float(upper))

    def _interval(self, score, rows, column, count: int, clusters: np.ndarray) -> tuple[float, float]:
        number, size = cluster_numbers(clusters[rows])
        losses = self.losses[score][rows]
        sums = cluster_sums(number * count + column, size * count, *losses.T).reshape(size, 2 * count)
        drawn = resampled_sums(sums, seed=self.seed).reshape(DRAWS, count, 2)
        return interval(_geometric(drawn, POWER[score]), size)


def _geometric(sums: np.ndarray, power: float) -> np.ndarray:
    """Geometric mean over variables of ratios of sums, shape (draws, variables, 2) -> (draws,); NaN of none or by 0.

    A variable that a draw has no report of does not count in it.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        logarithms = power * np.log(sums[..., 0] / sums[..., 1])
    empty = (sums == 0.0).all(axis=-1)
    number = np.count_nonzero(~empty, axis=-1)
    total = np.where(empty, 0.0, logarithms).sum(axis=-1)
    ratio = np.exp(np.divide(total, number, out=np.full(len(total), np.nan), where=number > 0))
    return np.where(np.isfinite(ratio), ratio, np.nan)


def spread_over_error(matches: Matches) -> float:
    """The expected deviation, in the root mean square, over the rmse: 1 where a method knows its own errors."""
    if not len(matches):
        return np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.sqrt(np.mean(matches.deviation**2) / np.mean(matches.error**2)))
