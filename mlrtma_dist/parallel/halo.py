"""The rim of a tile: rows and columns of the eight tiles around it, and the exact adjoint of fetching them.

Let E be the linear map that takes all tiles to all tiles with rims. Its adjoint sends a rim's gradient home, where it
is added to the gradient of the points it was copied from: <E x, y> = <x, E* y>. Corners travel with the sides, in one
round of at most eight messages. Beyond the domain's edge there is nobody: the rim stays zero, or repeats the outermost
points ("replicate"), and the adjoint drops it, or adds it to them.
"""

from functools import partial

from torch import Tensor

from mlrtma_dist.nn.neighbourhood import Rim, torch_mode
from mlrtma_dist.parallel.linear import linear
from mlrtma_dist.parallel.tile import Tile, TileError
from mlrtma_dist.parallel.transport import Pending, Transport

HERE = (0, 0)
# Sides before corners, west and east first: a filled corner repeats a side.
DIRECTIONS = ((0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
Direction = tuple[int, int]


def exchange(field: Tensor, rim: Rim, tile: Tile, transport: Transport, edge: str = "zeros") -> Tensor:
    """Surround a tile with its neighbours' points; differentiable any number of times, by the exact adjoint.

    Args:
        field: the owned points, shape (batch, channel, y, x) = (..., *tile.shape); any unit.
        rim: points wanted on each side.
        edge: beyond the domain "zeros" or "replicate"; a periodic domain goes on at its other end.

    Returns:
        Shape (batch, channel, south + y + north, west + x + east), same unit, dtype and device.

    Raises:
        TileError: a tile owns fewer points than a neighbour wants of it, or ``field`` is not of ``tile.shape``.
    """
    check(field, rim, tile, edge)
    if rim == Rim():
        return field
    setting = {"rim": rim, "tile": tile, "transport": transport, "edge": edge}
    return linear(field, partial(_extend, **setting), partial(_send_home, **setting))


def check(field: Tensor, rim: Rim, tile: Tile, edge: str) -> None:
    """Raise TileError where field, tile and rim do not suit each other."""
    torch_mode(edge)
    if tuple(field.shape[-2:]) != tile.shape:
        raise TileError(
            f"rank {tile.rank} owns {tile.shape} points of domain {tile.name}, but the field is"
            f" {tuple(field.shape)}. Cut it to the tile's box {tile.box}."
        )
    tile.check_rim(rim)


def _extend(field: Tensor, rim: Rim, tile: Tile, transport: Transport, edge: str) -> Tensor:
    pending = start(field, rim, tile, transport)
    rows, columns = tile.shape
    make = field.new_zeros if edge == "zeros" else field.new_empty
    extended = make(*field.shape[:-2], rim.south + rows + rim.north, rim.west + columns + rim.east)
    extended[(..., *block(HERE, rim, tile.shape))] = field
    pieces = fill(pending.finish(), field, rim, tile, edge)
    for direction, piece in pieces.items():
        extended[(..., *block(direction, rim, tile.shape))] = piece
    return extended


def _send_home(gradient: Tensor, rim: Rim, tile: Tile, transport: Transport, edge: str) -> Tensor:
    """The adjoint of `_extend`."""
    slices = {d: (..., *block(d, rim, tile.shape)) for d in (*DIRECTIONS, HERE)}
    home = gradient[slices[HERE]].clone()
    pieces = {d: gradient[slices[d]] for d in rim_directions(rim) if tile.neighbour(*d) is not None or edge != "zeros"}
    pieces = {d: piece.clone() if edge != "zeros" else piece for d, piece in pieces.items()}
    fill_adjoint(pieces, home, rim, tile, edge)
    return finish_adjoint(start_adjoint(pieces, home, rim, tile, transport), home, rim)


def rim_directions(rim: Rim) -> list[Direction]:
    """The directions in which the rim is wider than nothing."""
    widths_y, widths_x = (rim.south, 1, rim.north), (rim.west, 1, rim.east)
    return [d for d in DIRECTIONS if widths_y[d[0] + 1] and widths_x[d[1] + 1]]


def opposite(direction: Direction) -> Direction:
    """The direction in which the neighbour sees us."""
    return -direction[0], -direction[1]


def block(direction: Direction, rim: Rim, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Where the piece from ``direction`` lies in the tile with its rim; HERE is the tile itself."""
    parts = []
    for step, low, size, high in zip(direction, (rim.south, rim.west), shape, (rim.north, rim.east), strict=True):
        bounds = (0, low, low + size, low + size + high)
        parts.append(slice(bounds[step + 1], bounds[step + 2]))
    return tuple(parts)


def outgoing_block(direction: Direction, rim: Rim, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Which owned points the neighbour in ``direction`` wants: its rim towards us."""
    parts = []
    for step, low, size, high in zip(direction, (rim.south, rim.west), shape, (rim.north, rim.east), strict=True):
        parts.append({-1: slice(0, high), 0: slice(0, size), 1: slice(size - low, size)}[step])
    return tuple(parts)


def _extent(slices: tuple[slice, slice]) -> tuple[int, int]:
    return tuple(part.stop - part.start for part in slices)


def start(field: Tensor, rim: Rim, tile: Tile, transport: Transport) -> Pending:
    """Begin to fetch the rim; ``finish()`` gives the pieces by direction, those beyond the domain missing."""
    parcels = {opposite(d): field[(..., *outgoing_block(opposite(d), rim, tile.shape))] for d in rim_directions(rim)}
    shapes = {d: _extent(block(d, rim, tile.shape)) for d in rim_directions(rim)}
    return _post(parcels, shapes, field, tile, transport)


def start_adjoint(pieces: dict, home: Tensor, rim: Rim, tile: Tile, transport: Transport) -> Pending:
    """Begin to send the gradients of a rim's ``pieces`` home; `finish_adjoint` adds what arrives to ``home``."""
    shapes = {opposite(d): _extent(outgoing_block(opposite(d), rim, tile.shape)) for d in rim_directions(rim)}
    return _post(pieces, shapes, home, tile, transport)


def finish_adjoint(pending: Pending, home: Tensor, rim: Rim) -> Tensor:
    """Add the gradients that came home to ``home`` (batch, channel, y, x), in place, in a fixed order."""
    arrivals = pending.finish()
    for direction in DIRECTIONS:
        if direction in arrivals:
            home[(..., *outgoing_block(direction, rim, home.shape[-2:]))] += arrivals[direction]
    return home


def _post(parcels: dict, shapes: dict, like: Tensor, tile: Tile, transport: Transport) -> Pending:
    """One parcel to each direction, one from each; the order is by the sender's direction on every rank.

    On a periodic pair of tiles the same two ranks exchange several parcels, told apart by order (NCCL) or tag (gloo).
    """
    letters, own = [], {}
    for tag, direction in enumerate(DIRECTIONS):
        to, whence = tile.neighbour(*direction), opposite(direction)
        if direction in parcels and to == tile.rank:
            own[whence] = parcels[direction].clone()
        elif direction in parcels and to is not None:
            letters.append(("send", to, tag, parcels[direction]))
        source = tile.neighbour(*whence)
        if whence in shapes and source is not None and source != tile.rank:
            letters.append(("receive", source, tag, whence, (*like.shape[:-2], *shapes[whence])))
    pending = transport.post(letters, like)
    pending.arrivals.update(own)
    return pending


def _repeated(direction: Direction, tile: Tile) -> tuple[Direction, int, int] | None:
    """For a piece beyond the domain: the direction it repeats, along which dim, and from which end of it."""
    y, x = direction
    if tile.neighbour(y, x) is not None:
        return None
    if y and tile.neighbour(y, 0) is None:
        return (0, x), -2, 0 if y < 0 else -1
    return (y, 0), -1, 0 if x < 0 else -1


def fill(pieces: dict, field: Tensor, rim: Rim, tile: Tile, edge: str) -> dict:
    """Add the pieces beyond the domain; with zeros they stay missing, which means zero."""
    if edge == "zeros":
        return pieces
    for direction in rim_directions(rim):
        if repeated := _repeated(direction, tile):
            base, dim, end = repeated
            source = field if base == HERE else pieces[base]
            line = source.narrow(dim, 0 if end == 0 else source.shape[dim] - 1, 1)
            widths = _extent(block(direction, rim, tile.shape))
            pieces[direction] = line.expand(*field.shape[:-2], *widths)
    return pieces


def fill_adjoint(pieces: dict, home: Tensor, rim: Rim, tile: Tile, edge: str) -> None:
    """Undo `fill` on gradients, in place: what was repeated is summed and added to what it repeated."""
    if edge == "zeros":
        return
    for direction in reversed(rim_directions(rim)):
        if repeated := _repeated(direction, tile):
            base, dim, end = repeated
            target = home if base == HERE else pieces[base]
            line = target.narrow(dim, 0 if end == 0 else target.shape[dim] - 1, 1)
            line += pieces.pop(direction).sum(dim, keepdim=True)
