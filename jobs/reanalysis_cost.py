"""What a slot of a reanalysis costs: seconds and bytes of slots that are done, or of a few that are analysed here."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jobs.reanalysis_slots import configuration_of, domains_of
from jobs.reanalysis_work import work
from mlrtma_dist.errors import InputError
from mlrtma_dist.inference.slot_manifest import days_of
from mlrtma_dist.samples.slots import SlotFiles, Slots

FEW = 5  # times that are analysed here; the slowest slot of a domain, which sets the method up, does not count
SEARCHED = 2000  # times among which those with input are looked for


@dataclass(frozen=True)
class Cost:
    """What a slot costs: seconds of one process, bytes of its product; slots: of which these are the means."""

    seconds: float
    size: float
    slots: int


def measured(run) -> dict[str, Cost]:
    """Domain -> the cost of the slots that the output of a `jobs.reanalysis.Run` holds of its configuration."""
    output = Path(run.output)
    costs = {}
    for name, section in domains_of(run).items():
        entries = (entry for day in days_of(output, name) for entry in day.entries().values())
        if (cost := _mean(entries, configuration_of(run, section))) is not None:
            costs[name] = cost
    return costs


def measure_here(run, slots: Slots) -> dict[str, Cost]:
    """Domain -> the cost of the first slots with input, analysed here.

    Raises:
        InputError: none of the first times has input, or none can be analysed.
    """
    files, archive = SlotFiles(run.cases.archive, slots.times), run.cases.archive
    numbers = (number for number in range(min(len(slots.times), SEARCHED)) if files.look(number)[0] is not None)
    first = next(numbers, None)
    if first is None:
        raise InputError(f"archive: expected input of one of the first {SEARCHED} times in {archive.folder}, got none")
    last = min(first + FEW, len(slots.times)) - 1
    archive = replace(archive, start=str(slots.times[first]), end=str(slots.times[last]))
    with tempfile.TemporaryDirectory() as folder:
        short = replace(run, cases=replace(run.cases, archive=archive), output=folder, element=0, elements=1)
        work(short)
        costs = measured(short)
    if not costs:
        raise InputError(f"archive: no slot from {archive.start} to {archive.end} could be analysed")
    return costs


def _mean(entries: Iterable[dict], configuration: str) -> Cost | None:
    """The mean cost of the slots that are done, without the slowest, which set the method up; None: there are none."""
    rows = [(e["seconds"], e["bytes"]) for e in entries if "sha256" in e and e["checksum"].startswith(configuration)]
    if not rows:
        return None
    seconds, sizes = np.array(rows).T
    steady = np.sort(seconds)[: max(1, len(rows) - 1)]
    return Cost(float(steady.mean()), float(sizes.mean()), len(rows))
