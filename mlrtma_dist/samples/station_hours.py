"""Station hours: one or several times of report files as cases, with a gridded background or a regression."""

import logging
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mlrtma_dist import clock, config
from mlrtma_dist.fields.ensemble import load_ensemble
from mlrtma_dist.fields.gridded import load_gridded
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Domain, load_domain
from mlrtma_dist.io.field_codes import parse_codes
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.readers import PRECEDENCE, read_observations
from mlrtma_dist.observations.station_lists import StationLists, read_station_lists
from mlrtma_dist.observations.stations import StationList, read_stations
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.judgement import Assumptions, Judge

log = logging.getLogger(__name__)
DAY = np.timedelta64(1, "D")
WIDEST_WINDOW = 1440  # minutes: reports of the day before and of the day after tell nothing of the hour


@dataclass(frozen=True)
class Reports:
    """The section ``reports:`` of a configuration: files of station reports and of gridded fields.

    Attributes:
        observations: files of reports, of any kind of ``readers.READERS``.
        background: gridded files; empty: the mean of the ensemble, without one a regression on the reports.
        ensemble: gridded files, one per member, or netCDF files of all members (``fields.ensemble``).
        time: analysis times, UTC, each a time or a range START/END[/STEP] (``clock.parse_times``); empty: the full
            hour nearest to the middle of the reports.
        window_minutes: half width of the observation window; reports further from the time are not used.
        in_time_minutes: half width, in minutes, of the window of which methods in time (``oi_time``, ``pinn``,
            ``fourdvar``) use every report at its own time, where it is wider than that of all methods; 0: it is the
            same.
        mapping: file of ``configs/observations``, or of the user's own, that says what the columns of CSV files
            are; null: chosen by their header.
        stations: lists of stations, for METAR text.
        station_lists: operational reject and use lists and observation errors.
        precedence: kinds of source, the most trusted first: of a report that several hold its copy is used.
        codes: what the background's own codes mean (``io.field_codes``).
    """

    observations: tuple[str, ...] = ()
    background: tuple[str, ...] = ()
    ensemble: tuple[str, ...] = ()
    time: tuple[str, ...] = ()
    window_minutes: float = 30.0
    in_time_minutes: float = 0.0
    mapping: str | None = None
    stations: tuple[str, ...] = ()
    station_lists: tuple[str, ...] = ()
    precedence: tuple[str, ...] = PRECEDENCE
    codes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        clock.parse_times(self.time)
        if not 0.0 < self.window_minutes <= WIDEST_WINDOW:
            raise ValueError(f"window_minutes: expected above 0 and up to {WIDEST_WINDOW}, got {self.window_minutes:g}")
        if not 0.0 <= self.in_time_minutes <= WIDEST_WINDOW:
            raise ValueError(f"in_time_minutes: expected from 0 to {WIDEST_WINDOW}, got {self.in_time_minutes:g}")
        if 0.0 < self.in_time_minutes < self.window_minutes:
            raise ValueError(
                f"in_time_minutes: expected 0 or at least the window_minutes of {self.window_minutes:g}, whose reports"
                f" methods in time use anyway, got {self.in_time_minutes:g}: set window_minutes lower"
            )
        if sorted(self.precedence) != sorted(PRECEDENCE):
            expected = ", ".join(PRECEDENCE)
            raise ValueError(f"precedence: expected {expected} in some order, got {', '.join(self.precedence)}")
        parse_codes(self.codes)

    @property
    def times(self) -> np.ndarray:
        """The analysis times that are named, datetime64[s], shape (case,)."""
        return clock.parse_times(self.time)

    @property
    def window(self) -> np.timedelta64:
        """Half width of the observation window."""
        return np.timedelta64(round(self.window_minutes * 60), "s")

    @property
    def in_time(self) -> np.timedelta64 | None:
        """Half width of the window of methods in time; None: it is no wider than that of all methods."""
        if self.in_time_minutes <= self.window_minutes:
            return None
        return np.timedelta64(round(self.in_time_minutes * 60), "s")

    @cached_property
    def table(self) -> Observations:
        """All reports of the files, one table, read once: every domain of a run uses it.

        Raises:
            ConfigError: no file named.
            InputError: a file that cannot be used.
        """
        if not self.observations:
            raise config.ConfigError("observations: expected at least one file (--observations FILE ...), got none")
        times = self.times
        each = len(times) == len(self.observations)  # one file per time
        tables = []
        for index, file in enumerate(self.observations):
            near = times[index] if each else times[0] if len(times) == 1 else None
            tables.append(self.read_file(file, near))
        return Observations.concatenate(tables)

    def read_file(self, file: str, near: np.datetime64 | None) -> Observations:
        """The reports of one file.

        Args:
            near: a time within two weeks of its reports, for METAR text; None: the date in its name.

        Raises:
            InputError: a file that cannot be used.
        """
        columns = config.find("observations", self.mapping) if self.mapping else None
        table = read_observations(file, mapping=columns, stations=self._places, near=near, precedence=self.precedence)
        log.info("%s: %d values of %d stations", file, len(table), len(set(table.station)))
        return table

    @cached_property
    def _places(self) -> StationList | None:
        """The lists of stations, read once."""
        return read_stations(self.stations) if self.stations else None

    def read_lists(self) -> StationLists:
        """Operational station lists, which quality control uses.

        Raises:
            InputError: a file that is none.
        """
        lists = read_station_lists(self.station_lists)
        if self.station_lists:
            rejected = ", ".join(f"{len(names)} of {quantity}" for quantity, names in sorted(lists.rejected.items()))
            log.info("station lists: rejected %s", rejected or "none")
        return lists


