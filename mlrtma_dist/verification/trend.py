"""Trend: scores by analysis time, by day and by hour of the day, of one or several domains."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlrtma_dist.verification.match import Matches, write_rows
from mlrtma_dist.verification.regions import ALL
from mlrtma_dist.verification.scores import bias, in_table_order, mae, rmse, rmse98

COLUMNS = ("domain", "by", "period", "method", "variable", "n", "bias", "rmse", "rmse98", "mae")
TIME, DAY, HOUR = "time", "day", "hour"
PERIODS: dict[str, Callable[[np.datetime64], str]] = {  # of an analysis time, all in UTC
    TIME: lambda time: str(time)[:16],
    DAY: lambda time: str(time)[:10],
    HOUR: lambda time: str(time)[11:13],
}


@dataclass(frozen=True)
class PeriodScore:
    """The scores of one method and variable in one period: a row of ``trend.csv``, in its order.

    Attributes:
        domain: name of a domain, or "all" of several.
        by: "time", "day" or "hour" (of the day); period: the time, the day or the hour, UTC.
        method, variable: what was scored.
        n: observations scored.
        bias, rmse, rmse98, mae: as the functions of these names in ``scores``, analysis space.
    """

    domain: str
    by: str
    period: str
    method: str
    variable: str
    n: int
    bias: float
    rmse: float
    rmse98: float
    mae: float


Errors = Mapping[tuple[str, np.datetime64, str, str], np.ndarray]  # (domain, time, method, variable) -> errors (n,)


def errors_of(matches: Matches) -> Errors:
    """The errors of the rows of a table that are scored and have a time, analysis space."""
    matches = matches.select(matches.scored & ~np.isnat(matches.time))
    if not len(matches):
        return {}
    columns = (matches.domain, matches.time, matches.method, matches.variable)
    coded = [np.unique(column, return_inverse=True) for column in columns]
    codes, number = np.unique(np.stack([inverse for _, inverse in coded]), axis=1, return_inverse=True)
    order = np.argsort(number.ravel(), kind="stable")
    parts = np.split(matches.error[order], np.cumsum(np.bincount(number.ravel()))[:-1])
    errors = {}
    for code, error in zip(codes.T, parts, strict=True):
        domain, time, method, variable = (labels[each] for (labels, _), each in zip(coded, code, strict=True))
        errors[str(domain), time, str(method), str(variable)] = error
    return errors


def trend(errors: Errors, methods: Sequence[str]) -> list[PeriodScore]:
    """Score every method and variable in every analysis time, day and hour of the day.

    Args:
        errors: of each domain, time, method and variable; methods: the order of the methods.

    Returns:
        Rows by domain ("all" first where there are several), kind of period, period, variable and method; none where
        all analyses are of one time.
    """
    if len({time for _, time, _, _ in errors}) < 2:
        return []
    domains = list(dict.fromkeys(domain for domain, *_ in errors))
    variables = in_table_order(list(dict.fromkeys(variable for *_, variable in errors)))
    pooled: dict[tuple[str, str, str, str, str], list[np.ndarray]] = {}
    for (domain, time, method, variable), error in errors.items():
        for place in (ALL, domain) if len(domains) > 1 else (domain,):
            for by, label in PERIODS.items():
                pooled.setdefault((place, by, str(label(time)), variable, method), []).append(error)
    places, kinds = [ALL, *domains], list(PERIODS)

    def order(key: tuple[str, str, str, str, str]) -> tuple:
        place, by, period, variable, method = key
        return places.index(place), kinds.index(by), period, variables.index(variable), methods.index(method)

    return [_score(key, np.concatenate(pooled[key])) for key in sorted(pooled, key=order)]


def _score(key: tuple[str, str, str, str, str], error: np.ndarray) -> PeriodScore:
    place, by, period, variable, method = key
    scores = len(error), bias(error), rmse(error), rmse98(error), mae(error)
    return PeriodScore(place, by, period, method, variable, *scores)


def write_trend(path: str | Path, rows: list[PeriodScore]) -> None:
    """Write ``trend.csv``: the columns ``COLUMNS``, SI units (natural logarithm for visibility and ceiling)."""
    write_rows(path, COLUMNS, ([getattr(row, name) for name in COLUMNS] for row in rows))
