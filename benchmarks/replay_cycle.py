"""The cycle replayed on hours of METAR: delays, errors at withheld stations, and the worth of the previous analysis.

    python benchmarks/replay_cycle.py --output output/replay [--config FILE] [--slots N] [--figure FILE]
    python benchmarks/replay_cycle.py --output output/shares --domain conus_20km --slots 10 --shares 0.5 1
    python benchmarks/replay_cycle.py --output output/shares --config configs/cycles/plains_forecast.yaml --shares 0.5 1

Each run is `mlrtma cycle FILE --replay ...`: waiting is skipped, computing takes its time.
With ``--shares`` the cycle is run by 3D-Var without a background and once per share of the previous analysis in the
first guess, and of the forecast where the configuration names a network; errors at the same withheld stations are
printed over those without a background, with 95 % intervals by drawing blocks of slots. The hours are training hours
of the weights that come with the software: the errors of its networks are no measure of those on unseen hours.
"""

import argparse
import csv
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import yaml

from mlrtma_dist.verification.bootstrap import cluster_numbers, cluster_sums, interval, ratio_of_sums, resampled_sums

CONFIG = "configs/cycles/replay_metar_20km.yaml"
WITHOUT_REPORTS = 4  # exit code: a slot of a small domain has none
LATER = 4  # slots of each run that begin the cycling and do not count
SHARED = ("t2m", "d2m", "u10", "v10", "psfc")
BLOCK = 4  # slots that are drawn together

Errors = dict[tuple[str, str, str, str], tuple[int, float]]  # (domain, time, method, variable) -> number, rmse


def replay(options: argparse.Namespace, output: Path, more: list[str]) -> None:
    """Run the cycle; its table of delays and errors goes to standard output."""
    words = [*(("--domain", *options.domain) if options.domain else ()), "--output", str(output), "--replay", "1e6"]
    if options.slots:
        archive = config_of(options)["cases"]["archive"]
        until = np.datetime64(archive["start"]) + np.timedelta64(archive["every_minutes"] * (options.slots - 1), "m")
        words += ["--set", f"cases.archive.end='{until}'"]
    words += more
    code = subprocess.run([sys.executable, "-m", "jobs.command", "cycle", options.config, *words]).returncode
    if code not in (0, WITHOUT_REPORTS):
        raise SystemExit(code)


def config_of(options: argparse.Namespace) -> dict:
    """The configuration as it is in its file, with the network of `mlrtma cycle`'s key forecast, "" without one."""
    return {"forecast": "", **yaml.safe_load(Path(options.config).read_text(encoding="utf-8"))}


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
    """Run the cycle with each background; returns the ratio of t2m, the last over none."""
    names, network = ",".join(SHARED), config_of(options)["forecast"]
    common = ["methods=[{name: threedvar}]", "compare=[]", f"variables=[{names}]", "timing.late_minutes=null"]
    kinds: dict[str, tuple[str, ...]] = {"none": ("background=archive", "forecast=")}
    for share in options.shares:
        kinds[f"previous {share:g}"] = ("background=previous", "forecast=", f"background_share={share}")
    for share in options.shares if network else ():
        kinds[f"forecast {share:g}"] = ("background=forecast", f"forecast={network}", f"background_share={share}")
    errors = {}
    for kind, own in kinds.items():
        folder = options.output / kind.replace(" ", "_")
        replay(options, folder, [word for setting in (*common, *own) for word in ("--set", setting)])
        errors[kind] = first_revisions(folder)
    print("\n| variable | reports | " + " | ".join(kinds) + " |\n" + "|---" * (2 + len(kinds)) + "|")
    for name in SHARED:
        number, rmse = pooled(errors["none"], "threedvar", name, LATER)
        ratios = [ratio(errors[kind], errors["none"], name) for kind in kinds if kind != "none"]
        cells = [f"{value:.3f} ({low:.3f} to {high:.3f})" for value, low, high in ratios]
        print(f"| {name} | {number} | {rmse:.3g} | " + " | ".join(cells) + " |")
    return ratio(errors[list(kinds)[-1]], errors["none"], "t2m")[0]


def ratio(errors: Errors, reference: Errors, name: str) -> tuple[float, float, float]:
    """Rmse of 3D-Var over that of a reference in the same slots, and its 95 % interval."""
    keys = [key for key in sorted(reference) if key[2:] == ("threedvar", name) and key in errors]
    times = sorted({time for _, time, _, _ in reference})
    keys = [key for key in keys if times.index(key[1]) >= LATER]
    own, other = (np.array([table[key][0] * table[key][1] ** 2 for key in keys]) for table in (errors, reference))
    number, size = cluster_numbers(np.array([times.index(key[1]) // BLOCK for key in keys]))
    drawn = resampled_sums(cluster_sums(number, size, own, other), seed=0)
    low, high = interval(np.sqrt(ratio_of_sums(drawn, 0, 1)), size)
    return float(np.sqrt(own.sum() / other.sum())), low, high


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
    parser.add_argument("--slots", type=int, help="from the first one of the configuration; all by default")
    parser.add_argument("--shares", type=float, nargs="+", help="of the background in the first guess")
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
