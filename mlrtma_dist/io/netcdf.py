"""Read gridded fields from CF netCDF: a model's, or our own product.

CF conventions 1.11: what a variable is, from ``standard_name`` (section 3.3); its grid from 1-D latitude and
longitude (section 5.1) or from a ``grid_mapping`` with 1-D projection coordinates (section 5.6).
"""

import logging
from collections.abc import Collection
from typing import Any, NamedTuple

import netCDF4
import numpy as np

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.io.field_codes import NAMES, FieldCode
from mlrtma_dist.io.grid_field import GridField, Window, in_window
from mlrtma_dist.io.netcdf_grid import GridLayout, NetcdfError, grid_layout, units_of
from mlrtma_dist.io.netcdf_members import member_dimension
from mlrtma_dist.io.netcdf_names import recognise_all
from mlrtma_dist.io.netcdf_times import field_times, time_dimensions
from mlrtma_dist.io.netcdf_values import read_values
from mlrtma_dist.io.quantities import UnitError, to_si

log = logging.getLogger(__name__)


def read_netcdf(
    path,
    names: Collection[str] | None = None,
    window: Window | None = None,
    codes: tuple[FieldCode, ...] = (),
    *,
    member: int | None = None,
    projection: str | None = None,
) -> list[GridField]:
    """Read the fields of a CF netCDF file.

    Args:
        path: netCDF 3 or 4.
        names: keep only these (``GridField.name``); None: all two-dimensional fields.
        window: first and last valid time to keep; terrain and land are always kept. None: all.
        codes: what variables and their levels mean, by the user.
        member: index of the member to read of variables that have a dimension of members; None: they are not read.
        projection: PROJ's words, tried where a variable's grid mapping is not in the file (`netcdf_grid.grid_layout`).

    Returns:
        One field per variable and time, rows northward and columns eastward.

    Raises:
        NetcdfError: the file cannot be opened or read, a field asked for has no grid or time that can be understood or
            values that are impossible in its unit, or several variables say that they are the same.
    """
    try:
        with netCDF4.Dataset(str(path)) as dataset:
            dataset.set_auto_maskandscale(True)
            chosen = _choose(dataset, path, names, codes, member)
            return [field for variable in chosen for field in _fields(dataset, variable, window, projection)]
    except NetcdfError:
        raise
    except (OSError, RuntimeError, AttributeError) as error:
        raise NetcdfError(f"{path}: cannot be read as netCDF: {error}") from error


def read_attributes(path) -> dict[str, Any]:
    """The global attributes of a netCDF file, by name.

    Raises:
        NetcdfError: it cannot be opened.
    """
    try:
        with netCDF4.Dataset(str(path)) as dataset:
            values = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
    except (OSError, RuntimeError) as error:
        raise NetcdfError(f"{path}: cannot be read as netCDF: {error}") from error
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}


class _Chosen(NamedTuple):
    """A variable to read."""

    variable: netCDF4.Variable
    name: str
    where: str  # what errors call it
    unit: str  # by the user; "" where that of the file counts
    level: dict[str, int]  # dimension -> index, of the level that the user chose, and of the member


def _choose(
    dataset, path, names: Collection[str] | None, codes: tuple[FieldCode, ...], member: int | None
) -> list[_Chosen]:
    """The variables to read."""
    code_of = {code.variable: code for code in codes if code.variable in dataset.variables}
    taken = {code.name for code in code_of.values()}
    candidates: dict[str, list[_Chosen]] = {}
    for key, name in recognise_all(dataset).items():
        code = code_of.get(key)
        if code is None and name in taken:  # the user gave the name to another variable
            continue
        variable, name, where = dataset[key], code.name if code else name, f"{path}: variable {key}"
        if not name:
            log.warning("%s is not read: by its attributes it is no value of an instant at its height", where)
        if not name or (names is not None and name not in names):
            continue
        level = _level(dataset, variable, code, where) if code and code.dimension else {}
        members = member_dimension(dataset, variable)
        if member is not None and members is not None:
            level = {members: member} | level
        if _is_field(dataset, variable, level, where):
            chosen = _Chosen(variable, name, where, code.unit if code else "", level)
            candidates.setdefault(name, []).append(chosen)
        elif name in NAMES:
            way_out = "codes can choose one of a dimension" if members is None else "--ensemble takes files of members"
            log.warning("%s is over %s: not read; %s", where, variable.dimensions, way_out)
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


def _is_field(dataset, variable, chosen: dict[str, int], where: str) -> bool:
    """Numbers over (..., y, x) with at most times besides; not itself a 2-D coordinate, not a field on levels."""
    if variable.ndim < 2 or getattr(variable.dtype, "kind", "O") not in "iuf":  # of texts the dtype is str itself
        return False
    if getattr(variable, "standard_name", "") in ("latitude", "longitude"):
        return False
    lengths = zip(variable.dimensions[:-2], variable.shape[:-2], strict=True)
    extra = {key for key, length in lengths if length != 1 and key not in chosen}
    return not extra or extra <= time_dimensions(dataset, variable, where)


def _fields(dataset, chosen: _Chosen, window: Window | None, projection: str | None) -> list[GridField]:
    variable, name, where, _, level = chosen
    layout = grid_layout(dataset, variable, where, projection)
    leading = dict(zip(variable.dimensions[:-2], variable.shape[:-2], strict=True)) | dict.fromkeys(level, 1)
    times = field_times(dataset, variable, leading, where)
    variable.set_auto_maskandscale(False)
    result = []
    for number in np.ndindex(*leading.values()):  # one time is read at a time
        valid, reference = times.valid[number], times.reference[number]
        if in_window(name, valid, window):
            place = tuple(level.get(k, index) for k, index in zip(leading, number, strict=True))
            values, note = _values(chosen, layout, place)
            result.append(
                GridField(
                    name=name,
                    values=values,
                    domain=layout.domain,
                    level_type="",
                    level=0.0,
                    reference_time=reference,
                    valid_time=valid,
                    grid_relative=_along_grid(variable, layout.domain),
                    grib=(),
                    source=where,
                    note=note,
                )
            )
    for note in dict.fromkeys(field.note for field in result if field.note):
        log.warning("%s: %s", where, note)
    return result


def _values(chosen: _Chosen, layout: GridLayout, place: tuple[int, ...]) -> tuple[np.ndarray, str]:
    """The values of one time in SI, rows northward and columns eastward, and what a reader must know of them."""
    variable, name, where, unit, _ = chosen
    stated = unit or units_of(variable)
    values, masked = read_values(variable, place or ..., name, stated, where)
    try:
        values, note = to_si(values, stated, name, certain=bool(unit))
    except UnitError as error:
        raise NetcdfError(f"{where}: {error}") from error
    return layout.oriented(values), "; ".join(text for text in (masked, note) if text)


def _along_grid(variable, domain: Domain) -> bool:
    """``x_wind`` and ``y_wind`` are along the grid, ``eastward_wind`` and ``northward_wind`` along the earth."""
    return not domain.is_geographic and getattr(variable, "standard_name", "") in ("x_wind", "y_wind")
