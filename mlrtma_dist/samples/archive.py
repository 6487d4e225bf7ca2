"""Archive: files of past hours by patterns of their names, and the inventory of what is there and what is missing."""

import glob
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from mlrtma_dist import clock, config
from mlrtma_dist.methods.fourdvar_settings import FourDVarSettings
from mlrtma_dist.methods.need import Need
from mlrtma_dist.methods.registry import METHODS, check_name
from mlrtma_dist.observations.readers import PRECEDENCE
from mlrtma_dist.samples.file_patterns import FilePattern
from mlrtma_dist.samples.station_hours import Reports

Exists = Callable[[str], bool]
OFFERED = {Need.FIRST_GUESS, Need.SETTINGS, Need.FOURDVAR}  # to a method whose analysis is a label


@dataclass(frozen=True)
class Labels:
    """What cases take as the truth; exactly one kind.

    Attributes:
        gridded: analyses, such as URMA or RTMA; the first pattern whose file exists is used. A time without one is
            left out.
        method: a classical method of the registry, whose analysis of all reports is the label.
        withheld: whether the reports of the withheld stations alone are the labels; there are no fields.
        codes: what the codes of the gridded files mean (``io.field_codes``).
        settings: file of ``configs/methods`` of the classical method.
        fourdvar: how method ``fourdvar`` analyses.
    """

    gridded: tuple[FilePattern, ...] = ()
    method: str | None = None
    withheld: bool = False
    codes: dict[str, str] = field(default_factory=dict)
    settings: str = "classical"
    fourdvar: FourDVarSettings = FourDVarSettings()

    def __post_init__(self):
        if bool(self.gridded) + (self.method is not None) + self.withheld != 1:
            raise ValueError("labels: expected exactly one of gridded, method and withheld")
        if self.method is not None:
            check_name(self.method)
            if not set(METHODS[self.method].needs) <= OFFERED:
                kinds = ", ".join(name for name, entry in METHODS.items() if set(entry.needs) <= OFFERED)
                raise ValueError(f"labels: method: expected one of {kinds}, got {self.method}")

    @property
    def are_fields(self) -> bool:
        """Whether the truth is known on the grid."""
        return not self.withheld


