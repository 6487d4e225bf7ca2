"""What a product of forecasts has beside one of analyses: when the forecast begins, and how far ahead each time is.

CF conventions 1.11, section 5.7 and example 5.12: a scalar coordinate ``forecast_reference_time`` and, along the time,
the auxiliary coordinate ``forecast_period``.
"""

from dataclasses import replace

import numpy as np

from mlrtma_dist.inference.georeference import time_coordinate
from mlrtma_dist.io.netcdf_write import NetcdfVariable

REFERENCE, PERIOD = "forecast_reference_time", "forecast_period"


def time_coordinates(times: np.ndarray, start: np.datetime64 | None) -> list[NetcdfVariable]:
    """The coordinates along the time of a product.

    Args:
        times: UTC, datetime64, shape (n,).
        start: when the forecast begins; None: the times are those of analyses.
    """
    time = time_coordinate(times)
    if start is None:
        return [time]
    unit = {name: time.attributes[name] for name in ("units", "calendar", "units_metadata")}
    begins = start.astype("datetime64[s]").astype(np.int64).astype(np.float64)
    ahead = (times - start) / np.timedelta64(3600, "s")
    words = {"standard_name": REFERENCE, "long_name": "time of the state that the forecast begins with"}
    return [
        replace(time, attributes={**time.attributes, "long_name": "time for which the forecast is valid"}),
        NetcdfVariable(REFERENCE, (), np.array(begins), words | unit, dtype="f8"),
        NetcdfVariable(
            PERIOD,
            ("time",),
            ahead,
            {"standard_name": PERIOD, "long_name": "time since the forecast began", "units": "h"},
            dtype="f8",
        ),
    ]


def forecast_variable(variable: NetcdfVariable) -> NetcdfVariable:
    """A field of a product of forecasts: its attribute ``coordinates`` names those of the forecast, too.

    An error is that of the forecast, as its members tell it by their standard deviation.
    """
    others = variable.attributes.get("coordinates")
    named = " ".join([REFERENCE, PERIOD, *([str(others)] if others else [])])
    words = str(variable.attributes.get("long_name", "")).replace("of the analysis error", "of the members")
    own = {"long_name": words} if words else {}
    return replace(variable, attributes={**variable.attributes, **own, "coordinates": named})
