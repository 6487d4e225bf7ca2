"""States as cases: gridded fields of times that follow each other, each the truth of its own time.

A forecast is learnt from them: a case knows the states before it by `methods.case.Case.before`.
"""

import glob
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.labels import label_fields, load_label
from mlrtma_dist.fields.static import Static, grid_points, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.io.field_codes import parse_codes
from mlrtma_dist.io.gridded import read_gridded
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.gridded_files import check_gridded

KEPT = 4  # states that are kept in memory: a forecast begins with two, and the boundary of each step is read once


class StatesError(InputError):
    """Files that hold no state of a time; names the files, the time and the variable."""


@dataclass(frozen=True)
class States:
    """The section ``states:``: gridded files of times that follow each other.

    Attributes:
        files: GRIB or CF netCDF, our own products among them; names with * or ? stand for all files that they match.
        time: UTC, each a time or a range START/END[/STEP] (``clock.parse_times``); the files hold fields of each.
        variables: of ``names.VARIABLES``, in a store's order.
        codes: what the files' own codes mean (``io.field_codes``).
    """

    files: tuple[str, ...]
    time: tuple[str, ...]
    variables: tuple[str, ...] = ("t2m",)
    codes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        check_gridded(self.files, self.time, self.variables, self.codes)

    def on(self, domain: Domain) -> "StateCases":
        """The cases on a domain.

        Raises:
            StatesError: a file that is missing.
            InputError: the terrain cannot be used.
        """
        paths: list[str] = []
        for file in self.files:
            matches = sorted(glob.glob(file))
            if not matches:
                raise StatesError(
                    f"states: no file {file}: set files of the section states (of a forecast: or of boundary), or"
                    " MLRTMA_REAL_DATA to the folder by which they are named"
                )
            paths += matches
        return StateCases(self, load_static(domain), tuple(dict.fromkeys(paths)))


@dataclass(frozen=True)
class StateCases:
    """The states of a section as a source of cases (`methods.case.Cases`); there are no reports and no background.

    Attributes:
        section: what is read; static: the domain; paths: of the files.
    """

    section: States
    static: Static
    paths: tuple[str, ...]

    @property
    def contents(self) -> Contents:
        """What every case holds."""
        names = self.section.variables
        units = tuple(VARIABLES[name].unit for name in names)
        return Contents(self.static.domain, names, units, names, background=False, truth=True)

    @cached_property
    def time(self) -> np.ndarray:
        """Valid time of every case, datetime64[s], ascending, shape (case,)."""
        return np.unique(clock.parse_times(self.section.time).astype("datetime64[s]"))

    def reports(self, number: int) -> Observations:
        """None: a table without rows."""
        return Observations.empty()

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """The case of a time; see `methods.case.Cases.case`.

        Raises:
            InputError: files that cannot be used, or do not hold a variable at the time.
        """
        time, nothing = self.time[number], np.zeros(0, dtype=bool)
        return Case(
            self.static,
            box,
            time,
            self.reports(number),
            nothing,
            nothing,
            truth=self.state(time, box),
            variables=self.section.variables,
            before=lambda lag: self.state(time - lag, box) if time - lag in self.time else None,
        )

    def case_of_tile(self, number: int, box: Box) -> Case:
        """The same: there are no reports that a box could own."""
        return self.case(number, box)

    def state(self, time: np.datetime64, box: Box) -> dict[str, np.ndarray]:
        """The fields of a time on a box, shape (y, x) each, SI, float32; NaN where the files' grid does not reach.

        Raises:
            StatesError: it is not a time of the section.
            InputError: files that cannot be used, or do not hold a variable at the time.
        """
        if time not in self.time:
            raise StatesError(
                f"states: expected a time from {self.time[0]} to {self.time[-1]} of {', '.join(self.section.time)}, got"
                f" {time}: name files that hold it, and it in time"
            )
        key = time, box
        if key not in self._read:
            while len(self._read) >= KEPT:
                self._read.pop(next(iter(self._read)))
            names, codes = self.section.variables, parse_codes(self.section.codes)
            label = load_label(self._files_at(time), self.static, time, names, codes)
            self._read[key] = label_fields(label, names, grid_points(self.static, *box.slices), box.shape)
        return self._read[key]

    def _files_at(self, time: np.datetime64) -> list[str]:
        """The files that hold fields of a time, or fields that have none, such as terrain; all where none does."""
        if len(self.paths) == 1:  # it is read for every state, whatever times it holds
            return list(self.paths)
        files = [path for path, times in self._times.items() if not times or time in times]
        return files if any(self._times[path] for path in files) else list(self.paths)

    @cached_property
    def _times(self) -> dict[str, set[np.datetime64]]:
        """File -> valid times of its fields of the variables: a state of many files opens those of its time alone."""
        names, codes = self.section.variables, parse_codes(self.section.codes)
        return {path: {f.valid_time for f in read_gridded(path, names, codes=codes)} for path in self.paths}

    @cached_property
    def _read(self) -> dict[tuple[np.datetime64, Box], dict[str, np.ndarray]]:
        """The states that were read last."""
        return {}
