"""Deaths: how often a process ended while it analysed a slot, without an error: by too little memory, a crash, a hang.

    OUTPUT/<domain>/begun/<slot>.<checksum>       a byte for each process that has begun the slot and not ended it

A method's own fault ends every process that comes to the slot, a batch system's kill one that was there by chance. The
file is not brought to disk: a node that fails is no fault of the slot.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from mlrtma_dist.io.atomic import device_errors

log = logging.getLogger(__name__)
MOST = 3  # deaths after which a slot is set aside: one, or two, may be kills by the system
REASON = "{} processes ended while they analysed it, without an error: by too little memory, a crash or a hang"


@dataclass(frozen=True)
class Deaths:
    """The deaths at one slot, in a file of its own, which is there while the slot is analysed."""

    path: Path

    @property
    def count(self) -> int:
        """How many processes have begun the slot and not ended it."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def begin(self) -> None:
        """Write down that this process begins the slot.

        Raises:
            OSError: it cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with device_errors(self.path), self.path.open("ab") as file:
            file.write(b".")

    def end(self) -> None:
        """Write down that the slot is published, has failed, or is set aside."""
        self.path.unlink(missing_ok=True)


class Mortal(Protocol):
    """What has a name and deaths (`slot_worker.Slot`)."""

    @property
    def name(self) -> str:
        """Of the slot."""

    @property
    def deaths(self) -> Deaths:
        """At the slot."""


Slots = TypeVar("Slots", bound=Mortal)


def suspects_last(slots: Iterable[Slots]) -> Iterator[Slots]:
    """Slots in their order, but those that processes died at come last: what is sure is done before."""
    suspects = []
    for slot in slots:
        if count := slot.deaths.count:
            log.warning("%s: %d of %d processes ended while they analysed it: it comes last", slot.name, count, MOST)
            suspects.append(slot)
        else:
            yield slot
    yield from suspects
