"""Matches: what withheld stations measured beside the analyses that were made without them.

Observation and prediction are in the variable's analysis space (``names.Variable.to_analysis``): the natural
logarithm for visibility and ceiling, the SI unit for the rest.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.atomic import written_atomically

# The two methods that every other is compared with; they have these names in every table of matches.
FIRST_GUESS = "first_guess"
NEAREST = "nearest"
INCUMBENT = "incumbent"  # the weights in use, beside a candidate of the same method

TIME = "datetime64[s]"
TEXTS = dict.fromkeys(("method", "variable", "domain", "station"), str)
KINDS: dict[str, Any] = {**TEXTS, "time": TIME, "fold": np.int64}  # else float64
BELOW = ("below_1", "below_2", "below_3", "below_4")
UNKNOWN = (
    "latitude",
    "longitude",
    "elevation",
    "spread",
    "observation_error",
    "crps",
    *BELOW,
    "place",
)  # may be NaN throughout
DEFAULTS = dict.fromkeys(UNKNOWN, np.nan) | {"fold": 0, "domain": "", "time": np.datetime64("NaT", "s")}


class MatchError(InputError):
    """Columns or a file that are not a table of matches; names the column or the file's row."""


@dataclass(frozen=True)
class Matches:
    """A table with one row for each withheld observation analysed by one method; every attribute has shape (n,).

    Attributes:
        method: name of the method (str).
        variable: a name of ``mlrtma_dist.names.VARIABLES`` (str).
        domain: name of the domain that was analysed; "" where not known (str).
        time: of the analysis, UTC, NaT where not known (datetime64[s]).
        station: station identifier (str).
        latitude, longitude: degrees, NaN on a plane.
        elevation: of the station, m, NaN where not known.
        fold: the part of the stations it was withheld with (int64).
        observation: the measured value, analysis space.
        prediction: the analysis at the station, analysis space; NaN where the method gave none.
        spread: the standard deviation the method expects of its own error there, analysis space; NaN if none.
        observation_error: assumed standard deviation of the observation's error, analysis space; NaN if not known.
        crps: continuous ranked probability score of the method's distribution of the report: of members, or of a
            variable with limits (`methods.predictands`) by these limits, analysis space; NaN of others: Gaussian.
        below_1, below_2, below_3, below_4: predicted probability that the report lies below each limit of its variable
            (`names.EVENTS`); NaN where there are fewer limits or the method gave none.
        place: of the report among the members, 0 to 1; NaN where there are none.
    """

    method: np.ndarray
    variable: np.ndarray
    domain: np.ndarray
    time: np.ndarray
    station: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    elevation: np.ndarray
    fold: np.ndarray
    observation: np.ndarray
    prediction: np.ndarray
    spread: np.ndarray
    observation_error: np.ndarray
    crps: np.ndarray
    below_1: np.ndarray
    below_2: np.ndarray
    below_3: np.ndarray
    below_4: np.ndarray
    place: np.ndarray

    def __post_init__(self):
        shapes = {name: np.shape(getattr(self, name)) for name in COLUMNS}
        if len(set(shapes.values())) != 1 or len(shapes["station"]) != 1:
            raise MatchError(f"expected columns of one length, got shapes {shapes}")

    def __len__(self) -> int:
        return len(self.station)

    @property
    def error(self) -> np.ndarray:
        """Prediction minus observation, shape (n,): positive where the analysis is too high."""
        return self.prediction - self.observation

    @property
    def deviation(self) -> np.ndarray:
        """Of a report from the analysis, as the method expects it, shape (n,), NaN where it expects none."""
        return np.hypot(self.spread, np.nan_to_num(self.observation_error))

    @property
    def scored(self) -> np.ndarray:
        """Mask of the rows that have both an observation and a prediction, shape (n,)."""
        return np.isfinite(self.observation) & np.isfinite(self.prediction)

    @property
    def methods(self) -> list[str]:
        """The methods in order of their first row."""
        return list(dict.fromkeys(self.method.tolist()))

    @property
    def variables(self) -> list[str]:
        """The variables in order of their first row."""
        return list(dict.fromkeys(self.variable.tolist()))

    def select(
        self, rows: np.ndarray | None = None, *, method: str | None = None, variable: str | None = None
    ) -> "Matches":
        """The rows of a mask, slice or index array, then those of one method, of one variable, or both."""
        table = self if rows is None else self._rows(rows)
        if method is not None:
            table = table._rows(table.method == method)
        if variable is not None:
            table = table._rows(table.variable == variable)
        return table

    def _rows(self, rows) -> "Matches":
        return Matches(**{name: getattr(self, name)[rows] for name in COLUMNS})

    @staticmethod
    def build(**columns) -> "Matches":
        """Make a table from columns; scalars are repeated, what is missing is NaN, NaT or "" (fold: 0).

        Args:
            **columns: at least method, variable, station (an array), observation and prediction.

        Raises:
            MatchError: an unknown, missing or too short column.
        """
        unknown = [name for name in columns if name not in COLUMNS]
        missing = [name for name in COLUMNS if name not in columns and name not in DEFAULTS]
        if unknown or missing:
            raise MatchError(
                f"matches: unknown columns {unknown}, missing columns {missing}; a table has {', '.join(COLUMNS)}"
            )
        size = len(columns["station"])
        table = {}
        for name in COLUMNS:
            value: np.ndarray = np.asarray(columns.get(name, DEFAULTS.get(name)), dtype=KINDS.get(name, np.float64))
            table[name] = np.broadcast_to(value, (size,)).copy() if value.ndim == 0 else value
        return Matches(**table)

    @staticmethod
    def empty() -> "Matches":
        """A table without rows."""
        return Matches.build(**{name: [] for name in COLUMNS if name not in DEFAULTS})

    @staticmethod
    def concatenate(tables: Iterable["Matches"]) -> "Matches":
        """Join tables one below the other; no table gives an empty one."""
        tables = list(tables)
        if not tables:
            return Matches.empty()
        return Matches(**{name: np.concatenate([getattr(table, name) for table in tables]) for name in COLUMNS})


