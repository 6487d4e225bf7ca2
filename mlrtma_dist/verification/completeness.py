"""Completeness of a reanalysis: what became of every slot, by its manifests and one listing of each folder."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mlrtma_dist.inference.slot_manifest import ABSENT, ASIDE, DONE, LOST, STATES, Day, Entry, state_of
from mlrtma_dist.inference.slot_scores import COLUMNS, KINDS
from mlrtma_dist.io.file_digest import sha256_of
from mlrtma_dist.io.json_lines import read_lines
from mlrtma_dist.samples.slots import Slots

LISTED = 200  # slots of one state that are named
Key = tuple[str, str, str]  # domain, kind of report, variable


@dataclass
class DomainState:
    """What became of the slots of one domain.

    Attributes:
        counts: slots by day and by state of STATES, shape (day, state).
        size: bytes of the products that are done.
        seconds: of the method, of each slot that is done.
        methods: how many slots each method made.
        published: when, UTC, datetime64[s], of each slot that is done.
        reasons: state -> names of slots and what is the matter with them, at most LISTED.
    """

    counts: np.ndarray
    size: int = 0
    seconds: list[float] = field(default_factory=list)
    methods: Counter = field(default_factory=Counter)
    published: list[str] = field(default_factory=list)
    reasons: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def total(self, state: str) -> int:
        """Number of slots of a state."""
        return int(self.counts[:, STATES.index(state)].sum())

    def add(self, day: int, name: str, state: str, entry: Entry | None) -> None:
        """Count one slot."""
        self.counts[day, STATES.index(state)] += 1
        if entry is None:
            return
        if state == DONE:
            self.size += entry["bytes"]
            self.seconds.append(entry["seconds"])
            self.published.append(entry["time"])
            self.methods[entry["method"]] += 1
        elif state in (ASIDE, ABSENT, LOST) and len(rows := self.reasons.setdefault(state, [])) < LISTED:
            words = {ASIDE: entry.get("aside", ""), ABSENT: entry.get("absent", "")}
            rows.append((name, words.get(state) or "the product is missing, or has another size"))


def survey(output: Path, slots: Slots, configurations: Mapping[str, str]) -> dict[str, DomainState]:
    """What became of the slots of each domain.

    Args:
        output: of the reanalysis; slots: all that there should be.
        configurations: domain -> checksum of the present configuration.

    Raises:
        OSError: a manifest or a folder cannot be read.
    """
    states = {}
    for domain, configuration in configurations.items():
        state = states[domain] = DomainState(np.zeros((len(slots.days), len(STATES)), dtype=np.int64))
        for number, date in enumerate(slots.days):
            day = Day(output, domain, date)
            entries = day.entries()
            sizes = day.sizes() if entries else {}
            for name in slots.names(domain, number):
                entry = entries.get(name)
                state.add(number, name, state_of(entry, sizes, configuration), entry)
    return states


@dataclass(frozen=True)
class ScoreSums:
    """Sums of departures (`slot_scores.COLUMNS`), by month and by hour of the day.

    Attributes:
        months, hours: (domain, kind, variable) -> month "2026-08" or hour "00" -> sums, shape (5,).
    """

    months: dict[Key, dict[str, np.ndarray]] = field(default_factory=dict)
    hours: dict[Key, dict[str, np.ndarray]] = field(default_factory=dict)

    def kind(self) -> str | None:
        """The reports that judge: withheld ones where there are any, else those that were used; None without any."""
        kinds = {kind for _, kind, _ in self.months}
        return next((kind for kind in reversed(KINDS) if kind in kinds), None)

    def whole(self, key: Key) -> np.ndarray:
        """The sums over all times."""
        return np.sum(list(self.months[key].values()), axis=0)


def sum_scores(output: Path, slots: Slots, domains) -> ScoreSums:
    """The sums of all slots that have some; of a slot that was analysed twice the later ones count."""
    sums = ScoreSums()
    for domain in domains:
        for date in slots.days:
            rows = {entry["id"]: entry for entry in read_lines(Day(output, domain, date).scores) if "id" in entry}
            for name, entry in rows.items():
                _add(sums, domain, str(date)[:7], name[-5:-3], entry)
    return sums


def _add(sums: ScoreSums, domain: str, month: str, hour: str, entry: Entry) -> None:
    for kind in KINDS:
        for variable, row in entry.get(kind, {}).items():
            for table, period in ((sums.months, month), (sums.hours, hour)):
                own = table.setdefault((domain, kind, variable), {})
                own[period] = own.get(period, np.zeros(len(COLUMNS))) + row


def audit(output: Path, slots: Slots, configurations: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Name and fault of every product that is gone or differs from its manifest; every file is read again.

    Args:
        output, slots, configurations: see `survey`.
    """
    for domain, configuration in configurations.items():
        for number, date in enumerate(slots.days):
            day = Day(output, domain, date)
            entries, sizes = day.entries(), day.sizes()
            for name in slots.names(domain, number):
                entry = entries.get(name)
                state = state_of(entry, sizes, configuration)
                if state == LOST:
                    yield name, "the product is missing, or has another size"
                elif state == DONE and entry and sha256_of(output / entry["path"]) != entry["sha256"]:
                    yield name, "the product's SHA-256 is not that of the manifest"
