"""The loss of a denoiser, which methods of departures and of changes share.

(1 + sigma^2) / sigma^2  (D(x + sigma n, sigma, c) - x)^2        (Karras et al. 2022, with unit variance)
"""

import numpy as np
import torch
from torch import Tensor, nn

from mlrtma_dist.diffusion.noise import normal, uniform
from mlrtma_dist.methods.noise_levels import NoiseLevels
from mlrtma_dist.nn.neighbourhood import Neighbourhood

LEVEL = 0  # step of the noise of training that gives the levels; those after it give the noise


def drawn_levels(levels: NoiseLevels, key: Tensor, step: int) -> list[Tensor]:
    """The noise levels of every case, evenly apart on the logarithm's range and as a whole anywhere on it."""
    low, high = (np.log(level) for level in (levels.sigma_min, levels.sigma_max))
    first, count = uniform(key, step), levels.levels
    return [(low + (high - low) * ((first + number / count) % 1.0)).exp() for number in range(count)]


def denoising_loss(
    network: nn.Module,
    target: Tensor,
    condition: Tensor,
    key: Tensor,
    mask: Tensor | None,
    levels: NoiseLevels,
    neighbourhood: Neighbourhood,
    first: int = LEVEL,
) -> Tensor:
    """Sum over this tile's points, channels and noise levels of the weighed squared error, a scalar; never a mean.

    Args:
        network: a `nn.denoiser.Denoiser`.
        target: x, shape (batch, channel, y, x); condition: c, shape (batch, condition, y, x).
        key: of the noise of each case, shape (batch, 2); mask: weight of each point, shape (batch, 1, y, x), or None.
        first: of the noise's steps: that of the levels; the noise at each of them follows.
    """
    if mask is not None:  # what is unknown may be NaN, whose gradient would be NaN even with weight 0
        target = torch.where(mask > 0, target, 0.0)
    count, channels = levels.levels, target.shape[1]
    sigma = torch.cat(drawn_levels(levels, key, first)).to(target.dtype)
    noise = torch.cat([normal(key, neighbourhood.box, channels, first + 1 + number) for number in range(count)])
    target, condition = (each.repeat(count, 1, 1, 1) for each in (target, condition))
    level = sigma[:, None, None, None]
    output = network(target + level * noise.to(target.dtype), sigma, condition, neighbourhood)
    squares = (output - target).square() * (1.0 + level.square()) / level.square()
    if mask is not None:
        squares = squares * mask.repeat(count, 1, 1, 1)
    return squares.sum()
