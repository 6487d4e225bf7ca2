"""The grid of a netCDF variable: its Domain, from CF coordinates and grid mapping.

CF conventions 1.11, sections 4.1 (latitude), 4.2 (longitude), 5.6 and appendix F (grid mappings). Which coordinate is
which is said by its attributes, not by its name or its place among the dimensions.
"""

import math
from typing import NamedTuple

import numpy as np
import pyproj

from mlrtma_dist.grid.domain import EARTH_RADIUS, Domain, Size, locate_corner
from mlrtma_dist.io.grid_field import GriddedFileError, oblong_domain
from mlrtma_dist.units import length_of

AGREE = 0.02  # cells by which positions may differ from those by a projection that the file does not name
LATTICE = 9  # points along each side at which these are compared
UNEVEN = 1e-3  # of the spacing, for each of two neighbours; float32 coordinates of a continent round to 2e-4 of 2.5 km
LATITUDE = ("degrees_north", "degree_north", "degree_N", "degrees_N", "degreeN", "degreesN")
LONGITUDE = ("degrees_east", "degree_east", "degree_E", "degrees_E", "degreeE", "degreesE")
_ALONG_Y = ("latitude", "grid_latitude", "projection_y_coordinate")
_ALONG_X = ("longitude", "grid_longitude", "projection_x_coordinate")
_ANGLES = {  # unit -> degrees
    **dict.fromkeys((*LATITUDE, *LONGITUDE, "degrees", "degree", "deg", ""), 1.0),
    **dict.fromkeys(("radian", "radians", "rad"), math.degrees(1.0)),
    **dict.fromkeys(("degrees_west", "degree_west", "degrees_south", "degree_south"), -1.0),
}
OWN_MAPPING = "projection"  # our product's; CF forbids to name one outside its appendix F, so variables may not


class NetcdfError(GriddedFileError):
    """A netCDF file that cannot be read; names file and variable."""


def units_of(variable) -> str:
    """The unit that a variable states, "" where none."""
    return str(getattr(variable, "units", "")).strip()


class GridLayout(NamedTuple):
    """The grid of a variable, and how its values lie on it.

    Attributes:
        domain: the grid.
        transposed: the variable is over (..., x, y).
        flip_y, flip_x: rows go southward, columns westward.
    """

    domain: Domain
    transposed: bool
    flip_y: bool
    flip_x: bool

    def oriented(self, values: np.ndarray) -> np.ndarray:
        """Values of the variable's last two dimensions as rows northward and columns eastward."""
        values = values.T if self.transposed else values
        return np.ascontiguousarray(values[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1])


def grid_layout(dataset, variable, where: str, projection: str | None = None) -> GridLayout:
    """The grid of a variable over (..., y, x) or (..., x, y).

    Args:
        dataset, variable: of netCDF4; where: file and variable, for errors.
        projection: PROJ's words, for a file without the grid mapping that the variable names, as a file cut out of
            another may be. It is used where the file's own 2-D latitude and longitude agree with it.

    Raises:
        NetcdfError: the coordinates are missing, uneven, or in a projection or unit that is not understood.
    """
    first, second = (_coordinate(dataset, variable, key, where) for key in variable.dimensions[-2:])
    transposed = _axis(first) == "x" or _axis(second) == "y"
    y, x = (second, first) if transposed else (first, second)
    if _axis(y) == "x" or _axis(x) == "y":
        raise NetcdfError(f"{where}: expected one coordinate along x and one along y, got {y.name!r} and {x.name!r}")
    if _is_latitude(y):
        projection, scales = f"+proj=longlat +R={EARTH_RADIUS}", (_degrees(y, where), _degrees(x, where))
    else:
        own = _mapping(dataset, variable)
        if own is None and projection is not None and _agrees(dataset, y, x, projection):
            scale = (length_of(units_of(y)) or 1.0) / _unit_of(pyproj.CRS.from_user_input(projection))
        else:
            projection, scale = _projection(dataset, variable, y, where)
        scales = scale, scale
    (y_first, y_step), (x_first, x_step) = (_even(a, scale, where) for a, scale in zip((y, x), scales, strict=True))
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
    return GridLayout(domain, transposed, y_step < 0, x_step < 0)


def _coordinate(dataset, variable, dimension: str, where: str):
    """The 1-D coordinate along a dimension: one whose attributes say so, else the one with the dimension's name."""
    own = dataset.variables.get(dimension)
    if own is not None and own.ndim == 1 and (_axis(own) or length_of(units_of(own))):
        return own
    along = [v for v in dataset.variables.values() if v.dimensions == (dimension,) and _axis(v)]
    named = [v for v in along if v.name in str(getattr(variable, "coordinates", "")).split()]
    if named or along:
        return (named or along)[0]
    if own is None or own.ndim != 1:
        raise NetcdfError(
            f"{where}: the dimension {dimension!r} has no 1-D coordinate variable; grids known by 2-D "
            f"latitude and longitude alone cannot be read: add projection coordinates and a grid_mapping"
        )
    return own


