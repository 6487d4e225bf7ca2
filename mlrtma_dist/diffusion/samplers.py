"""Samplers: from a noised field x + sigma_0 n down to a sample, by evaluations of a denoiser.

The probability flow of x_t is dx / dsigma = (x - D(x, sigma)) / sigma (Karras et al. 2022, eq. 1). `heun` follows it;
`stochastic_heun` follows it further down than the next level and adds the difference as new noise, which forgets errors
of earlier steps; `dpm_solver` solves its linear part exactly and needs one evaluation per step.

Each gives a sample of the posterior when the denoiser is the posterior's. No gradient leads from one step to the next,
so that memory does not depend on their number.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from mlrtma_dist.diffusion.denoiser import Denoiser

Noise = Callable[[int], Tensor]  # step -> standard normal numbers (member, channel, y, x), the same on any tiles


@torch.no_grad()
def heun(denoiser: Denoiser, start: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Heun's second-order method (Karras et al. 2022, Algorithm 1).

    Args:
        denoiser: of the prior or of the posterior.
        start: x + sigma_0 n, shape (member, channel, y, x).
        sigmas: descending noise levels from that of ``start`` to 0, n + 1 of them (`schedule`).

    Returns:
        Samples, shape and unit of ``start``; 2 n - 1 evaluations.
    """
    field = start
    for sigma, following in pairwise(sigmas):
        field = _heun_step(denoiser, field, sigma, following)
    return field


@torch.no_grad()
def stochastic_heun(
    denoiser: Denoiser, start: Tensor, sigmas: Sequence[float], noise: Noise, eta: float = 1.0, order: int = 2
) -> Tensor:
    """Heun's steps to a level below the next one, and new noise up to it (Song et al. 2021, DDIM, eq. 16).

    Args:
        denoiser, start, sigmas: as of `heun`.
        noise: new noise of each step; step 0 is the first that is asked for.
        eta: share of the new noise, from 0 (as `heun`) to 1 (ancestral sampling).
        order: 2, or 1 for Euler's steps at half the cost.

    Returns:
        Samples, shape and unit of ``start``; 2 n - 1 evaluations, or n of order 1.
    """
    field = start
    for step, (sigma, following) in enumerate(pairwise(sigmas)):
        field = ancestral_step(denoiser, field, (sigma, following), partial(noise, step), eta, order)
    return field


@torch.no_grad()
def dpm_solver(denoiser: Denoiser, start: Tensor, sigmas: Sequence[float]) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, arXiv:2211.01095, Algorithm 2), with lambda = -log sigma.

    Args:
        denoiser, start, sigmas: as of `heun`.

    Returns:
        Samples, shape and unit of ``start``; n evaluations.
    """
    field, earlier, earlier_width = start, None, 0.0
    for sigma, following in pairwise(sigmas):
        denoised = target = denoiser(field, sigma).detach()
        width = math.log(sigma / following) if following > 0.0 else math.inf
        if earlier is not None and math.isfinite(width):
            target = denoised + (denoised - earlier) * (0.5 * width / earlier_width)
        field = target + (following / sigma) * (field - target)
        earlier, earlier_width = denoised, width
    return field


def sample(name: str, denoiser: Denoiser, start: Tensor, sigmas: Sequence[float], noise: Noise) -> Tensor:
    """A sample by the sampler of a name: heun, stochastic or dpm; see there."""
    if name == "stochastic":
        return stochastic_heun(denoiser, start, sigmas, noise)
    return {"heun": heun, "dpm": dpm_solver}[name](denoiser, start, sigmas)


def ancestral_step(
    denoiser: Denoiser,
    field: Tensor,
    levels: tuple[float, float],
    noise: Callable[[], Tensor],
    eta: float = 1.0,
    order: int = 1,
) -> Tensor:
    """One step of `stochastic_heun` from the first of two noise levels to the second; ``noise`` draws new noise."""
    down, up = ancestral_levels(*levels, eta)
    move = _heun_step if order == 2 else _euler_step
    moved = move(denoiser, field, levels[0], down)
    return moved + up * noise() if up > 0.0 else moved


def ancestral_levels(sigma: float, following: float, eta: float) -> tuple[float, float]:
    """The level to step down to and the new noise that leads up to ``following`` again; their squares add up to its."""
    up = eta * following * math.sqrt(1.0 - (following / sigma) ** 2)
    return math.sqrt(following**2 - up**2), up


def _euler_step(denoiser: Denoiser, field: Tensor, sigma: float, following: float) -> Tensor:
    denoised = denoiser(field, sigma).detach()
    return denoised + (following / sigma) * (field - denoised)


def _heun_step(denoiser: Denoiser, field: Tensor, sigma: float, following: float) -> Tensor:
    slope = (field - denoiser(field, sigma).detach()) / sigma
    moved = field + (following - sigma) * slope
    if following == 0.0:
        return moved
    corrected = (moved - denoiser(moved, following).detach()) / following
    return field + (following - sigma) * 0.5 * (slope + corrected)
