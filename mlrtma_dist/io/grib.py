"""Read gridded fields from GRIB, editions 1 and 2, with ECMWF's eccodes.

The file is cut into messages by ``grib_messages``, so that an error knows its message and byte; the
meaning of a message is in ``grib_names``, its grid in ``grib_grid``.
"""

import datetime
import logging
from collections.abc import Collection

import eccodes
import numpy as np

from mlrtma_dist.io.field_codes import FieldCode
from mlrtma_dist.io.grib_grid import grid_relative, message_domain, orient, scanning_mode
from mlrtma_dist.io.grib_instant import get
from mlrtma_dist.io.grib_messages import GribError, split_messages
from mlrtma_dist.io.grib_names import Meaning, recognise
from mlrtma_dist.io.grib_packing import check_packing
from mlrtma_dist.io.grid_field import GridField, Window, in_window
from mlrtma_dist.io.quantities import UnitError, to_si

log = logging.getLogger(__name__)
MISSING = 1e30  # what eccodes writes at missing points here; no quantity comes near
VERIFYING_TIME = 2  # code table 1.2: the reference time is when the forecast is valid


def read_grib(
    path, names: Collection[str] | None = None, window: Window | None = None, codes: tuple[FieldCode, ...] = ()
) -> list[GridField]:
    """Read the fields of a GRIB file.

    Args:
        path: the file.
        names: keep only these (``GridField.name``); the values of others are not decoded. None: all.
        window: first and last valid time to keep, likewise; terrain and land are always kept. None: all.
        codes: what code numbers mean, by the user.

    Returns:
        The fields in the order of the file; possibly none, where ``names`` asks for what is not there.

    Raises:
        GribError: the file is empty, truncated or damaged, or a field asked for lies on a grid that
            cannot be read, or has values that are impossible in its unit; names file, message and byte.
    """
    fields = []
    for number, byte, message in split_messages(path):
        where = f"{path}: message {number} at byte {byte}"
        try:
            handle = eccodes.codes_new_from_message(message)
        except eccodes.CodesInternalError as error:
            raise GribError(f"{where}: not understood by eccodes: {error}") from error
        try:
            meaning = recognise(handle, codes)
            if names is None or meaning.name in names:
                valid = _valid_time(handle, where)
                if in_window(meaning.name, valid, window):
                    check_packing(message, where)
                    fields.append(_field(handle, meaning, valid, where))
        except (eccodes.CodesInternalError, MemoryError) as error:
            raise GribError(f"{where}: cannot be decoded: {error}") from error
        finally:
            eccodes.codes_release(handle)
    for note in dict.fromkeys(field.note for field in fields if field.note):
        log.warning("%s: %s", path, note)
    return fields


def _field(handle, meaning: Meaning, valid: np.datetime64, where: str) -> GridField:
    domain = message_domain(handle, where)
    mode = scanning_mode(handle, where)
    values = _values(handle, domain.size, mode, where)
    try:
        values, note = to_si(values, meaning.unit, meaning.name, certain=meaning.certain)
    except UnitError as error:
        raise GribError(f"{where}: {error}") from error
    return GridField(
        name=meaning.name,
        values=values,
        domain=domain,
        level_type=get(handle, "typeOfLevel", ""),
        level=get(handle, "level", 0.0, float),
        reference_time=_time(handle, "dataDate", "dataTime", where),
        valid_time=valid,
        grid_relative=grid_relative(handle),
        grib=meaning.numbers,
        source=where,
        note=note,
    )


def _values(handle, size, mode: int, where: str) -> np.ndarray:
    points = get(handle, "numberOfDataPoints", 0, int)
    if points != size.x * size.y:
        raise GribError(f"{where}: expected {size.x} x {size.y} points, got {points}")
    eccodes.codes_set(handle, "missingValue", MISSING)
    values = eccodes.codes_get_values(handle)  # float64: eccodes has no float32 decoder for jpeg and png packing
    if values.size != size.x * size.y:
        raise GribError(f"{where}: expected {size.x} x {size.y} values, got {values.size}")
    with np.errstate(over="ignore"):  # what float32 cannot hold is damage, and missing below
        grid = orient(values.astype(np.float32), size.x, size.y, mode)
    grid[~(np.abs(grid) < 0.1 * MISSING)] = np.nan
    return grid


def _valid_time(handle, where: str) -> np.datetime64:
    if get(handle, "significanceOfReferenceTime", 0, int) == VERIFYING_TIME:
        return _time(handle, "dataDate", "dataTime", where)
    return _time(handle, "validityDate", "validityTime", where)


def _time(handle, date_key: str, time_key: str, where: str) -> np.datetime64:
    date, clock = get(handle, date_key, 0, int), get(handle, time_key, 0, int)
    try:
        moment = datetime.datetime(date // 10000, date // 100 % 100, date % 100, clock // 100, clock % 100)
    except ValueError:
        raise GribError(f"{where}: expected a date and time in {date_key}, {time_key}, got {date} {clock}") from None
    return np.datetime64(moment, "s")
