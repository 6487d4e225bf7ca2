"""Whether a netCDF variable is at the height at which we want it, and of one time: CF conventions 1.11.

A standard name says what a variable is, not where: a file has air_temperature at 0 m, at 2 m and at 500 hPa, and the
day's maximum besides. The height stands in a vertical coordinate (section 4.3), a dimension of one value or a scalar
coordinate variable (5.7), the statistic in ``cell_methods`` (7.3), a climatology in the time coordinate (7.4), an error
in a modifier of the standard name (3.3). cfgrib and netCDF-Java write what GRIB says in attributes of their own.
"""

import re

import numpy as np

from mlrtma_dist.io.grib_instant import GUST, is_state_type
from mlrtma_dist.io.grid_field import TIMELESS
from mlrtma_dist.units import length_of

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
_AREA = ("area", "lat", "lon", "latitude", "longitude", "y", "x", "grid_latitude", "grid_longitude")
_PRESSURE_UNITS = ("Pa", "hPa", "mbar", "mb", "millibar", "bar", "decibar")  # such a unit makes a coordinate vertical
_VERTICAL_NAME = re.compile(r"height|altitude|isobaric|pressure|plev|sigma|hybrid|level|depth", re.IGNORECASE)
_METHOD = re.compile(r"((?:\w+\s*:\s*)+)(\w+)")  # of cell_methods: "time: mean", "latitude: longitude: maximum"
_MEMBERS = re.compile(r"realization|ensemble|member|number", re.IGNORECASE)
_OF_MEMBERS = re.compile(r"percentile|quantile|threshold", re.IGNORECASE)  # coordinates of what no member has
_NOT_ITSELF = re.compile(r"\s\w|anomaly|depression|tendency|difference|change|error|probability")  # in a standard name
_STEP_TYPES = ("GRIB_stepType", "Grib_Statistical_Interval_Type", "Grib2_Statistical_Process_Type")


def fits(dataset, variable, name: str) -> bool:
    """Whether a variable may be what its name says: ``name`` at its height, at a time and not over a period.

    A variable that tells nothing of its height fits, and so does every name that has none. A gust is the maximum of
    a period by its nature, and terrain has no time.
    """
    if _NOT_ITSELF.search(str(getattr(variable, "standard_name", ""))):
        return False
    if "difference" in str(getattr(variable, "units_metadata", "")):  # CF 3.1.2: of temperatures
        return False
    coordinates = _coordinates(dataset, variable)
    if any(_OF_MEMBERS.search(_words(key, axis)) or hasattr(axis, "climatology") for key, axis in coordinates):
        return False
    if not is_state_type(str(getattr(variable, "GRIB_dataType", "unknown"))):
        return False
    steps = [str(getattr(variable, attribute)).casefold() for attribute in _STEP_TYPES if hasattr(variable, attribute)]
    statistics = [*_methods(variable), *(("time", step.replace("instant", "point")) for step in steps)]
    if not all(_is_allowed(axis, method, name) for axis, method in statistics):
        return False
    low, high = WANTED.get(name, (-np.inf, np.inf))
    return name not in WANTED or all(low <= height <= high for height in _heights(coordinates))


def _methods(variable) -> list[tuple[str, str]]:
    """The pairs of axis and method in ``cell_methods``."""
    text = re.sub(r"\([^)]*\)", "", str(getattr(variable, "cell_methods", "")))
    return [(axis, method) for axes, method in _METHOD.findall(text) for axis in re.findall(r"\w+", axes)]


def _is_allowed(axis: str, method: str, name: str) -> bool:
    """Whether a statistic along an axis leaves the value of an instant and a place."""
    if method == "point" or (method == "mean" and (axis in _AREA or _MEMBERS.search(axis))):
        return True
    return axis not in _AREA and (name in TIMELESS or (name == GUST and method in ("maximum", "max")))


def _coordinates(dataset, variable) -> list:
    """Name and variable of the leading dimensions' and the other coordinates."""
    keys = (*variable.dimensions[:-2], *str(getattr(variable, "coordinates", "")).split())
    return [(key, dataset[key]) for key in keys if key in dataset.variables]


def _words(key: str, axis) -> str:
    return f"{key} {getattr(axis, 'standard_name', '')} {getattr(axis, 'long_name', '')}"


def _heights(coordinates) -> list[float]:
    """Heights above ground, m, by a variable's vertical coordinates of one value; infinite for another kind."""
    heights = []
    for key, axis in coordinates:
        if axis.size != 1 or not _is_vertical(key, axis):
            continue
        kind = "height" if "height" in key.casefold() or hasattr(axis, "positive") else "another"
        unit, standard = str(getattr(axis, "units", "m")), getattr(axis, "standard_name", kind)
        value = np.ma.filled(np.ma.asarray(axis[...]).astype(np.float64), np.nan).item()
        length = length_of(unit)
        heights.append(value * length if standard == "height" and length else np.inf)
    return heights


def _is_vertical(key: str, axis) -> bool:
    """Whether a coordinate is a vertical one, by its attributes, else by its name."""
    return (
        hasattr(axis, "positive")
        or getattr(axis, "axis", "") == "Z"
        or getattr(axis, "standard_name", "") in ("height", "altitude", "air_pressure", "model_level_number")
        or str(getattr(axis, "units", "")) in _PRESSURE_UNITS
        or (not hasattr(axis, "standard_name") and _VERTICAL_NAME.search(key) is not None)
    )
