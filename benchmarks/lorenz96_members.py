"""Claim: members in the covariance of 4D-Var pay in the model of Lorenz (1996), and the LETKF has its known error.

    python benchmarks/lorenz96_members.py
    python benchmarks/lorenz96_members.py --cycles 40 --seeds 4

The worlds are those of `benchmarks/lorenz96.py`, truths and observations alike. The LETKF is that of the software
(`methods.letkf`), whose places lie on a circle; its members run beside each 4D-Var and are centred on its analysis.
Windows have one observation time: B at their start is (1 - s) times a share of the climate's covariance plus s times
the localised covariance of the members after the analysis before. Inflation, radius, s and the climate's share are the
best of a few on another world. Printed is the rmse of the analysis at the newest time with one standard error over
seeds, and, for the LETKF every 0.05, what DAPPER gives with 7 members.
"""

import argparse
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from lorenz96 import MODEL, PLACES, TUNING_SEED, World, climate, window
from torch import Tensor

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.localisation import Localisation, gaspari_cohn
from mlrtma_dist.methods.fourdvar import Observations, Window, minimise
from mlrtma_dist.methods.fourdvar_members import HybridRoot, MemberWindow
from mlrtma_dist.methods.letkf import LETKF

PEER = {("LETKF", 0.05, 7): "0.235"}
CLIMATE_SHARE = 0.02  # of 4D-Var with lag 1 in benchmarks/lorenz96.py


@dataclass(frozen=True)
class Choice:
    """What is chosen on another world.

    Attributes:
        inflation: factor on the variance of the members; radius: of localisation, in places.
        share: s of the members in B.
    """

    inflation: float
    radius: float
    share: float = 1.0


def circle() -> Points:
    """The places of the model on a circle of that circumference; distances are chords."""
    angle, zero = 2.0 * np.pi * np.arange(PLACES) / PLACES, np.zeros(PLACES)
    position = PLACES / (2.0 * np.pi) * np.stack([np.cos(angle), np.sin(angle), zero], 1)
    return Points(zero, zero, position, zero, zero, zero)


CIRCLE = circle()
ERROR = np.ones(PLACES)


def letkf(forecast: Tensor, observed: Tensor, choice: Choice) -> Tensor:
    """Analysed members (member, seed, place), of the members' forecast and the observations (seed, place)."""
    result = torch.empty_like(forecast)
    for seed in range(forecast.shape[1]):
        members = forecast[:, seed].numpy()
        mean = members.mean(0)
        perturbations = members - mean
        method = LETKF(lambda points, x=perturbations: x, Localisation(choice.radius), choice.inflation)
        fit = method.fit(CIRCLE, observed[seed].numpy() - mean, ERROR)
        result[:, seed] = torch.from_numpy(mean + fit.increment(CIRCLE) + fit.members(CIRCLE))
    return result


def localisation_root(radius: float) -> Tensor:
    """The symmetric root of the localisation of the places."""
    chord = np.linalg.norm(CIRCLE.position[:, None] - CIRCLE.position, axis=-1)
    values, vectors = np.linalg.eigh(gaspari_cohn(chord / radius))
    return torch.from_numpy(vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T)


def first_members(world: World, mean: Tensor, root: Tensor, count: int) -> Tensor:
    """States of the climate, shape (count, seed, place)."""
    random = torch.Generator().manual_seed(3)
    return mean + torch.randn(count, *world.truth[0].shape, generator=random, dtype=torch.float64) @ root.T


def filtered(world: World, climate_of: tuple[Tensor, Tensor], count: int, choice: Choice) -> list[Tensor]:
    """Analyses by the LETKF."""
    members, analyses = first_members(world, *climate_of, count), []
    for cycle in range(1, len(world.truth)):
        members = letkf(MODEL.run(members, world.steps), world.observed[cycle], choice)
        analyses.append(members.mean(0))
    return analyses


def variational(
    world: World, climate_of: tuple[Tensor, Tensor], count: int, choice: Choice, *, in_place: bool
) -> list[Tensor]:
    """Analyses by En4DVar, or, ``in_place`` of tangent linear and adjoint, by 4DEnVar."""
    mean, root = climate_of
    spread = localisation_root(choice.radius)
    members, analyses = first_members(world, mean, root, count), []
    start = members.mean(0)
    for cycle in range(1, len(world.truth)):
        deviations = choice.inflation**0.5 * (members - members.mean(0))
        hybrid = HybridRoot(deviations, lambda v: v @ spread.T, lambda v: CLIMATE_SHARE**0.5 * v @ root.T, choice.share)
        plain = window(world, start, root, cycle - 1, cycle)
        problem = Window(start, hybrid, plain.model, plain.observed, fields=hybrid.fields)
        if in_place:
            problem = members_in_place(start, deviations, problem.observed, world.steps, spread)
        state = minimise(problem, outer_loops=4, tolerance=1e-4).states[-1]
        forecast = MODEL.run(members, world.steps)
        members = letkf(forecast, world.observed[cycle], choice)
        members = members - members.mean(0) + state
        analyses.append(state)
        start = state
    return analyses


def members_in_place(
    start: Tensor, deviations: Tensor, observed: list[Observations | None], steps: int, spread: Tensor
) -> MemberWindow:
    """The window of 4DEnVar, whose members are carried by the model from the background and their deviations."""
    end, carried = MODEL.run(start, steps), MODEL.run(start + deviations, steps)
    trajectory = torch.stack([deviations, carried - carried.mean(0)])
    return MemberWindow(torch.stack([start, end]), trajectory, lambda v: v @ spread.T, observed)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--tuning-cycles", type=int, default=24)
    options = parser.parse_args()
    climate_of = climate()
    filters = [Choice(inflation, radius) for inflation, radius in product((1.05, 1.15, 1.3), (7.0, 11.0))]
    hybrids = [Choice(c.inflation, c.radius, share) for c, share in product(filters, (0.5, 0.8, 1.0))]
    runs = [
        ("LETKF", 1, 7, filters, filtered),
        ("LETKF", 4, 7, filters, filtered),
        ("LETKF", 4, 20, filters, filtered),
        ("En4DVar, lag 1", 4, 20, hybrids, lambda *each: variational(*each, in_place=False)),
        ("4DEnVar, lag 1", 4, 20, filters, lambda *each: variational(*each, in_place=True)),
    ]
    print("| observed every | method | members | inflation, radius, share s | rmse of the analysis | DAPPER |")
    print("|---|---|---|---|---|---|")
    for name, steps, count, choices, run in runs:
        tuning = World.draw(TUNING_SEED, 4, options.tuning_cycles * (4 // steps), steps)
        world = World.draw(1, options.seeds, options.cycles * (4 // steps), steps)
        errors = [float(np.mean(tuning.error(run(tuning, climate_of, count, each)))) for each in choices]
        choice = choices[int(np.argmin(errors))]
        error = world.error(run(world, climate_of, count, choice))
        spread = error.std(ddof=1) / len(error) ** 0.5
        every, peer = steps * MODEL.time_step, PEER.get((name, steps * MODEL.time_step, count), "")
        how = f"{choice.inflation:g}, {choice.radius:g}, {choice.share:g}"
        print(f"| {every:g} | {name} | {count} | {how} | {error.mean():.3f} +- {spread:.3f} | {peer} |", flush=True)


if __name__ == "__main__":
    main()
