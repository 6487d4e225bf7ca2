"""Speeds: the wind speed of every wind report, and the gust of those that report none.

A station that reports gusts names one only where there is one: a wind without a gust is a report that the wind did not
rise above its mean by more than the rule of its network (10 knots between peaks and lulls, Federal Meteorological
Handbook 1, chapter 5). Its gust is the wind's speed. A network none of whose reports has a gust tells nothing of gusts.
"""

from dataclasses import replace

import numpy as np

from mlrtma_dist.observations.reports import report_numbers, winds
from mlrtma_dist.observations.table import Observations

SPEED, GUST = OF_WINDS = ("wind_speed", "gust")


def with_speeds(observations: Observations) -> tuple[Observations, np.ndarray]:
    """The table with a row of wind speed for each wind, and of gust for each wind that has none.

    The new rows carry the flags of the wind that they are computed from. A table that has wind speeds stays as it is.

    Returns:
        The table, and for each of its rows the row of ``observations`` that it comes from, shape (n,).
    """
    rows = np.arange(len(observations))
    wind = winds(observations)
    if not len(wind) or np.any(observations.variable == SPEED):
        return observations, rows
    speed = np.hypot(*observations.value[wind].T)
    background = np.hypot(*observations.background[wind].T)
    silent = _without_gust(observations, wind)
    tables = [observations]
    for name, chosen in ((SPEED, np.ones(len(wind), dtype=bool)), (GUST, silent)):
        own = wind[chosen, 0]
        table = observations[own]
        tables.append(
            replace(
                table,
                variable=np.full(len(own), name, dtype="U16"),
                value=speed[chosen],
                error=np.full(len(own), np.nan),
                background=background[chosen] if name == SPEED else np.full(len(own), np.nan),
            )
        )
        rows = np.concatenate([rows, own])
    return Observations.concatenate(tables), rows


def share_speed(observations: Observations) -> Observations:
    """Give the wind speed of each wind the flags of its components."""
    speeds = np.flatnonzero(observations.variable == SPEED)
    wind = winds(observations)
    if not len(speeds) or not len(wind):
        return observations
    report = report_numbers(observations)
    flags = np.zeros(report.max() + 1, dtype=np.uint32)
    np.bitwise_or.at(flags, report[wind[:, 0]], observations.flags[wind[:, 0]] | observations.flags[wind[:, 1]])
    shared = observations.flags.copy()
    shared[speeds] |= flags[report[speeds]]
    return observations.with_flags(shared)


def _without_gust(observations: Observations, wind: np.ndarray) -> np.ndarray:
    """Mask of the winds (m, 2) that report no gust though their network reports gusts, shape (m,)."""
    gusts = np.flatnonzero(observations.variable == GUST)
    report, first = report_numbers(observations), wind[:, 0]
    gusty = np.isin(observations.network[first], np.unique(observations.network[gusts]))
    return gusty & ~np.isin(report[first], report[gusts])
