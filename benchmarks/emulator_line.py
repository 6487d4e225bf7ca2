"""Claim: where the residual of the equations in the loss helps an emulator of shallow water on a line, and where not.

    python benchmarks/emulator_line.py --seeds 2 --figure docs/images/emulator_line.png
    python benchmarks/emulator_line.py --seeds 8 --longer 5        # for those with more time

Emulators with long steps (`line_emulator.py`): a U-net and a step of local products. The loss is that of the data plus
lambda times the square of the residual (`physics/residual.py`), taken either at the states of the data or at states
without a truth: random ones of any amplitude and what the emulator makes of them. Data: 80 pairs (4 trajectories of 20
steps) or 2000 (100 trajectories), root mean squares of h from 0.3 to 0.8 m. Each seed has data and first weights of its
own. Judged are 12 trajectories of 100 steps, of such amplitudes and of twice that. Printed are the rmse and the
residual after 1, 10 and 100 steps in deviations of the states, means over seeds with a standard error, and the figure
has them against lead time. Results are kept in the file of ``--results``; what is there is not computed again. For
each seed it takes 4 minutes of one core.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import line_emulator as line
import matplotlib
import numpy as np
import torch
from line_emulator import Recipe

matplotlib.use("agg")
import matplotlib.pyplot as plt

LEADS, JUDGED = (1, 10, 100), 12
FEW, MANY = 4, 100  # trajectories
RECIPES = {
    "data alone": Recipe(),
    "data alone, twice as long": Recipe(steps=800),  # as many evaluations as with the residual anywhere
    "residual at the data, 0.1": Recipe(weight=0.1),
    "residual at the data, 1": Recipe(weight=1.0),
    "residual at the data, 10": Recipe(weight=10.0),
    "residual anywhere, 0.1": Recipe(weight=0.1, where="free"),
    "residual anywhere, 1": Recipe(weight=1.0, where="free"),
    "residual anywhere, 10": Recipe(weight=10.0, where="free"),
    "residual anywhere, no data": Recipe(weight=1.0, where="free", data=False),
}
RUNS = [(kind, FEW, name) for kind in ("U-net", "product") for name in RECIPES] + [
    (kind, MANY, name)
    for kind in ("U-net", "product")
    for name in ("data alone", "data alone, twice as long", "residual at the data, 1", "residual anywhere, 1")
]
DRAWN = {"data alone": "C3", "residual at the data, 1": "C1", "residual anywhere, 1": "C0"}


def inference(step: torch.nn.Module, truth: torch.Tensor) -> dict[str, list[float]]:
    """Rmse and residual after each long step, in deviations of the states; ``truth`` as of `true_path`."""
    curves: dict[str, list[float]] = {"rmse": [], "residual": []}
    state = truth[0]
    with torch.no_grad():
        for end in truth[line.PARTS :: line.PARTS]:
            path = step.path(state)
            state = path[-1]
            curves["rmse"].append(float(((state - end) / line.DEVIATION).square().mean().sqrt()))
            curves["residual"].append(float(line.residuals(path).square().mean().sqrt()))
    return curves


def compute(seeds: int, longer: float, file: Path) -> list[dict]:
    """Every run of every seed, those in the file as they are; the file grows with each."""
    results = [json.loads(row) for row in file.read_text().splitlines()] if file.is_file() else []
    done = {(row["kind"], row["cases"], row["recipe"], row["seed"]) for row in results}
    random = torch.Generator().manual_seed(999)
    truths = {
        name: line.true_path(line.random_states(JUDGED, amplitudes, random), max(LEADS))
        for name, amplitudes in (("usual", line.USUAL), ("unseen", line.UNSEEN))
    }
    for seed in range(seeds):
        for kind, cases, name in RUNS:
            if (kind, cases, name, seed) in done:
                continue
            recipe = replace(RECIPES[name], steps=round(longer * RECIPES[name].steps))
            emulator, seconds = line.train(kind, line.pairs_of(cases, 20, seed), recipe, seed)
            curves = {world: inference(emulator, truth) for world, truth in truths.items()}
            row = {"kind": kind, "cases": cases, "recipe": name, "seed": seed, "seconds": seconds, **curves}
            results.append(row)
            with file.open("a") as lines:
                lines.write(json.dumps(row) + "\n")
    return results


def floors() -> dict[str, float]:
    """The residual of the true trajectories, which is that of the formula alone."""
    random = torch.Generator().manual_seed(999)
    values = {}
    for name, amplitudes in (("usual", line.USUAL), ("unseen", line.UNSEEN)):
        path = line.true_path(line.random_states(JUDGED, amplitudes, random).double(), 20)
        values[name] = float(line.residuals(path).square().mean().sqrt())
    return values


def curve(rows: list[dict], world: str, quantity: str) -> np.ndarray:
    """Of each seed, shape (seed, lead); infinite where an emulator has left all bounds."""
    values = np.array([row[world][quantity] for row in rows], float)
    return np.where(np.isfinite(values), values, np.inf)


def words(values: np.ndarray) -> str:
    """Mean and standard error over seeds, shape (seed,)."""
    off = ~(values < 10.0)
    if off.any():
        return f"off in {off.sum()} of {len(values)}"
    return f"{values.mean():.3f} +- {values.std(ddof=1) / len(values) ** 0.5:.3f}" if len(values) > 1 else str(values)


def table(results: list[dict]) -> None:
    """Print both tables: usual and unseen amplitudes."""
    for world in ("usual", "unseen"):
        print(f"\n{world} amplitudes; the true trajectories' own residual is {floors()[world]:.4f}\n")
        print("| network | pairs | loss | rmse after 1 step | 10 | 100 | residual, step 1 | 10 | 100 | seconds |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        for kind, cases, name in RUNS:
            rows = [row for row in results if (row["kind"], row["cases"], row["recipe"]) == (kind, cases, name)]
            if not rows:
                continue
            cells = [
                words(curve(rows, world, quantity)[:, lead - 1]) for quantity in ("rmse", "residual") for lead in LEADS
            ]
            pairs = "none" if name.endswith("no data") else 20 * cases
            seconds = float(np.mean([row["seconds"] for row in rows]))
            print(f"| {kind} | {pairs} | {name} | {' | '.join(cells)} | {seconds:.0f} |", flush=True)


def draw(results: list[dict], path: Path) -> None:
    """The talk's two figures: rmse and residual against lead time; 80 pairs; both networks; both amplitudes."""
    figure, panels = plt.subplots(2, 4, figsize=(13.0, 6.0), sharex=True, sharey="row", layout="constrained")
    hours = np.arange(1, max(LEADS) + 1) * line.PARTS * line.PART_SECONDS / 3600.0
    columns = [(kind, world) for world in ("usual", "unseen") for kind in ("U-net", "product")]
    for column, (kind, world) in enumerate(columns):
        for name, colour in DRAWN.items():
            rows = [row for row in results if (row["kind"], row["cases"], row["recipe"]) == (kind, FEW, name)]
            for row, quantity in enumerate(("rmse", "residual")):
                for number, values in enumerate(curve(rows, world, quantity)):
                    panels[row, column].semilogy(hours, values, colour, lw=1.0, label=name if number == 0 else None)
        panels[1, column].axhline(floors()[world], color="k", lw=0.8, ls=":", label="true trajectories")
        panels[0, column].set_title(f"{kind}, {world} amplitudes")
        panels[1, column].set(xlabel="lead time, h")
    panels[0, 0].set(ylabel="rmse, deviations", ylim=(1e-2, 5.0))
    panels[1, 0].set(ylabel="residual, deviations", ylim=(1e-4, 1.0))
    panels[1, 0].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def main() -> None:
    """Train, judge, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--longer", type=float, default=1.0, help="each training takes so many times 400 steps")
    parser.add_argument("--results", type=Path, default=Path("output/emulator_line.jsonl"))
    parser.add_argument("--figure", type=Path, help="write the figure to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    results = compute(options.seeds, options.longer, options.results)
    table(results)
    if options.figure:
        draw(results, options.figure)


if __name__ == "__main__":
    main()
