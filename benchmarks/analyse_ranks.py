"""Claim: a domain of 1 km fits one process, and ranks give the same fields: seconds, memory, and differences.

    python benchmarks/analyse_ranks.py [--domain conus_1km] [--method vit] [--ranks 1 4]

`mlrtma analyse` of the national hour 2024-08-08 01 UTC, all variables with errors and probabilities, product included,
on each number of ranks, one after the other. Printed are the seconds of the whole command and the peak memory of its
largest process; then, for each field, the largest difference between the first and the last number of ranks, and how
many points differ at all; last the largest share of points.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import netCDF4
import numpy as np

from mlrtma_dist.config import data_root

FILE, TIME = "metar_world/metar_20240808T0100Z.csv.gz", "2024-08-08T01:00"
ROWS = 500  # of a field, compared at once


def analyse(domain: str, method: str, ranks: int, folder: Path) -> tuple[float, float]:
    """Run the command; seconds, and the peak memory of its largest process, GiB.

    Raises:
        SystemExit: it failed.
    """
    scripts = Path(sys.executable).parent
    words = [str(scripts / "mlrtma"), "analyse", "--domain", domain, "--observations", str(data_root() / FILE)]
    words += ["--time", TIME, "--method", method, "--output", str(folder)]
    for setting in ("cases.reports.mapping=metar_world_csv", "cases.reports.window_minutes=60", "maps=false"):
        words += ["--set", setting]
    if ranks > 1:
        launcher = scripts / "mpiexec"
        start = [str(launcher) if launcher.exists() else "mpiexec", "--oversubscribe", "--bind-to", "none", "-n"]
        words = [*start, str(ranks), *words]
    began = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - began, usage.ru_maxrss / 2**20


def difference(one: netCDF4.Variable, two: netCDF4.Variable) -> tuple[float, int]:
    """Largest absolute difference of two fields, and at how many points they differ; where one is missing, both are."""
    largest, count = 0.0, 0
    for start in range(0, one.shape[-2], ROWS):
        parts = [each[..., start : start + ROWS, :].astype(np.float64) for each in (one, two)]
        first, second = (np.ma.filled(part, np.nan) for part in parts)
        if (np.isnan(first) != np.isnan(second)).any():
            raise SystemExit(f"{one.name}: values are missing at different points")
        gap = np.abs(np.nan_to_num(first) - np.nan_to_num(second))
        largest, count = max(largest, float(gap.max())), count + int(np.count_nonzero(gap))
    return largest, count


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domain", default="conus_1km")
    parser.add_argument("--method", default="vit")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 4])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print("| ranks | seconds | GiB of the largest process |\n|---|---|---|")
        products = []
        for ranks in options.ranks:
            seconds, memory = analyse(options.domain, options.method, ranks, Path(folder, str(ranks)))
            print(f"| {ranks} | {seconds:.0f} | {memory:.1f} |", flush=True)
            products += list(Path(folder, str(ranks)).rglob("*.nc"))
        print("\n| field | largest difference | points that differ |\n|---|---|---|")
        most = 0.0
        with netCDF4.Dataset(products[0]) as one, netCDF4.Dataset(products[-1]) as two:
            for name, field in one.variables.items():
                if field.dimensions[-2:] == ("y", "x"):
                    largest, count = difference(field, two[name])
                    print(f"| {name} | {largest:.3g} | {count} |")
                    most = max(most, count / (field.shape[-1] * field.shape[-2]))
    print(f"largest share of points that differ: {most:.2e}")


if __name__ == "__main__":
    main()
