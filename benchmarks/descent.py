"""The loop that trains the emulators of the benchmarks: Adam, a rate that falls as a cosine, gradients cut at 1."""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn


def descend(network: nn.Module, loss: Callable[[], Tensor], rate: float, steps: int) -> float:
    """Train a network in place; returns the seconds that it took.

    Args:
        loss: of the next batch, which it draws; rate: of the first step; steps: number of them.
    """
    began, optimiser = time.perf_counter(), torch.optim.Adam(network.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return time.perf_counter() - began
