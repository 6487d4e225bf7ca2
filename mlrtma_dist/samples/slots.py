"""Slots: the times of an archive on its domains, one analysis each, divided by whole days among the workers of a job.

    element e of N takes the spans e, e + N, e + 2 N, ... of so many days each; of their days worker r of R takes every
    R-th. All domains of a day belong to one worker, which reads its files once.

Nothing is looked for on the disk until a worker comes to a slot, so that millions of slots need no list.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from mlrtma_dist import clock
from mlrtma_dist.errors import InputError
from mlrtma_dist.samples.archive import Archive, Inputs, Listing, inventory


@dataclass(frozen=True)
class Slots:
    """The slots of a reanalysis.

    Attributes:
        times: analysis times of every domain, UTC, datetime64[s], shape (n,), ascending.
        days_per_span: days of which a span consists, the smallest part of an array element.
    """

    times: np.ndarray
    days_per_span: int

    @cached_property
    def days(self) -> np.ndarray:
        """The days that have a time, datetime64[D], shape (d,), ascending."""
        return np.unique(self.times.astype("datetime64[D]"))

    @property
    def spans(self) -> int:
        """Number of spans, the last of which may be shorter."""
        return -(-len(self.days) // self.days_per_span)

    def span_of(self, day: int) -> int:
        """The span to which a day, by its number, belongs."""
        return day // self.days_per_span

    def of_day(self, day: int) -> range:
        """The numbers of the times of a day."""
        ends = np.searchsorted(self.times, self.days[day : day + 1] + np.array([0, 1]))
        return range(int(ends[0]), int(ends[1]))

    def names(self, domain: str, day: int) -> list[str]:
        """The names of a domain's slots of a day, as `slot_name` gives them, but all at once."""
        times = np.datetime_as_string(self.times[slice_of(self.of_day(day))], unit="m").tolist()
        return [f"{domain}_{time.replace('-', '').replace(':', '')}Z" for time in times]

    def days_of(self, element: int, elements: int, worker: int = 0, workers: int = 1) -> Iterator[int]:
        """The numbers of the days of one worker of an array element, ascending."""
        spans = range(element, self.spans, elements)
        days = (day for span in spans for day in self._of_span(span))
        return (day for number, day in enumerate(days) if number % workers == worker)

    def _of_span(self, span: int) -> range:
        return range(span * self.days_per_span, min((span + 1) * self.days_per_span, len(self.days)))


def slice_of(numbers: range) -> slice:
    """Consecutive numbers as a slice."""
    return slice(numbers.start, numbers.stop)


def slot_name(domain: str, time: np.datetime64) -> str:
    """The name of a slot, and of its product without the ending: ``hawaii_20260822T0415Z``."""
    return f"{domain}_{clock.compact(time)}"


class SlotFiles(Sequence[Inputs]):
    """The files of the times of an archive, each looked for when it is asked for; what `Inventory.cases` holds."""

    def __init__(self, archive: Archive, times: np.ndarray):
        """Take the archive and its times, datetime64[s], shape (n,); nothing is looked for yet."""
        self.archive, self.times = archive, times
        self._day, self._listing = None, Listing()

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, number):
        """The files of a time.

        Raises:
            InputError: there are no reports, or no background where one is needed; names the files that are missing.
        """
        inputs, reason = self.look(number)
        if inputs is None:
            raise InputError(reason)
        return inputs

    def look(self, number: int) -> tuple[Inputs | None, str]:
        """The files of a time, or None and why it cannot be analysed."""
        time = self.times[number]
        if (day := time.astype("datetime64[D]")) != self._day:
            self._day, self._listing = day, Listing()  # folders are listed anew each day: files may have arrived
        own = inventory(self.archive, self.times[number : number + 1], self._listing.exists)
        if own.cases:
            return own.cases[0], ""
        lacks = [f"{each.kind}: {' '.join(each.files) or 'no file of the patterns'}" for each in own.missing]
        return None, f"{str(time)[:16]} has no input: {'; '.join(lacks)}"

    @property
    def cases(self) -> "SlotFiles":
        """The files themselves, as of `samples.archive.Inventory`."""
        return self


def input_facts(inputs: Inputs, archive: Archive) -> list[tuple[str, int, int]]:
    """What tells the files of a case from others: name within the archive, size in bytes, time of change in seconds.

    Raises:
        OSError: a file is gone.
    """
    paths = [*inputs.reports, *inputs.background, *archive.stations, *archive.station_lists]
    facts = []
    for path in paths:
        state = Path(path).stat()
        name = path.removeprefix(archive.path("")) if archive.folder else path
        facts.append((name, state.st_size, int(state.st_mtime)))
    return facts
