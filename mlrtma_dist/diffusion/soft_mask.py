"""Soft mask: noised observations pasted into the samples, as in DiffDA (Huang et al. 2024, arXiv:2401.05932).

Observations are spread over the grid by Gaussian kernels around stations s, k_s(x) = exp(-|x - s|^2 / 2 w^2):

    mask m(x) = max_s k_s(x),      target y(x) = sum_s k_s(x) y_s / sum_s k_s(x)

and at every noise level the sample becomes m (y + sigma n) + (1 - m) x_t. Jumps back to a larger sigma, after which the
steps are repeated, let the rest follow what was pasted (RePaint, Lugmayr et al. 2022, CVPR, Algorithm 1).

Where the mask is 1 all samples are the observation: their spread there is zero whatever its error, in any number of
steps. It is kept for comparison and for networks that can be evaluated only.
"""

import math
from collections.abc import Sequence
from itertools import count, pairwise

import torch
from torch import Tensor

from mlrtma_dist.diffusion.denoiser import Denoiser
from mlrtma_dist.diffusion.samplers import Noise, ancestral_step
from mlrtma_dist.errors import InputError
from mlrtma_dist.nn.neighbourhood import Neighbourhood

REACH = 5.0  # widths beyond which a kernel is left out, 4e-6 of its peak


@torch.no_grad()
def soft_mask(
    denoiser: Denoiser,
    start: Tensor,
    sigmas: Sequence[float],
    noise: Noise,
    target: Tensor,
    mask: Tensor,
    *,
    resamplings: int = 1,
    jump: int = 1,
) -> Tensor:
    """Ancestral sampling of the prior into which the target is pasted at every noise level.

    Args:
        denoiser: of the prior.
        start: x + sigma_0 n, shape (member, channel, y, x).
        sigmas: descending noise levels from that of ``start`` to 0, n + 1 of them (`schedule`).
        noise: new noise of a draw; draws are counted from 0.
        target, mask: of shape (channel, y, x), as of `kernels`; a mask of zeros leaves a sample of the prior.
        resamplings: how often each part of ``jump`` steps is taken.
        jump: steps from which a jump leads back.

    Returns:
        Samples, shape and unit of ``start``; n times ``resamplings`` evaluations.

    Raises:
        InputError: fewer than one resampling or step of a jump.
    """
    if resamplings < 1 or jump < 1:
        raise InputError(f"soft mask: expected resamplings and jump of at least 1, got {resamplings} and {jump}.")
    field, draws = start, count()
    for first in range(0, len(sigmas) - 1, jump):
        part = sigmas[first : first + jump + 1]
        for repeat in range(resamplings):
            if repeat:
                field = field + math.sqrt(part[0] ** 2 - part[-1] ** 2) * noise(next(draws))
            for levels in pairwise(part):
                sampled = ancestral_step(denoiser, field, levels, lambda: noise(next(draws)))
                pasted = target + levels[1] * noise(next(draws)) if levels[1] > 0.0 else target
                field = mask * pasted + (1.0 - mask) * sampled
    return field


def kernels(places: Tensor, value: Tensor, width: float, here: Neighbourhood) -> tuple[Tensor, Tensor]:
    """Target and mask on this tile, each of shape (y, x).

    Args:
        places: grid coordinates (y, x) of ALL stations of the domain (points of i, j lie at i, j), shape (n, 2).
        value: their observations of one channel, shape (n,), its unit.
        width: w, in grid points, above 0.
        here: the tile's neighbourhood.
    """
    if not width > 0.0:
        raise InputError(f"soft mask: expected a width above 0 grid points, got {width:g}.")
    box, like = here.box, {"dtype": value.dtype, "device": value.device}
    lines = [torch.arange(box.y0, box.y1, **like), torch.arange(box.x0, box.x1, **like)]
    weight = torch.zeros(box.shape, **like)
    total, mask = torch.zeros_like(weight), torch.zeros_like(weight)
    for place, observation in zip(places.tolist(), value, strict=True):
        near, along = [], []
        for axis, line in enumerate(lines):
            distance = line - place[axis]
            if here.periodic[axis]:
                half = here.domain[axis] / 2
                distance = torch.remainder(distance + half, here.domain[axis]) - half
            index = torch.nonzero(distance.abs() <= REACH * width)[:, 0]
            near.append(index)
            along.append(torch.exp(-0.5 * (distance[index] / width) ** 2))
        window = near[0][:, None], near[1]
        kernel = along[0][:, None] * along[1]
        weight[window] += kernel
        total[window] += kernel * observation
        mask[window] = torch.maximum(mask[window], kernel)
    return total / weight.clamp(min=torch.finfo(weight.dtype).tiny), mask