def _axis(coordinate) -> str:
    """The direction of a coordinate, "y" or "x", by its attributes; "" where they do not tell."""
    standard, unit = getattr(coordinate, "standard_name", ""), units_of(coordinate)
    if standard in _ALONG_Y or unit in LATITUDE or getattr(coordinate, "axis", "") == "Y":
        return "y"
    return "x" if standard in _ALONG_X or unit in LONGITUDE or getattr(coordinate, "axis", "") == "X" else ""


def _is_latitude(coordinate) -> bool:
    standard = getattr(coordinate, "standard_name", "")
    return standard == "latitude" or (units_of(coordinate) in LATITUDE and standard not in _ALONG_Y)


def _degrees(coordinate, where: str) -> float:
    """What brings a latitude or longitude to degrees northward or eastward."""
    unit = units_of(coordinate)
    if unit not in _ANGLES:
        raise NetcdfError(f"{where}: expected degrees in the coordinate {coordinate.name!r}, got {unit!r}")
    return _ANGLES[unit]


def _agrees(dataset, y, x, projection: str) -> bool:
    """Whether the 2-D latitude and longitude along y and x are, to ``AGREE`` cells, those by a projection."""
    crs, metres = pyproj.CRS.from_user_input(projection), length_of(units_of(x))
    tables = {
        getattr(each, "standard_name", ""): each
        for each in dataset.variables.values()
        if each.ndim == 2 and set(each.dimensions) == {*y.dimensions, *x.dimensions}
    }
    if not crs.is_projected or metres is None or not {"latitude", "longitude"} <= set(tables):
        return False
    rows, columns = (np.unique(np.linspace(0, len(axis) - 1, LATTICE).round().astype(int)) for axis in (y, x))
    position = []
    for table in (tables["longitude"], tables["latitude"]):
        values = np.ma.filled(np.ma.asarray(table[:]).astype(np.float64), np.nan)
        position.append((values if table.dimensions[0] == y.dimensions[0] else values.T)[np.ix_(rows, columns)])
    place = np.stack(pyproj.Proj(crs)(*position)) * _unit_of(crs)
    stated = np.stack(np.meshgrid(np.asarray(x[columns]) * metres, np.asarray(y[rows]) * metres))
    spacing = metres * abs(float(x[1]) - float(x[0]))
    return bool(np.abs(place - stated).max() <= AGREE * spacing)


def _unit_of(crs: pyproj.CRS) -> float:
    """The unit of a projection's coordinates, m."""
    return crs.axis_info[0].unit_conversion_factor


def _mapping(dataset, variable):
    """The grid mapping of a variable, or the only one in the file where it names none; None where there is none."""
    key = _mapping_name(variable)
    if key in dataset.variables or hasattr(variable, "grid_mapping"):
        return dataset.variables.get(key)
    mappings = [each for each in dataset.variables.values() if hasattr(each, "grid_mapping_name")]
    return mappings[0] if len(mappings) == 1 else None


def _mapping_name(variable) -> str:
    return getattr(variable, "grid_mapping", OWN_MAPPING).split(":")[0].strip()


def _projection(dataset, variable, axis, where: str) -> tuple[str, float]:
    """PROJ's words for a variable's grid mapping, and what brings its coordinates to PROJ's unit."""
    key, mapping = _mapping_name(variable), _mapping(dataset, variable)
    if mapping is None:
        raise NetcdfError(
            f"{where}: expected its last two dimensions to be latitude and longitude, 1-D and in degrees, or y and x"
            f" with a grid_mapping variable ({key!r} is none); they are {', '.join(variable.dimensions[-2:])}"
        )
    attributes = {a: mapping.getncattr(a) for a in mapping.ncattrs()}
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
    metres = length_of(units_of(axis))
    if metres is None or not crs.is_projected:
        raise NetcdfError(f"{where}: expected coordinates in a unit of length on {crs.name!r}, got {units_of(axis)!r}")
    return projection, metres / _unit_of(crs)


def _even(axis, scale: float, where: str) -> tuple[float, float]:
    """Smallest coordinate and signed step of an axis; a longitude may jump by 360 degrees."""
    values = np.ma.filled(np.ma.asarray(axis[:]).astype(np.float64), np.nan) * scale
    if units_of(axis) in _ANGLES:
        values = np.unwrap(values, period=360.0)
    step = (values[-1] - values[0]) / max(1, len(values) - 1)
    if len(values) < 2 or not abs(step) > 0 or np.abs(np.diff(values) - step).max() > UNEVEN * abs(step):
        raise NetcdfError(
            f"{where}: the coordinate {axis.name!r} is not evenly spaced; interpolate the file to an even grid first"
        )
    return float(min(values[0], values[-1])), float(step)
