"""Points of gridded fields as reports: the section ``gridded:`` of cases, and what is read of its files.

A point of a field is a report of a station of its own at the field's own place and height, with the value of the field
there: nothing is interpolated in space or time. `samples.gridded_cases` makes cases and labels of them.
"""

import glob
import logging
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.gridded_state import NEEDED
from mlrtma_dist.fields.labels import load_label
from mlrtma_dist.fields.state import State
from mlrtma_dist.fields.static import Static
from mlrtma_dist.io.field_codes import parse_codes
from mlrtma_dist.io.grid_field import TIMELESS
from mlrtma_dist.io.gridded import read_gridded
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.stations import read_stations
from mlrtma_dist.observations.table import Flag, Observations

log = logging.getLogger(__name__)
LONGEST = 16  # characters of a network's name: a store keeps 32 of a station's, which has the point's numbers, too


@dataclass(frozen=True)
class GriddedReports:
    """The section ``gridded:`` of cases.

    Attributes:
        files: GRIB or CF netCDF files of one or several times; names with * or ? stand for all files that they match.
        variables: variable -> standard deviation of the error of the field's values, in the variable's SI unit (m of
            visibility and ceiling, K of temperature), which its reports state.
        every: every n-th point of the field in both directions is a report, a plain number from 1; 0: none of them.
        stations: lists of stations (docs/observations.md); the point nearest to each station is a report.
        network: name of the reports' network, at most 16 characters.
        unlimited: variable -> value in its SI unit from which on the field means that there is no limit, such as a
            highest ceiling of 12,000 ft; such values become the largest valid one of the variable.
        time: UTC, valid times of fields that are used (``clock.parse_times``); empty: all of the files. Alone each
            is a case.
        minutes: beside station reports, fields valid further from the time of a case are not used, minutes.
        codes: what the files' own codes mean (``io.field_codes``).
    """

    files: tuple[str, ...]
    variables: dict[str, float]
    every: int = 0
    stations: tuple[str, ...] = ()
    network: str = "gridded"
    unlimited: dict[str, float] = field(default_factory=dict)
    time: tuple[str, ...] = ()
    minutes: float = 30.0
    codes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        every_name = ", ".join(VARIABLES)
        if not self.files or not self.variables:
            raise ValueError("gridded: expected files, and variables with the error of each, got none")
        for name, error in self.variables.items():
            if name not in VARIABLES:
                raise ValueError(f"gridded: variables: expected some of {every_name}, got {name!r}")
            if not 0.0 < error < np.inf:
                raise ValueError(f"gridded: variables: {name}: expected an error above 0 in SI, got {error:g}")
        for name in self.unlimited:
            if name not in self.variables:
                named = ", ".join(self.variables)
                raise ValueError(f"gridded: unlimited: expected some of the variables {named}, got {name!r}")
        if self.every < 0 or not (self.every or self.stations):
            raise ValueError(f"gridded: expected every from 1, or lists of stations, got every {self.every} and none")
        if not 0 < len(self.network) <= LONGEST:
            raise ValueError(f"gridded: network: expected 1 to {LONGEST} characters, got {self.network!r}")
        if not 0.0 <= self.minutes <= 1440.0:
            raise ValueError(f"gridded: minutes: expected from 0 to 1440, got {self.minutes:g}")
        clock.parse_times(self.time)
        parse_codes(self.codes)

    @cached_property
    def files_at(self) -> dict[np.datetime64, tuple[str, ...]]:
        """Valid time of fields that are used -> files that hold fields of it, in the order of time.

        Raises:
            InputError: no file of a name, no field of the variables, or none of a time that is named.
        """
        paths = {name: sorted(glob.glob(name)) for name in self.files}
        absent = [name for name, matches in paths.items() if not matches]
        if absent:
            raise InputError(
                f"gridded: no file {absent[0]}: set files, or MLRTMA_REAL_DATA to the folder that they begin at"
            )
        codes, files, constant = parse_codes(self.codes), {}, ()
        for path in dict.fromkeys(path for matches in paths.values() for path in matches):
            fields = [each for each in read_gridded(path, NEEDED, codes=codes) if each.name not in TIMELESS]
            constant += () if fields else (path,)  # of terrain alone
            for time in {each.valid_time for each in fields}:
                files[time] = (*files.get(time, ()), path)
        if not files:
            raise InputError(
                f"gridded: {paths[self.files[0]][0]}: holds none of {', '.join(VARIABLES)} by codes that are known:"
                " give their meaning, gridded.codes (docs/observations.md)"
            )
        chosen = clock.parse_times(self.time) if self.time else np.array(sorted(files), "datetime64[s]")
        missing = [time for time in chosen if time not in files]
        if missing:
            there = ", ".join(map(str, sorted(files)))
            raise InputError(f"gridded: time: no field valid at {missing[0]}; the files have {there}")
        return {time: (*files[time], *constant) for time in np.unique(chosen)}

    def listed(self, files_at: dict[np.datetime64, tuple[str, ...]]) -> "GriddedReports":
        """The same section with its `files_at`, by a rank that has looked for the files: no other looks for them."""
        same = replace(self)
        vars(same)["files_at"] = files_at  # where the cached property keeps it
        return same

    def nearest(self, time: np.datetime64) -> np.datetime64 | None:
        """The valid time nearest to a time, datetime64[s], the earlier of two; None: none is near enough."""
        best = min(self.files_at, key=lambda each: abs(each - time))
        return best if abs(best - time) <= np.timedelta64(round(60 * self.minutes), "s") else None

    def reports(self, static: Static, time: np.datetime64) -> Observations:
        """The reports of the fields that are valid at a time, at points within a domain; a row for each value.

        Args:
            static: the domain; time: one of `files_at`.

        Raises:
            LabelError: a variable is not in the files; BackgroundError: they lie outside the domain, or hold values
                that are impossible in their unit; InputError: no value of a variable at any of the points.
        """
        files = self.files_at[time]
        state = load_label(files, static, time, tuple(self.variables), parse_codes(self.codes)).state
        row, column = self._points(state, static)
        tables = [self._of(name, state, (row, column), time) for name in self.variables]
        empty = [name for name, table in zip(self.variables, tables, strict=True) if not len(table)]
        if empty:
            raise InputError(
                f"{state.origin}: expected values of {', '.join(empty)} at {time}, got missing ones at all {len(row)}"
                f" points on the domain {static.domain.name}: leave out of gridded.variables what the field does not"
                " have there, or set every lower"
            )
        return Observations.concatenate(tables)

    def _points(self, state: State, static: Static) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the field's points that are reports, each once, shape (n,); on the domain alone."""
        grid, parts = state.domain, []
        if self.every:
            lines = (np.arange(0, size, self.every) for size in grid.shape)
            parts.append(np.stack(np.meshgrid(*lines, indexing="ij"), -1).reshape(-1, 2))
        if self.stations:
            places = np.array(list(read_stations(self.stations).places.values()))
            index = np.stack(grid.index(places[:, 0], places[:, 1]), 1)
            inside = np.isfinite(index).all(1) & (index > -0.5).all(1) & (index < np.array(grid.shape) - 0.5).all(1)
            parts.append(np.rint(index[inside]).astype(np.int64))
        row, column = np.unique(np.concatenate(parts), axis=0).T
        on = static.domain.contains(*grid.position(row, column))
        if not on.any():
            raise InputError(
                f"{state.origin}: no point of the field lies on the domain {static.domain.name}, of {len(on)} by every"
                f" {self.every} and stations {', '.join(self.stations) or 'none'}: set gridded.every lower"
            )
        return row[on], column[on]

    def _of(self, name: str, state: State, points, time: np.datetime64) -> Observations:
        """The reports of a variable at the points (rows, columns) where the field has a value."""
        value = state.values[name][points].astype(np.float64)
        if name in self.unlimited:
            value = np.where(value >= self.unlimited[name], VARIABLES[name].valid[1], value)
        there = np.isfinite(value)
        row, column = (each[there] for each in points)
        latitude, longitude = state.domain.position(row, column)
        height = np.nan if state.elevation is None else state.elevation[row, column].astype(np.float64)
        return Observations.build(
            station=np.array([f"{self.network} {y} {x}" for y, x in zip(row, column, strict=True)], dtype=str),
            network=self.network,
            latitude=latitude,
            longitude=longitude,
            elevation=height,
            time=time,
            variable=name,
            value=value[there],
            error=self.variables[name],
            source=state.origin,
        )

    def labels(self, static: Static, time: np.datetime64, variables: tuple[str, ...]) -> Observations:
        """The reports of the fields nearest to a time as labels, of some variables; no row where no field is near."""
        near = self.nearest(time)
        if near is None:
            log.warning("no gridded label within %g minutes of %s", self.minutes, time)
            return Observations.empty()
        table = self.reports(static, near)
        table = table[np.isin(table.variable, variables)]
        return table.with_flags(table.flags | np.uint32(Flag.LABEL))
