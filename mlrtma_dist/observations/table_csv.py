"""CSV tables of stations as observations, by a declared mapping of columns.

What a mapping is: ``mlrtma_dist.observations.csv_mapping``.
"""

import csv
import io
from datetime import UTC, datetime

import numpy as np

from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.csv_mapping import UNITS, TableError, check_mapping, parts_of
from mlrtma_dist.observations.positions import clean_positions
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.observations.wind import components

MISSING = ("", "nan", "na")
OBSCURED = 1.13 + 1e-9  # 9 oktas, written as 9, 112 or 113 percent: sky obscured, nothing of it is seen
LONGEST_HEADER = 100_000  # bytes


def read_csv(data: bytes, name: str, mapping: dict) -> Observations:
    """Read a CSV table.

    Args:
        data: the file's bytes.
        name: the file's name: ``source`` of the rows, and for errors.
        mapping: see ``csv_mapping``.

    Returns:
        Values in SI, one row for each value that is not missing. A position that is missing or impossible is NaN
        and flagged.

    Raises:
        TableError: a wrong mapping, an empty file, a column that is not there, a number or time that cannot be read.
    """
    check_mapping(mapping, name)
    table = _Table(data, name, mapping)
    station = table.text("station")
    time = table.time()
    latitude, longitude, placed = clean_positions(
        table.numbers(mapping["latitude"]), table.numbers(mapping["longitude"]), east=360.0
    )
    optional = {key: mapping[key] for key in ("elevation", "network", "provider") if mapping.get(key) is not None}
    elevation = table.numbers(optional["elevation"], "m") if "elevation" in optional else np.full(len(station), np.nan)
    network = optional.get("network", "")
    network = table.text("network") if isinstance(network, dict) else np.full(len(station), str(network))
    provider = table.text("provider") if "provider" in optional else np.full(len(station), "")
    flags = np.where(placed, 0, int(Flag.POSITION)).astype(np.uint32)
    tables = []
    for variable, value in table.values().items():
        there = np.isfinite(value)
        tables.append(
            Observations.build(
                station=station[there],
                network=network[there],
                latitude=latitude[there],
                longitude=longitude[there],
                elevation=elevation[there],
                time=time[there],
                variable=np.full(there.sum(), variable),
                value=value[there],
                flags=flags[there],
                provider=provider[there],
                source=name,
            )
        )
    return Observations.concatenate(tables)


def header_of(data: bytes, name: str, delimiter: str = ",") -> list[str]:
    """The column names in the first line of a CSV file; what is no text becomes "?"."""
    line = data.lstrip(b"\xef\xbb\xbf").split(b"\n", 1)[0][:LONGEST_HEADER]
    return _Table(
        line.decode("ascii", "replace").replace("\ufffd", "?").encode(), name, {"delimiter": delimiter}
    ).header


class _Table:
    """The cells of a CSV file; every cell is known by its line in the file."""

    def __init__(self, data: bytes, name: str, mapping: dict):
        self.name, self.mapping = name, mapping
        self.missing = {*MISSING, *(str(text).strip().lower() for text in mapping.get("missing", ()))}
        self.missing_numbers = {float(text) for text in self.missing if _is_number(text)}
        try:
            reader = csv.reader(
                io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=mapping.get("delimiter", ","), strict=True
            )
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
        positions = [i for i, name in enumerate(self.header) if name == column]
        if len(positions) != 1:
            raise TableError(
                f"{self.name}: row 1: {len(positions)} columns are named {column!r}, expected 1;"
                f" there are {', '.join(self.header)}"
            )
        return [row[positions[0]].strip() for row in self.rows]

    def text(self, key: str) -> np.ndarray:
        """A column of words, shape (n,)."""
        return np.array(self.cells(self.mapping[key]["column"]), dtype=str)

    def numbers(self, part: dict, unit: str | None = None) -> np.ndarray:
        """A column of numbers in SI where a unit is declared, NaN where missing; shape (n,)."""
        _, factor, offset = UNITS[str(part["unit"])] if unit else (None, 1.0, 0.0)
        out = np.full(len(self.rows), np.nan)
        own = {str(text).strip().lower() for text in part.get("missing", ())}
        for row, cell in enumerate(self.cells(part["column"])):
            if cell.lower() in self.missing or cell.lower() in own:
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
                out[row] = time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
            except (ValueError, OverflowError):  # overflow: the first or last hours of the calendar, in another zone
                raise self.error(
                    row, part["column"], cell, f"a time like {part.get('format', '2016-01-16T00:14:00Z')}"
                ) from None
        return out

    def values(self) -> dict[str, np.ndarray]:
        """Each variable in SI, shape (n,), NaN where missing."""
        optional = bool(self.mapping.get("optional"))
        out: dict[str, np.ndarray] = {}
        for variable, entry in self.mapping["variables"].items():
            if optional and not {part["column"] for part in parts_of(entry)} <= set(self.header):
                continue
            if variable == "wind":
                out["u10"], out["v10"] = self.wind(entry)
            else:
                out[variable] = self.numbers(entry, VARIABLES[variable].unit)
        if not out:
            raise TableError(
                f"{self.name}: row 1: none of the mapping's variables has a column; there are {', '.join(self.header)}"
            )
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
                raise self.error(
                    row,
                    part["column"],
                    self.cells(part["column"])[row],
                    f"a value of {low} to {high} (declare what means missing under `missing`)",
                )
        return components(speed, direction)

    def error(self, row: int, column: str, cell: str, expected: str) -> TableError:
        """The error for one cell."""
        return TableError(f"{self.name}: row {self.lines[row]}, column {column!r}: expected {expected}, got {cell!r}")


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text))) and "_" not in text
    except ValueError:
        return False
