"""The domain's field on every tile, from everyone's part. For coarse fields: no rank is to hold a fine one.

Let G be the map from the parts to the wholes (one a tile, all equal). Its adjoint sums, over tiles, the gradients of
the wholes and hands every tile its part of the sum: <G x, y> = <x, G* y>.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from mlrtma_dist.parallel.linear import linear
from mlrtma_dist.parallel.tile import Tile, TileError
from mlrtma_dist.parallel.transport import Transport


def gather(field: Tensor, tile: Tile, transport: Transport) -> Tensor:
    """Assemble all tiles' parts on every tile; differentiable.

    Args:
        field: the owned points, shape (..., y, x) = (..., *tile.shape).

    Returns:
        Shape (..., *tile.domain).

    Raises:
        TileError: ``field`` is not of ``tile.shape``.
    """
    if tuple(field.shape[-2:]) != tile.shape:
        raise TileError(
            f"rank {tile.rank} owns {tile.shape} points of domain {tile.name}, but the field to gather is"
            f" {tuple(field.shape)}. Cut it to the tile's box {tile.box}."
        )
    if transport.size == 1:
        return field
    return linear(
        field,
        lambda own: join(transport.collect(even(own, tile)), tile),
        lambda gradient: part(transport.sum(gradient), tile),
    )


def part(whole: Tensor, tile: Tile) -> Tensor:
    """The tile's own points of a field on the whole domain, shape (..., y, x)."""
    rows, columns = whole_slices(tile, tile.box)
    return whole.index_select(-2, rows.to(whole.device)).index_select(-1, columns.to(whole.device))


def whole_slices(tile: Tile, box) -> tuple[Tensor, Tensor]:
    """Indices of a box's rows and columns in the domain; a box that wraps goes on at the other end."""
    return torch.arange(box.y0, box.y1) % tile.domain[0], torch.arange(box.x0, box.x1) % tile.domain[1]


def even(field: Tensor, tile: Tile) -> Tensor:
    """Pad the owned points to the size of the largest tile, as collectives want equal shapes."""
    most = [max(high - low for low, high in pairwise(lines)) for lines in tile.lines]
    return F.pad(field, (0, most[1] - field.shape[-1], 0, most[0] - field.shape[-2])).contiguous()


def join(parts: list[Tensor], tile: Tile) -> Tensor:
    """Put even parts, by tile rank, where they belong in the domain.

    All tiles at once: one copy, and two selections that drop what `even` added, however many tiles there are.
    """
    height, width = parts[0].shape[-2:]
    table = torch.stack(parts).unflatten(0, tile.table)  # (tile y, tile x, ..., y, x)
    padded = table.movedim((0, 1), (-4, -2)).flatten(-4, -3).flatten(-2, -1)
    rows, columns = (_places(tile, axis, size).to(padded.device) for axis, size in enumerate((height, width)))
    return padded.index_select(-2, rows).index_select(-1, columns)


def _places(tile: Tile, axis: int, size: int) -> Tensor:
    """Where each row (axis 0) or column of the domain lies among even parts of ``size`` lines, one after another."""
    places = torch.empty(tile.domain[axis], dtype=torch.long)
    for number, (low, high) in enumerate(pairwise(tile.lines[axis])):
        places[torch.arange(low, high) % tile.domain[axis]] = number * size + torch.arange(high - low)
    return places
