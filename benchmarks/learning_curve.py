"""Claim: what decides is how many dates a network has seen; and there is a floor that no number of them goes below.

    python benchmarks/learning_curve.py [--steps 500] [--config configs/training/vit_reports.yaml]
    python benchmarks/learning_curve.py --only "2 hours" "16 hours" --from output/vit/weather/checkpoints/best

Trains the same network with the same number of steps on one part of its stores after another and prints the least
score at the hours that choose: mean CRPS over variables, in units of each variable's scale. Trainings are in temporary
folders and begin with random weights, or with those of a stage before. Needs the stores
(docs/vision_transformer.md) and half an hour of a core.

The floor: two stations near each other and at one height differ by both reports' errors, and by the weather between
them. Half the mean square of their differences, less what a regression explains, is the variance that no analysis of
other stations explains. Of pairs closer than a few km at the hours that choose; the interval draws pairs anew.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from mlrtma_dist import config, names
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.predictands import PREDICTANDS
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.training import metrics

ROOT = Path(__file__).resolve().parent.parent
STORES = {  # what a line of the table is trained on
    "2 hours, 2 dates": ("metar_text",),
    "20 hours of one date": ("sao",),
    "16 hours, 16 dates": ("metar_world",),
    "85 hours, 30 dates": ("metar_text", "sao", "metar_world", "metar_us_202604"),
}
CLOSE, LEVEL = 8e3, 30.0  # m, of the pairs of the floor, along the ground and in height
DRAWS = 1000


def score(stores: tuple[str, ...], options: argparse.Namespace) -> float:
    """The least validation score of a training on some stores."""
    samples = ",".join(f"output/reports/{name}.h5" for name in stores)
    with tempfile.TemporaryDirectory() as folder:
        changes = [
            f"samples=[{samples}]", f"output={folder}/run", f"schedule.steps={options.steps}",
            "schedule.validate_every=100", f"schedule.checkpoint_every={options.steps}",
        ]  # fmt: skip
        if options.begin_from:
            changes.append(f"begin_from={options.begin_from}")
        words = [word for change in changes for word in ("--set", change)]
        command = [sys.executable, "-m", "jobs.command", "train", options.config, *words]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path}, stdout=sys.stderr)
        rows = metrics.read(Path(folder) / "run" / metrics.FILE)
    return min(row["validation"] for row in rows if np.isfinite(row["validation"]))


def floors() -> dict[str, tuple[int, float, float, float]]:
    """Smooth variable -> pairs, floor of the rmse, and the ends of its interval of 95 %."""
    path = config.find("verification", "choose")
    section = config.build(CasesSection, config.load_yaml(path)["cases"], str(path))
    cases = open_cases(section, assumptions(load_settings("classical")))
    whole = Box.whole(cases.contents.domain.shape)
    halves: dict[str, list[np.ndarray]] = {}
    for number in range(len(cases.time)):
        case = cases.case(number, whole)
        for name in ("t2m", "d2m", "u10", "v10", "psfc", "sky_cover"):
            rows = case.used & (case.observations.variable == name)
            points, departure = case.points[rows], case.departure[rows]
            pairs = cKDTree(points.position).query_pairs(CLOSE, output_type="ndarray")
            level = np.abs(np.diff(points.elevation[pairs], axis=1)[:, 0]) < LEVEL
            station = case.station_number[rows][pairs]
            pairs = pairs[level & (station[:, 0] != station[:, 1])]
            halves.setdefault(name, []).append(0.5 * np.diff(departure[pairs], axis=1)[:, 0] ** 2)
    random, result = np.random.default_rng(0), {}
    for name, parts in halves.items():
        half = np.concatenate(parts)
        drawn = np.sqrt(random.choice(half, (DRAWS, len(half))).mean(axis=1))
        low, high = np.quantile(drawn, (0.025, 0.975))
        result[name] = (len(half), float(np.sqrt(half.mean())), float(low), float(high))
    return result


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--config", default="configs/training/vit_reports.yaml")
    parser.add_argument("--only", nargs="+", default=[""], help="lines of the table whose names begin so")
    parser.add_argument("--from", dest="begin_from", default="", help="a checkpoint that the trainings begin with")
    parser.add_argument("--floor-only", action="store_true", help="train nothing")
    options = parser.parse_args()
    if unknown := [each for each in options.only if not any(words.startswith(each) for words in STORES)]:
        parser.error(f"--only: expected beginnings of {'; '.join(STORES)}, got {unknown[0]!r}")
    print("| variable | pairs | floor of the rmse (95 %) | assumed error of a report |\n|---|---|---|---|")
    for name, (count, floor, low, high) in floors().items():
        error = PREDICTANDS[name].error
        print(
            f"| {name} | {count} | {floor:.3g} ({low:.3g} to {high:.3g}) {names.VARIABLES[name].unit} | {error:.3g} |"
        )
    if options.floor_only:
        return
    print(f"\n| trained on | score after {options.steps} steps |\n|---|---|")
    for words, stores in STORES.items():
        if not words.startswith(tuple(options.only)):
            continue
        print(f"| {words} | {score(stores, options):.4f} |", flush=True)


if __name__ == "__main__":
    main()
