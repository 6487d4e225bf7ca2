"""A day per file: the products of a domain and day joined along time, once nothing of the day remains to be done.

    OUTPUT/<domain>/days/<domain>_20260822.nc

The products stay as they are. A file of a day holds the digest of those that it was made of; where one of them is made
again, so is the file.
"""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from jobs.reanalysis_slots import configuration_of, domains_of
from mlrtma_dist.inference.slot_manifest import DONE, LOST, OPEN, Day, checksum_of, state_of
from mlrtma_dist.io.netcdf_join import attribute_of, join
from mlrtma_dist.io.unfinished import remove_unfinished
from mlrtma_dist.samples.slots import Slots

log = logging.getLogger(__name__)
DIGEST = "products_sha256"


def day_file(output: Path, domain: str, day) -> Path:
    """Where the file of a domain's day is; ``day``: datetime64[D]."""
    return output / domain / "days" / f"{domain}_{str(day).replace('-', '')}.nc"


def write_days(run, slots: Slots, days: Iterable[int]) -> list[Path]:
    """Write the files of some days that are whole and not written yet; returns which these were.

    Args:
        run: the `jobs.reanalysis.Run`; slots: its slots; days: numbers of days.

    Raises:
        InputError: products that do not belong together. OSError: a file cannot be written.
    """
    written = []
    for _, path, day, done, missing, digest in _due(run, slots, days):
        remove_unfinished(path.parent, path.name)
        attributes = {DIGEST: digest, "slots_missing": " ".join(missing) or "none"}
        written.append(join([day.folder / f"{slot}.nc" for slot in done], path, "time", attributes))
        log.info("%s: %d of %d slots", path, len(done), len(done) + len(missing))
    return written


def spans_without_files(run, slots: Slots) -> set[int]:
    """The spans with a day that is whole and whose file is not written yet, or is of other products."""
    return {slots.span_of(number) for number, *_ in _due(run, slots, range(len(slots.days)))}


def _due(run, slots: Slots, days: Iterable[int]) -> Iterator[tuple[int, Path, Day, list[str], list[str], str]]:
    """Of every file to be written: the day's number, path, day, slots with and without a product, products' digest."""
    for name, section in domains_of(run).items():
        configuration = configuration_of(run, section)
        for number in days:
            day = Day(Path(run.output), name, slots.days[number])
            entries, sizes = day.entries(), day.sizes()
            names = slots.names(name, number)
            states = {slot: state_of(entries.get(slot), sizes, configuration) for slot in names}
            done = [slot for slot in names if states[slot] == DONE]
            if not done or not {OPEN, LOST}.isdisjoint(states.values()):
                continue
            path = day_file(Path(run.output), name, slots.days[number])
            digest = checksum_of([entries[slot]["sha256"] for slot in done])
            if attribute_of(path, DIGEST) != digest:
                yield number, path, day, done, [slot for slot in names if states[slot] != DONE], digest
