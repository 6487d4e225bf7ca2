"""A tiny learning problem for the kernels: a network, cases in memory, and the same steps by PyTorch alone."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.nn.unet import UNet, UNetConfig
from mlrtma_dist.parallel.mesh import make_groups
from mlrtma_dist.training.engine import Engine
from mlrtma_dist.training.loop import Plan, TrainingLoop
from mlrtma_dist.training.order import batches_from
from mlrtma_dist.training.schedule import Schedule
from mlrtma_dist.weights.manifest import Run

DOMAIN = (21, 18)  # the first divides by nothing
CASES = 24
ORIGIN = Run("steps: 5\n", "abc", "tiny", ("2026-01-01T00:00:00", "2026-01-01T23:00:00"), {"mean": [0.5]})
SCHEDULE = Schedule(steps=5, batch=4, micro_batch=4, learning_rate=1e-2, warm_up=2, seed=3)


class Method:
    """Weighted squared error of a small U-net with random weights, none zero."""

    def __init__(self):
        self.network = UNet(replace(UNetConfig(), widths=(4, 4), groups=2))
        randomise(self.network, 1)

    def weight(self, sample):
        return float(sample.mask.double().sum())

    def loss(self, sample, neighbourhood):
        error = self.network(sample.inputs, neighbourhood).to(sample.target.dtype) - sample.target
        return (error.square() * sample.mask).sum(), self.weight(sample)


@dataclass(frozen=True)
class MemoryCases:
    """Cases on a box of the domain; how much of a case is known differs between 1 and 90 in a hundred points."""

    box: object
    spoil: int | None = None

    @property
    def time(self):
        return np.datetime64("2026-01-01", "s") + np.arange(CASES) * np.timedelta64(1, "h")

    def stream(self, batches):
        return (self.batch(indices) for indices in batches)

    def batch(self, indices):
        parts = [[], [], []]
        for index in indices:
            generator = torch.Generator().manual_seed(int(index))
            field = torch.randn(3, *DOMAIN, generator=generator)
            mask = torch.rand(1, *DOMAIN, generator=generator) < (0.01 if index % 3 == 0 else 0.9)
            if index == self.spoil:
                field[0, 3, 4] = torch.nan
            target = field[:1].roll(1, -1) * 2.0 + 0.5
            for part, whole in zip(parts, (field, target.nan_to_num(), mask.float()), strict=True):
                part.append(whole[..., self.box.y0 : self.box.y1, self.box.x0 : self.box.x1])
        return Sample(*(torch.stack(part) for part in parts), self.time[list(indices)])


def on(world, mesh):
    """The same ranks laid out otherwise."""
    return replace(world, mesh=mesh, groups=make_groups(mesh, world.rank) if world.size > 1 else world.groups)


def engine_of(world, settings, parts, method=None):
    """An engine and this rank's cases."""
    tile = world.tile(DOMAIN, align=2, name="test")
    return Engine(method or Method(), world, world.neighbourhood(tile), settings, parts), MemoryCases(tile.box)


def training_of(world, settings, schedule, folder=None, *, spoil=None, validation=(), score=None):
    """A Training on this rank's tile."""
    engine, data = engine_of(world, settings, schedule.parts(world.mesh.data))
    data = replace(data, spoil=spoil)
    indices = np.array([i for i in range(CASES) if i not in validation])
    plan = Plan(schedule, indices, np.array(validation, int), world.mesh.data, world.coordinates[0], folder, ORIGIN)
    return TrainingLoop(engine, data, plan, score)


def plain_losses(optimizer, schedule=SCHEDULE, clip=0.0):
    """The losses of PyTorch alone, on the whole domain, a step at once: what all else is compared with."""
    method, here, data = Method(), Alone(DOMAIN), MemoryCases(Alone(DOMAIN).box)
    update = optimizer(method.network.parameters())
    losses = []
    batches = batches_from(np.arange(CASES), range(schedule.steps), schedule.batch, schedule.seed, [schedule.batch], 0)
    for step, sample in enumerate(data.stream(batches)):
        update.param_groups[0]["lr"] = schedule.rate(step)
        total, weight = method.loss(sample, here)
        update.zero_grad()
        (total / weight).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(method.network.parameters(), clip)
        update.step()
        losses.append(float(total.detach()) / weight)
    return losses
