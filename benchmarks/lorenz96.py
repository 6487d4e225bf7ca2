"""Claim: 4D-Var of the model of Lorenz (1996) has the errors that others have measured for it.

    python benchmarks/lorenz96.py
    python benchmarks/lorenz96.py --cycles 40 --seeds 4

The setting is that of Sakov and Oke (2008) in DAPPER: 40 places, F = 8, steps of 0.05, every place observed with errors
of deviation 1, every 0.05 or every 0.2 units of time. Truth and errors of each seed are its own; all seeds run side by
side as one state. B is a share of the covariance of the model's climate; the share of each method is the best of a few
on other seeds. Windows of 4D-Var begin ``lag`` observation times before the newest one, hold all observations after
their start, and move on by one; the background is the trajectory of the window before. Printed is, for each method, the
rmse of the analysis at the newest time after the first quarter of the cycles, with one standard error over seeds, and
what DAPPER gives (DAPPER's own 4D-Var applies the observation operator at the wrong time; the figure is after mending
that).
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.methods.fourdvar import Observations, Window, minimise
from mlrtma_dist.physics.lorenz96 import Lorenz96

Step = Callable[[Tensor], Tensor]
PLACES, SPIN_UP, TUNING_SEED = 40, 400, 1000
MODEL = Lorenz96()
PEER = {
    ("OI", 0.05): "0.940",
    ("3D-Var", 0.05): "0.446",
    ("OI", 0.2): "0.937",
    ("3D-Var", 0.2): "0.887",
    ("4D-Var, lag 1", 0.2): "0.488",
    ("4D-Var, lag 2", 0.2): "0.421 +- 0.011",
}
SHARES = {"OI": (1.0,), "3D-Var": (0.01, 0.02, 0.05, 0.1, 0.2), "4D-Var": (0.01, 0.02, 0.04)}


@dataclass(frozen=True)
class World:
    """Truths and observations of many seeds side by side, shape (cycle, seed, place) each; time 0 is not observed."""

    truth: Tensor
    observed: Tensor
    steps: int

    @classmethod
    def draw(cls, seed: int, seeds: int, cycles: int, steps: int) -> "World":
        """The world of a seed."""
        random = torch.Generator().manual_seed(seed)
        noise = torch.randn(cycles + 2, seeds, PLACES, generator=random, dtype=torch.float64)
        states = [MODEL.run(MODEL.forcing + noise[0], SPIN_UP)]
        for _ in range(cycles):
            states.append(MODEL.run(states[-1], steps))
        truth = torch.stack(states)
        return cls(truth, truth + noise[1:], steps)

    def error(self, analyses: list[Tensor]) -> np.ndarray:
        """Rmse of the analyses of cycles 1 on, without the first quarter, of each seed, shape (seed,)."""
        skipped = len(analyses) // 4
        departure = torch.stack(analyses)[skipped:] - self.truth[1 + skipped : 1 + len(analyses)]
        return departure.square().mean((0, 2)).sqrt().numpy()


def climate() -> tuple[Tensor, Tensor]:
    """Mean and root of the covariance of the model's states."""
    state = MODEL.forcing + torch.randn(200, PLACES, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    states = [state := MODEL.run(state, 40) for _ in range(60)][10:]
    sample = torch.cat(states)
    return sample.mean(0), torch.linalg.cholesky(torch.cov(sample.T))


def window(world: World, background: Tensor, root: Tensor, first: int, last: int, step: Step) -> Window:
    """From cycle ``first``, which is not observed, to ``last``; ``step`` is that of the model that 4D-Var has."""
    unit = torch.ones(background.numel(), dtype=torch.float64)
    observed = [Observations(world.observed[k].flatten(), unit, torch.flatten) for k in range(first + 1, last + 1)]

    def model(state: Tensor) -> Tensor:
        for _ in range(world.steps):
            state = step(state)
        return state

    return Window(background, lambda v: v @ root.T, model, [None, *observed])


def interpolation(world: World, mean: Tensor, root: Tensor, share: float, *, cycled: bool) -> list[Tensor]:
    """OI about the climate's mean, or 3D-Var about the forecast of the analysis before."""
    covariance = share * root @ root.T
    gain = covariance @ torch.linalg.inv(covariance + torch.eye(PLACES, dtype=torch.float64))
    analyses, state = [], mean.expand_as(world.truth[0])
    for cycle in range(1, len(world.truth)):
        state = MODEL.run(state, world.steps) if cycled else mean
        state = state + (world.observed[cycle] - state) @ gain.T
        analyses.append(state)
    return analyses


def fourdvar(
    world: World,
    mean: Tensor,
    root: Tensor,
    share: float,
    lag: int,
    step: Step = MODEL.step,
    start: Tensor | None = None,
    **settings,
) -> list[Tensor]:
    """4D-Var with windows of ``lag`` observation times, by a model whose step is ``step``; settings of `minimise`.

    The first windows, at time 0, begin with the climate, or with ``start``, of analyses' quality, shape (seed, place).
    """
    settings = {"outer_loops": 4, "tolerance": 1e-4, **settings}
    analyses, first = [], 0
    initial = background = mean.expand_as(world.truth[0]) if start is None else start
    for cycle in range(1, len(world.truth)):
        scale = share**0.5 if first or start is not None else 1.0
        states = minimise(window(world, background, scale * root, first, cycle, step), **settings).states
        analyses.append(states[-1])
        if cycle - first == lag:
            background, first = states[1], first + 1
        else:
            background = initial
    return analyses


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--tuning-cycles", type=int, default=20)
    options = parser.parse_args()
    mean, root = climate()
    print("| observed every | method | share of the climate's covariance | rmse of the analysis | DAPPER |")
    print("|---|---|---|---|---|")
    for steps in (1, 4):
        every = steps * MODEL.time_step
        methods: dict[str, Callable[[World, float], list[Tensor]]] = {
            "OI": lambda world, share: interpolation(world, mean, root, share, cycled=False),
            "3D-Var": lambda world, share: interpolation(world, mean, root, share, cycled=True),
        }
        if steps == 4:
            methods |= {
                f"4D-Var, lag {lag}": lambda world, share, lag=lag: fourdvar(world, mean, root, share, lag)
                for lag in (1, 2)
            }
        length = options.cycles * (4 // steps)  # the same time for both
        tuning = World.draw(TUNING_SEED, options.seeds, options.tuning_cycles * (4 // steps), steps)
        world = World.draw(1, options.seeds, length, steps)
        for name, run in methods.items():
            shares = SHARES[name.partition(",")[0]]
            share = min(shares, key=lambda each, run=run: float(np.mean(tuning.error(run(tuning, each)))))
            errors = world.error(run(world, share))
            spread = errors.std(ddof=1) / len(errors) ** 0.5
            peer = PEER.get((name, every), "")
            print(f"| {every:g} | {name} | {share:g} | {errors.mean():.3f} +- {spread:.3f} | {peer} |", flush=True)


if __name__ == "__main__":
    main()
