"""Team: the ranks that draw the members of one answer on the same tile, each some of them.

The data axis of the ranks holds copies of every tile. Where there are fewer cases than these copies, each copy draws
some members on the whole tile; then the rows of the tile are divided, and every copy has all members of its rows. So
no rank holds all members of the tile, and what is computed of members (quantiles, for example) needs no other rank.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.grid.box import Box
from mlrtma_dist.parallel.tile import divide


@dataclass(frozen=True)
class Team:
    """This rank among those that draw members on its tile.

    Attributes:
        number: of this rank among them; count: of them.
        exchange: hands one object to each of them and returns what each of them handed to this rank; collective.
        largest: of a number over all ranks of the run, the same on every rank; collective.
    """

    number: int = 0
    count: int = 1
    exchange: Callable[[Sequence], Sequence] = list
    largest: Callable[[float], float] = float

    def batches(self, members: int, at_once: int) -> list[range]:
        """The numbers of this rank's members in batches, as many batches on every rank; some may be empty."""
        first, end = (members * number // self.count for number in (self.number, self.number + 1))
        most = -(-members // self.count)
        starts = range(first, first + most, at_once)
        return [range(min(start, end), min(start + at_once, end)) for start in starts]

    def boxes(self, box: Box) -> list[Box]:
        """The rows of a tile that each rank has in the end.

        Raises:
            TileError: fewer rows than ranks.
        """
        lines = divide(box.y1 - box.y0, self.count, name=f"(its tile {box}, whose members are divided)")
        return [
            Box(box.y0 + low, box.y0 + high, box.x0, box.x1) for low, high in zip(lines[:-1], lines[1:], strict=True)
        ]

    def scatter(self, numbers: range, fields: np.ndarray, boxes: Sequence[Box], rim: int) -> list:
        """Hand every rank its rows of this rank's members. Collective.

        Args:
            numbers: of the members; fields: of them on the tile and ``rim`` points around it, shape (..., y, x).
            boxes: `boxes` of the tile.

        Returns:
            From every rank the numbers of its members and their fields on the rows of this one.
        """
        top = boxes[0].y0
        rows = (slice(each.y0 - top, each.y1 - top + 2 * rim) for each in boxes)
        return list(self.exchange([(numbers, fields[..., part, :]) for part in rows]))


ALONE_IN_TEAM = Team()
