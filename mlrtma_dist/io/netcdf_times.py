"""When the fields of a netCDF variable are valid, and when their forecast began: CF conventions 1.11, section 4.4.

What a time coordinate means is said by its ``standard_name``: "time" is the valid time, "forecast_reference_time" the
start, "forecast_period" what lies between. cfgrib and others call the start ``time`` and the valid time ``valid_time``.
Where there is no standard name the long name decides, then the name. Each may be a dimension, vary along several, or be
a scalar.
"""

import datetime
import re
from typing import Any, NamedTuple

import netCDF4
import numpy as np

from mlrtma_dist.io.netcdf_grid import NetcdfError, units_of

NOT_A_TIME = np.datetime64("NaT", "s")
_STANDARD = {"time": "valid", "forecast_reference_time": "reference", "forecast_period": "period"}
_REFERENCE = re.compile(r"\b(reference|initial\w*|base|issue|cycle|run)[\s_]*(date|time)|\b(ref|init)_?time")
_PERIOD_NAMES = ("step", "leadtime", "lead_time", "forecast_period", "forecast_hour", "fhour", "time_offset")
_PERIODS = {  # unit -> seconds
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    "milliseconds": 1e-3,
    "microseconds": 1e-6,
    "nanoseconds": 1e-9,
}
STATED, NAMED, PLAIN = 2, 1, 0  # how sure a meaning is: by an attribute, by a name, by being a time alone


class _Axis(NamedTuple):
    """A time coordinate that applies to a variable.

    Attributes:
        key: its name.
        meaning: "valid", "reference" or "period".
        sure: STATED, NAMED or PLAIN.
        related: it is declared, or varies along a dimension of the variable; else it is a scalar of the same file.
        declared: it is a dimension of the variable, or named by its ``coordinates``.
    """

    key: str
    meaning: str
    sure: int
    related: bool
    declared: bool


class FieldTimes(NamedTuple):
    """The times of a variable's fields.

    Attributes:
        valid, reference: datetime64[s] over all dimensions asked for; reference is the valid time where none is given.
    """

    valid: Any
    reference: Any


def time_dimensions(dataset, variable, where: str) -> frozenset[str]:
    """The dimensions of a variable along which its times vary; arguments and errors as of `field_times`."""
    axes = (dataset[axis.key] for axis in _chosen(dataset, variable, where).values())
    return frozenset(d for axis in axes for d in axis.dimensions if d in variable.dimensions)


def field_times(dataset, variable, dimensions: dict[str, int], where: str) -> FieldTimes:
    """The times of all fields of a variable.

    Args:
        dataset, variable: of netCDF4.
        dimensions: name -> length of the leading dimensions, in order; one that has no time has length 1.
        where: file and variable, for errors.

    Raises:
        NetcdfError: a unit, calendar or number that makes no date of ours; several valid times that differ; a time of
            which nothing says whether it is the valid time or the start.
    """
    chosen = _chosen(dataset, variable, where)
    columns = {m: _over(dataset[a.key], _numbers(dataset[a.key], m, where), dimensions) for m, a in chosen.items()}
    shape, nothing = tuple(dimensions.values()), np.full(tuple(dimensions.values()), NOT_A_TIME)
    valid, reference, period = (columns.get(meaning, nothing) for meaning in ("valid", "reference", "period"))
    if "period" in columns and "valid" not in columns:
        valid = reference + period
    if "period" in columns and "reference" not in columns:
        reference = valid - period
        if chosen["valid"].sure == PLAIN and (reference != valid).any():
            raise NetcdfError(
                f"{where}: expected to learn whether {chosen['valid'].key!r} is the valid time or the start of the"
                f" forecast, beside {chosen['period'].key!r}: give it a standard_name (CF 4.4)"
            )
    if "valid" in columns and np.isnat(valid).all():
        raise NetcdfError(f"{where}: expected a time, got {chosen['valid'].key!r} without a value")
    reference = np.where(np.isnat(reference), valid, reference)
    return FieldTimes(np.broadcast_to(valid, shape), np.broadcast_to(reference, shape))


