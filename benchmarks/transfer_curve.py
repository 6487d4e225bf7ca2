"""Claim: a network that never saw ceiling and visibility learns them from few hours of reports.

    mlrtma train configs/training/vit_transfer_base.yaml
    python benchmarks/transfer_curve.py --base output/transfer/base/checkpoints/best --figure curve.png
    python benchmarks/transfer_curve.py --modes adapters frozen --hours 4 --seeds 1 2       # other trainings of these

A small network is trained without visibility, ceiling and sky cover, then with 1, 2, 4, 8, 16 and 36 hours of reports
that have them: outputs on a frozen trunk, low-rank adapters, all weights with a small rate, and from random weights (by
the same hours alone, with more steps). Scores are at the four hours that choose, which stop nothing here but the base:
the sum of the Brier scores of LIFR, IFR or worse and MVFR or worse, and the rmse of the old variables relative to the
base. Intervals draw stations anew; other seeds are other draws of reports and other first weights of what is new. Some
two hours of a free core for one seed of all; what an earlier run has left is kept.
"""

import argparse
import json
import sys
from collections.abc import Collection, Iterator
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
from transfer_training import COUNTS, MODES, OLD, add_options, method_of, stores_of, trainings

from mlrtma_dist.samples.store import Store

HIGHEST = 1.12  # ratio in the picture
CLIMATOLOGY, MATCHING = "climatology by hour and kind of station", "quantile matching of the regression"
WEIGHTS = "Gaussian weights"
BASELINES = (CLIMATOLOGY, MATCHING, WEIGHTS)
REFERENCE = "scratch 16"


def baselines(chosen: list[Store], training: list[Store]) -> dict[str, Scores]:
    """The scores of what needs no network; the length of the weights is the best of the training hours."""
    best = min(LENGTHS, key=lambda length: score(training, gaussian_weights(length)).brier.mean())
    return {
        CLIMATOLOGY: score(chosen, climatology(training)),
        MATCHING: score(chosen, quantile_matching(training)),
        f"{WEIGHTS}, {best / 1e3:.0f} km": score(chosen, gaussian_weights(best)),
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


def draw(rows: dict[str, dict], reference: str, path: Path) -> None:
    """The curves, as ratios to one of the rows; crosses are other seeds, a baseline far above is in words."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
    rows = {name: each for name, each in rows.items() if "steps" not in name}
    for number, mode in enumerate(MODES):
        beside = 1.03 ** (number - 1)  # side by side
        own = {int(name.split()[1]): each for name, each in rows.items() if name in _names(mode)}
        if own:
            middle, low, high = np.array([own[hour]["ratio"] for hour in sorted(own)]).T
            hours = np.array(sorted(own)) * beside
            bars = [middle - low, high - middle]
            axis.errorbar(hours, middle, bars, fmt="o-", color=f"C{number}", capsize=3, label=mode)
        for name, each in rows.items():
            if name.startswith(f"{mode} ") and "seed" in name:
                hour = int(name.split()[1].rstrip(","))
                axis.plot(hour * beside * 1.05, each["ratio"][0], "x", color=f"C{number}")
    for name, style in zip((name for name in rows if name.startswith(BASELINES)), (":", "-.", "--"), strict=True):
        ratio = rows[name]["ratio"][0]
        words_ = f"{name}: {ratio:.2f}"
        if ratio < HIGHEST:
            axis.axhline(ratio, color="0.4", linestyle=style, label=words_)
        else:
            axis.plot([], [], " ", label=f"{words_}, beyond the picture")
    axis.set(xscale="log", xlabel="hours of reports with ceiling and visibility")
    axis.set(ylabel=f"Brier score over that of {reference}", ylim=(None, HIGHEST))
    axis.set_xticks(COUNTS, list(map(str, COUNTS)))
    axis.minorticks_off()
    axis.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def _names(mode: str) -> tuple[str, ...]:
    return tuple(f"{mode} {count}" for count in COUNTS)


def spread(rows: dict[str, dict]) -> Iterator[str]:
    """A line for each method that was trained with several seeds: their number, and the least and most Brier score."""
    groups: dict[str, list[float]] = {}
    for name, each in rows.items():
        groups.setdefault(name.split(", seed")[0], []).append(each["brier"])
    for name, own in groups.items():
        if len(own) > 1:
            yield f"{name}: {len(own)} seeds, {min(own):.4f} to {max(own):.4f}, deviation {np.std(own, ddof=1):.5f}"


def scores_of(options: argparse.Namespace) -> tuple[dict[str, Scores], Scores]:
    """Train what is missing; the scores of all by name, and those of the base, which has old variables alone."""
    chosen = [Store(options.choose)]
    scores = baselines(chosen, [Store(each) for each in stores_of(16, options.folder)])
    base = score(chosen, _nothing, method_of(options.base, chosen[0]), OLD)
    for name, training in trainings(options):
        last = training.last(options.folder)
        if not options.scores_only:
            training.run(options.folder, options.base, stores_of(training.hours, options.folder))
        if last.exists():
            scores[name] = score(chosen, of_network, method_of(last, chosen[0]), OLD)
            print(f"{name}: {scores[name].brier.mean():.4f}", file=sys.stderr, flush=True)
    return scores, base


def reference_of(parser: argparse.ArgumentParser, options: argparse.Namespace, names: Collection[str]) -> str:
    """The row whose score is the unit of the others': of the options, else `REFERENCE` or else the first trained one.

    Args:
        parser: by which the program ends where the options name none of the rows; names: of the rows that there are.
    """
    if options.reference is None:
        return next(name for name in (REFERENCE, *(each for each, _ in trainings(options)), *names) if name in names)
    if options.reference not in names:
        parser.error(f"--reference: expected one of {', '.join(names)}, got {options.reference}")
    return options.reference


def _nothing(answer, points, rows) -> np.ndarray:
    return np.zeros((3, len(rows)))


def main() -> None:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, COUNTS, tuple(MODES))
    parser.add_argument("--choose", type=Path, default=Path("output/reports/choose.h5"))
    parser.add_argument(
        "--reference", help=f"the row of whose score the others' are shares; {REFERENCE} if it is there"
    )
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    if options.reference is not None and not options.reference.startswith(BASELINES):
        reference_of(parser, options, [name for name, _ in trainings(options)])  # before hours of training
    scores, base = scores_of(options)
    reference = reference_of(parser, options, scores)
    best = scores[reference]
    rows = {name: row(own, best, base) for name, own in scores.items()}
    print(f"{len(best.brier)} reports, {best.event.sum()} of them MVFR or worse\n")
    print(f"| method, hours | Brier score (95 %) | over {reference} | rmse of old variables | worst |")
    print("|---|---|---|---|---|")
    for name, each in rows.items():
        print(f"| {name} | {words(each)} |")
    print("", *spread(rows), sep="\n")
    (options.folder / "curve.json").write_text(json.dumps(rows, indent=1))
    if options.figure:
        draw(rows, reference, options.figure)


if __name__ == "__main__":
    main()
