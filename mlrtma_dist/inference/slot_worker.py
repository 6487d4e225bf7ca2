"""A worker of a reanalysis: slots one after the other, while those to come are read and the last ones are written.

    reader (a process)         worker (this thread)              writer (a thread)
    files, quality control ->  method, fields, departures   ->   compression, product, checksum, manifest

A slot that fails is tried again after all others, and then set aside with its reason; so is one that ends the process
itself (`slot_deaths`). What cannot be written ends the worker. A product depends on its configuration and input alone,
whatever worked on it, in which order, or was killed.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol

from mlrtma_dist.inference.analyse import NOTHING, analyse
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.ensemble_section import EnsembleSection
from mlrtma_dist.inference.product import write_product
from mlrtma_dist.inference.slot_deaths import MOST, REASON, Deaths, suspects_last
from mlrtma_dist.inference.slot_manifest import Day
from mlrtma_dist.inference.slot_reader import Key, SlotError, reason_of
from mlrtma_dist.inference.slot_scores import Sums, sums_of
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.method import ALONE, Method, Share

log = logging.getLogger(__name__)
WAITING = 1  # analyses that wait while one is written: of a large domain each takes gigabytes


@dataclass(frozen=True)
class Slot:
    """A slot to be analysed.

    Attributes:
        name: of the slot (`samples.slots.slot_name`); key: domain and number of the time.
        day: where its product and its line go.
        checksum: of configuration and input.
        attributes: of the product: how it was made, without any time of day.
        absent: what is missing, where it has no input.
    """

    name: str
    key: Key
    day: Day
    checksum: str
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    absent: str = ""

    @property
    def deaths(self) -> Deaths:
        """How often a process ended while it analysed this slot, of this configuration and input."""
        return Deaths(self.day.output / self.day.domain / "begun" / f"{self.name}.{self.checksum}")


class Reader(Protocol):
    """What reads cases (`slot_reader.CaseReader`, `slot_reader.CaseSource`)."""

    def read(self, keys: Iterable[Key]) -> Generator[tuple[Key, Case | SlotError], None, None]:
        """The case of each key, in order, or why there is none."""
        ...


@dataclass
class Tally:
    """What a worker has done: numbers of slots, and seconds of the method."""

    done: int = 0
    aside: int = 0
    absent: int = 0
    method_seconds: float = 0.0


class Worker:
    """The slots of one process, on the domains that it has ready.

    Attributes:
        tally: what has been done so far.
    """

    def __init__(
        self,
        methods: Mapping[str, tuple[str, Method]],
        reader: Reader,
        *,
        attempts: int = 1,
        share: Share = ALONE,
        ensemble: EnsembleSection = NOTHING,
        stopping: Callable[[], bool] = lambda: False,
        progress: Callable[[Tally], None] = lambda tally: None,
    ):
        """Take what analyses; nothing is read yet.

        Args:
            methods: domain -> name of the method, and the method ready for it.
            reader: of the cases.
            attempts: after which a failing slot is set aside.
            share: of the cores that the method may use.
            ensemble: what the products have of the distribution.
            stopping: whether to stop, asked before each slot; what was analysed is still written.
            progress: called after each slot.
        """
        self._methods, self._reader, self._attempts, self._share = methods, reader, attempts, share
        self._ensemble = ensemble
        self._stopping, self._progress, self.tally = stopping, progress, Tally()
        self._begun = deque[Slot](maxlen=WAITING + 3)  # in the method, in the writer, or waiting for it

    def run(self, slots: Iterable[Slot]) -> bool:
        """Analyse slots; whether all were taken, False where the worker was asked to stop.

        Raises:
            OSError: a product or a line cannot be written.
        """
        try:
            return self._run(suspects_last(slots))
        except BaseException:  # an error, or an interrupt, which is no fault of a slot
            for slot in self._begun:
                slot.deaths.end()
            raise

    def _run(self, slots: Iterable[Slot]) -> bool:
        with _Writer() as writer:
            for attempt in range(1, self._attempts + 1):
                failed: list[tuple[Slot, str]] = []
                if not self._pass(slots, writer, failed):
                    return False
                slots = [slot for slot, _ in failed]
                for slot, reason in failed:
                    words = "set aside" if attempt == self._attempts else "to be tried again"
                    log.warning("%s: attempt %d failed, %s: %s", slot.name, attempt, words, reason)
            for slot, reason in failed:
                self._set_aside(slot, writer, reason, self._attempts)
            self._progress(self.tally)  # slots that are set aside, or have no input, count, too
        return True

    def _set_aside(self, slot: Slot, writer: "_Writer", reason: str, attempts: int) -> None:
        facts = {"id": slot.name, "checksum": slot.checksum, "aside": reason, "attempts": attempts}
        writer.submit(slot.day.note, facts)
        writer.submit(slot.deaths.end)
        self.tally.aside += 1

    def _pass(self, slots: Iterable[Slot], writer: "_Writer", failed: list) -> bool:
        """Try each slot once; those that fail are appended to ``failed`` with the reason."""
        pending: deque[Slot] = deque()

        def keys() -> Iterator[Key]:
            for slot in slots:
                if slot.absent:
                    writer.submit(slot.day.note, {"id": slot.name, "checksum": slot.checksum, "absent": slot.absent})
                    self.tally.absent += 1
                elif (count := slot.deaths.count) >= MOST:
                    log.warning("%s: set aside: %s", slot.name, REASON.format(count))
                    self._set_aside(slot, writer, REASON.format(count), count)
                else:
                    pending.append(slot)
                    yield slot.key

        with closing(self._reader.read(keys())) as cases:
            while not self._stopping():
                try:
                    _, case = next(cases)
                except StopIteration:
                    return True
                slot = pending.popleft()
                try:
                    if isinstance(case, SlotError):
                        raise case
                    self._analyse(slot, case, writer)
                except SlotError as error:
                    failed.append((slot, str(error)))
                self._progress(self.tally)
        return False

    def _analyse(self, slot: Slot, case: Case, writer: "_Writer") -> None:
        """Analyse one case and hand it to the writer; SlotError where the method fails."""
        name, method = self._methods[slot.key[0]]
        if slot.deaths.count:  # another death must cost no other slot its turn
            writer.drain()
        slot.deaths.begin()
        self._begun.append(slot)
        begin = time.perf_counter()
        try:
            answer = method.analyse(case)
            analysis = analyse(case, answer, name, share=self._share, ensemble=self._ensemble)
            sums = sums_of(case, answer, analysis)
        except Exception as error:
            log.debug("%s", slot.name, exc_info=True)
            slot.deaths.end()
            raise SlotError(reason_of(error)) from error
        seconds = time.perf_counter() - begin
        writer.submit(_publish, slot, analysis, sums, name, seconds)
        self.tally.done += 1
        self.tally.method_seconds += seconds


def _publish(slot: Slot, analysis: Analysis, sums: Sums, method: str, seconds: float) -> None:
    product = write_product(analysis, slot.day.folder, slot.attributes)
    facts = {"id": slot.name, "checksum": slot.checksum, "method": method, "seconds": round(seconds, 4)}
    slot.day.publish(product, facts, sums)
    slot.deaths.end()


class _Writer:
    """A thread that writes what it is handed, in order; what it cannot write is raised by the next call."""

    def __init__(self):
        self._thread, self._waiting = ThreadPoolExecutor(1, "slot_writer"), deque[Future]()

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, kind, *_) -> None:
        self._thread.shutdown(wait=True, cancel_futures=kind is not None)
        for future in self._waiting if kind is None else ():
            future.result()

    def submit(self, write: Callable, *arguments) -> None:
        """Write after all that was handed before; waits while too much does."""
        while len(self._waiting) > WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(write, *arguments))

    def drain(self) -> None:
        """Wait until all that was handed is written."""
        while self._waiting:
            self._waiting.popleft().result()
