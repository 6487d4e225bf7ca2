"""An archive of simulated reports: a file of them every 15 minutes, as configs/reanalysis/toy.yaml reads them.

python benchmarks/simulated_archive.py output/reanalysis/archive --start 2022-08-24T22:30 --slots 12
"""

import argparse
from pathlib import Path

import numpy as np

from mlrtma_dist.clock import parse_time
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.simulation.simulated_hour import simulate_hour

STEP = np.timedelta64(15, "m")
STATIONS = 300


def write_archive(folder: Path, domain: str, start: np.datetime64, slots: int) -> None:
    """Write the reports of some quarter hours of one simulated world, YYYYMMDDHHMM.csv each."""
    static = load_static(load_domain(domain))
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(slots):
        time = start + number * STEP
        name = str(time)[:16].translate({ord(each): None for each in "-:T"})
        write_csv(folder / f"{name}.csv", simulate_hour(static, time, stations=STATIONS, seed=1).observations)


def main() -> None:
    """Write the archive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--domain", default="toy")
    parser.add_argument("--start", default="2022-08-24T22:30")
    parser.add_argument("--slots", type=int, default=12)
    values = parser.parse_args()
    write_archive(values.folder, values.domain, parse_time(values.start), values.slots)


if __name__ == "__main__":
    main()
