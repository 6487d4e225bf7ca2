"""The truths of Exercise 2: random balanced winds that move for some hours as shallow water does."""

import functools
import math

import numpy as np
import torch

from mlrtma_dist.errors import InputError
from mlrtma_dist.linalg.noise import uniform
from mlrtma_dist.linalg.spectral import SpectralCovariance
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.physics.balance import balanced
from mlrtma_dist.physics.shallow_water import ShallowWater
from mlrtma_dist.simulation.shallow_plane import KIND_OF_WEATHER, STREAM, ShallowPlane

TOGETHER = 16  # runs integrated at once: per run half the time of four, and no less with more


@functools.lru_cache(maxsize=2)
def block_of(world: ShallowPlane, block: int) -> np.ndarray:
    """Truths of the runs that are integrated together, shape (TOGETHER, state, 3, y, x)."""
    model = ShallowWater(spacing=world.spacing, coriolis=world.coriolis)
    here = Alone(world.shape, (True, True))
    with torch.inference_mode():
        stream = np.stack([stream_of(world, block * TOGETHER + place) for place in range(TOGETHER)])
        state = balanced(model, torch.from_numpy(stream), world.depth, here).float()
        states = []
        for steps in (world.steps, *(world.states - 1) * (world.every,)):
            state = model.run(state, world.step, steps, here)
            states.append(model.to_centres(state, here).double().numpy())
    truths = np.stack(states, 1)
    truths[:, :, 0] -= world.depth
    if not np.isfinite(truths).all():
        raise InputError(f"step: expected one that is stable, got {world.step:g} s. Take a shorter one.")
    return truths


def stream_of(world: ShallowPlane, number: int) -> np.ndarray:
    """The first stream function of a run, shape (y, x), m2 s-1; a wind of the run's own strength and scale."""
    lots = uniform(world.seed, np.arange(2), 0, member=number, channel=KIND_OF_WEATHER)
    spans = world.speed, world.length
    speed, length = (low + lot * (high - low) for lot, (low, high) in zip(lots, spans, strict=True))
    deviation = speed * length * world.spacing / math.sqrt(8.0)  # see physics.balance.random_balanced
    return SpectralCovariance.gaussian(world.shape, length, deviation).draw(world.seed, member=number, channel=STREAM)
