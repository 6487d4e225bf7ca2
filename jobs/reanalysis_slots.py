"""What a reanalysis is made of: its slots, what tells one configuration from another, and the cases of each domain."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from jobs.cases_input import open_run
from jobs.provenance import names_of, provenance
from mlrtma_dist import __version__, config
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.inference.slot_manifest import ABSENT, ASIDE, LOST, OPEN, Day, checksum_of, state_of
from mlrtma_dist.inference.slot_worker import Slot
from mlrtma_dist.methods.case import Cases
from mlrtma_dist.methods.registry import LEARNED
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.samples.archive import Inputs
from mlrtma_dist.samples.archive_cases import ArchiveCases
from mlrtma_dist.samples.imaged import Imaged
from mlrtma_dist.samples.near_tables import NearTables
from mlrtma_dist.samples.slots import SlotFiles, Slots, input_facts, slot_name
from mlrtma_dist.samples.station_hours import load_region
from mlrtma_dist.weights.manifest import FILE
from mlrtma_dist.weights.release import released

NO_INFLUENCE = {"output": "", "device": "auto", "days_per_element": 1, "attempts": 1, "retry": False, "report": None}
NO_INFLUENCE |= {"element": 0, "elements": 1, "day_files": False}  # a slot's product is the same whatever these are


def domains_of(run) -> dict:
    """The domains of a run by name, each with its section ``cases:``."""
    return {load_region(section.place).name: section for section in run.cases.on_each_domain()}


def slots_of(run) -> Slots:
    """The slots of a run on each of its domains."""
    return Slots(run.cases.archive.times(), run.days_per_element)


def configuration_of(run, section) -> str:
    """The checksum of all but the input that decides what a slot's product on a domain is.

    It holds neither the period, which may be extended, nor the folders of archive and output, which may move.
    """
    own = of_time(replace(run, checkpoint=None), section, np.datetime64(0, "s"))
    weights = run.checkpoint or (released(run.method) if run.method in LEARNED else None)
    mapping = section.archive.mapping
    parts = [
        config.to_yaml(own),
        config.to_yaml(load_region(section.place)),
        config.to_yaml(load_settings(run.settings, run.variables)),
        (Path(weights) / FILE).read_bytes() if weights else b"",
        config.find("observations", mapping).read_bytes() if mapping else b"",
    ]
    return checksum_of(parts)


def of_time(run, section, time: np.datetime64):
    """The run that makes one slot's product alone, once the archive's folder is named: the product's configuration."""
    own = replace(section.archive, start=str(time), end=str(time), every_minutes=60, leave_out=(), folder="")
    return replace(run, cases=replace(section, archive=own), **NO_INFLUENCE)


def open_domain(static: Static, files: SlotFiles, tables: NearTables, section, assumptions) -> Cases:
    """The cases of an archive on one domain, for `cases_input.open_run`."""
    return Imaged.over(ArchiveCases(static, section.archive, assumptions, files, tables=tables), section.imagery)  # type: ignore[arg-type]


def open_domains(run, times: np.ndarray) -> dict[str, Cases]:
    """The cases of every domain of a run, by its name: what the process that reads ahead opens."""
    openers = openers_of(run, times)
    sections = domains_of(run)
    return {name: open_run(replace(run, cases=sections[name]), (run.method,), openers[name])[1] for name in sections}


def openers_of(run, times: np.ndarray) -> dict[str, partial]:
    """How the cases of each domain are opened (`open_domain`); they share files and tables."""
    sections, archive = domains_of(run), run.cases.archive
    statics = {name: load_static(load_region(section.place)) for name, section in sections.items()}
    tables, files = NearTables(archive.reading, [each.domain for each in statics.values()]), SlotFiles(archive, times)
    return {name: partial(open_domain, statics[name], files, tables) for name in sections}


def remaining(run, slots: Slots, days: Iterator[int], trained: Mapping[str, Mapping], passed: list) -> Iterator[Slot]:
    """The slots of some days that are to be analysed, or whose input is missing and not noted yet.

    What killed processes left unfinished of the products of these days is removed.

    Args:
        days: their numbers; trained: domain -> the trained methods, for the products' attributes.
        passed: takes the names of those in which nothing remains.
    """
    sections, files = domains_of(run), SlotFiles(run.cases.archive, slots.times)
    configurations = {name: configuration_of(run, section) for name, section in sections.items()}
    origins = {name: _origin(sections[name], trained.get(name, {})) for name in sections}
    for number in days:
        books = {name: Day(Path(run.output), name, slots.days[number]) for name in sections}
        for day in books.values():
            day.sweep()
        entries = {name: day.entries() for name, day in books.items()}
        sizes = {name: day.sizes() for name, day in books.items()}
        for index in slots.of_day(number):  # all domains of a time, as they share its files
            inputs, facts, reason = _input_of(files, index)
            for name, section in sections.items():
                slot, checksum = slot_name(name, slots.times[index]), f"{configurations[name]}-{facts}"
                state = state_of(entries[name].get(slot), sizes[name], checksum)
                if not (state in (OPEN, LOST) or (state == ASIDE and run.retry)):
                    passed.append(slot)
                    continue
                attributes = dict(origins[name])
                if inputs:
                    attributes["configuration"] = config.to_yaml(of_time(run, section, slots.times[index]))
                    attributes["observation_files"] = names_of(inputs.reports)
                    attributes["background_files"] = names_of(inputs.background)
                yield Slot(slot, (name, index), books[name], checksum, attributes, "" if inputs else reason)


def _input_of(files: SlotFiles, index: int) -> tuple[Inputs | None, str, str]:
    """The files of a time and their checksum, or None, and why there are none."""
    try:
        inputs, reason = files.look(index)
        return inputs, checksum_of(input_facts(inputs, files.archive) if inputs else reason), reason
    except OSError as error:  # a file that was removed while it was looked at
        return None, checksum_of(str(error)), f"{str(files.times[index])[:16]} has no input: {error}"


def open_spans(run, slots: Slots) -> set[int]:
    """The spans of days in which something remains to be done, by the manifests and the folders of products alone."""
    wanting = {OPEN, LOST} | ({ASIDE, ABSENT} if run.retry else set())
    spans: set[int] = set()
    for name, section in domains_of(run).items():
        configuration = configuration_of(run, section)
        for number, date in enumerate(slots.days):
            if slots.span_of(number) in spans:
                continue
            day = Day(Path(run.output), name, date)
            entries, sizes = day.entries(), day.sizes()
            states = (state_of(entries.get(each), sizes, configuration) for each in slots.names(name, number))
            if not wanting.isdisjoint(states):
                spans.add(slots.span_of(number))
    return spans


def _origin(section, trained: Mapping) -> dict[str, str | int]:
    """What the products of a domain hold of their making, without the time of day."""
    attributes = provenance("", section, trained)
    del attributes["created"]
    return attributes | {"history": f"written by mlrtma_dist {__version__} as a slot of a reanalysis"}
