"""Losses of training a network that reads reports, on layouts of ranks and two ZeRO stages.

Prints one line of JSON: layout and stage -> losses of four steps; the job on 2 ranks also those by PyTorch alone.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from tiny import ORIGIN, on

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "methods"))
from report_cases import TINY, hour, toy

from mlrtma_dist.methods.report_sample import ReportSample
from mlrtma_dist.methods.vit import build_vit
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.training.engine import Engine
from mlrtma_dist.training.loop import Plan, TrainingLoop
from mlrtma_dist.training.order import batches_from
from mlrtma_dist.training.schedule import Schedule
from mlrtma_dist.training.stop_signal import StopSignal

CASES = 8
MESHES = {2: (Mesh(data=2), Mesh(y=2)), 3: (Mesh(x=3),), 4: (Mesh(y=2, x=2), Mesh(data=2, y=2))}
SCHEDULE = Schedule(steps=4, batch=2, learning_rate=1e-2, warm_up=2, seed=3)
ADAMW = {"optimizer": {"type": "AdamW", "params": {"weight_decay": 0.01}}}


class Hours:
    """Eight hours of 10 to 80 stations on a box of the toy domain, each under a draw of its own."""

    def __init__(self, method, box):
        self.method, self.box = method, box
        self.time = np.array([hour(10, seed=number).time for number in range(CASES)])

    def stream(self, batches):
        return (self.batch(indices) for indices in batches)

    def batch(self, indices):
        cases = [hour(10 * (int(index) + 1), seed=int(index), box=self.box, withheld=3) for index in indices]
        return ReportSample.join(
            [self.method.encode(case, int(index)) for case, index in zip(cases, indices, strict=True)]
        )


def method_of():
    method = build_vit(TINY, "test")
    randomise(method.network, 1)
    method.settle(toy().domain)
    return method


def losses_of(method, world, stage):
    """Of a job on the ranks of a layout, and how many numbers the optimizer updates."""
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


def plain_losses(method):
    """By PyTorch alone."""
    here = Alone(toy().domain.shape)
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
        for mesh in MESHES[world.size]:
            for stage in (0, 3):
                results[f"{mesh}, stage {stage}"] = losses_of(method_of(), on(world, mesh), stage)[0]
        if world.size == 2:
            results["plain"] = plain_losses(method_of())
        if world.rank == 0:
            print(json.dumps(results))


if __name__ == "__main__":
    main()
