"""CSV tables of stations as observations, by a declared mapping of columns.

A mapping is a YAML file (``configs/observations/*.yaml`` are shipped):

    network: asos                      # the same for every row; or {column: name}
    station: {column: station}
    time: {column: time}               # ISO 8601, UTC unless it says otherwise; or with format: "%Y%m%d%H%M"
    latitude: {column: lat}
    longitude: {column: lon}
    elevation: {column: elev, unit: foot}    # may be left out: then not known
    missing: ["-99999"]                # besides empty, NaN, NA
    delimiter: ","
    optional: false                    # true: variables whose column the file lacks are left out
    variables:
      t2m: {column: temperature, unit: degF}
      wind: {speed: {column: speed, unit: knot}, direction: {column: direction}}   # gives u10 and v10

Station pressure is ``psfc``; an altimeter setting or a pressure at sea level is not and must not be mapped to it.
"""

import csv
import io
from datetime import UTC, datetime

import numpy as np

from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.table import Flag, Observations

# SI unit, factor and offset: SI = value * factor + offset.
UNITS = {
    "K": ("K", 1.0, 0.0), "degC": ("K", 1.0, 273.15), "degF": ("K", 5 / 9, 273.15 - 160 / 9),
    "m/s": ("m s-1", 1.0, 0.0), "knot": ("m s-1", 1852 / 3600, 0.0), "km/h": ("m s-1", 1 / 3.6, 0.0),
    "Pa": ("Pa", 1.0, 0.0), "hPa": ("Pa", 100.0, 0.0), "inHg": ("Pa", 3386.389, 0.0),
    "m": ("m", 1.0, 0.0), "km": ("m", 1000.0, 0.0), "foot": ("m", 0.3048, 0.0), "statute_mile": ("m", 1609.344, 0.0),
    "1": ("1", 1.0, 0.0), "percent": ("1", 0.01, 0.0), "okta": ("1", 0.125, 0.0),
}
MISSING = ("", "nan", "na")
OBSCURED = 1.13  # 9 oktas, written as 9, 112 or 113 percent: sky obscured, nothing of it is seen
LONGEST_HEADER = 100_000  # bytes
PLACES = ("station", "time", "latitude", "longitude")
KEYS = (*PLACES, "elevation", "network", "missing", "delimiter", "optional", "variables")


class TableError(ValueError):
    """A table or mapping that cannot be used; the message names file, row and column."""


def read_csv(data: bytes, name: str, mapping: dict) -> Observations:
    """Read a CSV table.

    Args:
        data: the file's bytes.
        name: the file's name: ``source`` of the rows, and for errors.
        mapping: as in the module's docstring.

    Returns:
        Values in SI, one row for each value that is not missing. A position that is missing or impossible is NaN and flagged.

    Raises:
        TableError: a wrong mapping, an empty file, a column that is not there, a number or time that cannot be read.
    """
    check_mapping(mapping, name)
    table = _Table(data, name, mapping)
    station = table.text("station")
    time = table.time()
    latitude, longitude = table.numbers(mapping["latitude"]), table.numbers(mapping["longitude"])
    with np.errstate(invalid="ignore"):
        placed = (np.abs(latitude) <= 90) & (longitude >= -180) & (longitude <= 360)
    latitude = np.where(placed, latitude, np.nan)
    longitude = np.where(placed, (longitude + 180) % 360 - 180, np.nan)
    elevation = table.numbers(mapping["elevation"], "m") if mapping.get("elevation") else np.full(len(station), np.nan)
    network = mapping.get("network", "")
    network = table.text("network") if isinstance(network, dict) else np.full(len(station), str(network))
    flags = np.where(placed, 0, int(Flag.POSITION)).astype(np.uint32)
    made = []
    for variable, value in table.values().items():
        there = np.isfinite(value)
        made.append(Observations.build(
            station=station[there], network=network[there], latitude=latitude[there], longitude=longitude[there],
            elevation=elevation[there], time=time[there], variable=np.full(there.sum(), variable), value=value[there],
            flags=flags[there], source=name))
    return Observations.concatenate(made)


