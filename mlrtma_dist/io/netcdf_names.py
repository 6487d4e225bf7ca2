"""What a netCDF variable is: from its name or CF standard name to ``names.VARIABLES``, and its unit to SI."""

import re

import numpy as np

from mlrtma_dist.io.netcdf_levels import fits
from mlrtma_dist.names import STANDARD_GRAVITY, VARIABLES

_STANDARD_NAMES = {v.standard_name: v.name for v in VARIABLES.values() if v.standard_name} | {
    "x_wind": "u10",
    "y_wind": "v10",
    "air_pressure_at_mean_sea_level": "sea_level_pressure",
    "air_pressure_at_sea_level": "sea_level_pressure",
    "surface_altitude": "terrain",
    "surface_geopotential": "terrain",  # not CF's; the Nordic weather services write it
    "land_binary_mask": "land",
    "land_area_fraction": "land",
    "specific_humidity": "specific_humidity",
    "relative_humidity": "relative_humidity",
}
# the product's own names, and those by which reanalysis and forecast archives write the same
_NAMES = {v: v for v in VARIABLES} | {
    "terrain": "terrain",
    "elevation": "terrain",
    "orog": "terrain",
    "land": "land",
    "lsm": "land",
    "d2m": "d2m",
    "sp": "psfc",
    "msl": "sea_level_pressure",
    "tcc": "sky_cover",
    "vis": "visibility",
}
# unit as ``_plain`` spells it -> factor, offset to SI
_UNITS = {
    **dict.fromkeys(("k", "kelvin", "kelvins", "degrees k", "degk"), (1.0, 0.0)),
    **dict.fromkeys(
        ("c", "degc", "deg c", "celsius", "degree celsius", "degrees celsius", "degree c", "degrees c", "°c"),
        (1.0, 273.15),
    ),
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters", "gpm"), (1.0, 0.0)),
    "km": (1000.0, 0.0),
    **dict.fromkeys(("pa", "pascal", "pascals"), (1.0, 0.0)),
    **dict.fromkeys(("hpa", "mb", "mbar", "millibar", "millibars", "hectopascal", "hectopascals"), (100.0, 0.0)),
    **dict.fromkeys(("m s-1", "m/s", "ms-1", "metre s-1", "meter s-1", "meters s-1", "meters/second"), (1.0, 0.0)),
    **dict.fromkeys(("knot", "knots", "kt", "kts"), (1852 / 3600, 0.0)),
    **dict.fromkeys(("1", "", "(0 - 1)", "0-1", "fraction", "kg kg-1", "kg/kg"), (1.0, 0.0)),
    **dict.fromkeys(("%", "percent"), (0.01, 0.0)),
    "g kg-1": (1e-3, 0.0),
    "g/kg": (1e-3, 0.0),
    **dict.fromkeys(("m2 s-2", "m2/s2"), (1.0 / STANDARD_GRAVITY, 0.0)),  # terrain as geopotential
}
_KNOWN = set(_NAMES.values()) | set(_STANDARD_NAMES.values())


def recognise_all(dataset) -> dict[str, str]:
    """What every variable of a netCDF file is: variable -> name.

    A variable's own name counts before its CF standard name, and a standard name only where no variable has
    the name itself: an increment may bear the standard name of what it is added to. It counts only at the height and
    of the kind of time that the name stands for (``netcdf_levels``).
    """
    own = {key: _NAMES.get(key) for key in dataset.variables}
    taken = {name for name in own.values() if name}
    result = {}
    for key, variable in dataset.variables.items():
        standard = _STANDARD_NAMES.get(getattr(variable, "standard_name", ""))
        if standard is not None and (standard in taken or not fits(dataset, variable, standard)):
            standard = None
        result[key] = own[key] or standard or key
    return result


def to_si(values: np.ndarray, unit: str, name: str, where: str, error: type[ValueError]) -> np.ndarray:
    """Bring values to SI by their unit; those of names that we do not use are left alone.

    Args:
        values: any shape.
        unit: as the file spells it; "" is taken for SI.
        name: what the variable is.
        where: file and variable, for the error.
        error: the kind of error to raise.

    Raises:
        error: the unit of a known variable is not understood.
    """
    if name not in _KNOWN:
        return values
    if _plain(unit) not in _UNITS:
        raise error(f"{where}: the unit {unit!r} is not understood; known are {', '.join(u for u in _UNITS if u)}")
    factor, offset = _UNITS[_plain(unit)]
    return values if (factor, offset) == (1.0, 0.0) else values * np.float32(factor) + np.float32(offset)


def _plain(unit: str) -> str:
    """A unit in one spelling: "m s**-1", "m s^-1", "m.s-1" and "M s-1" are "m s-1", "degree_Celsius" has a blank."""
    text = unit.replace("**", "").replace("^", "").replace("_", " ").casefold()
    return " ".join(re.sub(r"(?<=[a-z])\.(?=[a-z])", " ", text).split())
