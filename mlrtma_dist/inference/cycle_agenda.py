"""Agenda of a cycle: which slot is to be made next. A slot is one domain at one time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.inference.cycle_clock import minutes
from mlrtma_dist.inference.cycle_publications import Publications
from mlrtma_dist.samples.archive import Archive

RETRY = minutes(2)  # after which a slot that could not be made is tried again


@dataclass(frozen=True)
class Timing:
    """When slots are made.

    Attributes:
        cutoff_minutes: after the time of a slot; reports that arrive until then take part.
        deadline_minutes: after the cut-off; by then the product is to be published.
        late_minutes: after the time of a slot; where more reports have arrived by then it is made again. null: never.
        lookback_minutes: after the time of a slot; a slot that is missing by then is not made any more.
    """

    cutoff_minutes: float = 10.0
    deadline_minutes: float = 5.0
    late_minutes: float | None = None
    lookback_minutes: float = 180.0

    def __post_init__(self):
        if not (self.cutoff_minutes >= 0.0 and self.deadline_minutes > 0.0):
            got = f"{self.cutoff_minutes:g} and {self.deadline_minutes:g}"
            raise ValueError(f"timing: expected cutoff_minutes >= 0 and deadline_minutes > 0, got {got}")
        if self.late_minutes is not None and self.late_minutes <= self.cutoff_minutes:
            raise ValueError(f"timing: late_minutes: expected above cutoff_minutes, got {self.late_minutes:g}")
        least = max(self.cutoff_minutes + self.deadline_minutes, self.late_minutes or 0.0)
        if self.lookback_minutes <= least:
            raise ValueError(
                f"timing: lookback_minutes: expected above {least:g}, the end of a slot's deadline and of its rerun,"
                f" got {self.lookback_minutes:g}"
            )


@dataclass(frozen=True)
class Work:
    """A slot that is to be made.

    Attributes:
        domain: its name; time: of the slot, datetime64[s].
        cutoff: of the slot; limit: when the product is to be published.
        late: whether it is made again, as its late reports may have come.
    """

    domain: str
    time: np.datetime64
    cutoff: np.datetime64
    limit: np.datetime64
    late: bool = False

    def __str__(self) -> str:
        return f"{self.domain} {str(self.time)[:16]}"


class Agenda:
    """The slots of some domains: the newest first, and reruns of late slots where nothing else is due."""

    def __init__(self, slots: Archive, timing: Timing, publications: Mapping[str, Publications]):
        """Args: slots: whose times they are; publications: of every domain, by name."""
        self.slots, self.timing, self.publications = slots, timing, publications
        self._cutoff = minutes(timing.cutoff_minutes)
        self._step = np.timedelta64(60 * slots.every_minutes, "s")
        self._again: dict[tuple[str, np.datetime64], np.datetime64] = {}
        self._settled: set[tuple[str, np.datetime64]] = set()

    def due(self, now: np.datetime64) -> list[Work]:
        """What is to be made now, in its order."""
        times = self._times(now)
        self._settled = {key for key in self._settled if key[1] in times}
        self._again = {key: again for key, again in self._again.items() if key[1] in times}
        first = [self._work(domain, time, now) for time in times for domain in self.publications]
        work = [each for each in first if not self.publications[each.domain].exists(each.time)]
        late = [replace(each, late=True) for each in first if self._is_late(each, now)]
        return [each for each in (*work, *late) if self._again.get((each.domain, each.time), now) <= now]

    def wake(self, now: np.datetime64) -> np.datetime64 | None:
        """When there may be something to be made after now; None: never."""
        events = [each for each in self._again.values() if each > now]
        start, end = (clock.parse_time(text) for text in (self.slots.start, self.slots.end))
        following = max(start, self._aligned(now - self._cutoff) + self._step)
        if following <= end:
            events.append(following + self._cutoff)
        if self.timing.late_minutes is not None:
            late = minutes(self.timing.late_minutes)
            events += [time + late for time in self._times(now) if time + late > now]
        return min(events, default=None)

    def put_off(self, work: Work, now: np.datetime64) -> None:
        """Try a slot that could not be made again after a while."""
        self._again[work.domain, work.time] = now + RETRY

    def settle(self, work: Work) -> None:
        """Do not make a slot again."""
        self._settled.add((work.domain, work.time))
        self._again.pop((work.domain, work.time), None)

    def _is_late(self, work: Work, now: np.datetime64) -> bool:
        """Whether a published slot is due to be made again, with the reports that came late."""
        publications, late = self.publications[work.domain], self.timing.late_minutes
        if late is None or now < work.time + minutes(late) or (work.domain, work.time) in self._settled:
            return False
        last = publications.last(work.time)
        return publications.exists(work.time) and (last is None or bool(last.started < work.time + minutes(late)))

    def _times(self, now: np.datetime64) -> list[np.datetime64]:
        """The times whose cut-off has passed, as far back as slots are made, the newest first."""
        start, end = (clock.parse_time(text) for text in (self.slots.start, self.slots.end))
        low = max(start, self._aligned(now - minutes(self.timing.lookback_minutes)) + self._step)
        high = min(end, self._aligned(now - self._cutoff))
        if high < low:
            return []
        return list(replace(self.slots, start=str(low), end=str(high)).times()[::-1])

    def _aligned(self, time: np.datetime64) -> np.datetime64:
        """The last time of a slot that is not after a time."""
        start = clock.parse_time(self.slots.start)
        return start + (time - start) // self._step * self._step

    def _work(self, domain: str, time: np.datetime64, now: np.datetime64) -> Work:
        """A slot, which has until its deadline, or where that is over until the next slot's cut-off."""
        cutoff = time + self._cutoff
        limit = cutoff + minutes(self.timing.deadline_minutes)
        if limit <= now:
            limit = self._aligned(now - self._cutoff) + self._step + self._cutoff
        return Work(domain, time, cutoff, limit)
