"""Windows of reports in time: real times that are withheld whole, and stations that are withheld for good."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from amedas_data import Amedas
from other_domains import static_of

from mlrtma_dist import config
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.settings import Classical, assumptions
from mlrtma_dist.methods.window import WindowCase
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.samples.station_hours import Reports, StationHours

MINUTE, HOUR = np.timedelta64(60, "s"), np.timedelta64(3600, "s")
SETS = {  # file, and minutes from one time to the next
    "plains": ("metar_plains/metar_plains_20260813-20260819.csv.gz", 60),
    "national": ("metar_20260822/metar_20260822T03-18Z.csv.gz", 60),
    "quarters": ("metar_20260822/metar_20260822T03-18Z.csv.gz", 15),
}
VERIFYING = 10  # one in so many stations is withheld for good
FEWEST = 100  # stations of a time that is verified


@dataclass(frozen=True)
class Window(StationHours):
    """Times of reports of which some can be withheld.

    Attributes:
        without: a time about which every report is withheld; None: there is none.
        gap: how far from that time.
        latest: reports that are so long after the analysis time, or longer, are withheld; None: none is late.
        stations: whether every report of a tenth of the stations is withheld.
    """

    without: np.datetime64 | None = None
    gap: np.timedelta64 = 30 * MINUTE
    latest: np.timedelta64 | None = None
    stations: bool = False

    def reports(self, number: int) -> Observations:
        """The reports of a case as they were read, n rows."""
        whole = super().reports(number)
        keep = np.ones(len(whole), dtype=bool)
        if self.without is not None:
            keep &= np.abs(whole.time - self.without) > self.gap
        if self.latest is not None:
            keep &= whole.time - self.time[number] < self.latest
        if self.stations:
            keep &= ~np.isin(whole.station, self.verifying)
        return whole[keep]

    @cached_property
    def verifying(self) -> np.ndarray:
        """Names of the stations that are withheld."""
        return np.unique(self.table.station[folds(self.table, count=VERIFYING, seed=0) == 0])


@dataclass(frozen=True)
class Hours:
    """The times of one file.

    Attributes:
        whole: every report; settings: of the classical methods.
        minutes: from one time to the next.
        kept: numbers of the times that may be verified; None: all that have enough reports.
    """

    whole: Window
    settings: Classical
    minutes: int = 60
    kept: np.ndarray | None = field(default=None, compare=False)

    @classmethod
    def of(cls, name: str, settings: Classical) -> "Hours":
        """The times of one of `SETS`; "japan train" and "japan choose": hours of Japan."""
        if name.startswith("japan"):
            return cls._japan(settings, name == "japan choose")
        path, minutes = SETS[name]
        file = config.expand("${MLRTMA_REAL_DATA}/" + path)
        table = Reports((file,), mapping="metar_world_csv", window_minutes=30.0).table
        first, last = (each.astype("datetime64[h]") for each in (table.time.min() + HOUR, table.time.max()))
        return cls.between(load_static(load_domain("conus")), table, settings, first, last, minutes=minutes)

    @classmethod
    def between(
        cls, static: Static, table: Observations, settings: Classical, first, last, *, minutes: int = 60, kept=None
    ) -> "Hours":
        """The times of a table of reports from ``first`` to before ``last``."""
        times = np.arange(first, last, minutes * MINUTE).astype("datetime64[s]")
        files = Reports(time=tuple(map(str, times)), window_minutes=30.0)
        files.__dict__["table"] = table
        whole = Window(static, files, assumptions(settings), gap=minutes * MINUTE // 2)
        return cls(whole, settings, minutes, kept)

    @classmethod
    def _japan(cls, settings: Classical, choose: bool) -> "Hours":
        """Hours of Japan that train, or those that choose; hours between which one is missing are not verified."""
        hours = Amedas.read(choose)
        time, there = hours.time, hours.time[hours.full]
        table = hours.table(np.arange(len(time)))
        whole = cls.between(static_of("japan"), table, settings, time.min(), time.max() + HOUR)
        around = [np.isin(whole.time + step * HOUR, there) for step in (-2, -1, 0, 1, 2)]
        return replace(whole, kept=np.flatnonzero(np.all(around, axis=0)))

    @property
    def time(self) -> np.ndarray:
        """UTC of the cases, datetime64[s]."""
        return self.whole.time

    def case(self, number: int, *, minutes: float = 30.0, box: Box | None = None, **withheld) -> Case:
        """The case of a time.

        Args:
            minutes: half width of its window; box: the points to be analysed, None: all.
            withheld: ``without``, ``latest`` and ``stations`` of `Window`.
        """
        files = replace(self.whole.files, window_minutes=minutes)
        files.__dict__["table"] = self.whole.table
        cases = replace(self.whole, files=files, **withheld)
        return cases.case(number, box or Box.whole(cases.contents.domain.shape))

    def windows(self, count: int, minutes: float) -> list[WindowCase]:
        """So many windows, evenly from the first half of the times with enough stations.

        Args:
            minutes: half width of each.
        """
        full = self.full()
        numbers = full[: len(full) // 2][np.linspace(0, len(full) // 2 - 1, count).astype(int)]
        return [WindowCase.of(self.case(int(number), minutes=minutes)) for number in numbers]

    def full(self) -> np.ndarray:
        """Numbers of the times with enough stations about them, of the two hours before and after, too."""
        if self.kept is not None:
            return self.kept
        table, count = self.whole.table, np.zeros(len(self.time), dtype=np.int64)
        kept = table.variable == "t2m"
        for number, time in enumerate(self.time):
            near = kept & (np.abs(table.time - time) <= self.whole.gap)
            count[number] = len(np.unique(table.station[near]))
        inside = (self.time >= self.time[0] + 2 * HOUR) & (self.time <= self.time[-1] - 2 * HOUR)
        return np.flatnonzero((count >= FEWEST) & inside)

    def around(self, number: int) -> tuple[int, int, float]:
        """The full hours before and after a time by their numbers, and its share of the way; hourly times lie between
        their neighbours.
        """
        each = 60 // self.minutes
        if each == 1:
            return number - 1, number + 1, 0.5
        return number // each * each, (number // each + 1) * each, (number % each) / each
