"""Windows of reports in time: real hours that are withheld whole, and stations that are withheld for good."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mlrtma_dist import config
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.settings import Classical, assumptions
from mlrtma_dist.methods.window import WindowCase
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.samples.station_hours import Reports, StationHours

HALF_HOUR = np.timedelta64(30, "m")
HOUR = np.timedelta64(1, "h")
SETS = {
    "plains": "metar_plains/metar_plains_20260813-20260819.csv.gz",
    "national": "metar_20260822/metar_20260822T03-18Z.csv.gz",
}
VERIFYING = 10  # one in so many stations is withheld for good
FEWEST = 100  # stations of an hour that is verified


@dataclass(frozen=True)
class Window(StationHours):
    """Hours of which the reports within half an hour can be withheld, and of some stations every report.

    Attributes:
        hour: whether the reports of the hour itself are withheld; stations: whether a tenth of the stations is.
    """

    hour: bool = False
    stations: bool = False

    def reports(self, number: int) -> Observations:
        """The reports of a case as they were read, n rows."""
        whole = super().reports(number)
        keep = np.ones(len(whole), dtype=bool)
        if self.hour:
            keep &= np.abs(whole.time - self.time[number]) > HALF_HOUR
        if self.stations:
            keep &= ~np.isin(whole.station, self.verifying)
        return whole[keep]

    @cached_property
    def verifying(self) -> np.ndarray:
        """Names of the stations that are withheld."""
        return np.unique(self.table.station[folds(self.table, count=VERIFYING, seed=0) == 0])


@dataclass(frozen=True)
class Hours:
    """The hours of one file.

    Attributes:
        whole: every report; settings: of the classical methods.
    """

    whole: Window
    settings: Classical

    @classmethod
    def of(cls, name: str, settings: Classical, step_minutes: int = 60) -> "Hours":
        """The hours of one of `SETS`, or their quarters."""
        file = config.expand("${MLRTMA_REAL_DATA}/" + SETS[name])
        files = Reports((file,), mapping="metar_world_csv", window_minutes=30.0)
        table = files.table
        step = np.timedelta64(step_minutes, "m")
        first, last = (each.astype("datetime64[h]") for each in (table.time.min() + HOUR, table.time.max()))
        times = tuple(str(t) for t in np.arange(first.astype("datetime64[m]"), last.astype("datetime64[m]"), step))
        timed = replace(files, time=times)
        timed.__dict__["table"] = table
        return cls(Window.on("conus", timed, assumptions(settings)), settings)

    @property
    def time(self) -> np.ndarray:
        """UTC of the cases, datetime64[s]."""
        return self.whole.time

    def case(self, number: int, *, minutes: float = 30.0, hour: bool = False, stations: bool = False) -> Case:
        """The case of a time.

        Args:
            minutes: half width of its window.
            hour: whether its own reports are withheld; stations: whether a tenth of the stations is.
        """
        files = replace(self.whole.files, window_minutes=minutes)
        files.__dict__["table"] = self.whole.table
        cases = replace(self.whole, files=files, hour=hour, stations=stations)
        return cases.case(number, Box.whole(cases.contents.domain.shape))

    def windows(self, count: int, minutes: float) -> list[WindowCase]:
        """So many windows, evenly from the first half of the times with enough stations.

        Args:
            minutes: half width of each.
        """
        full = self.full()
        numbers = full[: len(full) // 2][np.linspace(0, len(full) // 2 - 1, count).astype(int)]
        return [WindowCase.of(self.case(int(number), minutes=minutes)) for number in numbers]

    def full(self) -> np.ndarray:
        """Numbers of the times with enough stations within half an hour, of the two hours before and after, too."""
        table, count = self.whole.table, np.zeros(len(self.time), dtype=np.int64)
        kept = table.variable == "t2m"
        for number, time in enumerate(self.time):
            near = kept & (np.abs(table.time - time) <= HALF_HOUR)
            count[number] = len(np.unique(table.station[near]))
        inside = (self.time >= self.time[0] + 2 * HOUR) & (self.time <= self.time[-1] - 2 * HOUR)
        return np.flatnonzero((count >= FEWEST) & inside)
