"""Whether a netCDF variable is at the height at which we want it, and of one time: CF conventions 1.11.

A standard name says what a variable is, not where: a file has air_temperature at 0 m, at 2 m and at 500 hPa, and the
day's maximum besides. The height stands in a vertical coordinate (section 4.3), a dimension of one value or a scalar
coordinate variable (5.7), the statistic in ``cell_methods`` (7.3).
"""

import re

import numpy as np

LENGTHS = {"m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0, "km": 1000.0}
SCREEN, ANEMOMETER = (1.5, 2.0), (10.0, 10.0)  # m above ground: lowest and highest that count
WANTED = {
    "t2m": SCREEN,
    "d2m": SCREEN,
    "specific_humidity": SCREEN,
    "relative_humidity": SCREEN,
    "u10": ANEMOMETER,
    "v10": ANEMOMETER,
    "wind_speed": ANEMOMETER,
    "gust": (0.0, 10.0),  # GRIB and its offspring put gusts at the surface
}
_PRESSURE_UNITS = ("Pa", "hPa", "mbar", "mb", "millibar", "bar", "decibar")  # such a unit makes a coordinate vertical
_STATISTIC = re.compile(r"\btime\s*:\s*(\w+)")


def fits(dataset, variable, name: str) -> bool:
    """Whether a variable may be what its standard name says: ``name`` at its height, at a time and not over a period.

    A variable that tells nothing of its height fits, and so does every name that has none. A gust is the maximum of
    a period by its nature.
    """
    if name not in WANTED:
        return True
    statistic = _STATISTIC.search(str(getattr(variable, "cell_methods", "")))
    if statistic and statistic[1] != "point" and name != "gust":
        return False
    low, high = WANTED[name]
    return all(low <= height <= high for height in _heights(dataset, variable))


def _heights(dataset, variable) -> list[float]:
    """Heights above ground, m, by the variable's vertical coordinates of one value; infinite for another kind."""
    keys = [*variable.dimensions[:-2], *str(getattr(variable, "coordinates", "")).split()]
    heights = []
    for key in keys:
        axis = dataset.variables.get(key)
        if axis is None or axis.size != 1 or not _is_vertical(axis):
            continue
        unit, standard = str(getattr(axis, "units", "m")), getattr(axis, "standard_name", "height")
        value = np.ma.filled(np.ma.asarray(axis[...]).astype(np.float64), np.nan).item()
        heights.append(value * LENGTHS[unit] if standard == "height" and unit in LENGTHS else np.inf)
    return heights


def _is_vertical(axis) -> bool:
    return (
        hasattr(axis, "positive")
        or getattr(axis, "axis", "") == "Z"
        or getattr(axis, "standard_name", "") in ("height", "altitude", "air_pressure", "model_level_number")
        or str(getattr(axis, "units", "")) in _PRESSURE_UNITS
    )