@dataclass(frozen=True)
class Archive:
    """The section ``archive:`` of a configuration: hours of report files and gridded files, by name.

    Attributes:
        start: first analysis time, UTC.
        end: last analysis time, UTC.
        every_minutes: from one analysis time to the next; 0: the times in the names of the files that exist, of the
            reports' first pattern (without reports of the labels' or of the background's).
        leave_out: analysis times that are not used, such as those that judge.
        folder: that the patterns begin at; empty: the working folder, or the patterns are absolute.
        reports: files of station reports, all of which are read; empty: cases without reports.
        background: first guesses; the first pattern with an existing file is used, of it the latest cycle.
        labels: the truth; null: none, as for an analysis.
        regression: whether a regression on the reports is the first guess of a time without a background; false: the
            time is left out.
        withheld_share: share of the stations, from 0 to below 1, that no case uses as input.
        withheld_seed: another one withholds other stations.
        window_minutes: half width of the observation window.
        in_time_minutes: half width, in minutes, of the window of methods in time, as of the section ``reports:``.
        mapping: column mapping of CSV files; null: chosen by their header.
        stations: lists of stations, for METAR text.
        station_lists: operational reject and use lists and observation errors.
        precedence: kinds of source, the most trusted first: of a report that several hold its copy is used.
        codes: what the background's own codes mean (``io.field_codes``).
    """

    start: str
    end: str
    every_minutes: int = 60
    leave_out: tuple[str, ...] = ()
    folder: str = ""
    reports: tuple[FilePattern, ...] = ()
    background: tuple[FilePattern, ...] = ()
    labels: Labels | None = None
    regression: bool = True
    withheld_share: float = 0.0
    withheld_seed: int = 0
    window_minutes: float = 30.0
    in_time_minutes: float = 0.0
    mapping: str | None = None
    stations: tuple[str, ...] = ()
    station_lists: tuple[str, ...] = ()
    precedence: tuple[str, ...] = PRECEDENCE
    codes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        if clock.parse_time(self.end) < clock.parse_time(self.start):
            raise ValueError(f"expected start <= end, got {self.start} and {self.end}")
        if self.every_minutes < 0:
            raise ValueError(f"every_minutes: expected >= 0, got {self.every_minutes}")
        if not 0.0 <= self.withheld_share < 1.0:
            raise ValueError(f"withheld_share: expected from 0 to below 1, got {self.withheld_share:g}")
        if not self.background and not (self.reports and self.regression):
            raise ValueError("expected a background, or reports and regression: true, for the first guess; got none")
        if self.labels and self.labels.withheld and not (self.withheld_share and self.reports):
            raise ValueError("labels: withheld: expected reports and withheld_share above 0, or there are no labels")
        if self.labels and self.labels.method and not self.reports:
            raise ValueError(f"labels: method: {self.labels.method} expects reports, got none")
        for pattern in self.reports:
            pattern.window(clock.parse_time(self.start))
        for time in self.leave_out:
            clock.parse_time(time)
        assert self.reading is not None  # built once here, so that its settings are checked

    @cached_property
    def reading(self) -> Reports:
        """How files of reports are read and judged."""
        return Reports(
            window_minutes=self.window_minutes,
            in_time_minutes=self.in_time_minutes,
            mapping=self.mapping,
            stations=self.stations,
            station_lists=self.station_lists,
            precedence=self.precedence,
            codes=self.codes,
        )

    def path(self, name: str) -> str:
        """Where the file of a name is."""
        return os.path.join(self.folder, name)

    def times(self) -> np.ndarray:
        """Analysis times, datetime64[s], shape (n,), ascending."""
        start, end = clock.parse_time(self.start), clock.parse_time(self.end)
        if self.every_minutes:
            step = np.timedelta64(60 * self.every_minutes, "s")
            times = np.arange(start, end + np.timedelta64(1, "s"), step)
        else:
            times = self._times_of_files()
            times = times[(times >= start) & (times <= end)]
        return times[~np.isin(times, [clock.parse_time(text) for text in self.leave_out])]

    def _times_of_files(self) -> np.ndarray:
        patterns = [*self.reports, *(self.labels.gridded if self.labels else ()), *self.background]
        pattern = patterns[0]
        if pattern.is_forecast:
            raise config.ConfigError(
                f"{pattern.pattern}: every_minutes: expected > 0, as names of forecasts hold no analysis time, got 0"
            )
        root = os.path.join(self.folder, "") if self.folder else ""
        paths = glob.glob(glob.escape(root) + pattern.glob, recursive=False)
        times = (pattern.time_of(path.removeprefix(root)) for path in paths)
        return np.unique(np.array([time for time in times if time is not None], dtype="datetime64[s]"))


@dataclass(frozen=True)
class Inputs:
    """The files of one case: of reports, of the background and of the label; empty where there is none."""

    time: np.datetime64
    reports: tuple[str, ...]
    background: tuple[str, ...]
    label: tuple[str, ...]


@dataclass(frozen=True)
class Missing:
    """Files that are not there.

    Attributes:
        time: of the analysis; kind: "reports", "background" or "labels".
        files: names; empty: no file of the patterns is of this time.
        outcome: what happens instead.
    """

    time: np.datetime64
    kind: str
    files: tuple[str, ...]
    outcome: str


@dataclass(frozen=True)
class Inventory:
    """What an archive has: cases with their files, and what is missing."""

    cases: tuple[Inputs, ...]
    missing: tuple[Missing, ...]

    @property
    def times(self) -> np.ndarray:
        """Analysis times of the cases, datetime64[s], shape (case,)."""
        return np.array([case.time for case in self.cases], dtype="datetime64[s]")

    def text(self) -> str:
        """The missing files, one line per analysis time and kind, columns between tabs."""
        lines = [f"# {len(self.cases)} cases; files that are missing: time, kind, what happens instead, names"]
        for each in self.missing:
            lines.append("\t".join([str(each.time), each.kind, each.outcome, " ".join(each.files) or "-"]))
        return "\n".join(lines) + "\n"


