"""The cycle replayed on hours of METAR: delays, errors at withheld stations, and the worth of the previous analysis.

    python benchmarks/replay_cycle.py --output output/replay [--config FILE] [--slots 56] [--figure FILE]
    python benchmarks/replay_cycle.py --output output/shares --domain conus_20km --slots 10 --shares 0 0.5 1

Each run is `mlrtma cycle FILE --replay ...`: waiting is skipped, computing takes its time.
With ``--shares`` the cycle is run once per share of the previous analysis in the first guess (0: none), by 3D-Var; the
errors of every share at the same withheld stations are printed over those of the first one. The hours are training
hours of the weights that come with the software: the errors of its networks are no measure of those on unseen hours.
"""

import argparse
import csv
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

CONFIG = "configs/cycles/replay_metar_20km.yaml"
FIRST = np.datetime64("2026-08-22T03:45")
WITHOUT_REPORTS = 4  # exit code: a slot of a small domain has none
LATER = 4  # slots of each run that begin the cycling and do not count
SHARED = ("t2m", "d2m", "u10", "v10")

Errors = dict[tuple[str, str, str, str], tuple[int, float]]  # (domain, time, method, variable) -> number, rmse


def replay(options: argparse.Namespace, output: Path, more: list[str]) -> None:
    """Run the cycle; its table of delays and errors goes to standard output."""
    until = FIRST + np.timedelta64(15 * (options.slots - 1), "m")
    words = [*(("--domain", *options.domain) if options.domain else ()), "--output", str(output), "--replay", "1e6"]
    words += ["--set", f"cases.archive.end='{until}'", *more]
    code = subprocess.run([sys.executable, "-m", "jobs.command", "cycle", options.config, *words]).returncode
    if code not in (0, WITHOUT_REPORTS):
        raise SystemExit(code)


def first_revisions(output: Path) -> Errors:
    """The errors at withheld stations of all first publications below a folder."""
    errors = {}
    for path in sorted(output.glob("*/scores.csv")):
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                if row["revision"] == "1" and row["at"] == "withheld":
                    key = row["domain"], row["time"], row["method"], row["variable"]
                    errors[key] = int(row["n"]), float(row["rmse"])
    return errors


def pooled(errors: Errors, method: str, variable: str, skipped: int = 0) -> tuple[int, float]:
    """Number and rmse of a method and variable over all slots but the first ones."""
    times = sorted({time for _, time, _, _ in errors})[skipped:]
    own = [e for (_, time, m, v), e in errors.items() if (m, v) == (method, variable) and time in times]
    number = sum(n for n, _ in own)
    return number, float(np.sqrt(sum(n * rmse**2 for n, rmse in own) / number)) if number else np.nan


def compare_shares(options: argparse.Namespace) -> float:
    """Run the cycle with each share of the previous analysis; returns the ratio of t2m, the last over the first."""
    variables, shares = ",".join(SHARED), options.shares
    common = ["methods=[{name: threedvar}]", "compare=[]", f"variables=[{variables}]", "timing={late_minutes: null}"]
    by_share = {}
    for share in shares:
        own = [*common, *([f"background_share={share}", "background=previous"] if share else [])]
        folder = options.output / f"{share:g}"
        replay(options, folder, [word for setting in own for word in ("--set", setting)])
        by_share[share] = first_revisions(folder)
    print(f"\nrmse of 3D-Var at withheld stations, {options.slots - LATER} slots, and over that of share {shares[0]:g}")
    ratios = {}
    for name in SHARED:
        for share in shares:
            number, rmse = pooled(by_share[share], "threedvar", name, LATER)
            ratios[name, share] = rmse / pooled(by_share[shares[0]], "threedvar", name, LATER)[1]
            print(f"{name:<6} share {share:<5g} n {number:6d} rmse {rmse:8.3f} ratio {ratios[name, share]:6.3f}")
    return ratios["t2m", shares[-1]]


def draw(path: Path, errors: Errors, domain: str, variables: tuple[str, ...] = ("t2m", "d2m", "u10")) -> None:
    """Draw rmse against the slot, one panel per variable and a line per method."""
    figure, axes = plt.subplots(1, len(variables), figsize=(4.0 * len(variables), 3.0), layout="constrained")
    for axis, name in zip(axes, variables, strict=True):
        series = defaultdict(list)
        for (place, time, method, variable), (_, rmse) in sorted(errors.items()):
            if (place, variable) == (domain, name):
                series[method].append((np.datetime64(time), rmse))
        for method, points in series.items():
            axis.plot(*zip(*points, strict=True), label=method)
        axis.set(title=name, xlabel="slot, UTC", ylabel="rmse", ylim=(0, None))
        axis.tick_params("x", rotation=45)
    axes[0].legend(frameon=False, fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Replay; the ratio of t2m of vit to 3D-Var, or of the last share to the first, is printed last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--config", default=CONFIG, help="configuration of the cycle")
    parser.add_argument("--domain", nargs="+", help="instead of those of the configuration")
    parser.add_argument("--slots", type=int, default=56, help="from 03:45 UTC, every 15 minutes")
    parser.add_argument("--shares", type=float, nargs="+", help="of the previous analysis in the first guess")
    parser.add_argument("--figure", type=Path, help="PNG file to write, of the domain with most reports")
    options = parser.parse_args()
    if options.shares:
        print(f"t2m: {compare_shares(options):.3f}")
        return
    replay(options, options.output, [])
    errors = first_revisions(options.output)
    if options.figure:
        reports = {place: sum(n for (own, *_), (n, _) in errors.items() if own == place) for place, *_ in errors}
        draw(options.figure, errors, max(reports, key=reports.__getitem__))
    print(f"t2m, vit over 3D-Var: {pooled(errors, 'vit', 't2m')[1] / pooled(errors, 'threedvar', 't2m')[1]:.3f}")


if __name__ == "__main__":
    main()
