"""Convolution of a tile that hides the fetching of its rim.

A convolution is linear, so that of a tile with its rim is that of the tile with zeros around it (computed while the
rim travels, by PyTorch, without a padded copy) plus that of the rim alone, which reaches only the outermost points:
four strips. For a kernel of k points, dilation d and stride s the reach is p = d (k - 1) / 2 points, and the southern
strip adds to the first ceil(p / s) rows of the output. The backward pass sends the rim's gradient home first, then
computes the tile's own, then adds what came home; see `halo` for the adjoint.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from mlrtma_dist.nn.neighbourhood import Rim
from mlrtma_dist.parallel import halo
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport

SIDES = {"south": (-1, 0), "north": (1, 0), "west": (0, -1), "east": (0, 1)}


@dataclass(frozen=True)
class Setting:
    """Everything about a convolution but the numbers: strides and edge, and whose points these are."""

    stride: int
    dilation: int
    edge: str
    tile: Tile
    transport: Transport


def convolve(field: Tensor, weight: Tensor, bias: Tensor | None, setting: Setting) -> Tensor:
    """Convolve a tile as if the domain were whole; differentiable.

    Args:
        field: the owned points, shape (batch, channel_in, y, x).
        weight: shape (channel_out, channel_in, kernel_y, kernel_x), both odd.

    Returns:
        Shape (batch, channel_out, ceil(y / stride), ceil(x / stride)).

    Raises:
        TileError: a tile is smaller than the reach, or ``field`` is not of ``tile.shape``.
    """
    halo.check(field, _reach(weight, setting), setting.tile, setting.edge)
    return _Convolve.apply(field, weight, bias, setting)


def _reach(weight: Tensor, setting: Setting) -> Rim:
    return Rim.around(*(setting.dilation * (size // 2) for size in weight.shape[-2:]))


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx, field, weight, bias, setting):
        output, strips = _forward(field, weight, bias, setting)
        ctx.setting, ctx.sides = setting, tuple(strips)
        ctx.has_bias = bias is not None
        ctx.save_for_backward(field, weight, *strips.values())
        ctx.save_for_forward(field, weight)
        return output

    @staticmethod
    def jvp(ctx, field_tangent, weight_tangent, bias_tangent, _):
        field, weight = ctx.saved_tensors[:2]
        tangents = []
        if field_tangent is not None:
            tangents.append(_forward(field_tangent, weight, None, ctx.setting)[0])
        if weight_tangent is not None:
            tangents.append(_forward(field, weight_tangent, bias_tangent, ctx.setting)[0])
        elif bias_tangent is not None:
            tangents.append(bias_tangent.view(1, -1, 1, 1).expand(len(field), -1, *_size(field, ctx.setting)))
        return sum(tangents[1:], tangents[0])

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        field, weight, *strips = ctx.saved_tensors
        setting, shape = ctx.setting, field.shape
        travels = ctx.needs_input_grad[0]
        weight_gradient, pieces = torch.zeros_like(weight), {}
        for side, strip in zip(ctx.sides, strips, strict=True):
            part = _Part.of(side, shape, weight, setting)
            strip_gradient, tap_gradient = part.backward(gradient, strip, weight, setting, travels)
            weight_gradient[part.taps] += tap_gradient
            if travels:
                _divide_strip(side, strip_gradient, pieces, _reach(weight, setting))
        rim, fills = _reach(weight, setting), torch.zeros_like(field) if setting.edge != "zeros" and travels else None
        if travels:
            _complete(pieces, field, rim, setting)
            halo.fill_adjoint(pieces, fills, rim, setting.tile, setting.edge)
            pending = halo.start_adjoint(pieces, field, rim, setting.tile, setting.transport)
        home, main, bias_gradient = _aten_backward(
            gradient, field, weight, setting, (rim.south, rim.west), [travels, True, ctx.has_bias]
        )
        if travels:
            home = home if fills is None else home.add_(fills)
            halo.finish_adjoint(pending, home, rim)
        return home, weight_gradient.add_(main), bias_gradient, None


def _complete(pieces: dict, field: Tensor, rim: Rim, setting: Setting) -> None:
    """Make the gradients of the pieces those that were fetched: neighbours wait for each of them.

    A strided kernel may not read the far strip; with zeros beyond the domain, a strip's zero corners were nobody's.
    """
    for direction in halo.wanted(rim):
        nobody = setting.tile.neighbour(*direction) is None
        if nobody and setting.edge == "zeros":
            pieces.pop(direction, None)
        elif direction not in pieces:
            rows, columns = halo.block(direction, rim, setting.tile.shape)
            pieces[direction] = field.new_zeros(*field.shape[:2], rows.stop - rows.start, columns.stop - columns.start)


def _forward(field: Tensor, weight: Tensor, bias: Tensor | None, setting: Setting) -> tuple[Tensor, dict[str, Tensor]]:
    """The output, and the strips of rim that went into it by side."""
    rim = _reach(weight, setting)
    pending = halo.start(field, rim, setting.tile, setting.transport)
    output = F.conv2d(field, weight, bias, setting.stride, (rim.south, rim.west), setting.dilation)
    pieces = halo.fill(pending.finish(), field, rim, setting.tile, setting.edge)
    strips = {}
    for side, direction in SIDES.items():
        part = _Part.of(side, field.shape, weight, setting)
        if direction in pieces and part.outputs > 0:
            strips[side] = _join_strip(side, pieces, field, rim)
            output[part.target] += part.forward(strips[side], weight, setting)
    return output, strips


def _size(field: Tensor, setting: Setting) -> tuple[int, int]:
    return tuple(-(-size // setting.stride) for size in field.shape[-2:])


def _join_strip(side: str, pieces: dict, field: Tensor, rim: Rim) -> Tensor:
    """Southern and northern strips include the corners; missing ones are zero."""
    y, x = SIDES[side]
    if x:
        return pieces[(0, x)].contiguous()
    middle = pieces[(y, 0)]
    if not rim.west:
        return middle.contiguous()
    nothing = middle.new_zeros(*middle.shape[:-1], rim.west)
    return torch.cat([pieces.get((y, -1), nothing), middle, pieces.get((y, 1), nothing)], -1)


def _divide_strip(side: str, gradient: Tensor, pieces: dict, rim: Rim) -> None:
    y, x = SIDES[side]
    if x:
        pieces[(0, x)] = gradient
        return
    width = gradient.shape[-1] - 2 * rim.west
    parts = ((-1, slice(0, rim.west)), (0, slice(rim.west, rim.west + width)), (1, slice(rim.west + width, None)))
    for step, columns in parts:
        if step == 0 or rim.west:
            pieces[(y, step)] = gradient[..., columns].contiguous()


@dataclass(frozen=True)
class _Part:
    """How the strip of one side enters the output.

    Attributes:
        outputs: rows (or columns) of the output it reaches.
        target: where they lie; taps: the kernel's taps that read the strip.
        pad: zeros to add before (low) and after the strip's lines; negative removes lines.
        along: zeros to add on both ends of the other axis (corners belong to south and north).
    """

    outputs: int
    target: tuple
    taps: tuple
    pad: tuple[int, int]
    along: int
    dim: int

    @classmethod
    def of(cls, side: str, shape: torch.Size, weight: Tensor, setting: Setting) -> "_Part":
        dim = -2 if side in ("south", "north") else -1
        size, kernel = shape[dim], weight.shape[dim]
        stride, dilation, half = setting.stride, setting.dilation, kernel // 2
        reach, total = dilation * half, -(-size // setting.stride)
        other = dilation * (weight.shape[-1] // 2 if dim == -2 else weight.shape[-2] // 2)
        if SIDES[side][0] + SIDES[side][1] < 0:
            outputs = min(total, -(-reach // stride))
            lines = (outputs - 1) * stride + dilation * (half - 1) + 1
            taps, begin, pad = slice(0, half), 0, (0, lines - reach)
        else:
            begin = -(-max(0, size - reach) // stride)
            outputs = total - begin
            first, last = begin * stride + dilation - size, (total - 1) * stride + reach - size
            taps, pad = slice(half + 1, kernel), (-first, last + 1 - reach)
        where = slice(begin, begin + outputs)
        if dim == -2:
            return cls(outputs, (..., where, slice(None)), (..., taps, slice(None)), pad, 0, dim)
        return cls(outputs, (..., where), (..., taps), pad, other, dim)

    def _padded(self, strip: Tensor) -> Tensor:
        return F.pad(strip, (0, 0, *self.pad) if self.dim == -2 else self.pad)

    def _padding(self) -> tuple[int, int]:
        return (0, 0) if self.dim == -2 else (self.along, 0)

    def forward(self, strip: Tensor, weight: Tensor, setting: Setting) -> Tensor:
        return F.conv2d(self._padded(strip), weight[self.taps], None, setting.stride, self._padding(), setting.dilation)

    def backward(self, gradient, strip, weight, setting, travels) -> tuple[Tensor | None, Tensor]:
        padded = self._padded(strip)
        home, taps, _ = _aten_backward(
            gradient[self.target].contiguous(),
            padded,
            weight[self.taps].contiguous(),
            setting,
            self._padding(),
            [travels, True, False],
        )
        if home is not None:  # padding back by the opposite amounts: zeros drop out, removed lines get no gradient
            back = tuple(-width for width in self.pad)
            home = F.pad(home, (0, 0, *back) if self.dim == -2 else back)
        return home, taps


def _aten_backward(gradient, field, weight, setting: Setting, padding, wanted) -> tuple:
    """Gradients of field, weight and bias, each None unless wanted."""
    two = [setting.stride] * 2
    return torch.ops.aten.convolution_backward(
        gradient, field, weight, [len(weight)], two, list(padding), [setting.dilation] * 2, False, [0, 0], 1, wanted
    )
