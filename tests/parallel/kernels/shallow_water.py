"""Shallow water on tiles: runs, their gradients, invariants and balanced states beside the undivided domain.

Arguments: a seed. Prints {"equality": {case: difference}, "gradient": {...}, "single": {...}, "sums": {...}}.
"""

import json
import sys

import torch
from tables import Tables, cut, difference, noise, worst

from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.physics.balance import random_balanced
from mlrtma_dist.physics.invariants import energy, mass, potential_enstrophy
from mlrtma_dist.physics.shallow_water import ShallowWater

DOMAIN = (13, 22)  # 13 divides by nothing, 22 neither by 3 nor by 4
SIDES = (("periodic", "periodic"), ("wall", "wall"), ("wall", "periodic"), ("open", "open"), ("periodic", "open"))
TABLES = ((1, 2), (1, 3), (4, 1), (2, 2))
SECONDS, STEPS = 40.0, 2


def model_with(terrain, sides):
    surface = 2000.0 if "open" in sides else None
    beta = 0.0 if sides[0] == "periodic" else 1e-10
    return ShallowWater(1e4, coriolis=1e-4, beta=beta, viscosity=1e4, terrain=terrain, sides=sides, surface=surface)


def ends(model, state, here):
    """What the tiles must agree on: the state after some steps, at the centres of cells."""
    return model.to_centres(model.run(state, SECONDS, STEPS, here), here)


def check_runs(tables, seed, sides, differences):
    """Fields, gradients by state and by terrain, in float64; fields in float32."""
    state = 30.0 * noise(seed, 2, 3, *DOMAIN) + 2000.0 * (torch.arange(3) == 0)[:, None, None]
    state, terrain = state.requires_grad_(), (200.0 * noise(seed + 1, *DOMAIN)).requires_grad_()
    model = model_with(terrain, sides)
    alone = Alone(DOMAIN, model.periodic)
    expected, into = ends(model, state, alone), noise(seed + 2, 2, 3, *DOMAIN)
    gradients = torch.autograd.grad((expected * into).sum(), (state, terrain))
    single = ends(model_with(terrain.float(), sides), state.float(), alone)
    for table in TABLES:
        if (here := tables.tiled(DOMAIN, table, 1, model.periodic)) is None:
            continue
        name = f"{sides} {table}"
        part, ground = (cut(field, here.box, DOMAIN).requires_grad_() for field in (state, terrain))
        output = ends(model_with(ground, sides), part, here)
        parts = torch.autograd.grad((output * cut(into, here.box, DOMAIN)).sum(), (part, ground))
        for number, channel in enumerate("huv"):
            differences["equality"][f"{channel} {name}"] = difference(output[:, number], expected[:, number], here)
        for field, mine, whole in zip(("state", "terrain"), parts, gradients, strict=True):
            differences["gradient"][f"{field} {name}"] = difference(mine, whole, here)
        output = ends(model_with(ground.float(), sides), part.float(), here)
        for number, channel in enumerate("huv"):
            differences["single"][f"{channel} {name}"] = difference(output[:, number], single[:, number], here)
        check_sums(differences["sums"], name, model, state, model_with(ground, sides), part, here)


def check_sums(sums, name, model, state, tiled, part, here):
    """Invariants, their gradients, and the stable step."""
    for invariant in (mass, energy, potential_enstrophy):
        whole, mine = invariant(model, state), invariant(tiled, part, here)
        sums[f"{invariant.__name__} {name}"] = float(((mine - whole) / whole).abs().max())
        (expected,) = torch.autograd.grad(whole.sum(), state)
        (gradient,) = torch.autograd.grad(mine.sum() / here.tiles, part)
        wrong = (gradient - cut(expected, here.box, DOMAIN)).abs().max()
        sums[f"gradient of {invariant.__name__} {name}"] = float(wrong / expected.abs().max())
    sums[f"step {name}"] = abs(tiled.stable_seconds(part, here) / model.stable_seconds(state) - 1.0)


def check_balance(tables, seed, equality):
    """Every tile is given its part of the same random states."""
    settings = {"depth": 2000.0, "speed": 10.0, "length": 5e4, "seed": seed, "cases": 2}
    terrain = 100.0 * noise(seed, *DOMAIN)
    whole = random_balanced(model_with(terrain, SIDES[0]), Alone(DOMAIN, (True, True)), **settings)
    for table in TABLES:
        if (here := tables.tiled(DOMAIN, table, 1, (True, True))) is not None:
            part = random_balanced(model_with(cut(terrain, here.box, DOMAIN), SIDES[0]), here, **settings)
            equality[f"balanced {table}"] = difference(part, whole, here)


def main(seed):
    differences = {name: {} for name in ("equality", "gradient", "single", "sums")}
    with Ranks.start(Mesh(y=2, x=2), device="cpu", timeout=60) as world:
        torch.set_num_threads(1)
        tables = Tables(world)
        for sides in SIDES:
            check_runs(tables, seed, sides, differences)
        check_balance(tables, seed, differences["equality"])
        result = {name: worst(world, values) for name, values in differences.items()}
        if world.rank == 0:
            print(json.dumps(result))


if __name__ == "__main__":
    main(int(sys.argv[1]))
