"""Claim: in shallow water that is observed at several times, 4D-Var is nearer the truth than analyses of single times.

    python benchmarks/fourdvar_shallow.py
    python benchmarks/fourdvar_shallow.py --cases 4 --members 32

The world is that of Exercise 2, weak, on a quarter of its plane (`simulation.shallow_plane`): balanced winds that moved
for two and a half hours, then move on through a window of an hour and forty minutes. All five types of observation are
made at its start, its middle and its end, each time at other points. There is no background: the mean of the climate is
it. B is the covariance of the model's own variables between cases that are not judged, on every wave number. What is
judged is the state at the end of the window, by:

    3D-Var         the observations of the end alone
    3D-Var, all    all observations as if they were made at the end, the older ones with errors that grow as the state
                   changes: the deviation of the change is known from the other cases
    4DEnVar        all observations, the trajectories of other cases as members, localised
    4D-Var         all observations, the model that made the truth
    4D-Var, slow   the same with a model that errs: its gravity is 20 % too small

Nothing but the members' localisation is chosen: on other cases. All cases are solved side by side as one state. Printed
are, for each method, the rmse of h, u and v with one standard error over cases, and the seconds of one case.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.linalg.cross_spectral import CrossCovariance
from mlrtma_dist.linalg.localisation import gaspari_cohn
from mlrtma_dist.methods.fourdvar import Observations, ObservedWindow, Window, minimise
from mlrtma_dist.methods.fourdvar_members import MemberWindow
from mlrtma_dist.methods.spectral_root import SpectralRoot
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.observations.indirect import IndirectTypes
from mlrtma_dist.physics.balance import balanced
from mlrtma_dist.physics.shallow_water import ShallowWater
from mlrtma_dist.simulation.shallow_plane import ShallowPlane
from mlrtma_dist.simulation.shallow_truths import stream_of

WORLD = ShallowPlane(
    size=32,
    length=(6.0, 10.0),
    indirect=IndirectTypes(strength=0.3),
    observations=(10, 10, 10, 40, 40),
    observation_error=(1.0, 1.0, 1.0, 0.5, 0.5),
)
TIMES, STEPS = 3, 20  # of observation, and of 150 s between two
JUDGED, CHOSEN_ON = 1_000_000, 2_000_000  # numbers of the first cases; smaller numbers are the climate's
REACHES = (8.0, 12.0, 16.0)  # of the members' localisation, grid points
HERE = Alone(WORLD.shape, (True, True))
MODEL = ShallowWater(spacing=WORLD.spacing, coriolis=WORLD.coriolis)
SLOW = replace(MODEL, gravity=0.8 * MODEL.gravity)


def forward(state: Tensor, model: ShallowWater = MODEL) -> Tensor:
    """States (batch, 3, y, x) at the next time of observation."""
    return model.run(state, WORLD.step, STEPS, HERE)


def trajectories(first: int, count: int) -> Tensor:
    """Cases of the world through the window, shape (time, case, 3, y, x): depth and winds where the model has them."""
    parts = []
    with torch.no_grad():
        for start in range(first, first + count, 16):
            numbers = range(start, min(start + 16, first + count))
            stream = torch.from_numpy(np.stack([stream_of(WORLD, number) for number in numbers]))
            states = [MODEL.run(balanced(MODEL, stream, WORLD.depth, HERE), WORLD.step, WORLD.steps, HERE)]
            for _ in range(TIMES - 1):
                states.append(forward(states[-1]))
            parts.append(torch.stack(states))
    return torch.cat(parts, 1)


def centred(state: Tensor) -> Tensor:
    """Height above the mean and winds at the centres of cells."""
    return MODEL.to_centres(state, HERE) - state.new_tensor([WORLD.depth, 0.0, 0.0])[:, None, None]


@dataclass(frozen=True)
class Climate:
    """What is known before.

    Attributes:
        mean: of the states, shape (3, y, x); root: B^1/2 of the states at the start.
        change: deviation of each of the five types from what it is at the end, by time, shape (time, 5).
        members: deviations of cases from their mean, shape (time, case, 3, y, x).
    """

    mean: Tensor
    root: SpectralRoot
    change: np.ndarray
    members: Tensor

    @classmethod
    def of(cls, states: Tensor, members: int) -> "Climate":
        """From cases that are not judged, of which so many are members."""
        first = CrossCovariance.estimate([states[0].numpy()])
        mean = torch.from_numpy(first.mean)[:, None, None].expand(3, *WORLD.shape)
        types = WORLD.indirect.fields(centred(states.flatten(0, 1)).numpy()).reshape(TIMES, -1, 5, *WORLD.shape)
        change = np.sqrt(np.mean((types - types[-1]) ** 2, axis=(1, 3, 4)))
        own = states[:, :members]
        return cls(mean, SpectralRoot(first, HERE), change, own - own.mean(1, keepdim=True))


@dataclass(frozen=True)
class Reports:
    """The observations of one time of one case: places (n, 2), types (n,), values and deviations (n,)."""

    place: Tensor
    kind: Tensor
    value: Tensor
    error: Tensor

    @classmethod
    def draw(cls, number: int, k: int, state: Tensor) -> "Reports":
        """At time ``k`` of a case whose state (3, y, x) is known."""
        drawn = WORLD.observe(number + 1000 * k, centred(state[None])[0].numpy())
        return cls(
            *(torch.from_numpy(np.asarray(each)) for each in (drawn.place, drawn.kind, drawn.value, drawn.error))
        )

    def at(self, case: int, deviation: Tensor) -> Observations:
        """As observations of state number ``case`` of a batch, with errors of these deviations."""
        return Observations(self.value, deviation, lambda x: self._equivalents(x, case))

    def _equivalents(self, state: Tensor, case: int) -> Tensor:
        h, u, v = centred(state[case : case + 1])[0][:, self.place[:, 0], self.place[:, 1]]
        types = torch.stack([h, u, v, *WORLD.indirect.indirect(h, u, v, functions=torch)])
        return types.gather(0, self.kind[None])[0]


def localise(reach: float) -> Callable[[Tensor], Tensor]:
    """L^1/2 of fields (M, 1, 3, y, x), by Fourier modes; the three variables of a point have one weight."""
    offset = [np.minimum(np.arange(n), n - np.arange(n)) for n in WORLD.shape]
    taper = gaspari_cohn(np.hypot(offset[0][:, None], offset[1]) / reach)
    modes = torch.from_numpy(np.sqrt(np.fft.rfft2(taper).real.clip(min=0.0)))

    def root(control: Tensor) -> Tensor:
        weight = control.sum(-3, keepdim=True) / 3.0**0.5
        return torch.fft.irfft2(modes * torch.fft.rfft2(weight), WORLD.shape).expand_as(control)

    return root


def together(reports: list[Reports], deviation: Callable[[Reports], Tensor] = lambda each: each.error) -> Observations:
    """The observations of one time of all cases."""
    parts = [each.at(case, deviation(each)) for case, each in enumerate(reports)]
    return joined(parts)


def joined(parts: list[Observations]) -> Observations:
    """Several observations of the same states."""
    return Observations(
        torch.cat([each.value for each in parts]),
        torch.cat([each.deviation for each in parts]),
        lambda x: torch.cat([each.operator(x) for each in parts]),
    )


def windows(climate: Climate, reports: list[list[Reports]], reach: float) -> dict[str, ObservedWindow]:
    """The problem of each method, of the reports of each time of each case."""
    mean, unit = climate.mean.expand(len(reports[0]), *climate.mean.shape), [together(each) for each in reports]
    change = torch.from_numpy(climate.change)
    late = joined(
        [together(each, lambda r, k=k: torch.hypot(r.error, change[k][r.kind])) for k, each in enumerate(reports)]
    )
    members = climate.members[:, :, None].expand(-1, -1, *mean.shape)
    return {
        "3D-Var": Window(mean, climate.root, forward, [unit[-1]]),
        "3D-Var, all": Window(mean, climate.root, forward, [late]),
        "4DEnVar": MemberWindow(mean.expand(TIMES, *mean.shape), members, localise(reach), unit),
        "4D-Var": Window(mean, climate.root, forward, unit),
        "4D-Var, slow": Window(mean, climate.root, lambda x: forward(x, SLOW), unit),
    }


def solve(problem: ObservedWindow) -> tuple[np.ndarray, float]:
    """The states at the end, at the centres of cells, shape (case, 3, y, x), and seconds."""
    started = time.perf_counter()
    states = minimise(problem, outer_loops=3, tolerance=1e-2, kept=True).states
    return centred(states[-1]).numpy(), time.perf_counter() - started


def row(name: str, state: np.ndarray, truth: np.ndarray, seconds: float) -> np.ndarray:
    """Print a line of the table: rmse of each variable with a standard error over cases; the rmse, shape (3,)."""
    squares = np.mean((state - truth) ** 2, axis=(-1, -2))
    rmse = np.sqrt(squares.mean(0))
    errors = squares.std(0, ddof=1) / len(squares) ** 0.5 / (2.0 * rmse)
    cells = [f"{value:.3f} +- {error:.3f}" for value, error in zip(rmse, errors, strict=True)]
    print(f"| {name} | {' | '.join(cells)} | {seconds / len(squares):.1f} |", flush=True)
    return rmse


def cases(first: int, count: int) -> tuple[np.ndarray, list[list[Reports]]]:
    """Truths at the end, shape (case, 3, y, x), and the reports of each time of each case."""
    truth = trajectories(first, count)
    reports = [[Reports.draw(first + case, k, state) for case, state in enumerate(truth[k])] for k in range(TIMES)]
    return centred(truth[-1]).numpy(), reports


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=12, help="that are judged")
    parser.add_argument("--climate", type=int, default=640, help="cases that B is estimated from")
    parser.add_argument("--members", type=int, default=64, help="of them, of 4DEnVar")
    options = parser.parse_args()
    climate = Climate.of(trajectories(0, options.climate), options.members)
    truth, reports = cases(CHOSEN_ON, 6)

    def error_of(reach: float) -> float:
        return float(np.mean((solve(windows(climate, reports, reach)["4DEnVar"])[0] - truth) ** 2))

    reach = min(REACHES, key=error_of)
    truth, reports = cases(JUDGED, options.cases)
    print(f"{options.cases} cases, {options.members} members, localised within {reach:g} points")
    print("| method | h, m | u, m/s | v, m/s | seconds |\n|---|---|---|---|---|")
    rmse = {}
    for name, problem in windows(climate, reports, reach).items():
        state, seconds = solve(problem)
        rmse[name] = row(name, state, truth, seconds)
    print("4D-Var over 3D-Var, h, u, v: " + ", ".join(f"{each:.2f}" for each in rmse["4D-Var"] / rmse["3D-Var"]))


if __name__ == "__main__":
    main()
