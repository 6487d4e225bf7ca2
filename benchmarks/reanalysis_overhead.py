"""What reading, compression and writing add to the method's time in a reanalysis: wall time over the bare method's.

    python benchmarks/reanalysis_overhead.py --method vit --slots 24
    python benchmarks/reanalysis_overhead.py --method oi --domain hawaii --folder $MLRTMA_REAL_DATA/metar_20260822

The bare time is that of the method on cases in memory, one after the other; then a worker does the same slots from
files to products. Both want an idle machine of two cores or more. Without --folder the reports are simulated, a file
every 15 minutes.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from simulated_archive import STEP, write_archive

from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.inference.analyse import analyse
from mlrtma_dist.inference.slot_manifest import Day
from mlrtma_dist.inference.slot_reader import CaseReader
from mlrtma_dist.inference.slot_scores import sums_of
from mlrtma_dist.inference.slot_worker import Slot, Worker
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.samples.archive import Archive
from mlrtma_dist.samples.archive_cases import ArchiveCases
from mlrtma_dist.samples.file_patterns import FilePattern
from mlrtma_dist.samples.near_tables import NearTables
from mlrtma_dist.samples.slots import SlotFiles, slot_name

START = np.datetime64("2026-08-22T04:00", "s")
REAL = FilePattern("metar_{time:%Y%m%d}T03-18Z.csv.gz", every_minutes=1440, before_minutes=1439)
SIMULATED = FilePattern("{time:%Y%m%d%H%M}.csv", every_minutes=15)


def archive_of(folder: str | None, domain: str, slots: int, own: Path) -> Archive:
    """The archive: that of a folder, or a simulated one that is written here."""
    period = {"start": str(START), "end": str(START + (slots - 1) * STEP), "every_minutes": 15}
    if folder:
        return Archive(**period, folder=folder, reports=(REAL,), mapping="metar_world_csv")
    write_archive(own, domain, START, slots)
    return Archive(**period, folder=str(own), reports=(SIMULATED,))


def open_cases(archive: Archive, domain: str) -> dict[str, ArchiveCases]:
    """The cases of the archive on the domain."""
    static = load_static(load_domain(domain))
    tables = NearTables(archive.reading, [static.domain])
    files = SlotFiles(archive, archive.times())
    return {
        static.domain.name: ArchiveCases(static, archive, assumptions(load_settings("classical")), files, tables=tables)
    }


def method_of(name: str, domain):
    """The method, ready for the domain."""
    learned = {}
    if name.startswith("vit"):
        from mlrtma_dist.weights.trained import load_released  # here: it imports torch

        learned = load_released((name,), domain)
    return build((name,), Means(load_settings("classical"), None, learned, None))[name]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="vit")
    parser.add_argument("--domain", default="toy")
    parser.add_argument("--slots", type=int, default=24)
    parser.add_argument("--folder")
    values = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = archive_of(values.folder, values.domain, values.slots, Path(folder))
        (domain, source), *_ = open_cases(archive, values.domain).items()
        method = method_of(values.method, source.static.domain)
        box = Box.whole(source.static.domain.shape)
        bare = 0.0
        for number in range(values.slots):
            case = source.case(number, box)
            begin = time.perf_counter()
            answer = method.analyse(case)
            sums_of(case, answer, analyse(case, answer, values.method))
            bare += time.perf_counter() - begin
        moments: list[tuple[float, float]] = []
        reader = CaseReader(partial(open_cases, archive, values.domain), {domain: source.static}, 600.0)
        worker = Worker(
            {domain: (values.method, method)},
            reader,
            progress=lambda tally: moments.append((time.perf_counter(), tally.method_seconds)),
        )
        slots = (
            Slot(
                slot_name(domain, when), (domain, number), Day(Path(folder), domain, when.astype("datetime64[D]")), "x"
            )
            for number, when in enumerate(source.time)
        )
        begin = time.perf_counter()
        worker.run(slots)
        whole = time.perf_counter() - begin
    moment, seconds = moments[0]
    start = moment - begin - seconds  # the reader starts and reads its first file: once per process
    steady = whole - start
    print(f"{values.method} on {domain}, {values.slots} slots: method alone {bare:.1f} s")
    print(f"reanalysis {steady:.1f} s after a start of {start:.1f} s: {steady / bare:.2f} x the bare method")
    print(f"share of the time in the method {worker.tally.method_seconds / steady:.0%}")


if __name__ == "__main__":
    main()
