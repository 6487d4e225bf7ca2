"""The cycle replayed on hours of METAR: delays, errors at withheld stations, and the worth of the previous analysis.

    python benchmarks/replay_cycle.py --output output/replay [--config FILE] [--slots N] [--figure FILE]
    python benchmarks/replay_cycle.py --output output/in_time --config configs/cycles/replay_metar_in_time.yaml \
        --first 2026-08-22T06:00 --slots 4 --over threedvar
    python benchmarks/replay_cycle.py --output output/shares --domain conus_20km --slots 10 --shares 0.5 1
    python benchmarks/replay_cycle.py --output output/shares --config configs/cycles/plains_forecast.yaml --shares 0.5 1

Each run is `mlrtma cycle FILE --replay ...`: waiting is skipped, computing takes its time.
With ``--shares`` the cycle is run by 3D-Var without a background and once per share of the previous analysis in the
first guess, and of the forecast where the configuration has this background; errors at the same withheld stations are
printed over those without a background, with 95 % intervals by drawing blocks of slots. With ``--over METHOD`` the mean
square errors of each compared method over those of this one are printed, with intervals by drawing slots. The hours are
training hours of the weights that come with the software: the errors of its networks are no measure of those on unseen
hours.
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
from matplotlib.dates import ConciseDateFormatter

from mlrtma_dist.names import VARIABLES
from mlrtma_dist.verification.bootstrap import cluster_numbers, cluster_sums, interval, ratio_of_sums, resampled_sums

CONFIG = "configs/cycles/replay_metar_20km.yaml"
WITHOUT_REPORTS = 4  # exit code: a slot of a small domain has none
LATER = 4  # slots of each run that begin the cycling and do not count
SHARED = ("t2m", "d2m", "u10", "v10", "psfc")

Errors = dict[tuple[str, str, str, str], tuple[int, float]]  # (domain, time, method, variable) -> number, rmse


def replay(options: argparse.Namespace, output: Path, more: list[str]) -> None:
    """Run the cycle; its table of delays and errors goes to standard output."""
    words = [*(("--domain", *options.domain) if options.domain else ()), "--output", str(output), "--replay", "1e6"]
    archive = config_of(options)["cases"]["archive"]
    first = np.datetime64(options.first or archive["start"])
    if options.first:
        words += ["--set", f"cases.archive.start='{first}'"]
    if options.slots:
        until = first + np.timedelta64(archive["every_minutes"] * (options.slots - 1), "m")
        words += ["--set", f"cases.archive.end='{until}'"]
    words += more
    code = subprocess.run([sys.executable, "-m", "jobs.command", "cycle", options.config, *words]).returncode
    if code not in (0, WITHOUT_REPORTS):
        raise SystemExit(code)


def config_of(options: argparse.Namespace) -> dict:
    """The configuration as it is in its file, with `mlrtma cycle`'s keys background and forecast."""
    return {"background": "archive", "forecast": "", **yaml.safe_load(Path(options.config).read_text(encoding="utf-8"))}


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
    names, chosen = ",".join(SHARED), config_of(options)
    common = ["methods=[{name: threedvar}]", "compare=[]", f"variables=[{names}]", "timing.late_minutes=null"]
    kinds: dict[str, tuple[str, ...]] = {"none": ("background=archive", "forecast=")}
    for share in options.shares:
        kinds[f"previous {share:g}"] = ("background=previous", "forecast=", f"background_share={share}")
    for share in options.shares if chosen["background"] == "forecast" else ():
        kinds[f"forecast {share:g}"] = (
            "background=forecast",
            f"forecast={chosen['forecast']}",
            f"background_share={share}",
        )
    errors = {}
    for kind, own in kinds.items():
        folder = options.output / kind.replace(" ", "_")
        replay(options, folder, [word for setting in (*common, *own) for word in ("--set", setting)])
        errors[kind] = first_revisions(folder)
    print("\n| variable | reports | " + " | ".join(kinds) + " |\n" + "|---" * (2 + len(kinds)) + "|")
    for name in SHARED:
        number, rmse = pooled(errors["none"], "threedvar", name, LATER)
        ratios = [
            np.sqrt(squares_over(errors[kind], errors["none"], ("threedvar",) * 2, name, LATER, options.block))
            for kind in kinds
            if kind != "none"
        ]
        cells = [f"{ratio:.3f} ({low:.3f} to {high:.3f})" for ratio, low, high in ratios]
        print(f"| {name} | {number} | {rmse:.3g} | " + " | ".join(cells) + " |")
    last = errors[list(kinds)[-1]]
    return pooled(last, "threedvar", "t2m", LATER)[1] / pooled(errors["none"], "threedvar", "t2m", LATER)[1]


