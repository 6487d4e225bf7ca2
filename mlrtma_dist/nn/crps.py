"""Continuous ranked probability scores as losses, in the unit of the value (Gneiting and Raftery 2007)."""

import math

import torch
from torch import Tensor


def gaussian_crps(mean: Tensor, deviation: Tensor, value: Tensor) -> Tensor:
    """CRPS of Gaussians with deviations > 0, any one shape (Gneiting et al. 2005, eq. 5)."""
    z = (value - mean) / deviation
    density = torch.exp(-0.5 * z.square()) / math.sqrt(2.0 * math.pi)
    return deviation * (z * (2.0 * torch.special.ndtr(z) - 1.0) + 2.0 * density - 1.0 / math.sqrt(math.pi))


def class_crps(below: Tensor, index: Tensor, steps: Tensor) -> Tensor:
    """CRPS of distributions on k + 1 ascending values: sum over k of steps_k (F_k - 1[value below limit k])^2.

    Args:
        below: probability of a value below each limit, shape (..., k).
        index: how many limits the value reaches, 0 to k, shape (...).
        steps: from each of the values to the next, shape (k,).

    Returns:
        Shape (...), the unit of ``steps``.
    """
    is_below = torch.arange(below.shape[-1], device=below.device) >= index[..., None]
    return ((below - is_below.to(below.dtype)).square() * steps).sum(-1)


def pair_crps(first: Tensor, second: Tensor, value: Tensor) -> Tensor:
    """Fair CRPS of an ensemble of two members (Ferro 2014, eq. 8), any one shape: its mean rewards the true spread."""
    return 0.5 * ((first - value).abs() + (second - value).abs() - (first - second).abs())