def _chosen(dataset, variable, where: str) -> dict[str, _Axis]:
    """The coordinate of each meaning that applies to a variable.

    Raises:
        NetcdfError: several that are equally sure and differ.
    """
    result: dict[str, _Axis] = {}
    surest = sorted(_candidates(dataset, variable), key=lambda a: (a.related, a.sure, a.declared), reverse=True)
    for axis in surest:
        first = result.setdefault(axis.meaning, axis)
        if first.key != axis.key and first[1:] == axis[1:] and not _same(dataset[first.key], dataset[axis.key]):
            raise NetcdfError(
                f"{where}: expected one {axis.meaning} time, got {first.key!r} and {axis.key!r}, which differ: name the"
                " one that applies in the attribute 'coordinates', and say by standard_name what it is (CF 4.4, 5.7)"
            )
    stated = result.get("reference")
    if "valid" in result and stated and stated.sure > result["valid"].sure and "period" in result:
        del result["valid"]  # a mere "time" beside a start and a period that say what they are
    return result


def _candidates(dataset, variable) -> list[_Axis]:
    declared = (*variable.dimensions, *str(getattr(variable, "coordinates", "")).split())
    axes = []
    for key, axis in dataset.variables.items():
        meaning = _meaning(key, axis, key in declared)
        fits = axis.size == 1 or set(axis.dimensions) <= set(variable.dimensions[:-2])
        if meaning is not None and fits and axis.dtype is not str:
            related = key in declared or bool(set(axis.dimensions) & set(variable.dimensions))
            axes.append(_Axis(key, *meaning, related, key in declared))
    return axes


def _meaning(key: str, axis, declared: bool) -> tuple[str, int] | None:
    """What a variable means as a time, and how sure that is; None where it is no time."""
    standard, unit = getattr(axis, "standard_name", ""), units_of(axis)
    if " since " not in unit:
        stated = STATED if _STANDARD.get(standard) == "period" else NAMED if key.lower() in _PERIOD_NAMES else None
        return ("period", stated) if stated is not None and unit.lower() in _PERIODS else None
    if standard in _STANDARD:
        return _STANDARD[standard], STATED
    words = str(getattr(axis, "long_name", "")).lower()
    for text, sure in ((words, STATED), (key.lower(), NAMED)):
        if _REFERENCE.search(text) and "since" not in text and "valid" not in text:
            return "reference", sure
        if "valid" in text or "verif" in text:
            return "valid", sure
    return ("valid", PLAIN) if declared or key == "time" else None


def _same(one, other) -> bool:
    """Whether two coordinates hold the same numbers in the same unit."""
    return one.shape == other.shape and units_of(one) == units_of(other) and bool(np.ma.allequal(one[...], other[...]))


def _over(axis, numbers: np.ndarray, dimensions: dict[str, int]) -> np.ndarray:
    """A coordinate's numbers, so that they can be broadcast over the dimensions."""
    own = [d for d in axis.dimensions if d in dimensions]
    kept = numbers.reshape([n for d, n in zip(axis.dimensions, numbers.shape, strict=True) if d in own])
    ordered = kept.transpose([own.index(d) for d in dimensions if d in own])
    return ordered.reshape([dimensions[d] if d in own else 1 for d in dimensions])


def _numbers(axis, meaning: str, where: str) -> np.ndarray:
    """Times, or for a period timedelta64[s], shape of the axis; NaT where missing.

    Raises:
        NetcdfError: a unit, calendar or number that makes no date of ours.
    """
    numbers = np.ma.masked_invalid(np.ma.asarray(axis[...]).astype(np.float64))
    if meaning == "period":
        seconds = np.ma.filled(numbers * _PERIODS[units_of(axis).lower()], np.nan)
        return np.where(np.isnan(seconds), np.timedelta64("NaT"), np.rint(np.nan_to_num(seconds)).astype("m8[s]"))
    result = np.full(numbers.shape, NOT_A_TIME)
    try:
        dates = netCDF4.num2date(numbers.compressed(), axis.units, getattr(axis, "calendar", "standard"))
        result[~np.ma.getmaskarray(numbers)] = [_to_seconds(date) for date in np.atleast_1d(np.asarray(dates))]
    except (ValueError, TypeError, OverflowError) as error:
        raise NetcdfError(f"{where}: the time {axis.name!r} in {axis.units!r} is not understood: {error}") from error
    return result


def _to_seconds(date) -> np.datetime64:
    """The nearest second: hours of day fractions are a microsecond off."""
    return np.datetime64((date + datetime.timedelta(seconds=0.5)).replace(microsecond=0).isoformat(), "s")
