"""Losses of training low-rank adapters of a network that reads reports, on two layouts of ranks and three ZeRO stages.

Prints one line of JSON: layout and stage -> losses of four steps, those by PyTorch alone, and how many numbers the
optimizer updates.
"""

import json

import torch
from reports import ADAMW, CASES, SCHEDULE, Hours
from tiny import ORIGIN, on

from mlrtma_dist.methods.transfer import Transfer, adapt, as_weights_of
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.training.engine import Engine
from mlrtma_dist.training.loop import Plan, TrainingLoop
from mlrtma_dist.training.order import batches_from
from mlrtma_dist.training.stop_signal import StopSignal

import numpy as np  # isort: skip
from report_cases import TINY, toy  # isort: skip

from mlrtma_dist.methods.vit import build_vit  # isort: skip


def method_of():
    """Adapters on a network of two variables that has been given four."""
    before, method = build_vit(TINY | {"variables": ["t2m", "u10"]}, "test"), build_vit(TINY, "test")
    randomise(before.network, 1)
    weights = as_weights_of(method, before, dict(before.network.named_parameters()))
    method.network.load_state_dict(weights)
    adapt(method, before, Transfer("adapters", rank=2), "test")
    method.settle(toy().domain)
    return method


def losses_of(world, stage):
    method = method_of()
    tile = world.tile_of(toy().domain, method.alignment)
    settings = {**ADAMW, "zero_optimization": {"stage": stage}}
    engine = Engine(method, world, world.neighbourhood(tile), settings, SCHEDULE.parts(world.mesh.data))
    numbers = sum(torch.Size(shape).numel() for shape in engine.shapes().values())
    plan = Plan(SCHEDULE, np.arange(CASES), np.array([], int), world.mesh.data, world.coordinates[0], None, ORIGIN)
    training, losses = TrainingLoop(engine, Hours(method, tile.box), plan), []
    training._save = lambda: None
    with StopSignal.watched() as stop:
        training.run(stop, lambda row: losses.append(row["loss"]))
    return losses, numbers


def plain_losses():
    """By PyTorch alone."""
    method, here = method_of(), Alone(toy().domain.shape)
    data = Hours(method, here.box)
    update, losses = torch.optim.AdamW(method.network.parameters(), weight_decay=0.01), []
    batches = batches_from(np.arange(CASES), range(SCHEDULE.steps), SCHEDULE.batch, SCHEDULE.seed, [SCHEDULE.batch], 0)
    for step, sample in enumerate(data.stream(batches)):
        update.param_groups[0]["lr"] = SCHEDULE.rate(step)
        total, weight = method.loss(sample, here)
        update.zero_grad()
        (total / weight).backward()
        update.step()
        losses.append(float(total.detach()) / weight)
    return losses


def main():
    with Ranks.start(device="cpu", always_group=True, timeout=120) as world:
        torch.set_num_threads(1)
        results = {}
        for mesh, stages in ((Mesh(data=2), (0, 2)), (Mesh(y=2), (0, 3))):
            for stage in stages:
                losses, results["numbers"] = losses_of(on(world, mesh), stage)
                results[f"{mesh}, stage {stage}"] = losses
        results["plain"] = plain_losses()
        results["own"] = sum(weight.numel() for weight in method_of().network.parameters())
        if world.rank == 0:
            print(json.dumps(results))


if __name__ == "__main__":
    main()
