"""Sums over the tiles of one sample.

The loss of N ranks is the sum of the ranks' scalars. Under that convention the sum over tiles S, which gives every
tile the same total, is its own adjoint: <S x, y> = <x, S y>, so the backward pass sums the gradients of all tiles. A
total that enters the loss as a whole must therefore enter it on one tile, or in shares that add up to one.
"""

import torch
from torch import Tensor

from mlrtma_dist.parallel.linear import linear
from mlrtma_dist.parallel.transport import Transport


def total(tensor: Tensor, transport: Transport) -> Tensor:
    """Sum a tensor (any shape, the same on all tiles) over tiles; every tile has the result. Differentiable."""
    return tensor if transport.size == 1 else linear(tensor, transport.sum, transport.sum)


def sum_gradients(network: torch.nn.Module, transport: Transport) -> None:
    """Sum the weights' gradients over tiles, in place, in one message; a weight without a gradient counts as zero.

    For training without DeepSpeed, whose engine does this itself.
    """
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    if transport.size == 1 or not weights:
        return
    flat = torch.cat([(torch.zeros_like(w) if w.grad is None else w.grad).flatten() for w in weights])
    parts = transport.sum(flat).split([weight.numel() for weight in weights])
    for weight, part in zip(weights, parts, strict=True):
        weight.grad = part.view_as(weight).clone()
