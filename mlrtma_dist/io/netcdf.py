"""Read gridded fields from CF netCDF: a model's, or our own product.

CF conventions 1.11: what a variable is, from ``standard_name`` (section 3.3); its grid from 1-D latitude and
longitude (section 5.1) or from a ``grid_mapping`` with 1-D projection coordinates (section 5.6).
"""

import logging
from collections.abc import Collection
from typing import NamedTuple

import netCDF4
import numpy as np

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.io.field_codes import NAMES, FieldCode
from mlrtma_dist.io.grid_field import GridField, Window, in_window
from mlrtma_dist.io.netcdf_grid import NetcdfError, units_of, variable_domain
from mlrtma_dist.io.netcdf_names import recognise_all, to_si

log = logging.getLogger(__name__)
NOT_A_TIME = np.datetime64("NaT", "s")


def read_netcdf(
    path, names: Collection[str] | None = None, window: Window | None = None, codes: tuple[FieldCode, ...] = ()
) -> list[GridField]:
    """Read the fields of a CF netCDF file.

    Args:
        path: netCDF 3 or 4.
        names: keep only these (``GridField.name``); None: all two-dimensional fields.
        window: first and last valid time to keep; terrain and land are always kept. None: all.
        codes: what variables and their levels mean, by the user.

    Returns:
        One field a variable and time, rows northward and columns eastward.

    Raises:
        NetcdfError: the file cannot be opened or read, a field asked for has no grid or time that can be understood,
            or several variables say that they are the same.
    """
    try:
        with netCDF4.Dataset(str(path)) as dataset:
            dataset.set_auto_maskandscale(True)
            chosen = _choose(dataset, path, names, codes)
            return [field for variable in chosen for field in _fields(dataset, variable, window)]
    except NetcdfError:
        raise
    except (OSError, RuntimeError, AttributeError) as error:
        raise NetcdfError(f"{path}: cannot be read as netCDF: {error}") from error


class _Chosen(NamedTuple):
    """A variable to read."""

    variable: netCDF4.Variable
    name: str
    where: str  # what errors call it
    level: dict[str, int]  # dimension -> index, of the level that the user chose


def _choose(dataset, path, names: Collection[str] | None, codes: tuple[FieldCode, ...]) -> list[_Chosen]:
    """The variables to read."""
    code_of = {code.variable: code for code in codes if code.variable in dataset.variables}
    taken = {code.name for code in code_of.values()}
    candidates: dict[str, list[_Chosen]] = {}
    for key, name in recognise_all(dataset).items():
        code = code_of.get(key)
        if code is None and name in taken:  # the user gave the name to another variable
            continue
        variable, name, where = dataset[key], code.name if code else name, f"{path}: variable {key}"
        if names is not None and name not in names:
            continue
        level = _level(dataset, variable, code, where) if code and code.dimension else {}
        if _is_field(dataset, variable, level):
            candidates.setdefault(name, []).append(_Chosen(variable, name, where, level))
        elif name in NAMES:
            log.warning("%s is over %s: not read; codes can choose one of a dimension", where, variable.dimensions)
    for name, several in candidates.items():
        if len(several) > 1 and name in NAMES:
            variables = [chosen.variable.name for chosen in several]
            raise NetcdfError(
                f"{path}: expected one variable for {name}, got {', '.join(variables)}, which say the"
                f" same of themselves: choose one, --set cases.reports.codes={{{variables[0]}: {name}}}"
            )
    return [chosen for several in candidates.values() for chosen in several]


def _level(dataset, variable, code: FieldCode, where: str) -> dict[str, int]:
    """The index of the level that the user asks for, by the dimension's name."""
    assert code.dimension is not None and code.level is not None, "a code has both or neither"
    if code.dimension not in variable.dimensions[:-2] or code.dimension not in dataset.variables:
        raise NetcdfError(
            f"{where}: expected a dimension {code.dimension!r} with a coordinate before the last two, as codes ask for;"
            f" it has {', '.join(variable.dimensions)}"
        )
    levels = np.ma.filled(np.ma.asarray(dataset[code.dimension][:]).astype(np.float64), np.nan)
    equal = np.flatnonzero(np.isclose(levels, code.level, rtol=1e-6, atol=1e-9))
    if len(equal) != 1:
        level = f"{code.dimension} = {code.level:g}"
        raise NetcdfError(f"{where}: expected one level {level}, as codes ask for; got {levels}")
    return {code.dimension: int(equal[0])}


def _is_field(dataset, variable, chosen: dict[str, int]) -> bool:
    """Numbers over (..., y, x) with at most a time besides; not itself a 2-D coordinate, not a field on levels."""
    extra = [
        k
        for k, n in zip(variable.dimensions[:-2], variable.shape[:-2], strict=True)
        if n != 1 and k not in chosen and not _is_time(dataset.variables.get(k))
    ]
    return (
        variable.ndim >= 2
        and getattr(variable.dtype, "kind", "O") in "iuf"  # of texts the dtype is str itself
        and not extra
        and getattr(variable, "standard_name", "") not in ("latitude", "longitude")
    )


def _is_time(axis) -> bool:
    return axis is not None and " since " in units_of(axis)


def _fields(dataset, chosen: _Chosen, window: Window | None) -> list[GridField]:
    variable, name, where, level = chosen
    domain, flip_y, flip_x = variable_domain(dataset, variable, where)
    times = _times(dataset, variable, where)
    leading = variable.dimensions[:-2]
    table = tuple(1 if k in level else n for k, n in zip(leading, variable.shape[:-2], strict=True))
    if np.prod(table, dtype=int) != len(times):
        raise NetcdfError(
            f"{where}: expected {len(times)} times of {domain.shape} values, got the shape {variable.shape}"
        )
    result = []
    for number, time in enumerate(times):
        if not in_window(name, time, window):
            continue
        indices = np.unravel_index(number, table) if table else ()
        place = tuple(level.get(k, int(index)) for k, index in zip(leading, indices, strict=True))
        values = variable[place] if table else variable[:]  # one time is read at a time
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
                reference_time=_reference_time(dataset, time, where),
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


def _times(dataset, variable, where: str) -> list[np.datetime64]:
    """The valid times of a variable: along its time dimension, else of a scalar time, else "not a time"."""
    for key in (*variable.dimensions, "time"):
        axis = dataset.variables.get(key)
        if _is_time(axis) and (key in variable.dimensions or axis.size == 1):
            return _moments(axis, where)
    return [NOT_A_TIME]


def _reference_time(dataset, valid: np.datetime64, where: str) -> np.datetime64:
    """When the forecast started; the valid time where the file does not tell."""
    axis = dataset.variables.get("forecast_reference_time")
    return next(iter(_moments(axis, where)), valid) if _is_time(axis) else valid


def _moments(axis, where: str) -> list[np.datetime64]:
    """The times of a variable that are not missing.

    Raises:
        NetcdfError: a unit, calendar or number that makes no date of ours.
    """
    numbers = np.ma.masked_invalid(np.ma.atleast_1d(axis[:])).compressed()
    try:
        dates = np.asarray(netCDF4.num2date(numbers, axis.units, getattr(axis, "calendar", "standard")))
        return [np.datetime64(d.replace(microsecond=0).isoformat(), "s") for d in np.atleast_1d(dates)]
    except (ValueError, TypeError, OverflowError) as error:
        raise NetcdfError(f"{where}: the time {axis.name!r} in {axis.units!r} is not understood: {error}") from error