def header_of(data: bytes, name: str, delimiter: str = ",") -> list[str]:
    """The column names in the first line of a CSV file; what is no text becomes "?"."""
    line = data.lstrip(b"\xef\xbb\xbf").split(b"\n", 1)[0][:LONGEST_HEADER]
    return _Table(line.decode("ascii", "replace").replace("\ufffd", "?").encode(), name, {"delimiter": delimiter}).header


def columns_of(mapping: dict) -> tuple[set[str], set[str]]:
    """The columns a mapping must find, and those of variables it can do without if it is ``optional``."""
    needed = {mapping[key]["column"] for key in (*PLACES, "elevation", "network") if isinstance(mapping.get(key), dict)}
    variables = {part["column"] for entry in mapping["variables"].values() for part in _parts(entry)}
    return (needed, variables) if mapping.get("optional") else (needed | variables, set())


def check_mapping(mapping: dict, name: str) -> None:
    """Check a mapping's keys, variables and units.

    Raises:
        TableError: names the key and what is known.
    """
    unknown = [key for key in mapping if key not in KEYS]
    absent = [key for key in (*PLACES, "variables") if not isinstance(mapping.get(key), dict)]
    if unknown or absent:
        raise TableError(f"{name}: its mapping has unknown keys {unknown}, lacks {absent}; a mapping has {', '.join(KEYS)}")
    if not isinstance(mapping.get("missing", []), list) or len(str(mapping.get("delimiter", ","))) != 1:
        raise TableError(f"{name}: its mapping needs `missing` to be a list of words and `delimiter` one character")
    for key in (*PLACES, *(k for k in ("elevation", "network") if isinstance(mapping.get(k), dict))):
        _check_part(mapping[key], "m" if key == "elevation" else None, name, key)
    for variable, entry in mapping["variables"].items():
        if variable == "wind" and isinstance(entry, dict) and set(entry) == {"speed", "direction"}:
            _check_part(entry["speed"], "m s-1", name, "wind.speed")
            _check_part(entry["direction"], None, name, "wind.direction")
        elif variable in VARIABLES:
            _check_part(entry, VARIABLES[variable].unit, name, variable)
        else:
            raise TableError(f"{name}: its mapping has a variable {variable!r}; known are {', '.join(VARIABLES)}, wind (speed, direction)")


def _check_part(part, unit: str | None, name: str, key: str) -> None:
    fit = [u for u, (si, _, _) in UNITS.items() if si == unit]
    if not isinstance(part, dict) or not isinstance(part.get("column"), str):
        raise TableError(f"{name}: its mapping says {key}: {part!r}; expected {{column: NAME{', unit: UNIT' if unit else ''}}}")
    if unit and str(part.get("unit")) not in fit:
        raise TableError(f"{name}: its mapping gives {key} in {part.get('unit')!r}; expected one of {', '.join(fit)}")


def _parts(entry: dict) -> list[dict]:
    return [entry] if "column" in entry else [entry["speed"], entry["direction"]]


