"""Read gridded fields from CF netCDF: a model's, or our own product.

CF conventions 1.11: what a variable is, from ``standard_name`` (section 3.3); its grid from 1-D latitude and
longitude (section 5.1) or from a ``grid_mapping`` with 1-D projection coordinates (section 5.6).
"""

from collections.abc import Collection

import netCDF4
import numpy as np
import pyproj

from mlrtma_dist.grid.domain import EARTH_RADIUS, Corner, Domain, Size
from mlrtma_dist.io.grid_field import GriddedFileError, GridField, Window, in_window
from mlrtma_dist.io.netcdf_names import recognise_all, to_si

UNEVEN = 1e-3  # of the spacing: what float32 coordinates of a 24-million-point grid round to


class NetcdfError(GriddedFileError):
    """A netCDF file that cannot be read; names file and variable."""


def read_netcdf(path, names: Collection[str] | None = None, window: Window | None = None) -> list[GridField]:
    """Read the fields of a CF netCDF file.

    Args:
        path: netCDF 3 or 4.
        names: keep only these (``GridField.name``); None: all two-dimensional fields.
        window: first and last valid time to keep; terrain and land are always kept. None: all.

    Returns:
        One field a variable and time, rows northward and columns eastward.

    Raises:
        NetcdfError: the file cannot be opened or read, or a field asked for has no grid that can be understood.
    """
    try:
        with netCDF4.Dataset(str(path)) as dataset:
            dataset.set_auto_maskandscale(True)
            fields = []
            for key, name in recognise_all(dataset).items():
                if (names is None or name in names) and _is_field(dataset, dataset[key]):
                    fields += _fields(dataset, dataset[key], name, f"{path}: variable {key}", window)
            return fields
    except NetcdfError:
        raise
    except (OSError, RuntimeError, AttributeError) as error:
        raise NetcdfError(f"{path}: cannot be read as netCDF: {error}") from error


def _is_field(dataset, variable) -> bool:
    """Numbers over (..., y, x) with at most a time besides; not itself a 2-D coordinate, not a field on levels."""
    extra = [
        k
        for k, n in zip(variable.dimensions[:-2], variable.shape[:-2], strict=True)
        if n != 1 and not _is_time(dataset.variables.get(k))
    ]
    return (
        variable.ndim >= 2
        and variable.dtype.kind in "iuf"
        and not extra
        and getattr(variable, "standard_name", "") not in ("latitude", "longitude")
    )


def _is_time(axis) -> bool:
    return axis is not None and " since " in _units(axis)


def _fields(dataset, variable, name: str, where: str, window: Window | None) -> list[GridField]:
    y_key, x_key = variable.dimensions[-2:]
    domain, flip_y, flip_x = _domain(dataset, variable, y_key, x_key, where)
    times = _times(dataset, variable, where)
    if variable.size != len(times) * domain.size.x * domain.size.y:
        raise NetcdfError(
            f"{where}: expected {len(times)} times of {domain.shape} values, got the shape {variable.shape}"
        )
    result = []
    table = variable.shape[:-2]
    for number, time in enumerate(times):
        if not in_window(name, time, window):
            continue
        values = variable[np.unravel_index(number, table)] if table else variable[:]  # one time is read at a time
        values = np.ma.filled(np.ma.asarray(values).astype(np.float32), np.nan)
        values = to_si(values, getattr(variable, "units", ""), name, where, NetcdfError)
        values = np.ascontiguousarray(values[:: -1 if flip_y else 1, :: -1 if flip_x else 1])
        result.append(
            GridField(
                name=name,
                values=values,
                domain=domain,
                level_type="",
                level=0.0,
                reference_time=_reference_time(dataset, time),
                valid_time=time,
                grid_relative=_along_grid(variable, domain),
                grib=(),
                source=where,
            )
        )
    return result


def _along_grid(variable, domain: Domain) -> bool:
    """``x_wind`` and ``y_wind`` are along the grid, ``eastward_wind`` and ``northward_wind`` along the earth."""
    return not domain.is_geographic and getattr(variable, "standard_name", "") in ("x_wind", "y_wind")


