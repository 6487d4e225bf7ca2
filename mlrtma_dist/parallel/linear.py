"""A linear map between tiles as one operation of automatic differentiation, of any order and in both modes.

A linear map is its own tangent linear, and the adjoint of its adjoint is the map itself, so a pair of functions is all
that there is to know: <F x, y> = <x, F* y> over all tiles.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]


def linear(tensor: Tensor, there: Map, back: Map) -> Tensor:
    """F x, collective; differentiable any number of times.

    Args:
        tensor: x; there: F; back: F*, its adjoint.
    """
    return _Linear.apply(tensor, there, back)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tensor, there, back):
        ctx.maps = there, back
        return there(tensor)

    @staticmethod
    def jvp(ctx, tangent, *_):
        return ctx.maps[0](tangent)

    @staticmethod
    def backward(ctx, gradient):
        there, back = ctx.maps
        return _Linear.apply(gradient, back, there), None, None
