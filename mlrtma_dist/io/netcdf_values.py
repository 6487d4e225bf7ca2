"""The values of a netCDF variable: unpacked, and NaN where the file says that they are missing.

NetCDF users' guide, appendix "attribute conventions"; CF conventions 1.11, sections 2.5.1 and 8.1. Missing is what
``_FillValue``, ``missing_value`` or the library's own fill value marks, and what lies outside ``valid_min``,
``valid_max``, ``valid_range``. Their limits are those of packed numbers where they are of the packed type, else of
unpacked ones; writers confuse the two, and then nearly all of a good field is masked.
"""

from typing import NamedTuple

import netCDF4
import numpy as np

from mlrtma_dist.io.netcdf_grid import NetcdfError
from mlrtma_dist.io.quantities import MOST, QUANTITIES, UnitError, convert, stated_unit

FILLED = 0.5  # share of missing values that a reader is told of: fields may end within a file, at a coast or a border


class _Packing(NamedTuple):
    """How numbers are packed: value = number * factor + offset."""

    factor: float
    offset: float
    stated: bool


class _Limits(NamedTuple):
    """A reading of the valid limits."""

    low: float
    high: float
    packed: bool


def read_values(variable, place, name: str, unit: str, where: str) -> tuple[np.ndarray, str]:
    """Values at an index of a variable.

    Args:
        variable: of netCDF4, whose automatic masks and scales are off.
        place: its index.
        name: what it is; unit: as it is spelled.
        where: file and variable, for errors.

    Returns:
        The values in the variable's unit, float32, NaN where missing; and what a reader must know, "" where nothing.

    Raises:
        NetcdfError: attributes that are no numbers.
    """
    numbers = np.asarray(variable[place])
    if numbers.dtype.kind == "i" and str(getattr(variable, "_Unsigned", "")).lower() == "true":
        numbers = numbers.view(numbers.dtype.str.replace("i", "u"))
    packing = _packing(variable, where)
    values = numbers.astype(np.float64) * packing.factor + packing.offset if packing.stated else numbers
    filled, mark = _filled(variable, numbers, values, where)
    notes = []
    if filled.mean() > FILLED:
        notes.append(f"{filled.mean():.0%} of the values of {name} are missing: they are {mark}")
    invalid, note = _invalid(variable, numbers, values, ~filled, packing, (name, unit), where)
    if note:
        notes.append(note)
    return np.where(filled | invalid, np.nan, values).astype(np.float32), "; ".join(notes)


def _numbers(variable, attribute: str, where: str) -> np.ndarray:
    """The numbers of an attribute; none where it is not there."""
    value = np.atleast_1d(getattr(variable, attribute, ()))
    if value.size and value.dtype.kind not in "iuf":
        raise NetcdfError(f"{where}: expected numbers in {attribute}, got {value}")
    return value


def _packing(variable, where: str) -> _Packing:
    factor, offset = (_numbers(variable, attribute, where) for attribute in ("scale_factor", "add_offset"))
    stated = bool(factor.size + offset.size)
    packing = _Packing(float(factor[0]) if factor.size else 1.0, float(offset[0]) if offset.size else 0.0, stated)
    if not np.isfinite(packing[:2]).all() or packing.factor == 0.0:
        raise NetcdfError(f"{where}: expected numbers and no zero in scale_factor and add_offset, got {packing[:2]}")
    return packing


def _filled(variable, numbers, values, where: str) -> tuple[np.ndarray, str]:
    """Where the numbers are marked as missing, shape of the values, and the mark of most of them."""
    marks = {f"{a} {m:g}": m for a in ("_FillValue", "missing_value") for m in _numbers(variable, a, where)}
    code = variable.dtype.str[1:]
    if not hasattr(variable, "_FillValue") and code in netCDF4.default_fillvals and code not in ("i1", "u1"):
        marks["the library's fill value"] = netCDF4.default_fillvals[code]
    masks = {text: _equal(numbers, values, mark) for text, mark in marks.items()}
    masks["not a number"] = ~np.isfinite(values)
    most = max(masks, key=lambda text: masks[text].sum())
    return np.logical_or.reduce(list(masks.values())), most


def _equal(numbers: np.ndarray, values: np.ndarray, mark) -> np.ndarray:
    """Where packed numbers are a mark; where it is none of their type, as 1e20 is no short integer, unpacked ones."""
    if numbers.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return numbers == np.asarray(mark).astype(numbers.dtype)  # -9999.9 of a double marks that of a float
    limits = np.iinfo(numbers.dtype)
    if numbers.dtype.kind == "u" and -limits.max <= mark < 0:
        mark = int(mark) + limits.max + 1  # of a type that is read without its sign
    whole = limits.min <= mark <= limits.max and float(mark).is_integer()
    return (numbers if whole else values) == mark


def _invalid(variable, numbers, values, there, packing: _Packing, meaning: tuple[str, str], where: str):
    """Where the values are outside the valid limits, and what a reader must know."""
    readings = _readings(variable, numbers.dtype, packing, where)
    if not readings or not there.any():
        return np.zeros(values.shape, bool), ""
    masks = [_outside(numbers if reading.packed else values, reading) for reading in readings]
    shares = [float((mask & there).sum() / there.sum()) for mask in masks]
    name = meaning[0]
    if shares[0] <= MOST:
        return masks[0], ""
    usual, other = ("packed", "unpacked") if readings[0].packed else ("unpacked", "packed")
    if len(readings) == 2 and shares[1] < shares[0] and _nearer(readings, packing, *meaning):
        lost = f"as {usual} ones they would mask {shares[0]:.0%} of the values"
        return masks[1], f"the valid limits of {name} are taken for {other} numbers: {lost}"
    return masks[0], f"{shares[0]:.0%} of the values of {name} are outside the valid limits of the file, and missing"


def _outside(values: np.ndarray, limits: _Limits) -> np.ndarray:
    return (values < limits.low) | (values > limits.high)


def _readings(variable, dtype: np.dtype, packing: _Packing, where: str) -> list[_Limits]:
    """The valid limits, as the conventions have them and, of packed numbers, the other way."""
    both, low, high = (_numbers(variable, a, where) for a in ("valid_range", "valid_min", "valid_max"))
    if both.size not in (0, 2):
        raise NetcdfError(f"{where}: expected two numbers in valid_range, got {both}")
    kinds = {x.dtype.kind for x in (both, low, high) if x.size}
    if not kinds:
        return []
    limits = float(low[0]) if low.size else -np.inf, float(high[0]) if high.size else np.inf
    if both.size:
        limits = float(min(both)), float(max(both))
    packed = not (packing.stated and "f" in kinds and dtype.kind in "iu")
    return [_Limits(*limits, packed), *([_Limits(*limits, not packed)] if packing.stated else [])]


def _nearer(readings: list[_Limits], packing: _Packing, name: str, unit: str) -> bool:
    """Whether the second reading's limits are nearer to what the quantity can be than the first's."""
    if name not in QUANTITIES:
        return False
    try:
        stated = stated_unit(unit, name)
    except UnitError:
        return False
    possible = QUANTITIES[name].low, min(QUANTITIES[name].high, 1e5)
    distances = []
    for reading in readings:
        limits = np.array(reading[:2])
        si = convert(limits * packing.factor + packing.offset if reading.packed else limits, stated)
        distances.append(sum(abs(s - p) for s, p in zip(np.sort(si), possible, strict=True) if np.isfinite(s)))
    return distances[1] < distances[0]
