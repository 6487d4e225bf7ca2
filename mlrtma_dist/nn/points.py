"""A field at stations: bilinear interpolation between grid points, and its owner among tiles.

Places are grid coordinates (y, x) of the whole domain: point (i, j) lies at (i, j). A station belongs to the tile that
owns the grid point in whose cell it lies (`grid.box`, the one rule of ownership); the points around it may be the
neighbour's.
"""

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.grid.box import cell_of
from mlrtma_dist.nn.neighbourhood import Neighbourhood, NeighbourhoodError, Rim


def owned(places: Tensor, neighbourhood: Neighbourhood) -> Tensor:
    """Which places belong to this tile, a boolean of shape (n,).

    Args:
        places: grid coordinates (y, x), shape (n, 2). Up to half a step beyond an edge counts as on the edge.

    Raises:
        NeighbourhoodError: a place lies outside the domain.
    """
    _check(places, neighbourhood)
    cell = cell_of(places.detach().cpu().numpy(), neighbourhood.domain, neighbourhood.periodic)
    return torch.from_numpy(neighbourhood.box.owns(_wrapped(cell, neighbourhood))).to(places.device)


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
    around = neighbourhood.rim(field, Rim.around(1, 1), "replicate")
    if not bool(mine.all()):
        stray = places[~mine][0].tolist()
        raise NeighbourhoodError(f"the station at (y, x) = {stray} is not in {neighbourhood.box}; select with `owned`.")
    cell, share = _cells(places, neighbourhood)
    y, x = cell[:, 0] - neighbourhood.box.y0 + 1, cell[:, 1] - neighbourhood.box.x0 + 1
    up, right = share.to(field.dtype).unbind(-1)
    south = around[..., y, x] * (1 - right) + around[..., y, x + 1] * right
    north = around[..., y + 1, x] * (1 - right) + around[..., y + 1, x + 1] * right
    return south * (1 - up) + north * up


def _check(places: Tensor, neighbourhood: Neighbourhood) -> None:
    """Raise NeighbourhoodError where a place lies more than half a step beyond an edge that does not wrap."""
    for axis, (size, wraps) in enumerate(zip(neighbourhood.domain, neighbourhood.periodic, strict=True)):
        place = places[:, axis]
        if not wraps and bool(((place < -0.5) | (place >= size - 0.5)).any()):
            raise NeighbourhoodError(
                f"a station lies at {'yx'[axis]} = {place.tolist()} outside 0 to {size - 1}."
                " Drop stations outside the domain first."
            )


def _wrapped(cell: np.ndarray, neighbourhood: Neighbourhood) -> np.ndarray:
    """Cells counted from the box on, where the domain wraps and the box begins elsewhere."""
    low = np.array([neighbourhood.box.y0, neighbourhood.box.x0])
    return np.where(neighbourhood.periodic, (cell - low) % neighbourhood.domain + low, cell)


def _cells(places: Tensor, neighbourhood: Neighbourhood) -> tuple[Tensor, Tensor]:
    """The grid point south-west of each place, counted from the box on, and the remaining share of a step."""
    low = torch.tensor([neighbourhood.box.y0, neighbourhood.box.x0], device=places.device, dtype=places.dtype)
    size = torch.tensor(neighbourhood.domain, device=places.device, dtype=places.dtype)
    wraps = torch.tensor(neighbourhood.periodic, device=places.device)
    # the cell of a place may begin half a step before the box, or end half a step after it
    place = torch.where(wraps, torch.remainder(places - low + 0.5, size) + low - 0.5, places.clamp(min=0))
    place = torch.where(wraps, place, torch.minimum(place, size - 1))
    cell = place.floor()
    return cell.long(), place - cell
