"""Claim: CONUS at 2.5 km (2345 x 1597), t2m, 4,400 reports: 15 s and 4 GiB on 2 cores, linear in grid points.

    python benchmarks/analysis_cost.py

The RAP hour 2022-08-24 06 UTC has about 3,200 temperature reports that an analysis of CONUS uses. For 4,400 the rest is
simulated: stations at random land points that report the analysis of the real ones there, with the assumed error.
Growth: the same area and reports at twice the spacing, a quarter of the points; the error field, which has one
spacing, costs the same on both.

Each table is of a process of its own. "analysis" is what the target counts: solve, grid and error; reading,
static and quality control stand beside it. Wall time counts only on an idle machine; processor time over two cores,
beside it, is the least that two free cores could need, all work being shared evenly.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np

FILE = "prepbufr/rap.20220824.t06z.adpsfc.prepbufr"
TIME, WINDOW = np.datetime64("2022-08-24T06:00", "s"), np.timedelta64(1800, "s")
SECONDS, GIBIBYTES, REPORTS, CORES = 15.0, 4.0, 4400, 2
ANALYSIS = ("solve", "grid", "error")


class Clock:
    """Wall time, processor time of all threads, and peak memory of the stages of a process."""

    def __init__(self):
        """Start."""
        self.stages, self._last = {}, (time.perf_counter(), time.process_time())

    def stage(self, name: str) -> None:
        """End a stage: everything since the last one ended."""
        now = time.perf_counter(), time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # from KiB
        self.stages[name] = (now[0] - self._last[0], now[1] - self._last[1], peak)
        self._last = now


def one_run(coarser: int, reports: int) -> dict:
    """Analyse once, from nothing.

    Args:
        coarser: factor on the spacing.
        reports: number to reach with simulated ones; 0: none.

    Returns:
        Stages with their wall seconds, processor seconds and peak memory in GiB; number of points and of reports used.
    """
    clock = Clock()
    from mlrtma_dist.config import data_root
    from mlrtma_dist.fields.static import load_static
    from mlrtma_dist.grid.box import Box
    from mlrtma_dist.grid.domain import Size, load_domain
    from mlrtma_dist.inference.analyse import analyse
    from mlrtma_dist.methods.registry import Means, build
    from mlrtma_dist.methods.settings import assumptions, load_settings
    from mlrtma_dist.observations.table import Observations
    from mlrtma_dist.samples.judgement import Judge
    from mlrtma_dist.samples.station_hours import Reports

    settings = load_settings("classical", ("t2m",))
    clock.stage("import")
    observations = Reports((str(data_root() / FILE),)).table
    clock.stage("reading")
    domain = load_domain("conus")
    size = Size(-(-domain.size.x // coarser), -(-domain.size.y // coarser))
    static = load_static(replace(domain, spacing=coarser * domain.spacing, size=size))
    clock.stage("static")
    judge, box = Judge(assumptions(settings), WINDOW), Box.whole(static.domain.shape)
    case = judge.case(static, TIME, observations, None, box)
    used = int(case.used.sum())  # which also takes the departures
    clock.stage("judgement")
    method = build(("threedvar",), Means(settings=settings))["threedvar"]
    if used < reports:
        temperature = analyse(case, method.analyse(case), "threedvar").values["t2m"]
        error = settings.variables["t2m"].observation_error
        added = simulated(static, temperature, reports - used, error)
        case = judge.case(static, TIME, Observations.concatenate([observations, added]), None, box)
        clock.stage("simulation")
    answer = method.analyse(case)
    clock.stage("solve")

    def progress(_, share: float) -> None:
        if share >= 0.8 and "grid" not in clock.stages:  # the last fifth is the error
            clock.stage("grid")

    analyse(case, answer, "threedvar", progress=progress)
    clock.stage("error")
    return {"stages": clock.stages, "points": size.x * size.y, "reports": int(case.used.sum())}


def simulated(static, temperature: np.ndarray, count: int, error: float):
    """Reports of ``temperature`` (K, shape (y, x)) with an error (K) at ``count`` random land points."""
    from mlrtma_dist.observations.table import Observations

    generator = np.random.default_rng(4400)
    row, column = generator.permutation(np.argwhere(static.land > 0.5))[:count].T
    latitude, longitude = (a[row, column] for a in static.domain.latitude_longitude())
    value = temperature[row, column] + error * generator.standard_normal(count)
    return Observations.build(
        station=[f"SIM{k:05d}" for k in range(count)],
        network="187",
        latitude=latitude,
        longitude=longitude,
        elevation=static.terrain[row, column],
        time=TIME,
        variable=["t2m"] * count,
        value=value,
        source="simulated",
    )


def measured(coarser: int, reports: int) -> dict:
    """``one_run`` in a fresh process."""
    command = [sys.executable, __file__, "--run", str(coarser), str(reports)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def show(run: dict) -> tuple[float, float, float]:
    """Print a run; returns wall and processor seconds of the analysis and the peak memory in GiB."""
    print(f"\n{run['points']:,} points, {run['reports']:,} reports")
    print(f"{'stage':<12}{'wall s':>8}{'CPU s':>8}{'peak GiB':>10}")
    for name, (wall, cpu, peak) in run["stages"].items():
        print(f"{name:<12}{wall:>8.1f}{cpu:>8.1f}{peak:>10.2f}")
    wall, cpu = (sum(run["stages"][name][k] for name in ANALYSIS) for k in (0, 1))
    peak = max(stage[2] for stage in run["stages"].values())
    print(f"{'analysis':<12}{wall:>8.1f}{cpu:>8.1f}{peak:>10.2f}   CPU / {CORES}: {cpu / CORES:.1f} s")
    return wall, cpu, peak


def main() -> None:
    """Print the table; its last line is the growth per grid point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=int, nargs=2, metavar=("COARSER", "REPORTS"), help="one run, as JSON")
    options = parser.parse_args()
    if options.run:
        print(json.dumps(one_run(*options.run)))
        return
    full, more, quarter = measured(1, 0), measured(1, REPORTS), measured(2, 0)
    show(full)
    wall, cpu, peak = show(more)
    show(quarter)
    print(f"\ntarget with {more['reports']:,} reports: {SECONDS:.0f} s, {GIBIBYTES:.0f} GiB")
    shares = wall / SECONDS, cpu / CORES / SECONDS, peak / GIBIBYTES
    print(f"shares of it: wall {shares[0]:.2f}, CPU / {CORES} {shares[1]:.2f}, memory {shares[2]:.2f}")
    per_point = [sum(run["stages"][n][1] for n in ("grid", "error")) / run["points"] for run in (full, quarter)]
    print(f"CPU time a point, all over a quarter of the points (1: linear): {per_point[0] / per_point[1]:.2f}")


if __name__ == "__main__":
    main()
