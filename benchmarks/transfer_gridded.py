"""Claim: what points of gridded fields of ceiling and visibility add to few hours of station reports in a transfer.

    mlrtma train configs/training/vit_transfer_base.yaml
    python benchmarks/transfer_gridded.py --base output/transfer/base/checkpoints/best

The transfers of transfer_curve.py with 0, 1 and 4 hours of station reports, with and without a case of the national
analysis of ceiling and visibility (NCV) or four hours of HRRR's surface fields of south-west Idaho, whose points are
reports (configs/samples/gridded_*.yaml). 0 hours: the network learns the new variables from the fields alone, and is
compared with the untrained one, whose outputs of the new variables are as they are at first. The scores are those of
transfer_curve.py, at the four hours that choose. Two to four minutes of a free core each.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from transfer_scores import Scores, gaussian_weights, interval, of_network, score
from transfer_training import OLD, Training, method_of, mlrtma, stores_of

from mlrtma_dist import config
from mlrtma_dist.samples.store import Store

LENGTH = 60e3  # m, of the Gaussian weights: the best at the training hours (transfer_curve.py)
WEIGHTS = "Gaussian weights"
UNTRAINED = "untrained"  # in the table: the base with outputs of the new variables as they are at first
AT_FIRST = Training("frozen", 0, 1, fields="ncv")  # one step at a rate at which nothing changes


def name_of(training: Training) -> str:
    """The name of a training in the table."""
    if training == AT_FIRST:
        return UNTRAINED
    hours = f"{training.mode} {training.hours}"
    hours += f" + {training.fields}" if training.fields else ""
    return hours + (f", seed {training.seed}" if training.seed else "")


def trainings(options: argparse.Namespace) -> Iterator[Training]:
    """The trainings of the options, `AT_FIRST` first; without hours and without fields there is nothing to train."""
    yield AT_FIRST
    for mode in options.modes:
        for hours in options.hours:
            for fields in ("", *options.fields):
                for seed in options.seeds:
                    if hours or fields:
                        yield Training(mode, hours, options.steps, seed, fields)


def stores(training: Training, folder: Path) -> list[Path]:
    """The stores of a training, made where they are missing."""
    paths = stores_of(training.hours, folder) if training.hours else []
    if training.fields:
        path = folder.resolve() / f"gridded_{training.fields}.h5"
        if not path.exists():
            mlrtma("samples", str(config.find("samples", f"gridded_{training.fields}")), "--output", str(path))
        paths.append(path)
    return paths


def cells(own: Scores, others: Scores | None, weights: Scores, base: Scores) -> str:
    """A row of the table: Brier score, over that without fields (of no hours: untrained), over the weights, old."""
    ratios = [interval(own.brier, np.ones_like(own.brier), own.station)]
    words = ["{:.4f} ({:.4f} to {:.4f})".format(*ratios[0])]
    for other in (others, weights):
        ratio = () if other is None or other is own else interval(own.brier, other.brier, own.station)
        words.append("{:.3f} ({:.3f} to {:.3f})".format(*ratio) if ratio else "")
    if own.squares:
        roots = [np.sqrt(own.squares[name].sum() / base.squares[name].sum()) for name in OLD]
        words.append(f"{np.exp(np.mean(np.log(roots))):.4f}")
    return " | ".join(words)


def main() -> None:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, default=Path("output/transfer/base/checkpoints/best"))
    parser.add_argument("--folder", type=Path, default=Path("output/transfer"))
    parser.add_argument("--choose", type=Path, default=Path("output/reports/choose.h5"))
    parser.add_argument("--hours", type=int, nargs="+", choices=(0, 1, 4), default=[0, 1, 4])
    parser.add_argument("--modes", nargs="+", choices=("adapters", "frozen"), default=["adapters", "frozen"])
    parser.add_argument("--fields", nargs="+", default=["ncv", "hrrr"], help="NAME of configs/samples/gridded_NAME")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=50, help="of two draws each")
    parser.add_argument("--scores-only", action="store_true", help="train nothing, score what has been trained")
    options = parser.parse_args()
    chosen = [Store(options.choose)]
    weights = score(chosen, gaussian_weights(LENGTH))
    base = score(chosen, lambda answer, points, rows: np.zeros((3, len(rows))), method_of(options.base, chosen[0]), OLD)
    scores: dict[Training, Scores] = {}
    for training in trainings(options):
        if not options.scores_only:
            further = ("schedule.learning_rate=1e-12",) if training == AT_FIRST else ()
            training.run(options.folder, options.base, stores(training, options.folder), further)
        if (last := training.last(options.folder)).exists():
            scores[training] = score(chosen, of_network, method_of(last, chosen[0]), OLD)
            print(f"{name_of(training)}: {scores[training].brier.mean():.4f}", file=sys.stderr, flush=True)
    print(f"{len(weights.brier)} reports, {weights.event.sum()} of them MVFR or worse\n")
    print("| method, hours + fields | Brier score (95 %) | over no fields | over the weights | old |")
    print("|---|---|---|---|---|")
    print(f"| {WEIGHTS}, {LENGTH / 1e3:.0f} km | {cells(weights, None, weights, base)} | |")
    for training, own in scores.items():
        plain = Training(training.mode, training.hours, training.steps, training.seed) if training.hours else AT_FIRST
        print(f"| {name_of(training)} | {cells(own, scores.get(plain), weights, base)} |")


if __name__ == "__main__":
    main()
