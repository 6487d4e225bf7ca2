"""Claim: a network that never saw ceiling and visibility learns them from few hours of reports.

    mlrtma train configs/training/vit_transfer_base.yaml
    python benchmarks/transfer_curve.py --base output/transfer/base/checkpoints/best --figure curve.png

A small network is trained without visibility, ceiling and sky cover, then with 1, 2, 4, 8 and 16 hours of reports that
have them: outputs on a frozen trunk, low-rank adapters, all weights with a small rate, and from random weights (by the
same hours alone, with more steps). Scores are at the four hours that choose, which stop nothing here but the base: the
sum of the Brier scores of LIFR, IFR or worse and MVFR or worse, and the rmse of the old variables relative to the base.
Intervals draw stations anew. About half an hour of a free core; what an earlier run has left is kept.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from transfer_scores import (
    LENGTHS,
    Scores,
    climatology,
    gaussian_weights,
    interval,
    of_network,
    quantile_matching,
    score,
)

from mlrtma_dist import config
from mlrtma_dist.samples.store import Store
from mlrtma_dist.weights.trained import load_trained

ROOT = Path(__file__).resolve().parent.parent
OLD = ("t2m", "d2m", "u10", "v10", "psfc", "gust", "wind_speed")
# Of configs/samples/reports_metar_world.yaml, in the order in which they are added: first one of each season and time.
TIMES = (
    "2022-10-23T00:00", "2011-11-23T02:00", "2024-08-13T22:53", "2025-08-14T18:00",
    "2024-08-05T16:55", "2022-10-22T02:00", "2024-08-10T04:15", "2025-08-16T01:00",
    "2022-10-22T18:55", "2022-10-23T09:00", "2022-10-23T10:00", "2022-10-23T11:00",
    "2024-08-03T17:00", "2024-08-03T19:00", "2024-08-03T19:55", "2024-08-03T21:00",
)  # fmt: skip
HIGHEST = 1.12  # ratio in the picture
MODES = {"frozen": 3e-3, "adapters": 3e-3, "whole": 3e-4, "scratch": 1e-3}  # and the learning rate of each


def mlrtma(*words: str) -> None:
    """Run the command."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "jobs.command", *words]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path}, stdout=sys.stderr)


def hours_between(first: int, last: int, folder: Path) -> Path:
    """The store of some of `TIMES`, made where it is missing."""
    store = folder / f"hours_{last:02d}.h5"
    if not store.exists():
        path = config.find("samples", "reports_metar_world")
        elsewhere = config.load_yaml(path)["cases"]["archive"]["leave_out"]
        others = [*map(str, elsewhere), *(time for number, time in enumerate(TIMES) if not first <= number < last)]
        left = ", ".join(f'"{time}"' for time in others)
        mlrtma("samples", str(path), "--set", f"cases.archive.leave_out=[{left}]", "--output", str(store))
    return store


def train(mode: str, count: int, steps: int, stores: list[Path], options: argparse.Namespace) -> Path | None:
    """The last checkpoint of a training, made where it is missing; None: it is not to be made."""
    output = options.folder / f"{mode}_{count:02d}_{steps}"
    last = output / "checkpoints" / f"step_{steps:08d}"
    if last.exists() or options.scores_only:
        return last if last.exists() else None
    changes = [
        f"samples=[{', '.join(map(str, stores))}]", "validation_samples=[]", f"output={output}",
        f"schedule.steps={steps}", "schedule.validate_every=0", "schedule.checkpoint_every=0",
        f"schedule.learning_rate={MODES[mode]}", "schedule.keep=1",
        *(["begin_from=null", "transfer=null"] if mode == "scratch" else [f"transfer.mode={mode}"]),
        *([] if mode == "scratch" else [f"begin_from={options.base}"]),
    ]  # fmt: skip
    mlrtma("train", "configs/training/vit_transfer.yaml", *(word for each in changes for word in ("--set", each)))
    return last


def baselines(chosen: list[Store], training: list[Store]) -> dict[str, Scores]:
    """The scores of what needs no network; the length of the weights is the best of the training hours."""
    best = min(LENGTHS, key=lambda length: score(training, gaussian_weights(length)).brier.mean())
    return {
        "climatology by hour and kind of station": score(chosen, climatology(training)),
        "quantile matching of the regression": score(chosen, quantile_matching(training)),
        f"Gaussian weights, {best / 1e3:.0f} km": score(chosen, gaussian_weights(best)),
    }