def load_region(name: str) -> Domain:
    """Read a domain that lies on the earth.

    Raises:
        ConfigError: no such domain, or a plane, where no station can be.
    """
    domain = load_domain(name)
    if domain.is_plane:
        raise config.ConfigError(f"domain: {domain.name} is a plane without latitude; stations lie on the earth")
    return domain


@dataclass(frozen=True)
class StationHours:
    """Times of report files as a source of cases (`methods.case.Cases`).

    Attributes:
        static: domain and terrain.
        files: what is read.
        assumptions: what quality control and the regression assume of each variable; their names are analysed.
        twins_tell: whether other names of a withheld station take part (`judgement.Judge`).
    """

    static: Static
    files: Reports
    assumptions: Assumptions
    twins_tell: bool = False
    is_judged = True

    @classmethod
    def on(cls, domain: str, files: Reports, assumptions: Assumptions) -> "StationHours":
        """The hours of files on a domain by name or YAML file."""
        return cls(load_static(load_region(domain)), files, assumptions)

    @property
    def table(self) -> Observations:
        """Every report of the files."""
        return self.files.table

    @cached_property
    def time(self) -> np.ndarray:
        """Analysis times, datetime64[s], shape (case,)."""
        if self.files.time:
            return self.files.times
        return np.array([clock.nearest_hour(self.table.time)], dtype="datetime64[s]")

    @property
    def contents(self) -> Contents:
        """What every case holds."""
        names = tuple(self.assumptions)
        units = tuple(VARIABLES[name].unit for name in names)
        return Contents(self.static.domain, names, units, names, bool(self.files.background), truth=False)

    @cached_property
    def _judge(self) -> Judge:
        files = self.files
        return Judge(self.assumptions, files.window, files.read_lists(), self.twins_tell, in_time=files.in_time)

    def reports(self, number: int) -> Observations:
        """The reports of a case as they were read, n rows; the window is applied by quality control.

        Of several times those of the day before and the day after: a station's own history judges its reports.
        """
        if len(self.time) == 1:
            return self.table
        if self._near and self._near[0][0] == number:
            return self._near[0][1]
        distance = np.abs((self.table.time - self.time[number]).astype("timedelta64[s]"))
        self._near[:] = [(number, self.table[distance <= max(self.files.window, DAY)])]
        return self._near[0][1]

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """The case of a time; see `methods.case.Cases.case`.

        Raises:
            InputError: a background or an ensemble that cannot be used.
        """
        time = self.time[number]
        gridded, members = self._gridded(time)
        return self._judge.case(
            self.static, time, self.reports(number), gridded, box, withheld=withheld, members=members
        )

    def _gridded(self, time: np.datetime64):
        """Background and members of a time, read once."""
        files, codes = self.files, parse_codes(self.files.codes)
        if self._read and self._read[0][0] == time:
            return self._read[0][1:]
        members = load_ensemble(files.ensemble, self.static, time, codes) if files.ensemble else None
        gridded = load_gridded(list(files.background), self.static, time, codes) if files.background else members
        self._read[:] = [(time, gridded, members)]
        return gridded, members

    @cached_property
    def _read(self) -> list:
        """Time, background and members that were read last."""
        return []

    @cached_property
    def _near(self) -> list:
        """Number and reports of the case that was asked for last."""
        return []