def _domain(dataset, variable, y_key: str, x_key: str, where: str) -> tuple[Domain, bool, bool]:
    """The grid, and whether its rows and columns must be turned round."""
    for key in (y_key, x_key):
        if key not in dataset.variables or dataset[key].ndim != 1:
            raise NetcdfError(
                f"{where}: the dimension {key!r} has no 1-D coordinate variable; grids known by 2-D "
                f"latitude and longitude alone cannot be read: add projection coordinates and a grid_mapping"
            )
    y, x = dataset[y_key], dataset[x_key]
    geographic = _units(y).startswith("degree") and getattr(y, "standard_name", "latitude") == "latitude"
    projection, scale = (
        (f"+proj=longlat +R={EARTH_RADIUS}", 1.0) if geographic else _projection(dataset, variable, y, where)
    )
    (y0, y_step), (x0, x_step) = (_even(axis, scale, where) for axis in (y, x))
    if abs(y_step) - abs(x_step) > UNEVEN * abs(x_step):
        raise NetcdfError(f"{where}: expected one spacing in x and y, got {abs(x_step)} and {abs(y_step)}")
    size = Size(len(x), len(y))
    if geographic:
        return (
            Domain("netcdf", "grid of a netCDF file", projection, size, abs(x_step), Corner(y0, x0)),
            y_step < 0,
            x_step < 0,
        )
    longitude, latitude = pyproj.Proj(projection)(x0, y0, inverse=True)
    corner = Corner(float(latitude), float(longitude))
    return Domain("netcdf", "grid of a netCDF file", projection, size, abs(x_step), corner), y_step < 0, x_step < 0


def _projection(dataset, variable, axis, where: str) -> tuple[str, float]:
    """The PROJ string of a variable's grid mapping and the length of its coordinates' unit in metres."""
    key = getattr(variable, "grid_mapping", "").split(":")[0].strip()
    if key not in dataset.variables:
        raise NetcdfError(
            f"{where}: neither 1-D latitude and longitude in degrees nor a grid_mapping variable ({key!r} is none)"
        )
    attributes = {a: dataset[key].getncattr(a) for a in dataset[key].ncattrs()}
    try:
        crs = pyproj.CRS.from_cf(attributes)
    except (pyproj.exceptions.CRSError, KeyError, ValueError) as error:
        raise NetcdfError(f"{where}: the grid mapping {key!r} is not understood: {error}") from error
    scale = {"m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0, "km": 1000.0}.get(_units(axis))
    if scale is None or not crs.is_projected:
        raise NetcdfError(f"{where}: expected projection coordinates in m or km, got {_units(axis)!r} on {crs.name!r}")
    return pyproj.Proj(crs).srs, scale


def _units(variable) -> str:
    return str(getattr(variable, "units", "")).strip()


def _even(axis, scale: float, where: str) -> tuple[float, float]:
    """Smallest coordinate and signed step of an axis; a longitude may jump by 360 degrees once."""
    values = np.ma.filled(np.ma.asarray(axis[:]).astype(np.float64), np.nan) * scale
    if _units(axis).startswith("degree"):
        values = np.rad2deg(np.unwrap(np.deg2rad(values)))
    step = (values[-1] - values[0]) / max(1, len(values) - 1)
    if (
        len(values) < 2
        or not abs(step) > 0
        or np.abs(np.diff(values) - step).max() > UNEVEN * abs(step) * np.sqrt(len(values))
    ):
        raise NetcdfError(
            f"{where}: the coordinate {axis.name!r} is not evenly spaced; interpolate the file to an even grid first"
        )
    return float(min(values[0], values[-1])), float(step)


def _times(dataset, variable, where: str) -> list[np.datetime64]:
    """The valid times of a variable: along its time dimension, else of a scalar time, else "not a time"."""
    for key in (*variable.dimensions, "time"):
        axis = dataset.variables.get(key)
        if _is_time(axis) and (key in variable.dimensions or axis.size == 1):
            try:
                dates = netCDF4.num2date(
                    np.ma.compressed(np.ma.atleast_1d(axis[:])),
                    axis.units,
                    getattr(axis, "calendar", "standard"),
                    only_use_cftime_datetimes=False,
                )
            except ValueError as error:
                raise NetcdfError(f"{where}: the time {key!r} is not understood: {error}") from error
            return [np.datetime64(d.replace(microsecond=0).isoformat(), "s") for d in np.atleast_1d(dates)]
    return [np.datetime64("NaT", "s")]


def _reference_time(dataset, valid: np.datetime64) -> np.datetime64:
    axis = dataset.variables.get("forecast_reference_time")
    if not _is_time(axis):
        return valid
    date = netCDF4.num2date(np.ma.atleast_1d(axis[:])[0], axis.units, only_use_cftime_datetimes=False)
    return np.datetime64(date.replace(microsecond=0).isoformat(), "s")
