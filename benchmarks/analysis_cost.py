"""Claim: CONUS at 2.5 km (2345 x 1597): t2m in 3 s, all variables in 25 s, by a network in 10 s, on 2 quiet cores.

    python benchmarks/analysis_cost.py [--runs t2m all vit vit_hybrid] [--before CHECKOUT]

The RAP hour 2022-08-24 06 UTC without a background: 3D-Var of the temperature and of all variables with their errors,
and the networks with the weights that come with the software. "analysis" is what the target counts: the solution, the
fields with their errors, and the analysis at the reports; reading, terrain and quality control stand beside it. Each
run is a process of its own.

Every field of 3D-Var is compared with the exact evaluation of the same analysis, without a mesh, on random patches of
the grid: the largest difference, and the one that a point in a thousand exceeds, as shares of the field's range.
Visibility and ceiling are medians, which jump where a probability passes one half.

Wall time counts only on an idle machine. Processor time over two cores, beside it, is the least that two free cores
could need, and it grows, too, where others use the caches: with ``--before`` the checkout of another commit runs in
turn with this one, and the ratios tell what has changed.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np

FILE = "prepbufr/rap.20220824.t06z.adpsfc.prepbufr"
TIME, WINDOW = np.datetime64("2022-08-24T06:00", "s"), np.timedelta64(1800, "s")
TARGETS = {"t2m": 3.0, "all": 25.0, "vit": 10.0, "vit_hybrid": 10.0}  # s
NETWORKS = ("vit", "vit_hybrid")
GIBIBYTES, SHARE_OF_RANGE, CORES = 1.0, 1e-3, 2
ANALYSIS = ("solve", "fields")
PATCHES, PATCH = 200, 8  # patches of 8 x 8 points


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


def one_run(which: str) -> dict:
    """Analyse once, from nothing.

    Args:
        which: of `TARGETS`.

    Returns:
        Stages with their wall seconds, processor seconds and peak memory in GiB; reports used; and the differences.
    """
    clock = Clock()
    from mlrtma_dist.config import data_root
    from mlrtma_dist.fields.static import load_static
    from mlrtma_dist.grid.box import Box
    from mlrtma_dist.grid.domain import load_domain
    from mlrtma_dist.inference.analyse import analyse
    from mlrtma_dist.methods.registry import Means, build
    from mlrtma_dist.methods.settings import assumptions, load_settings
    from mlrtma_dist.samples.judgement import Judge
    from mlrtma_dist.samples.station_hours import Reports

    settings = load_settings("classical", ("t2m",) if which == "t2m" else ())
    clock.stage("import")
    observations = Reports((str(data_root() / FILE),)).table
    clock.stage("reading")
    static = load_static(load_domain("conus"))
    clock.stage("static")
    box = Box.whole(static.domain.shape)
    case = Judge(assumptions(settings), WINDOW).case(static, TIME, observations, None, box)
    used = int(case.used.sum())  # which also takes the departures
    clock.stage("judgement")
    if which in NETWORKS:
        from mlrtma_dist.weights.trained import load_released

        method = load_released((which,), static.domain)[which]
    else:
        method = build(("threedvar",), Means(settings=settings))["threedvar"]
    clock.stage("method")
    answer = method.analyse(case)
    clock.stage("solve")
    analysis = analyse(case, answer, which)
    clock.stage("fields")
    exact = {} if which in NETWORKS else differences(case, answer, analysis.values)
    return {"stages": clock.stages, "reports": used, "differences": exact}


def differences(case, answer, fields: dict[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    """Largest difference of each field from the exact evaluation and its 99.9 % quantile, as shares of the range."""
    from mlrtma_dist.names import variable

    generator = np.random.default_rng(0)
    rows, columns = (generator.integers(0, size - PATCH, PATCHES) for size in case.domain.shape)
    size = {name: [] for name in fields}
    for row, column in zip(rows, columns, strict=True):
        place = slice(row, row + PATCH), slice(column, column + PATCH)
        points = case.grid_points(*place)
        for name, field in fields.items():
            exact = variable(name).from_analysis(answer.at(name, points)[0])
            size[name].append(np.abs(field[place].ravel() - exact))
    return {
        name: tuple(
            float(np.quantile(np.concatenate(size[name]), part) / np.ptp(fields[name])) for part in (1.0, 0.999)
        )
        for name in fields
    }


def measured(which: str, checkout: str) -> dict:
    """``one_run`` in a fresh process, with the packages of a checkout."""
    command = [sys.executable, __file__, "--run", which]
    environment = os.environ | {"PYTHONPATH": checkout}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def show(title: str, run: dict) -> tuple[float, float, float]:
    """Print a run; returns wall and processor seconds of the analysis and the peak memory in GiB."""
    print(f"\n{title}: {run['reports']:,} reports")
    print(f"{'stage':<12}{'wall s':>8}{'CPU s':>8}{'peak GiB':>10}")
    for name, (wall, cpu, peak) in run["stages"].items():
        print(f"{name:<12}{wall:>8.1f}{cpu:>8.1f}{peak:>10.2f}")
    wall, cpu = (sum(run["stages"][name][k] for name in ANALYSIS) for k in (0, 1))
    peak = max(stage[2] for stage in run["stages"].values())
    print(f"{'analysis':<12}{wall:>8.1f}{cpu:>8.1f}{peak:>10.2f}   CPU / {CORES}: {cpu / CORES:.1f} s")
    for name, (largest, quantile) in run["differences"].items():
        print(f"  {name:<12} from exact, of the range: at most {largest:.1e}, 99.9 % {quantile:.1e}")
    return wall, cpu, peak


def main() -> None:
    """Print the tables; the last lines are the shares of the targets, and the ratios to another commit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", choices=TARGETS, help="one run, as JSON")
    parser.add_argument("--before", metavar="CHECKOUT", help="folder of another commit, which runs in turn")
    parser.add_argument("--runs", nargs="+", choices=TARGETS, default=list(TARGETS), help="which; default: all")
    options = parser.parse_args()
    if options.run:
        print(json.dumps(one_run(options.run)))
        return
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    lines = []
    for which in options.runs:
        seconds = TARGETS[which]
        if options.before:
            wall_before, cpu_before, _ = show(f"{which}, before", measured(which, options.before))
        run = measured(which, here)
        wall, cpu, peak = show(which, run)
        lines.append(
            f"{which}: shares of {seconds:.0f} s: wall {wall / seconds:.2f}, CPU / {CORES} {cpu / CORES / seconds:.2f};"
            f" of {GIBIBYTES:.0f} GiB {peak / GIBIBYTES:.2f}"
        )
        if run["differences"]:
            worst = max(quantile for _, quantile in run["differences"].values())
            lines[-1] += f"; 99.9 % of {SHARE_OF_RANGE:g} of the range {worst / SHARE_OF_RANGE:.2f}"
        if options.before:
            lines.append(f"{which}: after / before: wall {wall / wall_before:.2f}, CPU {cpu / cpu_before:.2f}")
    print("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
