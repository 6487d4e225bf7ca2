"""The order of accuracy of shallow water in space and in time, and how far its invariants drift.

Claims: order 2 in space (a Poincare wave and a nonlinear jet, both known in closed form), order 4 in time (a nonlinear
flow against itself at half the step); energy and potential enstrophy drift with the time
step alone, by order 4 or more.

    python benchmarks/shallow_water_order.py      # 20 seconds; the table of docs/shallow_water.md

Prints the observed orders, between the two finest, last.
"""

import math

from torch import Tensor

from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.physics.balance import random_balanced
from mlrtma_dist.physics.exact import PoincareWave, zonal_jet
from mlrtma_dist.physics.invariants import energy, mass, potential_enstrophy
from mlrtma_dist.physics.shallow_water import ShallowWater


def size(field: Tensor) -> float:
    """Root mean square."""
    return float((field**2).mean().sqrt())


def wave_error(points: int) -> float:
    """Relative error of the wind of a Poincare wave after 20,000 s: 3.1 periods."""
    model, wave = ShallowWater(1e6 / points, coriolis=1e-4), PoincareWave((points, points), (1, 2), 500.0, 1e-5)
    truth = wave.state(model, 20000.0)
    solution = model.run(wave.state(model, 0.0), 20000.0 / (2 * points), 2 * points)
    return size((solution - truth)[:, 1:]) / size(truth[:, 1:])


def jet_error(points: int) -> float:
    """Error of the depth (m) of a steady jet of 30 m/s between walls after 3 hours; it slopes by 61 m."""
    model = ShallowWater(1.2e6 / points, coriolis=1e-4, beta=2e-11, sides=("wall", "periodic"))
    jet = zonal_jet(model, (points, 2), depth=1000.0, speed=30.0, width=1e5)
    steps = math.ceil(10800.0 / model.stable_seconds(jet))
    return size((model.run(jet, 10800.0 / steps, steps) - jet)[:, 0])


def time_errors(counts: list[int]) -> tuple[list[float], dict[str, list[float]]]:
    """A random nonlinear flow for 9,000 s in so many steps: difference from twice as many, m and m/s; drifts."""
    model = ShallowWater(2e4, coriolis=1e-4)
    state = random_balanced(model, Alone((32, 32), (True, True)), depth=1000.0, speed=25.0, length=2e5, seed=1)
    ends = [model.run(state, 9000.0 / count, count) for count in (*counts, 2 * counts[-1])]
    drifts = {}
    for invariant in (mass, energy, potential_enstrophy):
        before = invariant(model, state)
        drifts[invariant.__name__] = [float(abs(invariant(model, end) / before - 1.0)) for end in ends[:-1]]
    return [size(ends[number + 1] - ends[number]) for number in range(len(counts))], drifts


def row(title: str, values: list[float], order: bool = True) -> float:
    """Print a line of the table; the order between its two last columns."""
    observed = math.log2(values[-2] / values[-1]) if order else math.nan
    numbers = " | ".join(f"{value:.2e}" for value in values)
    print(f"| {title} | {numbers} | {f'{observed:.2f}' if order else ''} |", flush=True)
    return observed


def main():
    """Measure, print the table."""
    print("| error | coarse | twice as fine | four times | order |\n|---|---|---|---|---|")
    wave = row("Poincare wave, 16, 32, 64 points", [wave_error(points) for points in (16, 32, 64)])
    jet = row("steady jet, 48, 96, 192 points, m", [jet_error(points) for points in (48, 96, 192)])
    errors, drifts = time_errors([75, 150, 300])
    time = row("time, steps of 120, 60, 30 s", errors)
    row("drift of energy", drifts["energy"])
    row("drift of potential enstrophy", drifts["potential_enstrophy"])
    row("drift of mass", drifts["mass"], order=False)
    print(f"order in space {wave:.2f} (wave), {jet:.2f} (jet); in time {time:.2f}")


if __name__ == "__main__":
    main()
