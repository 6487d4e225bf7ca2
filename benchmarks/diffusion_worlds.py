"""Diffusion assimilation beside tuned OI, 3D-Var and LETKF in simulated worlds that are not Gaussian.

    python benchmarks/diffusion_worlds.py                        # all worlds
    python benchmarks/diffusion_worlds.py --world fronts --only "jfps, warm"

LETKF has members that are drawn from the very distribution of which the truth is a draw; 3D-Var has covariances of many
cases; their settings are chosen on other cases than those that the table is made of. Every way of drawing is shown, and
none is tuned. CRPS is the fair one of members (Ferro 2014), that of OI and 3D-Var of a Gaussian; the rmse of a
mean of M members is divided by sqrt(1 + 1/M). Of several variables the ratios are those of the sums of CRPS over the
truth's deviation. An evaluation is a forward pass of all members, a vector-Jacobian product counts as two.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from plane_rivals import Estimate
from world_plane import PlaneSetting
from world_shallow import ShallowSetting
from world_weather import WeatherSetting

from mlrtma_dist.diffusion.denoiser import Counted
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.weights.trained import load_trained

SETTINGS = {
    "fronts": lambda: PlaneSetting("fronts"),
    "scales": lambda: PlaneSetting("scales"),
    "phases": lambda: PlaneSetting("phases"),
    "visibility": lambda: PlaneSetting("visibility"),
    "exercise2": ShallowSetting,
    "weather": WeatherSetting,
}


class Drawn:
    """The diffusion assimilation by one way of drawing, with what it cost."""

    def __init__(self, method, sampling: Sampling, indirect):
        self.method, self.sampling = method.drawing(sampling, indirect=indirect), sampling
        self.forward, self.evaluations, self.seconds, self.cases = 0, 0, 0.0, 0
        self.posterior = type(method).posterior

    def analyse(self, case: Case) -> Estimate:
        """Members of the posterior, of each variable of the case."""
        counted: list[Counted] = []

        def posterior(*arguments):
            own, unit = self.posterior(self.method, *arguments)
            counted.append(Counted(own.denoiser))
            return replace(own, denoiser=counted[0]), unit

        self.method.posterior = posterior
        began = time.perf_counter()
        answer = self.method.analyse(case)
        self.seconds += time.perf_counter() - began
        self.evaluations, self.cases = self.evaluations + counted[0].evaluations, self.cases + 1
        fields = np.stack([answer.members[name] for name in answer.variables], 1)
        return Estimate.of(fields.astype(np.float64))

    @property
    def cost(self) -> tuple[str, str]:
        """Evaluations, and seconds per member."""
        batches = -(-self.sampling.members // self.sampling.at_once)
        seconds = self.seconds / self.cases / self.sampling.members
        return f"{self.evaluations / self.cases / batches:.0f}", f"{seconds:.3g}"


def scored(analyse: Callable[[int], Estimate], setting, numbers) -> np.ndarray:
    """Scores of the estimates of cases, shape (case, 3, variable); see `plane_rivals.Estimate.scores`."""
    return np.stack([analyse(number).scores(setting.truth(number)) for number in numbers])


def row(name: str, scores: np.ndarray, scale: np.ndarray, bars: list[np.ndarray], cost: tuple[str, str]) -> str:
    """The line of a method.

    Args:
        scores: shape (case, 3, variable); scale: of each variable, shape (variable,).
        bars: CRPS of the methods that it is compared with, over ``scale``, shape (case,) each.
        cost: evaluations, and seconds per member.
    """
    crps, square, variance = scores.mean(0)
    error = scores[:, 0].std(0, ddof=1) / np.sqrt(len(scores))
    own = (scores[:, 0] / scale).mean(1)
    columns = [
        cost[0],
        ", ".join(f"{each:.4f} +- {sigma:.4f}" for each, sigma in zip(crps, error, strict=True)),
        *(ratio(own, bar) for bar in bars),
        ", ".join(f"{each:.4f}" for each in np.sqrt(square)),
        ", ".join(f"{each:.2f}" for each in np.sqrt(variance / square)),
        cost[1],
    ]
    return f"| {name} | {' | '.join(columns)} |"


def ratio(own: np.ndarray, other: np.ndarray) -> str:
    """One mean over the other, with its standard error over paired cases, by leaving out one after the other."""
    left = (own.sum() - own) / (other.sum() - other)
    return f"{own.sum() / other.sum():.3f} +- {np.std(left) * np.sqrt(len(own) - 1):.3f}"


def table(name: str, options) -> None:
    """Print the table of one world."""
    setting = SETTINGS[name]()
    chosen, unseen = setting.numbers(options.choose, options.cases)
    print(f"\n## {name}: {len(unseen)} cases, {options.members} members, {', '.join(setting.variables)}\n", flush=True)
    scale = np.std([setting.truth(number) for number in chosen], axis=(0, 2, 3))
    results: dict[str, tuple] = {}
    for each, (analyse, count) in setting.rivals(chosen).items():
        began = time.perf_counter()
        scores = scored(analyse, setting, unseen)
        seconds = f"{(time.perf_counter() - began) / len(unseen) / count:.3g}"
        results[each] = scores, ("", seconds)
    bars = [(results[each][0][:, 0] / scale).mean(1) for each in setting.bars]
    heads = "method", "evaluations", "CRPS", *(f"over that of {each}" for each in setting.bars), "rmse"
    heads = *heads, "spread / error", "s per member"
    print(f"\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|", flush=True)
    for each, (scores, cost) in results.items():
        print(row(each, scores, scale, bars, cost), flush=True)
    method = load_trained(options.checkpoint or Path(setting.checkpoint)).method
    for each, sampling in setting.samplers.items():
        if each.startswith(tuple(options.only)):
            sampling = replace(sampling, members=options.members, at_once=options.members)
            way = Drawn(method, sampling, setting.indirect)

            def analyse(number: int, way=way) -> Estimate:
                return way.analyse(setting.case(number)).thinned(setting.thinned)

            scores = scored(analyse, setting, unseen)
            print(row(each, scores, scale, bars, way.cost), flush=True)


def main() -> int:
    """Print the tables; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--world", nargs="+", choices=SETTINGS, default=tuple(SETTINGS))
    parser.add_argument("--checkpoint", type=Path, help="of one world; else that of its training configuration")
    parser.add_argument("--cases", type=int, help="that the table is made of")
    parser.add_argument("--choose", type=int, help="cases that settings are chosen on")
    parser.add_argument("--members", type=int, default=20, help="of the diffusion assimilation")
    parser.add_argument("--only", nargs="+", default=[""], help="ways of drawing whose names begin so")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.world:
        table(name, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