def inventory(archive: Archive, times: np.ndarray | None = None, exists: Exists | None = None) -> Inventory:
    """The times of an archive that make cases, with their files, and the files that are missing.

    Missing files are no error: a time without any report file, or without its label, is left out; one without a
    background has a regression as its first guess, or is left out where the archive says so.

    Args:
        archive: the archive.
        times: analysis times, datetime64[s]; None: all.
        exists: tells whether a path is a file that is not empty; None: by the file system.
    """
    search = _Search(archive, exists or Listing().exists)
    cases = [search.inputs(time) for time in (archive.times() if times is None else times)]
    return Inventory(tuple(case for case in cases if case is not None), tuple(search.missing))


def inventory_of_part(archive: Archive, part: int, parts: int) -> Inventory:
    """The inventory of share number ``part`` of an archive's times, which are divided into contiguous shares."""
    times = archive.times()
    return inventory(archive, times[len(times) * part // parts : len(times) * (part + 1) // parts])


class Listing:
    """Which files exist, each folder listed once: an archive of a year has 10^5 names in some hundred folders."""

    def __init__(self):
        self._names: dict[str, frozenset[str]] = {}

    def exists(self, path: str) -> bool:
        """Whether a path is a file that is not empty."""
        folder, name = os.path.split(path)
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(folder or "."))
            except OSError:
                self._names[folder] = frozenset()
        return name in self._names[folder] and Path(path).stat().st_size > 0


class _Search:
    """The search for the files of one time after the other."""

    def __init__(self, archive: Archive, exists: Exists):
        self.archive, self.exists = archive, exists
        self.missing: list[Missing] = []

    def inputs(self, time: np.datetime64) -> Inputs | None:
        """The files of a time; None: it is left out."""
        archive, reports = self.archive, self._reports(time) if self.archive.reports else ()
        if archive.reports and not reports:
            return None
        label: tuple[str, ...] = ()
        if archive.labels and archive.labels.gridded:
            label = self._gridded(time, "labels", archive.labels.gridded, "left out", exact=True)
            if not label:
                return None
        regression = archive.regression and bool(reports)
        otherwise = "regression on the reports" if regression else "left out"
        background = self._gridded(time, "background", archive.background, otherwise) if archive.background else ()
        if not background and not regression:
            return None
        return Inputs(time, reports, background, label)

    def _reports(self, time: np.datetime64) -> tuple[str, ...]:
        """Every file of reports that exists."""
        names = [name for pattern in self.archive.reports for name in pattern.window(time)]
        there = [name for name in names if self.exists(self.archive.path(name))]
        absent = tuple(name for name in names if name not in there)
        if absent or not there:
            outcome = f"{len(there)} of {len(names)} files" if there else "left out"
            self.missing.append(Missing(time, "reports", absent, outcome))
        return tuple(self.archive.path(name) for name in there)

    def _gridded(self, time: np.datetime64, kind: str, patterns, otherwise: str, exact=False) -> tuple[str, ...]:
        """The files of the first candidate that is complete; ``exact``: none between whose times is interpolated."""
        absent: list[str] = []
        for candidate in (each for pattern in patterns for each in pattern.resolve(time)):
            if exact and len(candidate.files) > 1:
                continue
            lacks = [name for name in candidate.files if not self.exists(self.archive.path(name))]
            if not lacks:
                if absent:
                    self.missing.append(Missing(time, kind, tuple(absent), f"uses {' '.join(candidate.files)}"))
                return tuple(self.archive.path(name) for name in candidate.files)
            absent += [name for name in lacks if name not in absent]
        self.missing.append(Missing(time, kind, tuple(absent), otherwise))
        return ()
