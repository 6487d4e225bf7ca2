"""What a netCDF variable is: from its name or CF standard name to ``names.VARIABLES``, and its unit to SI."""

import numpy as np

from mlrtma_dist.names import VARIABLES

_STANDARD_NAMES = {v.standard_name: v.name for v in VARIABLES.values() if v.standard_name} | {
    "x_wind": "u10",
    "y_wind": "v10",
    "air_pressure_at_mean_sea_level": "sea_level_pressure",
    "air_pressure_at_sea_level": "sea_level_pressure",
    "surface_altitude": "terrain",
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
_UNITS = {  # unit -> factor, offset to SI
    "K": (1.0, 0.0),
    "kelvin": (1.0, 0.0),
    "degC": (1.0, 273.15),
    "celsius": (1.0, 273.15),
    "degree_Celsius": (1.0, 273.15),
    "m": (1.0, 0.0),
    "metre": (1.0, 0.0),
    "meters": (1.0, 0.0),
    "km": (1000.0, 0.0),
    "Pa": (1.0, 0.0),
    "hPa": (100.0, 0.0),
    "mbar": (100.0, 0.0),
    "m s-1": (1.0, 0.0),
    "m/s": (1.0, 0.0),
    "m s**-1": (1.0, 0.0),
    "1": (1.0, 0.0),
    "": (1.0, 0.0),
    "(0 - 1)": (1.0, 0.0),
    "%": (0.01, 0.0),
    "kg kg-1": (1.0, 0.0),
    "kg/kg": (1.0, 0.0),
}
_KNOWN = set(_NAMES.values()) | set(_STANDARD_NAMES.values())


def recognise_all(dataset) -> dict[str, str]:
    """What every variable of a netCDF file is: variable -> name.

    A variable's own name counts before its CF standard name, and a standard name only where no variable has
    the name itself: an increment may bear the standard name of what it is added to.
    """
    own = {key: _NAMES.get(key) for key in dataset.variables}
    taken = {name for name in own.values() if name}
    result = {}
    for key, variable in dataset.variables.items():
        standard = _STANDARD_NAMES.get(getattr(variable, "standard_name", ""))
        result[key] = own[key] or (standard if standard and standard not in taken else key)
    return result


def to_si(values: np.ndarray, unit: str, name: str, where: str, error: type[ValueError]) -> np.ndarray:
    """Bring values to SI by their unit; those of names that we do not use are left alone.

    Raises:
        error: the unit of a known variable is not understood.
    """
    if name not in _KNOWN:
        return values
    if unit.strip() not in _UNITS:
        raise error(f"{where}: the unit {unit!r} is not understood; known are {', '.join(u for u in _UNITS if u)}")
    factor, offset = _UNITS[unit.strip()]
    return values if (factor, offset) == (1.0, 0.0) else values * np.float32(factor) + np.float32(offset)
