"""From one to all: a field cut into tiles, and the same weights everywhere.

The adjoint of cutting a field that tile 0 holds is to assemble the parts' gradients there: <C x, y> = <x, C* y>.
"""

import torch
import torch.distributed as dist
from torch import Tensor

from mlrtma_dist.parallel.gather import even, join, whole_slices
from mlrtma_dist.parallel.linear import linear
from mlrtma_dist.parallel.tile import Tile, TileError
from mlrtma_dist.parallel.transport import Transport


def spread(whole: Tensor, tile: Tile, transport: Transport) -> Tensor:
    """Hand every tile its part of a field that tile 0 holds; differentiable.

    Args:
        whole: on tile 0 the field, shape (..., *tile.domain); elsewhere a stand-in of shape (..., 0, 0) with the same
            leading shape, dtype and ``requires_grad``, so that every tile takes part in the backward pass.

    Returns:
        The tile's own points, shape (..., *tile.shape).

    Raises:
        TileError: tile 0's field is not of the domain's shape.
    """
    expected = tile.domain if transport.rank == 0 else (0, 0)
    if tuple(whole.shape[-2:]) != tuple(expected):
        raise TileError(
            f"expected a field (..., {expected[0]}, {expected[1]}) on tile {transport.rank} of domain"
            f" {tile.name}, got {tuple(whole.shape)}. Tile 0 gives the domain, the others (..., 0, 0)."
        )
    if transport.size == 1:
        return whole
    shape = whole.shape  # without the field itself, which a graph would keep alive
    return linear(
        whole,
        lambda field: _scatter(field, tile, transport),
        lambda gradient: _assemble(gradient, tile, transport, shape),
    )


def _scatter(whole: Tensor, tile: Tile, transport: Transport) -> Tensor:
    parts = []
    for rank in range(transport.size if transport.rank == 0 else 0):
        rows, columns = whole_slices(tile, tile.box_at(divmod(rank, tile.table[1])))
        parts.append(even(whole[..., rows[:, None], columns], tile))
    own = even(whole.new_empty(*whole.shape[:-2], *tile.shape), tile)
    return transport.scatter(parts, own)[..., : tile.shape[0], : tile.shape[1]].contiguous()


def _assemble(gradient: Tensor, tile: Tile, transport: Transport, shape: torch.Size) -> Tensor:
    """The adjoint of `_scatter`: on tile 0 the field, elsewhere nothing, of its shape there."""
    parts = transport.assemble(even(gradient, tile))
    return join(parts, tile) if parts else gradient.new_zeros(shape)


def same_weights(network: torch.nn.Module, group) -> None:
    """Give all ranks of ``group`` the weights and buffers of its first one; with no group (alone), nothing."""
    if group is None:
        return
    first = dist.get_process_group_ranks(group)[0]
    for tensor in (*network.parameters(), *network.buffers()):
        dist.broadcast(tensor.data, first, group=group)
