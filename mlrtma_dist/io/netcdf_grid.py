"""The grid of a netCDF variable: its Domain, from CF coordinates and grid mapping.

CF conventions 1.11, sections 4.1 (latitude), 4.2 (longitude), 5.6 and appendix F (grid mappings).
"""

import numpy as np
import pyproj

from mlrtma_dist.grid.domain import EARTH_RADIUS, Domain, Size, locate_corner
from mlrtma_dist.io.grid_field import GriddedFileError, oblong_domain
from mlrtma_dist.io.netcdf_levels import LENGTHS

UNEVEN = 1e-3  # of the spacing, for each of two neighbours; float32 coordinates of a continent round to 2e-4 of 2.5 km
LATITUDE = ("degrees_north", "degree_north", "degree_N", "degrees_N", "degreeN", "degreesN")
OWN_MAPPING = "projection"  # our product's; CF forbids to name one outside its appendix F, so variables may not


class NetcdfError(GriddedFileError):
    """A netCDF file that cannot be read; names file and variable."""


def units_of(variable) -> str:
    """The unit that a variable states, "" where none."""
    return str(getattr(variable, "units", "")).strip()


def variable_domain(dataset, variable, where: str) -> tuple[Domain, bool, bool]:
    """The grid of a variable over (..., y, x), and whether its rows and its columns must be turned round.

    Raises:
        NetcdfError: the coordinates are missing, uneven, or in a projection or unit that is not understood.
    """
    for key in variable.dimensions[-2:]:
        if key not in dataset.variables or dataset[key].ndim != 1:
            raise NetcdfError(
                f"{where}: the dimension {key!r} has no 1-D coordinate variable; grids known by 2-D "
                f"latitude and longitude alone cannot be read: add projection coordinates and a grid_mapping"
            )
    y, x = (dataset[key] for key in variable.dimensions[-2:])
    if units_of(y) in LATITUDE or getattr(y, "standard_name", "") == "latitude":
        projection, scale = f"+proj=longlat +R={EARTH_RADIUS}", 1.0
    else:
        projection, scale = _projection(dataset, variable, y, where)
    (y_first, y_step), (x_first, x_step) = (_even(axis, scale, where) for axis in (y, x))
    size, steps = Size(len(x), len(y)), (abs(x_step), abs(y_step))
    square = abs(steps[1] - steps[0]) <= UNEVEN * steps[0]
    if not square and not projection.startswith("+proj=longlat"):
        raise NetcdfError(f"{where}: expected one spacing in x and y, got {steps[0]} and {steps[1]}")
    try:
        corner = locate_corner(projection, x_first, y_first)
        if square:
            domain = Domain("netcdf", "grid of a netCDF file", projection, size, steps[0], corner)
        else:
            domain = oblong_domain("grid of a netCDF file", size, corner, steps)
    except ValueError as error:
        raise NetcdfError(f"{where}: coordinates that make no grid: {error}") from error
    return domain, y_step < 0, x_step < 0


def _projection(dataset, variable, axis, where: str) -> tuple[str, float]:
    """PROJ's words for a variable's grid mapping, and what brings its coordinates to PROJ's unit."""
    key = getattr(variable, "grid_mapping", OWN_MAPPING).split(":")[0].strip()
    if key not in dataset.variables:
        raise NetcdfError(
            f"{where}: expected its last two dimensions to be latitude and longitude, 1-D and in degrees, or y and x"
            f" with a grid_mapping variable ({key!r} is none); they are {', '.join(variable.dimensions[-2:])}"
        )
    attributes = {a: dataset[key].getncattr(a) for a in dataset[key].ncattrs()}
    try:
        # our product gives PROJ's words beside CF's, which do not hold every projection
        projection = attributes.get("proj_string") or pyproj.Proj(pyproj.CRS.from_cf(attributes)).srs
        crs = pyproj.CRS.from_user_input(projection)
    except (pyproj.exceptions.ProjError, KeyError, ValueError, TypeError) as error:
        raise NetcdfError(f"{where}: the grid mapping {key!r} is not understood: {error}") from error
    if crs.is_geographic:  # about another pole
        if not units_of(axis).startswith("degree"):
            raise NetcdfError(f"{where}: expected coordinates in degrees on {crs.name!r}, got {units_of(axis)!r}")
        return projection, 1.0
    metres = _metres(units_of(axis))
    if metres is None or not crs.is_projected:
        raise NetcdfError(f"{where}: expected coordinates in m or km on {crs.name!r}, got {units_of(axis)!r}")
    return projection, metres / crs.axis_info[0].unit_conversion_factor


def _metres(unit: str) -> float | None:
    """The length of a unit such as "km" or "0.3048 m"; None where it is none."""
    factor, _, name = unit.rpartition(" ")
    try:
        return LENGTHS[name] * float(factor or 1.0)
    except (KeyError, ValueError):
        return None


def _even(axis, scale: float, where: str) -> tuple[float, float]:
    """Smallest coordinate and signed step of an axis; a longitude may jump by 360 degrees."""
    values = np.ma.filled(np.ma.asarray(axis[:]).astype(np.float64), np.nan) * scale
    if units_of(axis).startswith("degree"):
        values = np.unwrap(values, period=360.0)
    step = (values[-1] - values[0]) / max(1, len(values) - 1)
    if len(values) < 2 or not abs(step) > 0 or np.abs(np.diff(values) - step).max() > UNEVEN * abs(step):
        raise NetcdfError(
            f"{where}: the coordinate {axis.name!r} is not evenly spaced; interpolate the file to an even grid first"
        )
    return float(min(values[0], values[-1])), float(step)
