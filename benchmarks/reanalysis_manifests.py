"""How long it takes to see what of a reanalysis is complete: a simulated tree of manifests and products, then read.

    python benchmarks/reanalysis_manifests.py --slots 1000000 [--folder FOLDER] [--bare]

The tree has five domains and quarter hours; products are files without content, but of a size (sparse), as a reader of
manifests sees them. --bare makes no products and reads the manifests alone.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from mlrtma_dist.inference.slot_manifest import STATES, Day
from mlrtma_dist.samples.slots import Slots
from mlrtma_dist.verification.completeness import survey

DOMAINS = ("conus", "alaska", "hawaii", "guam", "puerto_rico")
START = np.datetime64("2015-01-01T00:00", "s")
SIZE = 1_000_000  # bytes of a product
CONFIGURATION = "0123456789abcdef"


def write_tree(output: Path, slots: Slots, with_products: bool) -> None:
    """Write manifests, and products where they are wanted, as a reanalysis leaves them."""
    for domain in DOMAINS:
        for number, date in enumerate(slots.days):
            day = Day(output, domain, date)
            day.manifest.parent.mkdir(parents=True, exist_ok=True)
            day.folder.mkdir(parents=True, exist_ok=True)
            lines = []
            for name in slots.names(domain, number):
                path = day.folder / f"{name}.nc"
                if with_products:
                    file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)
                    os.truncate(file, SIZE)
                    os.close(file)
                entry = {"id": name, "checksum": f"{CONFIGURATION}-{number:016x}", "method": "vit", "seconds": 12.3456}
                entry |= {"path": os.path.relpath(path, output), "bytes": SIZE, "sha256": f"{number:064x}"}
                lines.append(json.dumps(entry | {"time": "2026-01-01T00:00:00Z"}, separators=(",", ":")))
            day.manifest.write_text("\n".join(lines) + "\n")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slots", type=int, default=1_000_000)
    parser.add_argument("--folder")
    parser.add_argument("--bare", action="store_true")
    values = parser.parse_args()
    times = START + np.arange(-(-values.slots // len(DOMAINS))) * np.timedelta64(15, "m")
    slots = Slots(times, 10)
    with tempfile.TemporaryDirectory(dir=values.folder) as folder:
        begin = time.perf_counter()
        write_tree(Path(folder), slots, not values.bare)
        written, begin = time.perf_counter() - begin, time.perf_counter()
        busy = time.process_time()
        states = survey(Path(folder), slots, dict.fromkeys(DOMAINS, CONFIGURATION))
        seconds, busy = time.perf_counter() - begin, time.process_time() - busy
        counts = {name: sum(state.total(name) for state in states.values()) for name in STATES}
    print(f"{len(DOMAINS) * len(times):,} slots of {len(slots.days):,} days, written in {written:.0f} s")
    print(f"read in {seconds:.1f} s ({busy:.1f} s of one core): {counts}")


if __name__ == "__main__":
    main()
