"""Observation errors by report type and pressure, in the operational format; given by the user.

A heading "180 OBSERVATION TYPE" and 33 lines of pressure (hPa) and the errors of temperature (K), relative humidity
(tenths), wind (m/s), surface pressure (hPa) and precipitable water (mm); 1e9 says "not used". A type is the PrepBUFR
report type: below 200 mass, from 200 on wind.

Tables of the parameter b of the nonlinear quality control have the same form and a line of subtypes under each heading.
They are read and checked. Their values are not used: here Huber's norm (configs/methods) does that work. Where all are
1e9, as in the operational tables of 2022, there is nothing in them to use.
"""

import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.names import STANDARD_PRESSURE
from mlrtma_dist.observations.altimeter import station_pressure
from mlrtma_dist.observations.reports import group
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.physics.moisture import dew_point_error

log = logging.getLogger(__name__)
TYPE = re.compile(r"\s?(\d{3}) OBSERVATION TYPE\s*$", re.IGNORECASE)
LEVELS = 33
UNUSED = 1e9
COLUMNS = 6  # pressure and five errors
# variable -> column and factor to SI; relative humidity, in tenths, becomes an error of the dew point
ELEMENTS = {"t2m": (1, 1.0), "d2m": (2, 0.1), "u10": (3, 1.0), "v10": (3, 1.0), "psfc": (4, 100.0)}


@dataclass(frozen=True)
class ErrorTable:
    """Errors by type.

    Attributes:
        types: report type -> array (33, 6): pressure in hPa, falling, and the errors in the file's units, NaN unused.
        file: its name.
    """

    types: dict[int, np.ndarray]
    file: str

    def look_up(self, kind: int, variable: str, pressure: np.ndarray) -> np.ndarray:
        """Error of a variable, linear in pressure (Pa, shape (n,)): SI, relative humidity for ``d2m``; NaN unknown.

        Winds of a mass type (joined to their mass report) are looked up under the wind type, 100 higher.
        """
        column, factor = ELEMENTS[variable]
        table = self.types.get(kind + 100 if column == 3 and kind < 200 else kind)
        if table is None:
            return np.full(np.shape(pressure), np.nan)
        return factor * np.interp(np.asarray(pressure) / 100.0, table[::-1, 0], table[::-1, column])


def is_error_table(lines: list[str]) -> bool:
    """Whether the first line is the heading of a report type."""
    return bool(lines) and TYPE.match(lines[0]) is not None


def read_error_table(path: Path, lines: list[str]) -> ErrorTable | None:
    """Read a table; None for one of the nonlinear quality control, of which a log line says what is in it.

    Raises:
        InputError: names file, line and what was expected.
    """
    types: dict[int, np.ndarray] = {}
    nonlinear, at = False, 0
    while at < len(lines):
        heading = TYPE.match(lines[at])
        if not heading or int(heading[1]) in types:
            raise _wrong(path, at, "the heading of a report type, each once", lines)
        at += 1
        width = COLUMNS
        if at < len(lines) and lines[at].split()[:1] == ["subtype"]:
            nonlinear, width = True, len(lines[at].split())
            at += 1
        rows = [_row(path, lines, at + k, width) for k in range(LEVELS)]
        table = np.array(rows)
        if not (np.diff(table[:, 0]) < 0).all():  # operational tables have 500 for 600 hPa in types not used here
            log.info("%s: line %d: the pressures of type %s do not fall; taken in their order", path, at, heading[1])
            table = table[np.argsort(-table[:, 0], kind="stable")]
        table[:, 1:][table[:, 1:] >= UNUSED] = np.nan
        types[int(heading[1])] = table
        at += LEVELS
    if not nonlinear:
        return ErrorTable(types, path.name)
    count = sum(int(np.isfinite(table[:, 1:]).sum()) for table in types.values())
    log.info(
        "%s: %d report types, %d values of the nonlinear quality control, none of them used here",
        path,
        len(types),
        count,
    )
    return None


def fill_errors(observations: Observations, table: ErrorTable) -> Observations:
    """Give reports without an error of their own that of their type, at the standard pressure of their height.

    The dew point's needs temperature and dew point of the report; without a temperature it stays unknown. A height
    that is not known counts as sea level.
    """
    unknown = ~(np.isfinite(observations.error) & (observations.error > 0.0))
    pressure = station_pressure(STANDARD_PRESSURE, np.nan_to_num(observations.elevation))
    error = observations.error.copy()
    for network in np.unique(observations.network[unknown]):
        if not (len(network) == 3 and network.isdigit()):
            continue  # report types are PrepBUFR's
        for variable in ELEMENTS:
            rows = unknown & (observations.network == network) & (observations.variable == variable)
            error[rows] = table.look_up(int(network), variable, pressure[rows])
    moist = unknown & (observations.variable == "d2m")
    temperature = _temperature(observations)
    with np.errstate(all="ignore"):  # values out of range
        error[moist] = dew_point_error(error, observations.value, temperature)[moist]
    return replace(observations, error=np.where(np.isfinite(error), error, observations.error))


def _temperature(observations: Observations) -> np.ndarray:
    """The temperature of each row's report, K, shape (n,); NaN where it has none."""
    report = group(observations.station, observations.latitude, observations.longitude, observations.time)
    temperature = np.full(report.max(initial=-1) + 1, np.nan)
    rows = observations.variable == "t2m"
    temperature[report[rows]] = observations.value[rows]
    return temperature[report]


def _row(path: Path, lines: list[str], at: int, width: int) -> list[float]:
    try:
        numbers = [float(word) for word in lines[at].split()]
    except (IndexError, ValueError):
        numbers = []
    if len(numbers) != width or not np.isfinite(numbers).all() or min(numbers) < 0.0:
        raise _wrong(path, at, f"{width} numbers of 0 and more, {LEVELS} lines a type", lines)
    return numbers


def _wrong(path: Path, at: int, expected: str, lines: list[str]) -> InputError:
    got = repr(lines[at][:80]) if at < len(lines) else "the end of the file"
    return InputError(f"{path}: line {at + 1}: expected {expected}, got {got}")
