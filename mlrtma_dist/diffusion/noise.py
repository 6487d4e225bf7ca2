"""Noise on tensors that does not know who draws it: that of `linalg.noise`, on any device and for many keys at once.

Philox 4x32-10 (Salmon et al. 2011) in 64-bit integers, whose products wrap: the upper word of a product of two 32-bit
words is in its bits 32 to 63 whatever the sign that they are read with.

    key = a row of ``keys``    counter = (x, y, channel, step)
"""

import math

import torch
from torch import Tensor

from mlrtma_dist.grid.box import Box
from mlrtma_dist.linalg.noise import KEY_STEPS, MULTIPLIERS, ROUNDS, WORD

LOW = WORD - 1
HALF = 32


def philox(counter: tuple[Tensor, ...], key: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    """Four random words in [0, 2^32), int64, for every counter of four words and key of two; shapes broadcast."""
    a, b, c, d = torch.broadcast_tensors(*counter)
    first, second = key
    for _ in range(ROUNDS):
        left, right = int(MULTIPLIERS[0]) * a, int(MULTIPLIERS[1]) * c
        a, b = ((right >> HALF) & LOW) ^ b ^ first, right & LOW
        c, d = ((left >> HALF) & LOW) ^ d ^ second, left & LOW
        first, second = (first + int(KEY_STEPS[0])) & LOW, (second + int(KEY_STEPS[1])) & LOW
    return a, b, c, d


def normal(keys: Tensor, box: Box, channels: int, step: int) -> Tensor:
    """Gaussian noise of unit variance on a box of the domain, float64, shape (key, channel, y, x).

    Args:
        keys: two words in [0, 2^32) each, such as seed and member, int64, shape (key, 2).
        box: of the domain, whose points are numbered from its south-western one.
        step: in [0, 2^32); other noise for each.
    """
    device = keys.device
    rows = torch.arange(box.y0, box.y1, device=device)[:, None]
    columns = torch.arange(box.x0, box.x1, device=device)
    channel = torch.arange(channels, device=device)[:, None, None]
    counter = (columns, rows, channel, torch.full((len(keys), 1, 1, 1), step, device=device))
    words = philox(counter, (keys[:, :1, None, None], keys[:, 1:, None, None]))
    radius, angle = ((word.double() + 0.5) / WORD for word in words[:2])
    return (-2.0 * radius.log()).sqrt() * (2.0 * math.pi * angle).cos()


def uniform(keys: Tensor, step: int) -> Tensor:
    """One number in (0, 1) for every key, float64, shape (key,)."""
    zero = torch.zeros(len(keys), dtype=torch.int64, device=keys.device)
    word = philox((zero, zero, zero, torch.full_like(zero, step)), (keys[:, 0], keys[:, 1]))[0]
    return (word.double() + 0.5) / WORD
