"""Which points of the domain a rank owns, and who lives around them.

The domain is cut by lines in y and lines in x, so tiles form a table and share whole edges. Lines lie on multiples of
what must not be cut (a patch, a window, a chunk of the sample store); what is left over at the far edge goes to the
last tile. Frozen: a tile is a fact about the job, not a thing that changes.
"""

from dataclasses import dataclass, replace

from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.rim import NeighbourhoodError, Rim, check_factor


class TileError(NeighbourhoodError):
    """The domain cannot be divided so, or a tile is too small for what is asked of it."""


@dataclass(frozen=True)
class Tile:
    """One rank's part of a domain.

    Attributes:
        domain: points of the domain in y and x.
        lines: for y and for x, where the tiles begin, and the end: ((0, 48, 97), (0, 61)).
        position: row and column of this tile in the table of tiles, from the south-west.
        periodic: whether y, x wrap.
        name: the domain's name, for messages.
        step: distance of neighbouring points in points of the finest grid; 1 on the finest.
    """

    domain: tuple[int, int]
    lines: tuple[tuple[int, ...], tuple[int, ...]]
    position: tuple[int, int] = (0, 0)
    periodic: tuple[bool, bool] = (False, False)
    name: str = "unnamed"
    step: int = 1

    @classmethod
    def split(cls, domain, table, position=(0, 0), align: int = 1, periodic=(False, False), name="unnamed") -> "Tile":
        """Divide a domain into a table of tiles and return the one at ``position``.

        Args:
            domain: points in y and x; table: tiles in y and x.
            align: every inner line lies on a multiple of it.

        Raises:
            TileError: more tiles than multiples of ``align``.
        """
        axes = zip(domain, table, "yx", strict=True)
        lines = tuple(divide(size, parts, align, axis, name) for size, parts, axis in axes)
        return cls(tuple(domain), lines, tuple(position), tuple(periodic), name)

    @classmethod
    def whole(cls, domain: tuple[int, int], periodic=(False, False), name="unnamed") -> "Tile":
        """The only tile of an undivided domain."""
        return cls.split(domain, (1, 1), periodic=periodic, name=name)

    @property
    def table(self) -> tuple[int, int]:
        """Tiles in y and x."""
        return len(self.lines[0]) - 1, len(self.lines[1]) - 1

    @property
    def rank(self) -> int:
        """Index of this tile, x fastest: its rank within the group of tiles."""
        return self.position[0] * self.table[1] + self.position[1]

    @property
    def box(self) -> Box:
        """The owned points."""
        return self.box_at(self.position)

    @property
    def shape(self) -> tuple[int, int]:
        """Owned rows and columns."""
        return self.box.shape

    def box_at(self, position: tuple[int, int]) -> Box:
        """The points owned by the tile at ``position``."""
        (y_lines, x_lines), (i, j) = self.lines, position
        return Box(y_lines[i], y_lines[i + 1], x_lines[j], x_lines[j + 1])

    def neighbour(self, y: int, x: int) -> int | None:
        """Rank of the tile one step in direction (y, x), each -1, 0 or 1; None beyond the edge of the domain.

        A periodic axis wraps, so a tile alone on it is its own neighbour.
        """
        there = []
        for at, step, parts, wraps in zip(self.position, (y, x), self.table, self.periodic, strict=True):
            if not wraps and not 0 <= at + step < parts:
                return None
            there.append((at + step) % parts)
        return there[0] * self.table[1] + there[1]

    def slab(self, width: int) -> tuple[range, range]:
        """Rows and columns of the domain within ``width`` of the tile, cut at edges, wrapped where periodic.

        The ranges may leave [0, size) where the domain wraps: take indices modulo the size.
        """
        box = self.box
        slabs = []
        for low, high, size, wraps in (
            (box.y0, box.y1, self.domain[0], self.periodic[0]),
            (box.x0, box.x1, self.domain[1], self.periodic[1]),
        ):
            slabs.append(
                range(low - width, high + width) if wraps else range(max(0, low - width), min(size, high + width))
            )
        return tuple(slabs)

    def coarsen(self, factor: int) -> "Tile":
        """The tile of the grid that keeps every ``factor``-th point.

        Raises:
            TileError: an inner line is no multiple of ``factor``; NeighbourhoodError: a periodic size is none.
        """
        check_factor(self.domain, self.periodic, factor)
        for axis, lines in zip("yx", self.lines, strict=True):
            if odd := [line for line in lines[:-1] if line % factor]:
                raise TileError(
                    f"tiles of domain {self.name} begin at {axis} = {odd[0]}, which is no multiple of {factor}."
                    f" Split it with align={factor * self.step} (the network's `alignment`)."
                )
        lines = tuple(tuple(-(-line // factor) for line in lines) for lines in self.lines)
        domain = tuple(-(-size // factor) for size in self.domain)
        return replace(self, domain=domain, lines=lines, step=self.step * factor)

    def shifted(self, by: tuple[int, int]) -> "Tile":
        """The tile between lines moved ``by`` points north and east; the edges of the domain stay."""
        moved = []
        for lines, step, wraps in zip(self.lines, by, self.periodic, strict=True):
            inner = tuple(line + step for line in lines[1:-1])
            moved.append((lines[0] + step * wraps, *inner, lines[-1] + step * wraps))
        return replace(self, lines=tuple(moved))

    def check_rim(self, rim: Rim) -> None:
        """Raise TileError, alike on every rank, where a tile owns fewer points than its neighbour wants of it."""
        widths = ((rim.south, rim.north), (rim.west, rim.east))
        for axis in (0, 1):
            for index in range(self.table[axis]):
                self._check_side(axis, index, *widths[axis])

    def _check_side(self, axis: int, index: int, low: int, high: int) -> None:
        """A tile's points serve as the low rim of the next tile and as the high rim of the one before."""
        lines, parts = self.lines[axis], self.table[axis]
        owned = lines[index + 1] - lines[index]
        has_next, has_previous = index + 1 < parts or self.periodic[axis], index > 0 or self.periodic[axis]
        width = max(low * has_next, high * has_previous)
        if owned >= width:
            return
        position = (index, self.position[1]) if axis == 0 else (self.position[0], index)
        rank = position[0] * self.table[1] + position[1]
        raise TileError(
            f"rank {rank} owns {owned} {('rows', 'columns')[axis]} ({'yx'[axis]} {lines[index]}:{lines[index + 1]} of"
            f" {self.domain[axis]}, domain {self.name}{f', every {self.step}th point' if self.step > 1 else ''}) but"
            f" the halo is {width} wide. Use at most {max(1, min(parts - 1, self.domain[axis] // width))} ranks in"
            f" {'yx'[axis]}."
        )


def divide(size: int, parts: int, align: int = 1, axis: str = "y", name: str = "unnamed") -> tuple[int, ...]:
    """Lines that cut ``size`` points into ``parts``, all but the last on multiples of ``align``.

    The last parts are given what is left over, so the incomplete unit at the far edge never stands alone if it need
    not.

    Example:
        >>> divide(61, 4, align=15)
        (0, 15, 30, 45, 61)
    """
    units = -(-size // align)
    if parts > units:
        raise TileError(
            f"domain {name} has {size} points in {axis} = {units} x {align} that must not be cut, fewer than {parts}"
            f" ranks. Use at most {units} ranks in {axis}."
        )
    each, extra = divmod(units, parts)
    counts = [each] * (parts - extra) + [each + 1] * extra
    lines = [0]
    for count in counts:
        lines.append(min(size, lines[-1] + count * align))
    return tuple(lines)
