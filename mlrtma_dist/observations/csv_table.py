"""The cells of a CSV file as words, numbers and times, by the parts of a mapping (``csv_mapping``)."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, tzinfo

import numpy as np

from mlrtma_dist.observations.csv_mapping import (
    TableError,
    columns_of,
    formats,
    has_unit_in_file,
    names,
    parts_of,
    time_columns,
    unit_mistakes,
)
from mlrtma_dist.observations.csv_times import ZoneError, read_time, zone_of
from mlrtma_dist.units import Unit, unit_of

MISSING = ("", "nan", "na", "null")
LONGEST_HEADER = 100_000  # bytes
# "# ELEVATION [ft]: 4996", "#DEBUG: Time Zone -> Etc/UTC"
_COMMENT = re.compile(r"\s*(.*?)\s*(?:\[(.*?)\])?\s*(?:->|:(?!.*->))\s+(.*?)\s*")


def header_of(data: bytes, mapping: dict) -> list[str]:
    """The column names of a CSV file; what is no text becomes "?"."""
    mark = str(mapping.get("comment", "")).encode()
    for line in data[:LONGEST_HEADER].removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        if line.strip() and not (mark and line.startswith(mark)):
            text = line.decode("ascii", "replace").replace("\ufffd", "?")
            try:
                return next((_stripped(row) for row in _reader(text, mapping)), [])
            except csv.Error:
                return []
    return []


def _reader(text: str, mapping: dict):
    return csv.reader(io.StringIO(text, newline=""), delimiter=mapping.get("delimiter", ","), strict=True)


def _stripped(row: list[str]) -> list[str]:
    return [cell.strip() for cell in row]


class Table:
    """The cells of a CSV file; every cell is known by its line in the file."""

    def __init__(self, data: bytes, name: str, mapping: dict):
        """Read the file's form: its lines, header, comments and units.

        Raises:
            TableError: no text, no header, no row, rows of another length; a column or a unit that is not there: all
                of them at once.
        """
        self.name, self.mapping = name, mapping
        self.missing = _Words([*MISSING, *mapping.get("missing", ())])
        self.comments: dict[str, tuple[str, str | None]] = {}
        rows = list(self._rows(self._uncommented(data)))
        if not mapping.get("header"):
            self.header = rows.pop(0)[1] if rows else []
            if not any(self.header):
                raise TableError(f"{name}: row 1: expected the names of the columns, found an empty line")
        else:
            self.header = mapping["header"]
        self.units = dict(zip(self.header, rows.pop(0)[1], strict=False)) if mapping.get("unit_row") and rows else {}
        self.lines, self.rows = [line for line, _ in rows], [row for _, row in rows]
        for line, row in rows:
            if len(row) != len(self.header):
                raise TableError(f"{name}: row {line}: {len(row)} cells; the header has {len(self.header)} columns")
        self._check()
        if not self.rows:
            raise TableError(f"{name}: row 2: expected values, the file ends after its header")

    def _uncommented(self, data: bytes) -> str:
        """The text; lines that are comments are read and left empty, so that rows keep their numbers."""
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise TableError(f"{self.name}: byte {error.start} is not UTF-8 text") from error
        mark = self.mapping.get("comment")
        if mark is None:
            return text
        lines = text.split("\n")
        for number, line in enumerate(lines):
            if line.startswith(mark):
                lines[number] = ""
                if match := _COMMENT.fullmatch(line.removeprefix(mark)):
                    self.comments.setdefault(match.group(1), (match.group(3), match.group(2)))
        return "\n".join(lines)

    def _rows(self, text: str) -> Iterator[tuple[int, list[str]]]:
        if self.mapping.get("delimiter") == " ":
            yield from ((number, row) for number, line in enumerate(text.split("\n"), 1) if (row := line.split()))
            return
        reader = _reader(text, self.mapping)
        try:
            yield from ((reader.line_num, _stripped(row)) for row in reader if row)
        except csv.Error as error:
            raise TableError(f"{self.name}: row {reader.line_num}: {error}") from error

    def _check(self) -> None:
        """Refuse a file that lacks columns, comments or units of the mapping, and name all of them."""
        absent, present = columns_of(self.mapping, set(self.header))
        twice = sorted(column for column in present if self.header.count(column) > 1)
        mistakes = [f"0 columns are named {column!r}, expected 1" for column in sorted(absent)]
        mistakes += [f"{self.header.count(column)} columns are named {column!r}, expected 1" for column in twice]
        units: dict[str, str | None] = {}
        for key, part, unit in parts_of(self.mapping):
            if "comment" in part and part["comment"] not in self.comments:
                mistakes.append(f"no comment {part['comment']!r} stands before the header, which gives {key}")
            elif unit and has_unit_in_file(self.mapping, part) and self.has(part):
                units[key] = self._unit_text(part)
        sky = self.mapping["variables"].get("sky")
        if sky and has_unit_in_file(self.mapping, sky) and self.has_all(sky["base"]):
            units["sky"] = self.units.get(sky["base"][0])
        mistakes += unit_mistakes(self.mapping, units)
        if mistakes:
            there = ", ".join(self.header)
            raise TableError(f"{self.name}: row 1: " + "\n  and ".join(mistakes) + f"; there are {there}")

    def has(self, part: dict) -> bool:
        """Whether the file has what a part stands for; "optional" allows that it has not."""
        return "column" not in part or any(name in self.header for name in names(part))

    def has_all(self, columns) -> bool:
        """Whether the file has all of some columns."""
        return set(columns) <= set(self.header)

    def column(self, part: dict) -> str:
        """The column that a part stands for, "" where it is none."""
        return next((name for name in names(part) if name in self.header), names(part)[0]) if "column" in part else ""

    def cells(self, column: str) -> list[str]:
        """The cells of a column."""
        position = self.header.index(column)
        return [row[position] for row in self.rows]

    def texts(self, part: dict) -> list[str]:
        """The words that a part stands for, one per row."""
        if "column" in part:
            return self.cells(self.column(part))
        if "value" in part:
            text = str(part["value"])
        elif "comment" in part:
            text = self.comments[part["comment"]][0]
        else:
            match = re.search(part["file_name"], self.name)
            if match is None:
                raise TableError(f"{self.name}: the file's name does not match {part['file_name']!r} of the mapping")
            text = match.group(1)
        return [text] * len(self.rows)

    def _unit_text(self, part: dict) -> str | None:
        if "unit" in part:
            return str(part["unit"])
        if "comment" in part:
            return self.comments[part["comment"]][1]
        return self.units.get(self.column(part))

    def numbers(self, part: dict, si: str | None = None) -> np.ndarray:
        """The numbers that a part stands for, in SI where it has a unit, NaN where missing; shape (n,)."""
        unit = unit_of(self._unit_text(part) or "") if si else None
        return self._numbers(self.texts(part), self.column(part), _Words(part.get("missing", ())), unit)

    def _numbers(self, cells: list[str], column: str, missing: "_Words", unit: Unit | None) -> np.ndarray:
        values: dict[str, float] = {}
        for cell in dict.fromkeys(cells):  # cells repeat: each word is read once
            if cell in self.missing or cell in missing:
                values[cell] = np.nan
            elif _is_number(cell):
                values[cell] = float(cell)
            else:
                expected = "a number (or a word declared under `missing`)"
                raise self.error(cells.index(cell), column, cell, expected)
        out = np.array([values[cell] for cell in cells], dtype=np.float64)
        return out if unit is None else out * unit.factor + unit.offset

    def layers(self, sky: dict) -> tuple[np.ndarray, np.ndarray]:
        """Words and bases (m) of the cloud layers, shape (n, layers); the word is "" where there is none."""
        missing = _Words(sky.get("missing", ()))
        words, bases = [], []
        for cover, base in zip(sky["cover"], sky["base"], strict=True):
            if cover in self.header:
                cells = ["" if c in self.missing or c in missing else c.upper() for c in self.cells(cover)]
                unit = unit_of(str(sky["unit"]) if "unit" in sky else self.units.get(base, ""))
                heights = self.cells(base) if base in self.header else [""] * len(cells)
                words.append(cells)
                bases.append(self._numbers(heights, base, missing, unit))
        return np.array(words, dtype=str).T, np.array(bases).T

    def times(self) -> np.ndarray:
        """The times as datetime64[s] in UTC, shape (n,); NaT where the zone's clocks show a time twice."""
        zone, forms, columns = self._zone(), formats(self.mapping), time_columns(self.mapping)
        out = np.empty(len(self.rows), dtype="datetime64[s]")
        for row, cell in enumerate(map(" ".join, zip(*map(self.cells, columns), strict=True))):
            try:
                out[row] = read_time(cell, forms, zone)
            except (ValueError, OverflowError):  # overflow: the first or last hours of the calendar, in another zone
                expected = f"a time like {' or '.join(forms) or '2016-01-16T00:14:00Z'} (a zone as an offset, -06:00)"
                raise self.error(row, " ".join(columns), cell, expected) from None
        return out

    def _zone(self) -> tzinfo:
        zone = self.mapping["time"].get("zone")
        if isinstance(zone, dict):  # {comment: NAME}
            zone = self.comments.get(zone["comment"], ("UTC", None))[0]
        try:
            return UTC if zone is None else zone_of(str(zone))
        except ZoneError as error:
            raise TableError(f"{self.name}: its comments name the time zone {error}") from error

    def error(self, row: int, column: str, cell: str, expected: str) -> TableError:
        """The error for one cell."""
        return TableError(f"{self.name}: row {self.lines[row]}, column {column!r}: expected {expected}, got {cell!r}")

    def require(self, part: dict, values: np.ndarray, low: float, high: float) -> None:
        """Refuse values outside a range, which a mapping declares wrongly."""
        with np.errstate(invalid="ignore"):
            wrong = np.flatnonzero((values < low) | (values > high))
        if len(wrong):
            expected = f"a value of {low:g} to {high:g} (declare what means missing under `missing`)"
            raise self.error(int(wrong[0]), self.column(part), self.texts(part)[int(wrong[0])], expected)


class _Words:
    """Words that mean "missing", also written as other forms of the same number."""

    def __init__(self, words):
        self.words = {str(word).strip().lower() for word in words}
        self.numbers = {float(word) for word in self.words if _is_number(word)}

    def __contains__(self, cell: str) -> bool:
        return cell.lower() in self.words or (bool(self.numbers) and _is_number(cell) and float(cell) in self.numbers)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text))) and "_" not in text
    except ValueError:
        return False
