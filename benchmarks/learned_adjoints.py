"""Claim: how real tangent linear and adjoint of emulators are, and what they do to 4D-Var, judged by the true model.

    python benchmarks/learned_adjoints.py --figure docs/images/learned_adjoints.png
    python benchmarks/learned_adjoints.py --trainings 5 --seeds 32 --cycles 60           # for those with more time

Emulators of the model of Lorenz (1996), one step of 0.05, from 76,000 states: a network of two hidden layers of 256
(MLP) and one of local products; trained on forecasts, on those and tangent linear and adjoint in random directions, or
on those and the residual of the equation at states off the attractor. Emulators of shallow water on a line, one long
step of 1000 s (`line_emulator.py`), from 2000 pairs: a U-net and local products, with the same losses. Printed are the
error of one step (of the line in deviations of the state), the root mean square errors of the Jacobian and, where the
true one is zero (below 1e-6 of its largest element), the size of what the emulator has there, and the relative error of
tangent linears along the true trajectory after several steps. Then 4D-Var of Lorenz's model as in `lorenz96.py`, every
0.2, lag 2, where the true model makes truth and observations: once with the emulator as the model, once with the true
model and the emulator's tangent linear and adjoint; two outer loops to 1e-2. All of it takes 12 minutes of one core.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import line_emulator as line
import lorenz96
import lorenz_emulator as lorenz
import matplotlib
import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.errors import InputError
from mlrtma_dist.physics.linearise import Linearised, with_derivative_of

matplotlib.use("agg")
import matplotlib.pyplot as plt

Step = Callable[[Tensor], Tensor]
STATES, LINES, SHARES = 20, 5, (0.01, 0.1)  # states of Lorenz's model, of the line; shares of B
FIRST_ERROR = 0.5  # deviation, of the first background of 4D-Var
CHEAP = {"outer_loops": 2, "tolerance": 1e-2}
LORENZ = {
    "forecast": lorenz.Recipe(),
    "+ TL and AD": lorenz.Recipe(derivatives=1.0),
    "+ residual": lorenz.Recipe(residual=1.0),
}
LINE = {
    "forecast": line.Recipe(),
    "+ TL and AD": line.Recipe(derivatives=1.0),
    "+ residual": line.Recipe(weight=1.0, where="free"),
}


def jacobians(step: Step, states: Tensor) -> Tensor:
    """Those of cases (case, ...) that do not depend on each other, shape (case, values, elements)."""
    linear, elements = Linearised(step, states), states[0].numel()
    columns = torch.eye(elements, dtype=states.dtype).reshape(elements, 1, *states.shape[1:]).expand(-1, *states.shape)
    return torch.stack([linear.tangent(column.contiguous()).flatten(1) for column in columns], 2)


def along(step: Step, model: Step, states: Tensor, steps: int) -> list[Tensor]:
    """Tangent linears of white perturbations, those of ``step``, along the trajectory of ``model``, after each step."""
    tangent = torch.randn(states.shape, generator=torch.Generator().manual_seed(1), dtype=states.dtype)
    tangents = []
    for _ in range(steps):
        tangent = Linearised(step, states).tangent(tangent)
        tangents.append(tangent)
        with torch.no_grad():
            states = model(states)
    return tangents


def measures(step: Step, model: Step, states: Tensor, unit: float, leads: tuple[int, ...]) -> list[float]:
    """Errors of one step, of the Jacobian, where the true one is zero, and of tangent linears after ``leads``."""
    with torch.no_grad():
        one = float(((step(states) - model(states)) / unit).square().mean().sqrt())
    true, own = jacobians(model, states), jacobians(step, states)
    nothing = true.abs() < 1e-6 * true.abs().max()
    errors = [one, float((own - true).square().mean().sqrt()), float(own[nothing].square().mean().sqrt())]
    exact, learnt = along(model, model, states, max(leads)), along(step, model, states, max(leads))
    return errors + [float((learnt[k - 1] - exact[k - 1]).norm() / exact[k - 1].norm()) for k in leads]


def smooth_error(step: Step, states: Tensor) -> float:
    """The relative error of one step's tangent linear for perturbations as smooth as the line's states."""
    random = torch.Generator().manual_seed(3)
    smooth = (line.random_states(len(states), line.USUAL, random) - line.MEAN).to(states)
    true, learnt = (Linearised(each, states).tangent(smooth) for each in (line.true_step, step))
    return float((learnt - true).norm() / true.norm())


def response(step: Step, model: Step, state: Tensor, steps: int, covector: Tensor) -> np.ndarray:
    """The adjoint of steps about the trajectory of ``model`` from a state, of one element at its end."""
    states = [state]
    for _ in range(steps - 1):
        states.append(model(states[-1]).detach())
    for at in reversed(states):
        covector = Linearised(step, at).adjoint(covector)
    return covector.flatten()[: state.shape[-1]].numpy()


def words(rows: list[list[float]]) -> str:
    """Means over trainings, with a standard error where there are several."""
    values = np.array(rows)
    means = values.mean(0)
    if len(values) == 1:
        return " | ".join(f"{mean:.3g}" for mean in means)
    errors = values.std(0, ddof=1) / len(values) ** 0.5
    return " | ".join(f"{mean:.3g} +- {error:.1g}" for mean, error in zip(means, errors, strict=True))


def header(model: str, true: Tensor, leads: tuple[int, ...]) -> None:
    """Print a table's head."""
    print(f"\n{model}; the true Jacobian's root mean square is {float(true.square().mean().sqrt()):.3f}\n")
    steps = " | ".join(f"TL after {lead}" for lead in leads)
    print(f"| emulator | loss | one step | Jacobian | where the true one is 0 | {steps} | seconds |")
    print("|---|---" * (1 + (3 + len(leads)) // 2) + "|---" * ((3 + len(leads)) % 2) + "|---|")


def lorenz_table(trainings: int, longer: float) -> dict[str, Step]:
    """Train and judge the emulators of Lorenz's model; those of the last training."""
    states, leads = lorenz.climate(STATES, 77), (1, 10, 20)
    header("Lorenz 96", jacobians(lorenz.MODEL.step, states), leads)
    emulators = {}
    for kind in ("MLP", "product"):
        for name, recipe in LORENZ.items():
            recipe = replace(recipe, steps=round(longer * recipe.steps))
            rows = []
            for seed in range(trainings):
                step, seconds = lorenz.train(kind, lorenz.climate(76_000, seed), recipe, seed)
                rows.append([*measures(step, lorenz.MODEL.step, states, 1.0, leads), seconds])
            print(f"| {kind} | {name} | {words(rows)} |", flush=True)
            emulators[f"{kind}, {name}"] = step
    return emulators


def line_table(trainings: int, longer: float) -> dict[str, Step]:
    """Train and judge the emulators of the line; those of the last training."""
    states, leads = line.pairs_of(LINES, 3, 77)[2 * LINES :, 0].double(), (1, 3, 10)
    header("shallow water on a line", jacobians(line.true_step, states), leads)
    emulators, smooth = {}, []
    for kind in ("U-net", "product"):
        for name, recipe in LINE.items():
            recipe = replace(recipe, steps=round(longer * recipe.steps))
            rows = []
            for seed in range(trainings):
                pairs = line.pairs_of(100, 20, seed)
                learnt = line.Derivatives.of(pairs, seed) if recipe.derivatives else None
                step, seconds = line.train(kind, pairs, recipe, seed, learnt)
                unit = float(line.DEVIATION[0])
                rows.append([*measures(step.double(), line.true_step, states, unit, leads), seconds])
            print(f"| {kind} | {name} | {words(rows)} |", flush=True)
            emulators[f"{kind}, {name}"] = step
            smooth.append(f"{kind}, {name} {smooth_error(step, states):.3f}")
    print(f"\nTL after 1 of perturbations as smooth as the states (last training): {'; '.join(smooth)}", flush=True)
    return emulators


def fourdvar_table(emulators: dict[str, Step], seeds: int, cycles: int) -> None:
    """Print the rmse of 4D-Var's analyses, where the share of the climate's covariance is chosen on other seeds."""
    mean, root = lorenz96.climate()
    world, tuning = (lorenz96.World.draw(seed, seeds, length, 4) for seed, length in ((1, cycles), (1000, 6)))
    true = lorenz.MODEL.step

    def errors(where: lorenz96.World, share: float, step: Step) -> np.ndarray:
        random = torch.Generator().manual_seed(5)
        noise = torch.randn(where.truth[0].shape, generator=random, dtype=torch.float64)
        start = where.truth[0] + FIRST_ERROR * noise
        try:
            values = where.error(lorenz96.fourdvar(where, mean, root, share, 2, step, start, **CHEAP))
        except InputError:  # the conjugate gradients found no end
            return np.full(seeds, np.inf)
        return np.where(np.isfinite(values), values, np.inf)

    print("\n4D-Var of Lorenz 96, every 0.2, lag 2: rmse of the analysis\n")
    print("| model | tangent linear and adjoint | share | rmse |")
    print("|---|---|---|---|")
    rows = [("true", "true", true)]
    for name, step in emulators.items():
        rows += [(name, "its own", step), ("true", name, with_derivative_of(true, step))]
    for model, derivative, step in rows:
        share = min(SHARES, key=lambda each, step=step: float(errors(tuning, each, step).mean()))
        values = errors(world, share, step)
        error = values.std(ddof=1) / seeds**0.5
        print(f"| {model} | {derivative} | {share:g} | {values.mean():.3f} +- {error:.3f} |", flush=True)


def draw(of_lorenz: dict[str, Step], of_line: dict[str, Step], path: Path) -> None:
    """The adjoint response of one element: of Lorenz's model over 4 steps, of the line's h over 3 long steps."""
    figure, panels = plt.subplots(2, 2, figsize=(11.0, 6.0), sharey="row", layout="constrained")
    ring = torch.zeros(1, lorenz.PLACES, dtype=torch.float64)
    ring[0, 20] = 1.0
    water = torch.zeros(1, 2, 1, line.POINTS, dtype=torch.float64)
    water[0, 0, 0, 32] = 1.0
    rows = (
        (of_lorenz, lorenz.MODEL.step, lorenz.climate(1, 78), 4, ring),
        (of_line, line.true_step, line.pairs_of(1, 3, 78)[2:, 0].double(), 3, water),
    )
    for (emulators, model, state, steps, covector), pair in zip(rows, panels, strict=True):
        for panel, kind in zip(pair, dict.fromkeys(name.partition(",")[0] for name in emulators), strict=True):
            panel.plot(response(model, model, state, steps, covector), "k", lw=2.5, label="true")
            for name, step in emulators.items():
                if name.startswith(f"{kind},"):
                    panel.plot(response(step, model, state, steps, covector), lw=1.0, label=name)
            panel.legend(fontsize=8)
    panels[0, 0].set(ylabel="Lorenz 96: adjoint of x_20, 4 steps", xlabel="place")
    panels[1, 0].set(ylabel="line: adjoint of h_32, 3 long steps, on h", xlabel="point")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def main() -> None:
    """Train, judge, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", type=int, default=1, help="of each emulator")
    parser.add_argument("--longer", type=float, default=1.0, help="each training takes so many times its steps")
    parser.add_argument("--seeds", type=int, default=16, help="of 4D-Var's truths")
    parser.add_argument("--cycles", type=int, default=20, help="of 4D-Var")
    parser.add_argument("--figure", type=Path, help="write the figure to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    of_lorenz = lorenz_table(options.trainings, options.longer)
    of_line = line_table(options.trainings, options.longer)
    if options.figure:
        draw(of_lorenz, of_line, options.figure)
    fourdvar_table(of_lorenz, options.seeds, options.cycles)


if __name__ == "__main__":
    main()
