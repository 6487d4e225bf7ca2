"""Scores: how far the analyses are from the stations that were withheld from them.

All errors are prediction minus observation in the variable's analysis space: SI units, and natural logarithms for
visibility and ceiling, where an rmse of 0.4 means a typical factor of exp(0.4) = 1.5.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlrtma_dist.names import VARIABLES
from mlrtma_dist.verification.bootstrap import (
    DRAWS,
    cluster_numbers,
    cluster_sums,
    interval,
    ratio_of_sums,
    resampled_sums,
)
from mlrtma_dist.verification.match import MatchError, Matches, write_rows
from mlrtma_dist.verification.regions import ALL, regions

SCORE_COLUMNS = ("method", "variable", "region", "n", "bias", "rmse", "rmse98", "mae", "lower", "upper")


@dataclass(frozen=True)
class Score:
    """The scores of one method, variable and region: a row of ``scores.csv``, in its order, and the median.

    Attributes:
        method, variable, region: what was scored; the region is a label of ``regions.regions``.
        n: observations scored; those without a prediction do not count.
        bias, rmse, rmse98, mae: as the functions of these names, analysis space, NaN where n = 0.
        lower, upper: 95 % interval of the rmse, NaN where there are too few stations.
        median: median absolute error; not written to ``scores.csv``.
    """

    method: str
    variable: str
    region: str
    n: int
    bias: float
    rmse: float
    rmse98: float
    mae: float
    lower: float
    upper: float
    median: float


@dataclass(frozen=True)
class Difference:
    """The rmse of method a minus that of method b on the observations both predict.

    Attributes:
        method_a, method_b: the two methods.
        n: observations both predict.
        difference: rmse of a minus rmse of b, analysis space; negative where a is better.
        lower, upper: its 95 % interval, NaN where there are too few stations.
    """

    method_a: str
    method_b: str
    n: int
    difference: float
    lower: float
    upper: float

    @property
    def significant(self) -> bool:
        """Whether the interval excludes zero; False where there is no interval."""
        return self.lower > 0.0 or self.upper < 0.0


def _of_any(score: Callable[[np.ndarray], float]) -> Callable[[np.ndarray], float]:
    """Let a score of no errors be NaN without a warning."""

    def scored(error: np.ndarray) -> float:
        return float(score(error)) if len(error) else float("nan")

    scored.__doc__ = score.__doc__
    return scored


@_of_any
def bias(error: np.ndarray) -> float:
    """Mean of the errors (n,); NaN of none."""
    return np.mean(error)


@_of_any
def rmse(error: np.ndarray) -> float:
    """Root of the mean square of the errors (n,); NaN of none."""
    return np.sqrt(np.mean(np.square(error)))


@_of_any
def mae(error: np.ndarray) -> float:
    """Mean of the absolute errors (n,); NaN of none."""
    return np.mean(np.abs(error))


@_of_any
def rmse98(error: np.ndarray) -> float:
    """The rmse without the largest 2 % of the absolute errors (n,), rounded down to whole observations; NaN of none.

    A few stations that report nonsense dominate the rmse; this is the rmse of the rest.
    """
    smaller = np.sort(np.abs(error))[: len(error) - len(error) // 50]
    return np.sqrt(np.mean(np.square(smaller)))


@_of_any
def median_absolute_error(error: np.ndarray) -> float:
    """Median of the absolute errors (n,); NaN of none."""
    return np.median(np.abs(error))


def score_table(
    matches: Matches,
    *,
    clusters: np.ndarray | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> list[Score]:
    """Score every method, variable and region.

    Args:
        matches: the table.
        clusters: what the bootstrap draws, a label for each row (n,): None draws stations. Where whole boxes were
            withheld give the box of each row (or ``matches.fold``): neighbours withheld together err together.
        seed: of the bootstrap. The table is the same for the same matches, draws and seed.
        draws: of the bootstrap.

    Returns:
        Rows by method, variable (in the order of ``names.VARIABLES``) and region. "all" is there for each method and
        variable, with n = 0 where the method predicts nothing; other regions only where they hold an observation.

    Raises:
        MatchError: there is not one cluster for each row.
    """
    clusters = _clusters(matches, clusters)
    methods, groups = matches.methods, {}
    for variable in in_table_order(matches.variables):
        rows = np.flatnonzero((matches.variable == variable) & matches.scored)
        places = (getattr(matches, name)[rows] for name in ("domain", "longitude", "elevation"))
        for region, mask in regions(*places).items():
            for method in methods:
                own = rows[mask & (matches.method[rows] == method)]
                if len(own) or region == ALL:
                    groups[method, variable, region] = own
    intervals = _intervals(matches.error, clusters, list(groups.values()), seed, draws)
    table = [
        _score(labels, matches.error[rows], ends)
        for (labels, rows), ends in zip(groups.items(), intervals, strict=True)
    ]
    return sorted(table, key=lambda score: methods.index(score.method))  # stable: the rest keeps its order


def _score(labels: tuple[str, str, str], error: np.ndarray, ends: tuple[float, float]) -> Score:
    scores = (bias(error), rmse(error), rmse98(error), mae(error))
    return Score(*labels, len(error), *scores, *ends, median_absolute_error(error))


def _clusters(matches: Matches, clusters: np.ndarray | None) -> np.ndarray:
    """What the bootstrap draws, shape (n,): stations unless given."""
    clusters = matches.station if clusters is None else np.asarray(clusters)
    if np.shape(clusters) != (len(matches),):
        raise MatchError(
            f"bootstrap: expected one cluster for each row, shape ({len(matches)},); got {np.shape(clusters)}"
        )
    return clusters


def _intervals(error, clusters, groups: list[np.ndarray], seed: int, draws: int) -> list[tuple[float, float]]:
    """Intervals of the rmse of groups of rows. All share one set of draws, which cost most; a station drawn
    twice counts twice in every method, variable and region it belongs to."""
    number, size = cluster_numbers(clusters)
    sums = [cluster_sums(number[rows], size, error[rows] ** 2, np.ones(len(rows))) for rows in groups]
    draw_sums = resampled_sums(np.concatenate([np.zeros((size, 0)), *sums], axis=1), seed=seed, draws=draws)
    return [
        interval(np.sqrt(ratio_of_sums(draw_sums, 2 * index, 2 * index + 1)), int(np.count_nonzero(of_group[:, 1])))
        for index, of_group in enumerate(sums)
    ]


def paired_difference(
    matches: Matches,
    method_a: str,
    method_b: str,
    *,
    clusters: np.ndarray | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Difference:
    """Is method a better than method b: the difference of their rmse where both predict, with its 95 % interval.

    Both are drawn by the same stations, which removes what makes a station hard for either of them: the interval of
    the difference is far narrower than the two intervals suggest.

    Args:
        matches: rows of one variable (and region); those of other methods are ignored.
        method_a, method_b: two methods.
        clusters, seed, draws: as in ``score_table``.

    Raises:
        MatchError: rows of more than one variable, or not one cluster for each row.
    """
    if len(set(matches.variables)) > 1:
        variables = ", ".join(matches.variables)
        raise MatchError(f"paired difference: expected rows of one variable, got {variables}; select one")
    clusters = _clusters(matches, clusters)
    rows_a, rows_b = common_reports(matches, method_a, method_b)
    number, size = cluster_numbers(clusters[rows_a])
    sums = cluster_sums(number, size, matches.error[rows_a] ** 2, matches.error[rows_b] ** 2, np.ones(len(rows_a)))
    draw_sums = resampled_sums(sums, seed=seed, draws=draws)
    lower, upper = interval(np.sqrt(ratio_of_sums(draw_sums, 0, 2)) - np.sqrt(ratio_of_sums(draw_sums, 1, 2)), size)
    difference = rmse(matches.error[rows_a]) - rmse(matches.error[rows_b])
    return Difference(method_a, method_b, len(rows_a), difference, lower, upper)


def common_reports(matches: Matches, method_a: str, method_b: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the rows of a and of b that hold the same observation and have a prediction, in the order of a."""
    places = np.stack([matches.latitude, matches.longitude, matches.observation], axis=1)
    texts = matches.station, matches.time, matches.domain, matches.variable
    labels = [np.unique(each, return_inverse=True)[1] for each in texts]
    _, key = np.unique(np.column_stack([*labels, np.nan_to_num(places, nan=-9e9)]), axis=0, return_inverse=True)
    pairs = []
    for method in (method_a, method_b):
        rows = np.flatnonzero((matches.method == method) & matches.scored)
        rows = rows[np.argsort(key[rows], kind="stable")]
        first = np.searchsorted(key[rows], key[rows])
        repeat = np.arange(len(rows)) - first  # the same value twice at one place: paired first with first
        pairs.append((rows, np.stack([key[rows], repeat], axis=1)))
    (rows_a, keys_a), (rows_b, keys_b) = pairs
    wide = 1 + max(int(keys[:, 1].max(initial=0)) for _, keys in pairs)
    _, in_a, in_b = np.intersect1d(keys_a @ [wide, 1], keys_b @ [wide, 1], return_indices=True)
    order = np.argsort(rows_a[in_a])
    return rows_a[in_a[order]], rows_b[in_b[order]]


def in_table_order(variables: Sequence[str]) -> list[str]:
    """Variables in the order of ``names.VARIABLES``; those that are not in it follow in their own order."""
    return [name for name in VARIABLES if name in variables] + [name for name in variables if name not in VARIABLES]


def write_scores(path: str | Path, rows: list[Score]) -> None:
    """Write ``scores.csv``: the columns ``SCORE_COLUMNS``, SI units (natural logarithm for visibility and ceiling).

    What does not exist (the interval of too few stations) is written as ``nan``.
    """
    write_rows(path, SCORE_COLUMNS, ([getattr(row, name) for name in SCORE_COLUMNS] for row in rows))
