"""Reports of files near some domains: a file is read once for all of them, and only what each can use is kept."""

from collections.abc import Sequence

import numpy as np

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.observations.nearby import nearby
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.station_hours import Reports

MOST_ROWS = 4_000_000  # of all tables that are kept, about 1.5 GB: three days of all METAR of the world


class NearTables:
    """Tables of files, read when they are asked for first; the oldest are dropped where there are too many rows."""

    def __init__(self, reading: Reports, domains: Sequence[Domain]):
        """Take how files are read, and the domains whose reports are kept; no file is read yet."""
        self._reading, self._domains = reading, domains
        self._tables: dict[str, dict[str, Observations]] = {}

    def read(self, file: str, time: np.datetime64, domain: Domain) -> Observations:
        """The reports of a file near one of the domains.

        Args:
            time: within two weeks of the reports.

        Raises:
            InputError: a file that cannot be used.
        """
        if file not in self._tables:
            table = self._reading.read_file(file, time)
            self._tables[file] = {each.name: nearby(table, each) for each in self._domains}
            while len(self._tables) > 1 and self._rows() > MOST_ROWS:
                self._tables.pop(next(iter(self._tables)))
        return self._tables[file][domain.name]

    def _rows(self) -> int:
        return sum(len(table) for tables in self._tables.values() for table in tables.values())
