"""What a netCDF variable is: from its name or CF standard name to ``names.VARIABLES``."""

from mlrtma_dist.io.netcdf_levels import fits
from mlrtma_dist.names import VARIABLES

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
    "altitude": "terrain",
    "orog": "terrain",
    "land": "land",
    "lsm": "land",
    "land_area_fraction": "land",
    "d2m": "d2m",
    "sp": "psfc",
    "msl": "sea_level_pressure",
    "tcc": "sky_cover",
    "vis": "visibility",
}
_KNOWN = {*_NAMES, *_NAMES.values(), *_STANDARD_NAMES.values()}


def recognise_all(dataset) -> dict[str, str]:
    """What every variable of a netCDF file is: variable -> name.

    A variable's own name counts before its CF standard name, unless that is the one of another quantity of ours, and
    a standard name only where no variable has the name itself: an increment may bear the standard name of what it is
    added to. Both count only at the height and of the kind of time that the name stands for (``netcdf_levels``); a
    variable of another kind keeps its own name, but has none ("") where that would be one of ours.
    """
    standards = {k: _STANDARD_NAMES.get(getattr(v, "standard_name", "")) for k, v in dataset.variables.items()}
    own = {key: standards[key] or _NAMES[key] if key in _NAMES else None for key in dataset.variables}
    own = {key: name if name and fits(dataset, dataset[key], name) else None for key, name in own.items()}
    taken = {name for name in own.values() if name}
    result = {}
    for key, variable in dataset.variables.items():
        standard = standards[key]
        if standard is not None and (key in _NAMES or standard in taken or not fits(dataset, variable, standard)):
            standard = None
        result[key] = own[key] or standard or ("" if key in _KNOWN else key)
    return result
