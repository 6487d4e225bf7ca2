"""Consistency: what no atmosphere has, whoever made the fields -- an analysis, or a simulated model."""

from collections.abc import Collection

import numpy as np

# Variables that `make_consistent` changes, and by which others.
LIMITED_BY = {"d2m": ("t2m",), "gust": ("wind_speed", "u10", "v10")}
GIVES_WAY = {"t2m": "d2m", "wind_speed": "gust"}  # without a report of its own, to what


def limits_of(variable: str, reported: Collection[str] | None = None) -> tuple[str, ...]:
    """Variables by which `make_consistent` changes one."""
    return (GIVES_WAY[variable],) if _gives_way(variable, reported) else LIMITED_BY.get(variable, ())


def make_consistent(values: dict[str, np.ndarray], reported: Collection[str] | None = None) -> None:
    """Remove what cannot be, in place: a dew point above the temperature, a gust below the wind.

    A temperature that no station reports, such as climatology's, is no limit of dew points that stations do report: it
    is raised to them. So a speed of the wind is lowered to gusts.

    Args:
        values: variable -> field of any one shape, SI; what is not among them decides nothing.
        reported: variables of which an analysis uses a report; None: all.
    """
    if {"t2m", "d2m"} <= set(values):
        if _gives_way("t2m", reported):
            np.maximum(values["t2m"], values["d2m"], out=values["t2m"])
        else:
            np.minimum(values["d2m"], values["t2m"], out=values["d2m"])
    if {"gust", "wind_speed"} <= set(values):
        if _gives_way("wind_speed", reported):
            np.minimum(values["wind_speed"], values["gust"], out=values["wind_speed"])
        else:
            np.maximum(values["gust"], values["wind_speed"], out=values["gust"])
    if {"gust", "u10", "v10"} <= set(values):
        np.maximum(values["gust"], np.hypot(values["u10"], values["v10"]), out=values["gust"])


def _gives_way(variable: str, reported: Collection[str] | None) -> bool:
    return reported is not None and variable not in reported and GIVES_WAY.get(variable) in reported
