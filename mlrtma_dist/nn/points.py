"""A field at stations: bilinear interpolation between grid points, and its owner among tiles.

Places are grid coordinates (y, x) of the whole domain: point (i, j) lies at (i, j). A station belongs to the tile that
owns the grid point south-west of it, so every station has one owner; the points north and east of it may be the
neighbour's.
"""

import torch
from torch import Tensor

from mlrtma_dist.nn.neighbourhood import Neighbourhood, NeighbourhoodError, Rim


def owned(places: Tensor, neighbourhood: Neighbourhood) -> Tensor:
    """Which places belong to this tile, a boolean of shape (n,).

    Args:
        places: grid coordinates (y, x), shape (n, 2). Up to half a step beyond an edge counts as on the edge.

    Raises:
        NeighbourhoodError: a place lies outside the domain.
    """
    cell, _ = _cells(places, neighbourhood)
    box = neighbourhood.box
    rows, columns = cell.unbind(-1)
    return (rows >= box.y0) & (rows < box.y1) & (columns >= box.x0) & (columns < box.x1)


def sample(field: Tensor, places: Tensor, neighbourhood: Neighbourhood) -> Tensor:
    """Interpolate a field to this tile's own places. Collective: also a tile without stations calls it.

    Args:
        field: shape (batch, channel, y, x).
        places: grid coordinates of the whole domain, shape (n, 2), all owned here.

    Returns:
        Shape (batch, channel, n), the field's unit. Its backward pass is the adjoint, the neighbours' points included.

    Raises:
        NeighbourhoodError: a place belongs to another tile.
    """
    mine = owned(places, neighbourhood)
    around = neighbourhood.rim(field, Rim(north=1, east=1), "replicate")
    if not bool(mine.all()):
        stray = places[~mine][0].tolist()
        raise NeighbourhoodError(f"the station at (y, x) = {stray} is not in {neighbourhood.box}; select with `owned`.")
    cell, share = _cells(places, neighbourhood)
    y, x = cell[:, 0] - neighbourhood.box.y0, cell[:, 1] - neighbourhood.box.x0
    up, right = share.to(field.dtype).unbind(-1)
    south = around[..., y, x] * (1 - right) + around[..., y, x + 1] * right
    north = around[..., y + 1, x] * (1 - right) + around[..., y + 1, x + 1] * right
    return south * (1 - up) + north * up


def _cells(places: Tensor, neighbourhood: Neighbourhood) -> tuple[Tensor, Tensor]:
    """The grid point south-west of each place, and the remaining share of a step."""
    columns = []
    for axis, (size, wraps) in enumerate(zip(neighbourhood.domain, neighbourhood.periodic, strict=True)):
        place = places[:, axis]
        if wraps:
            place = torch.remainder(place, size)
        elif bool(((place < -0.5) | (place > size - 0.5)).any()):
            raise NeighbourhoodError(
                f"a station lies at {'yx'[axis]} = {place.tolist()} outside 0 to {size - 1}."
                " Drop stations outside the domain first."
            )
        columns.append(place if wraps else place.clamp(0, size - 1))
    place = torch.stack(columns, -1)
    cell = place.floor()
    return cell.long(), place - cell
