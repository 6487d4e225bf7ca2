"""Arrivals: the reports of a time of an archive that have arrived by now, as a case; changed files are read again."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.gridded import GriddedFirstGuess
from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.methods.settings import Assumption
from mlrtma_dist.observations.nearby import nearby
from mlrtma_dist.observations.own_influence import OwnInfluence, influence_path
from mlrtma_dist.observations.station_lists import StationLists
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.archive import Archive, Inputs, Inventory, inventory
from mlrtma_dist.samples.archive_cases import ArchiveCases
from mlrtma_dist.samples.judgement import Judge

log = logging.getLogger(__name__)
MOST_FILES = 16  # that are kept in memory

Version = tuple[str, int, int]


class ReportFiles:
    """The files of reports of an archive, each read once until it changes; every domain keeps the rows near it."""

    def __init__(self, archive: Archive):
        self.archive = archive
        self._tables: dict[Version, Observations] = {}
        self._near: dict[tuple[Version, str], Observations] = {}

    @cached_property
    def lists(self) -> StationLists:
        """Operational station lists, read once."""
        return self.archive.reading.read_lists()

    def read(self, file: str, time: np.datetime64, domain: Domain) -> Observations:
        """The reports of a file that can influence the analyses of a domain (`nearby.nearby`).

        Raises:
            InputError: a file that cannot be used.
        """
        try:
            stat = os.stat(file)
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error}") from error
        version = file, stat.st_mtime_ns, stat.st_size
        if version not in self._tables:
            self._drop([each for each in self._tables if each[0] == file])
            self._drop(list(self._tables)[: len(self._tables) + 1 - MOST_FILES])
            self._tables[version] = self.archive.reading.read_file(file, time)
        key = version, domain.name
        if key not in self._near:
            self._near[key] = nearby(self._tables[version], domain)
        return self._near[key]

    def _drop(self, versions: list[Version]) -> None:
        for version in versions:
            del self._tables[version]
            self._near = {key: table for key, table in self._near.items() if key[0] != version}


@dataclass(frozen=True)
class ArrivedCases(ArchiveCases):
    """One time of an archive as it is known by now (`methods.case.Cases`).

    Attributes:
        files: of the reports.
        until: reports of a later time have not arrived; None: what the files hold has arrived.
        background_share: share of the gridded background in the first guess; influence: of stations on it, None where
            it is not known (`judgement.Judge`).
        unreadable: files that cannot be used, and why; they are left out.
    """

    files: ReportFiles | None = None
    until: np.datetime64 | None = None
    background_share: float = 1.0
    influence: OwnInfluence | None = None
    unreadable: list[str] = field(default_factory=list)

    @classmethod
    def of_time(
        cls,
        static: Static,
        files: ReportFiles,
        assumptions: Mapping[str, Assumption],
        time: np.datetime64,
        *,
        until: np.datetime64 | None = None,
        previous: str = "",
        background_share: float = 1.0,
    ) -> "ArrivedCases":
        """The case of a time.

        Args:
            previous: a product that is its background; "": that of the archive.

        Raises:
            InputError: the archive has no file of reports for it by now.
        """
        archive = files.archive
        there = inventory(archive, np.array([time]))
        if not there.cases:
            names = " ".join(name for each in there.missing for name in each.files)
            raise InputError(f"{time}: no file of reports is there: {names or 'none is named by the patterns'}")
        (inputs,) = there.cases
        if previous:
            inputs = Inputs(inputs.time, inputs.reports, (previous,), ())
        share = background_share if previous else 1.0
        return cls(
            static,
            archive,
            assumptions,
            Inventory((inputs,), there.missing),
            files=files,
            until=until,
            background_share=share,
            influence=_influence_on(previous) if previous else None,
        )

    @property
    def inputs(self) -> Inputs:
        """The files of the case."""
        return self.inventory.cases[0]

    @property
    def influence_on_guess(self) -> OwnInfluence | None:
        """Influence of stations on the first guess, of which the background is a share; None: not known."""
        own = self.influence
        return own if own is None else replace(own, influence=self.background_share * own.influence)

    @property
    def count(self) -> int:
        """Number of values of the observation window, or of the wider one of methods in time, that have arrived."""
        table, reading = self.reports(0), self.archive.reading
        window = reading.window if reading.in_time is None else reading.in_time
        return int(np.count_nonzero(np.abs(table.time - self.inputs.time) <= window))

    @cached_property
    def _judge(self) -> Judge:
        reading = self.archive.reading
        return Judge(
            self.assumptions,
            reading.window,
            self.files.lists,
            self.twins_tell,
            window_only=True,
            background_share=self.background_share,
            in_time=reading.in_time,
            influence=self.influence,
        )

    def _table(self, file: str, time: np.datetime64) -> Observations:
        """The reports of a file that have arrived; none of a file that cannot be used."""
        try:
            table = self.files.read(file, time, self.static.domain)
        except (InputError, OSError) as error:
            self._leave_out(error)
            return Observations.empty()
        return table if self.until is None else table[table.time <= self.until]

    def _background(self, number: int) -> GriddedFirstGuess | None:
        """The gridded background; None where there is none that can be used."""
        try:
            return super()._background(number)
        except (InputError, OSError) as error:
            self._leave_out(error)
            return None

    def _leave_out(self, error: Exception) -> None:
        log.warning("left out: %s", error)
        self.unreadable.append(str(error))


def _influence_on(previous: str) -> OwnInfluence | None:
    """What stations have put into an earlier analysis; None where its file is missing or damaged."""
    path = influence_path(Path(previous))
    try:
        return OwnInfluence.read(path) if path.is_file() else None
    except InputError as error:
        log.warning("the error of the analysis is not calibrated: %s", error)
        return None