class _Table:
    """The cells of a CSV file; every cell is known by its line in the file."""

    def __init__(self, data: bytes, name: str, mapping: dict):
        self.name, self.mapping = name, mapping
        self.missing = {*MISSING, *(str(text).strip().lower() for text in mapping.get("missing", ()))}
        self.missing_numbers = {float(text) for text in self.missing if _is_number(text)}
        try:
            reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=mapping.get("delimiter", ","), strict=True)
            self.header = [cell.strip() for cell in next(reader, [])]
            lines = [(reader.line_num, row) for row in reader if row]
        except UnicodeDecodeError as error:
            raise TableError(f"{name}: byte {error.start} is not UTF-8 text") from error
        except csv.Error as error:
            raise TableError(f"{name}: row {reader.line_num}: {error}") from error
        if not self.header or not any(self.header):
            raise TableError(f"{name}: row 1: expected the names of the columns, found an empty line")
        self.lines, self.rows = [line for line, _ in lines], [row for _, row in lines]
        for line, row in lines:
            if len(row) != len(self.header):
                raise TableError(f"{name}: row {line}: {len(row)} cells; the header has {len(self.header)} columns")
        if mapping.get("variables") and not self.rows:
            raise TableError(f"{name}: row 2: expected values, the file ends after its header")

    def cells(self, column: str) -> list[str]:
        """The cells of a column, without surrounding blanks."""
        found = [i for i, name in enumerate(self.header) if name == column]
        if len(found) != 1:
            raise TableError(f"{self.name}: row 1: {len(found)} columns are named {column!r}, expected 1; there are {', '.join(self.header)}")
        return [row[found[0]].strip() for row in self.rows]

    def text(self, key: str) -> np.ndarray:
        """A column of words, shape (n,)."""
        return np.array(self.cells(self.mapping[key]["column"]), dtype=str)

    def numbers(self, part: dict, unit: str | None = None) -> np.ndarray:
        """A column of numbers in SI where a unit is declared, NaN where missing; shape (n,)."""
        _, factor, offset = UNITS[str(part["unit"])] if unit else (None, 1.0, 0.0)
        out = np.full(len(self.rows), np.nan)
        for row, cell in enumerate(self.cells(part["column"])):
            if cell.lower() in self.missing:
                continue
            if not _is_number(cell):
                raise self.error(row, part["column"], cell, "a number (or a word declared under `missing`)")
            value = float(cell)
            out[row] = np.nan if value in self.missing_numbers else value * factor + offset
        return out

    def time(self) -> np.ndarray:
        """The times as datetime64[s] in UTC, shape (n,)."""
        part = self.mapping["time"]
        out = np.empty(len(self.rows), dtype="datetime64[s]")
        for row, cell in enumerate(self.cells(part["column"])):
            try:
                time = datetime.strptime(cell, part["format"]) if "format" in part else datetime.fromisoformat(cell)
            except ValueError:
                raise self.error(row, part["column"], cell, f"a time like {part.get('format', '2016-01-16T00:14:00Z')}") from None
            out[row] = time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
        return out

    def values(self) -> dict[str, np.ndarray]:
        """Each variable in SI, shape (n,), NaN where missing."""
        optional = bool(self.mapping.get("optional"))
        out: dict[str, np.ndarray] = {}
        for variable, entry in self.mapping["variables"].items():
            if optional and not {part["column"] for part in _parts(entry)} <= set(self.header):
                continue
            if variable == "wind":
                out["u10"], out["v10"] = self.wind(entry)
            else:
                out[variable] = self.numbers(entry, VARIABLES[variable].unit)
        if not out:
            raise TableError(f"{self.name}: row 1: none of the mapping's variables has a column; there are {', '.join(self.header)}")
        if "sky_cover" in out:
            cover = out["sky_cover"]
            out["sky_cover"] = np.where((cover > 1) & (cover <= OBSCURED), 1.0, cover)
        return out

    def wind(self, entry: dict) -> tuple[np.ndarray, np.ndarray]:
        """Eastward and northward wind (m/s) from speed and the direction the wind comes from (degrees from north)."""
        speed, direction = self.numbers(entry["speed"], "m s-1"), self.numbers(entry["direction"])
        for part, value, low, high in ((entry["speed"], speed, 0, np.inf), (entry["direction"], direction, 0, 360)):
            with np.errstate(invalid="ignore"):
                wrong = np.flatnonzero((value < low) | (value > high))
            if len(wrong):
                row = int(wrong[0])
                raise self.error(row, part["column"], self.cells(part["column"])[row],
                                 f"a value of {low} to {high} (declare what means missing under `missing`)")
        angle = np.deg2rad(np.where(speed == 0, 0.0, direction))  # a calm has no direction
        return -speed * np.sin(angle), -speed * np.cos(angle)

    def error(self, row: int, column: str, cell: str, expected: str) -> TableError:
        """The error for one cell."""
        return TableError(f"{self.name}: row {self.lines[row]}, column {column!r}: expected {expected}, got {cell!r}")


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text))) and "_" not in text
    except ValueError:
        return False
