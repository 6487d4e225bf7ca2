"""Consistency: what no atmosphere has, whoever made the fields -- an analysis, or a simulated model."""

import numpy as np

# Variables that `make_consistent` changes, and by which others.
LIMITED_BY = {"d2m": ("t2m",), "gust": ("wind_speed", "u10", "v10")}


def make_consistent(values: dict[str, np.ndarray]) -> None:
    """Remove what cannot be, in place: a dew point above the temperature, a gust below the wind.

    Args:
        values: variable -> field of any one shape, SI; what is not among them decides nothing.
    """
    if {"t2m", "d2m"} <= set(values):
        np.minimum(values["d2m"], values["t2m"], out=values["d2m"])
    if {"gust", "wind_speed"} <= set(values):
        np.maximum(values["gust"], values["wind_speed"], out=values["gust"])
    if {"gust", "u10", "v10"} <= set(values):
        np.maximum(values["gust"], np.hypot(values["u10"], values["v10"]), out=values["gust"])
