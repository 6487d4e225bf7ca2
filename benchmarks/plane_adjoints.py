"""Claim: a balanced flow does not show an emulator of shallow water what its tangent linear is; derivatives do.

    python benchmarks/plane_adjoints.py --networks output/plane_emulators --figure docs/images/plane_adjoints.png

Emulators of ten minutes of the world of `fourdvar_shallow.py` (`plane_emulator.py`) are trained, or taken from the
folder, and judged on cases of which none trained them, in deviations of the climate: the error of one step over the
change in it; of the state after 100 minutes, beside persistence; the relative error of the tangent linear of one step,
of the adjoint and of ten steps, for white perturbations and for draws of B, those that 4D-Var makes; and the share of
the squares of the adjoint of one element that lies further than `REACH` points from it, where waves and wind do not
come from in ten minutes. The figure is the adjoint of the height at one point after 50 minutes, on the height.
"""

import argparse
from pathlib import Path

import fourdvar_shallow as plane
import matplotlib
import numpy as np
import plane_emulator as emulators
import torch
from plane_emulator import DEVIATION
from torch import Tensor

from mlrtma_dist.methods.spectral_root import SpectralRoot
from mlrtma_dist.physics.linearise import Linearised, Step

matplotlib.use("agg")
import matplotlib.pyplot as plt

FIRST, STEPS, REACH = 3_000_000, 10, 4  # number of the first case that judges; steps of 100 minutes; grid points
CENTRE = plane.WORLD.size // 2
NAMES = tuple(f"{kind}, {name}" for kind in emulators.KINDS for name in emulators.RECIPES)
ROW = 5  # panels of the figure side by side


def norm(field: Tensor) -> float:
    """Root mean square in deviations of the climate."""
    return float((field / DEVIATION).square().mean().sqrt())


def path(step: Step, state: Tensor, steps: int) -> list[Tensor]:
    """The states at the start and after each step."""
    states = [state]
    with torch.no_grad():
        for _ in range(steps):
            states.append(step(states[-1]))
    return states


def tangents(step: Step, states: list[Tensor], perturbation: Tensor) -> list[Tensor]:
    """Tangent linears of a perturbation of the first state, along these states, after each step."""
    result = []
    for state in states:
        perturbation = Linearised(step, state).tangent(perturbation)
        result.append(perturbation)
    return result


def response(step: Step, states: list[Tensor], field: int) -> Tensor:
    """The adjoint of one element at the centre of a field after steps from each of these states, in deviations."""
    covector = torch.zeros_like(states[0])
    covector[:, field, CENTRE, CENTRE] = 1.0 / float(DEVIATION[field])
    for state in reversed(states):
        covector = Linearised(step, state).adjoint(covector)
    return covector * DEVIATION


def far(response_: Tensor) -> float:
    """The share of squares further than `REACH` points from the centre, in y or in x."""
    squares = response_.square()
    total, near = squares.sum(), slice(CENTRE - REACH, CENTRE + REACH + 1)
    squares[..., near, near] = 0.0
    return float(squares.sum() / total)


def derivatives(step: Step, states: list[Tensor], root: SpectralRoot) -> list[Tensor]:
    """M dx of white dx; of a draw of B, over one step and over ten; M^T y of white y: in deviations of the climate."""
    random = torch.Generator().manual_seed(7)
    white, smooth = (torch.randn(states[0].shape, generator=random, dtype=states[0].dtype) for _ in range(2))
    along = tangents(step, states[:STEPS], root(smooth))
    one = tangents(step, states[:1], DEVIATION * white)[0]
    adjoint = Linearised(step, states[0]).adjoint(white / DEVIATION)
    return [one / DEVIATION, along[0] / DEVIATION, along[-1] / DEVIATION, adjoint * DEVIATION]


def measures(step: Step, states: list[Tensor], root: SpectralRoot, exact: list[Tensor]) -> list[float]:
    """A line of the table; ``states`` are the true model's, ten minutes apart, ``exact`` its `derivatives`."""
    last = path(step, states[0], STEPS)
    row = [norm(last[1] - states[1]) / norm(states[1] - states[0]), norm(last[-1] - states[-1])]
    own = derivatives(step, states, root)
    row += [float((each - true).norm() / true.norm()) for each, true in zip(own, exact, strict=True)]
    return [*row, float(np.mean([far(response(step, states[:1], field)) for field in range(3)]))]


def draw(steps: dict[str, Step], state: Tensor, path_to: Path) -> None:
    """Maps of the adjoint of the height at the centre after 50 minutes, on the height at the start."""
    rows = -(-len(steps) // ROW)
    figure, panels = plt.subplots(rows, ROW, figsize=(2.4 * ROW, 2.9 * rows), sharey=True, layout="constrained")
    states = path(emulators.true_step, state, STEPS // 2 - 1)
    most = 0.7 * float(response(emulators.true_step, states, 0)[0, 0].abs().max())
    for panel in panels.flat[len(steps) :]:
        panel.axis("off")
    for panel, (name, step) in zip(panels.flat[: len(steps)], steps.items(), strict=True):
        field = response(step, states, 0)[0, 0]
        panel.imshow(field, origin="lower", cmap="RdBu_r", vmin=-most, vmax=most)
        panel.set_title(name.replace(", ", "\n"), fontsize=9)
    path_to.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path_to, dpi=80)


def main() -> None:
    """Train what is not there, judge, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=Path, required=True, help="folder of trained networks")
    parser.add_argument("--emulators", nargs="*", default=NAMES, metavar="NETWORK, LOSS")
    parser.add_argument("--climate", type=int, default=640, help="cases that the networks learn from")
    parser.add_argument("--cases", type=int, default=8, help="that judge")
    parser.add_argument("--figure", type=Path, help="write the figure to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    learnt = plane.trajectories(0, options.climate)
    root = plane.Climate.of(learnt, 2).root
    data = lambda: emulators.Data.of(learnt, root)  # noqa: E731
    states = path(emulators.true_step, plane.trajectories(FIRST, options.cases)[0], STEPS)
    columns = ("one step", "100 minutes", "TL, white", "TL of B", "10 steps", "AD, white", "far", "seconds")
    print(f"| emulator | loss | {' | '.join(columns)} |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    print(f"| persistence | | 1 | {norm(states[-1] - states[0]):.3f} | | | | | | |")
    exact = derivatives(emulators.true_step, states, root)
    true = measures(emulators.true_step, states, root, exact)
    print(f"| true model | | {' | '.join(f'{each:.2g}' for each in true)} | |", flush=True)
    steps = {"true model": emulators.true_step}
    for name in options.emulators:
        kind, _, recipe = name.partition(", ")
        step, seconds = emulators.trained(kind, recipe, data, options.climate, options.networks)
        step = step.double()
        row = " | ".join(f"{each:.3g}" for each in measures(step, states, root, exact))
        print(f"| {kind} | {recipe} | {row} | {seconds:.0f} |", flush=True)
        steps[name] = step
    if options.figure:
        draw(steps, states[0][:1], options.figure)


if __name__ == "__main__":
    main()