def print_over(errors: Errors, base: str) -> None:
    """Print rmse of every method and variable over all slots, and the ratio of squares to a base, 95 % in brackets."""
    for name in dict.fromkeys(variable for *_, variable in errors):
        for method in dict.fromkeys(method for _, _, method, _ in errors):
            ratio, low, high = squares_over(errors, errors, (method, base), name)
            rmse = pooled(errors, method, name)[1]
            print(f"{name:<6} {method:<12} rmse {rmse:8.3f}  over {base} {ratio:.3f} ({low:.3f} to {high:.3f})")


def squares_over(
    errors: Errors, reference: Errors, methods: tuple[str, str], name: str, skipped: int = 0, block: int = 1
) -> np.ndarray:
    """Mean square error of a method over that of another one in the same slots, and its 95 % interval, shape (3,).

    Args:
        methods: of ``errors``, of ``reference``; skipped: first times that do not count; block: slots drawn together.
    """
    times = sorted({time for _, time, _, _ in reference})
    pairs = [
        (times.index(time) // block, errors[place, time, methods[0], name], reference[place, time, methods[1], name])
        for place, time, method, variable in sorted(reference)
        if (method, variable) == (methods[1], name) and (place, time, methods[0], name) in errors
        if times.index(time) >= skipped
    ]
    own, other = (np.array([n * rmse**2 for n, rmse in column]) for column in list(zip(*pairs, strict=True))[1:])
    number, size = cluster_numbers(np.array([drawn_together for drawn_together, *_ in pairs]))
    drawn = resampled_sums(cluster_sums(number, size, own, other), seed=0)
    return np.array([own.sum() / other.sum(), *interval(ratio_of_sums(drawn, 0, 1), size)])


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
        axis.set(title=name, xlabel="slot, UTC", ylabel=f"rmse, {VARIABLES[name].unit}", ylim=(0, None))
        axis.xaxis.set_major_formatter(ConciseDateFormatter(axis.xaxis.get_major_locator()))
    axes[0].legend(frameon=False, fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Replay; the ratio of t2m of vit to 3D-Var, or of the last share to the first, is printed last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--config", default=CONFIG, help="configuration of the cycle")
    parser.add_argument("--domain", nargs="+", help="instead of those of the configuration")
    parser.add_argument("--first", help="UTC of the first slot; that of the configuration by default")
    parser.add_argument("--slots", type=int, help="so many; all of the configuration by default")
    parser.add_argument("--shares", type=float, nargs="+", help="of the background in the first guess")
    parser.add_argument("--block", type=int, default=4, help="slots that are drawn together, with --shares")
    parser.add_argument("--over", help="method over whose errors those of the others are printed")
    parser.add_argument("--figure", type=Path, help="PNG file to write, of the domain with most reports")
    options = parser.parse_args()
    if options.shares:
        print(f"t2m: {compare_shares(options):.3f}")
        return
    replay(options, options.output, [])
    errors = first_revisions(options.output)
    if options.over:
        print_over(errors, options.over)
        return
    if options.figure:
        reports = {place: sum(n for (own, *_), (n, _) in errors.items() if own == place) for place, *_ in errors}
        draw(options.figure, errors, max(reports, key=reports.__getitem__))
    print(f"t2m, vit over 3D-Var: {pooled(errors, 'vit', 't2m')[1] / pooled(errors, 'threedvar', 't2m')[1]:.3f}")


if __name__ == "__main__":
    main()