def row(own: Scores, best: Scores, base: Scores | None) -> dict:
    """What is printed of one method: Brier score, its ratio to ``best`` and the rmse of old variables to the base's."""
    numbers: dict = {"brier": float(own.brier.mean()), "ratio": interval(own.brier, best.brier, own.station)}
    numbers["alone"] = interval(own.brier, np.ones_like(own.brier), own.station)
    if base is not None and own.squares:
        ratios = {name: interval(own.squares[name], base.squares[name], base.of[name]) for name in OLD}
        numbers["old"] = {name: [float(np.sqrt(each)) for each in ratio] for name, ratio in ratios.items()}
    return numbers


def words(number: dict) -> str:
    """A row of the table."""
    cells = ["{:.4f} ({:.4f} to {:.4f})".format(*number["alone"]), "{:.3f} ({:.3f} to {:.3f})".format(*number["ratio"])]
    if "old" in number:
        ratios = {name: each[0] for name, each in number["old"].items()}
        worst = max(ratios, key=ratios.get)
        cells += [f"{np.exp(np.mean(np.log(list(ratios.values())))):.4f}", f"{ratios[worst]:.4f} ({worst})"]
    return " | ".join([*cells, *["" for _ in range(4 - len(cells))]])


def draw(rows: dict[str, dict], path: Path) -> None:
    """The curves, as ratios to the training from random weights with most hours; a baseline far above is in words."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
    rows = {name: each for name, each in rows.items() if "steps" not in name}
    for number, mode in enumerate(MODES):
        own = {int(name.split()[1]): each for name, each in rows.items() if name.startswith(f"{mode} ")}
        if own:
            hours = np.array(sorted(own)) * 1.03 ** (number - 1)  # side by side
            middle, low, high = np.array([own[hour]["ratio"] for hour in sorted(own)]).T
            axis.errorbar(hours, middle, [middle - low, high - middle], marker="o", capsize=3, label=mode)
    for name, style in zip((name for name in rows if name[0] in "cqG"), (":", "-.", "--"), strict=True):
        ratio = rows[name]["ratio"][0]
        words_ = f"{name}: {ratio:.2f}"
        if ratio < HIGHEST:
            axis.axhline(ratio, color="0.4", linestyle=style, label=words_)
        else:
            axis.plot([], [], " ", label=f"{words_}, beyond the picture")
    axis.set(xscale="log", xlabel="hours of reports with ceiling and visibility")
    axis.set(ylabel="Brier score over that of random weights, most hours", ylim=(None, HIGHEST))
    axis.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
    axis.minorticks_off()
    axis.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, default=Path("output/transfer/base/checkpoints/best"))
    parser.add_argument("--folder", type=Path, default=Path("output/transfer"))
    parser.add_argument("--choose", type=Path, default=Path("output/reports/choose.h5"))
    parser.add_argument("--hours", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--modes", nargs="+", choices=tuple(MODES), default=list(MODES))
    parser.add_argument("--steps", type=int, nargs="+", default=[50], help="of two draws each, of a transfer")
    parser.add_argument("--scratch-steps", type=int, nargs="+", default=[300], help="of one from random weights")
    parser.add_argument("--scores-only", action="store_true", help="train nothing, score what has been trained")
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    edges = [0, *sorted(options.hours)]
    hours = [hours_between(*ends, options.folder) for ends in zip(edges, edges[1:], strict=False)]
    chosen, training = [Store(options.choose)], [Store(each) for each in hours]
    networks = {}
    for number, count in reversed(list(enumerate(edges[1:]))):
        for mode in options.modes:
            each = options.scratch_steps if mode == "scratch" else options.steps
            for steps in each:
                name = f"{mode} {count}" if steps == each[0] else f"{mode} {count}, {steps} steps"
                networks[name] = train(mode, count, steps, hours[: number + 1], options)
    base = score(chosen, lambda answer, points, rows: np.zeros((3, len(rows))), _method(options.base, chosen), OLD)
    scores = baselines(chosen, training)
    for name, folder in networks.items():
        if folder is None:
            continue
        scores[name] = score(chosen, of_network, _method(folder, chosen), OLD)
        print(f"{name}: {scores[name].brier.mean():.4f}", file=sys.stderr, flush=True)
    best = scores.get(f"scratch {edges[-1]}") or next(iter(scores.values()))
    rows = {name: row(own, best, base) for name, own in scores.items()}
    print(f"{len(best.brier)} reports, {best.event.sum()} of them MVFR or worse\n")
    print("| method, hours | Brier score (95 %) | over scratch with most hours | rmse of old variables | worst |")
    print("|---|---|---|---|---|")
    for name, each in rows.items():
        print(f"| {name} | {words(each)} |")
    (options.folder / "curve.json").write_text(json.dumps(rows, indent=1))
    if options.figure:
        draw(rows, options.figure)


def _method(folder: Path, stores: list[Store]):
    method = load_trained(folder).method
    method.settle(stores[0].domain)
    return method


if __name__ == "__main__":
    main()