COLUMNS = tuple(field.name for field in fields(Matches))


def named(matches: Matches, method: str) -> Matches:
    """The same rows under another name of their method."""
    return replace(matches, method=np.full(len(matches), method))


def write_matches(path: str | Path, matches: Matches) -> None:
    """Write ``matches.csv``: a header and a row for each match; numbers are written so that they read back the same.

    The file is written beside its place and renamed, so that it is never read half written.
    """
    columns = [_plain(getattr(matches, name)).tolist() for name in COLUMNS]
    write_rows(path, COLUMNS, zip(*columns, strict=True))


def read_matches(path: str | Path) -> Matches:
    """Read what ``write_matches`` wrote.

    Raises:
        MatchError: another header, a row with too few or too many cells, a cell that is no number, or no text at all;
            names the row.
        OSError: the file cannot be read.
    """
    rows = []
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        try:
            header = next(reader, [])
            if tuple(header) not in (COLUMNS, COLUMNS[:-1]):  # tables of earlier versions have no place
                raise MatchError(f"{path}: row 1: expected the columns {','.join(COLUMNS)}; got {','.join(header)!r}")
            for row in reader:
                if len(row) != len(header):
                    raise MatchError(f"{path}: row {reader.line_num}: {len(row)} cells; expected {len(header)}")
                rows.append(row)
        except (UnicodeDecodeError, csv.Error) as error:
            raise MatchError(f"{path}: row {reader.line_num + 1}: expected a table of matches: {error}") from error
    cells = dict(zip(header, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(header, ())
    return Matches.build(**{name: _column(path, name, column) for name, column in cells.items()})


def _plain(column: np.ndarray) -> np.ndarray:
    """Times as ISO 8601 text, other columns as they are."""
    return column.astype(str) if column.dtype.kind == "M" else column


def _column(path, name: str, cells: tuple[str, ...]) -> np.ndarray:
    kind = KINDS.get(name, np.float64)
    try:
        return np.array(cells, dtype=str) if kind is str else np.array(cells, dtype=str).astype(kind)
    except ValueError as error:
        expected = {np.int64: "whole numbers", TIME: "times such as 2022-08-24T06:00:00"}.get(kind, "numbers")
        raise MatchError(f"{path}: column {name!r}: expected {expected}: {error}") from error


def write_rows(path: str | Path, header: Iterable[str], rows: Iterable[Iterable]) -> None:
    """Write a CSV table beside ``path`` and rename it; floats are in the shortest form that reads back the same."""
    with written_atomically(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
