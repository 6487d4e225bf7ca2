"""Group normalisation (Wu and He 2018) whose mean and variance are sums over all tiles.

With x' = (x - mean) / deviation and n points a group, the forward pass collects each tile's count, mean and sum of
squared departures and joins them (Chan et al. 1979, eq. 2.1), which does not cancel as a sum of squares would. The
backward pass, d x = (g - mean(g) - x' mean(g x')) / deviation with g = weight * d y, sums two numbers a group over the
tiles. One collective each way. PyTorch's own kernel knows only the tile, hence this one.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mlrtma_dist.nn.neighbourhood import NeighbourhoodError
from mlrtma_dist.parallel.transport import Transport


def normalise(field: Tensor, weight: Tensor, bias: Tensor, groups: int, epsilon: float, transport: Transport) -> Tensor:
    """Normalise groups of channels over all tiles' points; differentiable.

    Args:
        field: the owned points, shape (batch, channel, y, x).
        weight, bias: shape (channel,).

    Returns:
        Shape of ``field``. Statistics are kept in float32 at least.

    Raises:
        NeighbourhoodError: the groups do not divide the channels.
    """
    if field.shape[1] % groups:
        raise NeighbourhoodError(f"{field.shape[1]} channels cannot be divided into {groups} groups; choose a divisor.")
    return _Normalise.apply(field, weight, bias, groups, epsilon, transport)


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, field, weight, bias, groups, epsilon, transport):
        mean, inverse, count = _statistics(field, groups, epsilon, transport)
        ctx.groups, ctx.count, ctx.transport = groups, count, transport
        ctx.save_for_backward(field, weight, mean, inverse)
        ctx.save_for_forward(field, weight, mean, inverse)
        scale = weight * _by_channel(inverse, field)
        return _affine(field, scale, bias - scale * _by_channel(mean, field))

    @staticmethod
    def jvp(ctx, field_tangent, weight_tangent, bias_tangent, *_):
        field, weight, mean, inverse = ctx.saved_tensors
        standard = (field - _wide(mean, field)) * _wide(inverse, field)
        tangent = torch.zeros_like(field)
        if field_tangent is not None:
            sums = torch.stack(
                [_group_sum(field_tangent, ctx.groups), _group_sum(field_tangent * standard, ctx.groups)]
            )
            drift, stretch = ctx.transport.sum(sums) / ctx.count
            change = field_tangent - _wide(drift, field) - standard * _wide(stretch, field)
            tangent = tangent + change * _wide(inverse, field) * weight.view(1, -1, 1, 1)
        if weight_tangent is not None:
            tangent = tangent + standard * weight_tangent.view(1, -1, 1, 1)
        if bias_tangent is not None:
            tangent = tangent + bias_tangent.view(1, -1, 1, 1)
        return tangent

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        field, weight, mean, inverse = ctx.saved_tensors
        mean_c, inverse_c = _by_channel(mean, field), _by_channel(inverse, field)
        plain = gradient.sum((2, 3), dtype=mean.dtype)
        crossed = ((gradient * field).sum((2, 3), dtype=mean.dtype) - plain * mean_c) * inverse_c
        sums = torch.stack([plain * weight, crossed * weight]).unflatten(2, (ctx.groups, -1)).sum(-1)
        drift, stretch = ctx.transport.sum(sums) / ctx.count
        on_field = -inverse_c * inverse_c * _by_channel(stretch, field)
        constant = -inverse_c * _by_channel(drift, field) - on_field * mean_c
        home = _affine(field, on_field, constant).addcmul_(gradient, _spread(weight * inverse_c, field))
        return home, crossed.sum(0).to(weight), plain.sum(0).to(weight), None, None, None


def _statistics(field: Tensor, groups: int, epsilon: float, transport: Transport) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and inverse deviation, shape (batch, group), and the points of a group over all tiles."""
    precise = torch.promote_types(field.dtype, torch.float32)
    by_group = field.to(precise).flatten(2).unflatten(1, (groups, -1)).flatten(2)
    mean = by_group.mean(-1)
    departure = torch.linalg.vector_norm(by_group - mean[..., None], dim=-1).square()
    own = torch.stack([torch.full_like(mean, by_group.shape[-1]), mean, departure])
    counts, means, departures = torch.stack(transport.collect(own), 1)
    count = counts.sum(0)
    mean = (counts * means).sum(0) / count
    variance = (departures.sum(0) + (counts * (means - mean).square()).sum(0)) / count
    return mean, torch.rsqrt(variance + epsilon), count.flatten()[0]


def _by_channel(value: Tensor, field: Tensor) -> Tensor:
    """(batch, group) to (batch, channel)."""
    return value.repeat_interleave(field.shape[1] // value.shape[1], 1)


def _wide(value: Tensor, field: Tensor) -> Tensor:
    """(batch, group) to (batch, channel, 1, 1)."""
    return _spread(_by_channel(value, field), field)


def _spread(value: Tensor, field: Tensor) -> Tensor:
    return value.to(field.dtype)[..., None, None]


def _affine(field: Tensor, scale: Tensor, constant: Tensor) -> Tensor:
    return torch.addcmul(_spread(constant, field), field, _spread(scale, field))


def _group_sum(field: Tensor, groups: int) -> Tensor:
    return field.flatten(2).unflatten(1, (groups, -1)).flatten(2).sum(-1)
