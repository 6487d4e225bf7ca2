"""The folded U-net on four tiles beside one: outputs, loss, gradients, and its answer at points anywhere.

Prints the largest differences.
"""

import json

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Domain, Size
from mlrtma_dist.grid.points import plane_points
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.learned import GridAnswer
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.unet import UNetMethod, UNetSettings
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.reduce import sum_gradients

SMALL = UNetSettings(widths=(8, 16, 16), groups=4)
NO_BACKGROUND = UNetSettings(variables=3, observed=5, background_deviation=None, widths=(8, 16, 16), groups=4)
DOMAINS = {
    "periodic": ((48, 64), (True, True), SMALL),
    "odd": ((45, 61), (False, False), SMALL),
    "no background": ((64, 64), (True, True), NO_BACKGROUND),
}


def run(domain, wraps, settings, world) -> dict:
    generator = torch.Generator().manual_seed(1)
    channels = len(settings.scales_in), settings.variables
    inputs, target = (torch.randn(2, c, *domain, generator=generator, dtype=torch.float64) for c in channels)
    mask = (torch.rand(2, 1, *domain, generator=generator) > 0.2).double()
    method = UNetMethod(settings)
    method.network.double()
    randomise(method.network, 3)
    tile = world.tile(domain, align=method.network.alignment, periodic=wraps)
    cut = (..., slice(tile.box.y0, tile.box.y1), slice(tile.box.x0, tile.box.x1))
    whole = step(method, Sample(inputs, target, mask, np.zeros(2, "datetime64[s]")), Alone(domain, wraps))
    part = Sample(inputs[cut], target[cut], mask[cut], np.zeros(2, "datetime64[s]"))
    own = step(method, part, world.neighbourhood(tile), world.transport())
    transport = world.transport()
    totals = transport.sum(torch.tensor([own["loss"], own["weight"]], dtype=torch.float64))
    differences = {
        "output": spread(own["output"], whole["output"][cut]),
        "loss": abs(float(totals[0]) / whole["loss"] - 1),
        "weight": abs(float(totals[1]) - whole["weight"]),
        "gradient": max(spread(a, b) for a, b in zip(own["gradients"], whole["gradients"], strict=True)),
    }
    differences["answer"] = answer_difference(domain, wraps, tile, world, transport)
    own_worst = torch.tensor(list(differences.values()), dtype=torch.float64)
    worst = torch.stack(transport.collect(own_worst)).amax(0)
    return dict(zip(differences, worst.tolist(), strict=True))


def answer_difference(domain, wraps, tile, world, transport) -> float:
    """At random points: of the tile that owns each, minus of one rank; infinite where not exactly one tile owns it."""
    ground = load_static(Domain("plane", "plane", "plane", Size(domain[1], domain[0]), 50.0, periodic=wraps[0]))
    random = np.random.default_rng(4)
    field, low = random.standard_normal(domain).astype(np.float32), 0.8 if wraps[0] else 0.5
    points = plane_points(ground.domain, random.uniform(-low, np.array(domain) - 1.0 + low, (4000, 2)))

    def at(box, neighbourhood) -> np.ndarray:
        none = np.zeros(0, dtype=bool)
        time = np.datetime64("2026-01-01", "s")
        case = Case(ground, box, time, Observations.empty(), none, none, variables=("a",))
        return GridAnswer.of(case, {"a": field[box.slices]}, neighbourhood).at("a", points)[0]

    own, whole = at(tile.box, world.neighbourhood(tile)), at(Box.whole(domain), None)
    parts = torch.stack(transport.collect(torch.from_numpy(own))).numpy()
    if not (np.isfinite(parts).sum(0) == 1).all() or not np.isfinite(whole).all():
        return float("inf")
    return float(np.abs(np.nansum(parts, 0) - whole).max() / 1e4)  # 1e-6: float32 weights of another origin


def step(method, sample, here, transport=None) -> dict:
    method.network.zero_grad()
    loss, weight = method.loss(sample, here)
    loss.backward()
    if transport is not None:
        sum_gradients(method.network, transport)
    gradients = [w.grad.clone() for w in method.network.parameters()]
    return {"output": method.predict(sample, here), "loss": float(loss), "weight": weight, "gradients": gradients}


def spread(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


if __name__ == "__main__":
    with Ranks.start(Mesh(y=2, x=2), device="cpu") as world:
        differences = {name: run(*setting, world) for name, setting in DOMAINS.items()}
        if world.rank == 0:
            print(json.dumps(differences))
