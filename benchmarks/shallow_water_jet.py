"""Four days of shallow water: a westerly jet in a channel meets a mountain and breaks up, without any friction.

Claims: mass stays to the last digits, energy to 1e-9 of itself, potential enstrophy to 1e-4, while it reaches
the scale of the grid.

    python benchmarks/shallow_water_jet.py [--figure docs/images/shallow_water.png]     # 1 minute

Prints the ratio last: energy of the motion after four days / at the start, and how much all energy changed.
"""

import argparse
from pathlib import Path

import matplotlib
import torch

from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.physics.arakawa_lamb import at
from mlrtma_dist.physics.exact import places, zonal_jet
from mlrtma_dist.physics.invariants import energy, mass, potential_enstrophy
from mlrtma_dist.physics.shallow_water import ShallowWater

matplotlib.use("agg")
import matplotlib.pyplot as plt

DOMAIN, SPACING = (112, 256), 33e3
HOURS = (0, 24, 48, 96)
DEPTH, SPEED, WIDTH = 1000.0, 40.0, 3e5


def channel() -> ShallowWater:
    """A channel of 3,700 x 8,400 km at middle latitudes, walls north and south, a mountain of 200 m."""
    y, x = places(DOMAIN, SPACING, 0.5, 0.5)
    mountain = 200.0 * torch.exp(-(((y - 1.6e6) / 3e5) ** 2) - ((x - 2e6) / 3e5) ** 2)
    return ShallowWater(SPACING, coriolis=1e-4, beta=1.6e-11, terrain=mountain, sides=("wall", "periodic"))


def motion(state: torch.Tensor) -> float:
    """Kinetic energy over density, m5 s-2, with the depth of the cell."""
    return float((state[:, 0] * (state[:, 1] ** 2 + state[:, 2] ** 2)).sum()) / 2 * SPACING**2


def vorticity(model: ShallowWater, state: torch.Tensor) -> torch.Tensor:
    """Relative vorticity at south-west corners, shape (y, x), s-1."""
    around = model.extend(state, Alone(DOMAIN, model.periodic))
    turning = at(around.v, 0, 0) - at(around.v, 0, -1) - at(around.u, 0, 0) + at(around.u, -1, 0)
    return turning[0, 1:-1, 1:-1] / SPACING


def draw(model: ShallowWater, states: list[torch.Tensor], path: Path) -> None:
    """Height of the surface with winds, and vorticity, at each hour."""
    figure, panels = plt.subplots(
        len(states), 2, figsize=(10.5, 2.6 * len(states)), sharex=True, sharey=True, layout="constrained"
    )
    y, x = (place.flatten().numpy() / 1e6 for place in places(DOMAIN, SPACING, 0.5, 0.5))
    for (left, right), hours, state in zip(panels, HOURS, states, strict=True):
        h, u, v = (part[0].numpy() for part in model.to_centres(state).unbind(1))
        surface = left.pcolormesh(x, y, h + model.terrain.numpy(), vmin=850, vmax=1150, cmap="viridis", rasterized=True)
        left.quiver(x[::8], y[::8], u[::8, ::8], v[::8, ::8], scale=900, width=0.0015)
        turning = right.pcolormesh(
            x, y, 1e5 * vorticity(model, state).numpy(), vmin=-15, vmax=15, cmap="RdBu_r", rasterized=True
        )
        for panel in (left, right):
            panel.contour(x, y, model.terrain.numpy(), levels=[50, 100, 150], colors="k", linewidths=0.7)
            panel.set(aspect="equal")
        left.set(ylabel=f"{hours} h\nnorthward, 1000 km")
    panels[0, 0].set_title("height of the surface, m; wind")
    panels[0, 1].set_title("relative vorticity, 1e-5 s-1")
    for panel in panels[-1]:
        panel.set(xlabel="eastward, 1000 km")
    figure.colorbar(surface, ax=panels[:, 0], orientation="horizontal", shrink=0.6, aspect=40)
    figure.colorbar(turning, ax=panels[:, 1], orientation="horizontal", shrink=0.6, aspect=40)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def main():
    """Run, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure", type=Path, help="write a figure to this file")
    options = parser.parse_args()
    model = channel()
    states = [zonal_jet(model, DOMAIN, DEPTH, SPEED, WIDTH)]
    seconds = 3600.0 / 24
    if seconds > model.stable_seconds(states[0]):
        raise ValueError(f"a step of {seconds} s is longer than the stable {model.stable_seconds(states[0]):.0f} s")
    for before, after in zip(HOURS[:-1], HOURS[1:], strict=True):
        states.append(model.run(states[-1], seconds, 24 * (after - before)))
        changes = [
            f"{invariant.__name__} {float(invariant(model, states[-1]) / invariant(model, states[0])) - 1:+.2e}"
            for invariant in (mass, energy, potential_enstrophy)
        ]
        print(f"{after} h: change of {', '.join(changes)}", flush=True)
    if options.figure:
        draw(model, states, options.figure)
    change = float(energy(model, states[-1]) / energy(model, states[0])) - 1
    moving = motion(states[-1]) / motion(states[0])
    print(f"energy of the motion, end / start: {moving:.3f}; all energy changed by {change:+.1e}")


if __name__ == "__main__":
    main()
