"""What a map shows of a field, brought together from the tiles of all ranks on the rank that draws the map.

A picture has a value for every pixel, or for 1 to 2 x 2 pixels' worth of grid points: its size depends on the paper,
not on the grid. The rank that draws holds one picture at a time; no rank needs a field for it.
"""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.field_range import FieldRange, field_range


@dataclass(frozen=True)
class Picture:
    """A field thinned to about the pixels of a map.

    Attributes:
        values: means over squares of grid points, shape (rows, columns) of squares; NaN where a point is missing.
        thin: edge of a square in grid points.
    """

    values: np.ndarray
    thin: int


@dataclass(frozen=True)
class Tiles:
    """The tiles of all ranks, and the rank on which they are brought together for one map.

    Attributes:
        shape: of the domain, (y, x).
        box: of this rank.
        thin: edge in grid points of the squares over which pictures are averaged.
        communicator: mpi4py's, None alone.
        root: the rank that draws.
    """

    shape: tuple[int, int]
    box: Box
    thin: int = 1
    communicator: object = None
    root: int = 0

    def range(self, values: np.ndarray, percentiles: tuple[float, ...] = ()) -> FieldRange:
        """Range and percentiles of a field, on every rank; ``values``: this rank's, shape (y, x) of its box."""
        return field_range(values, percentiles, self.communicator)

    def picture(self, values: np.ndarray) -> Picture | None:
        """The picture of a field on the rank that draws, None elsewhere. Collective.

        Sums over squares are those of float32 values in double precision, which are exact where the values are of
        like size: a line of tiles across a square does not change it.

        Args:
            values: this rank's, shape (y, x) of its box.
        """
        squares = tuple(size // self.thin for size in self.shape)
        rows, columns = (
            _squares(low, high, self.thin, count)
            for low, high, count in zip((self.box.y0, self.box.x0), (self.box.y1, self.box.x1), squares, strict=True)
        )
        place = slice(rows[0], rows[0] + len(rows[1])), slice(columns[0], columns[0] + len(columns[1]))
        if self.thin == 1:
            whole = self._joined(place, values, squares, values.dtype)
            return None if whole is None else Picture(whole, 1)
        ends = (max(0, n * self.thin - low) for n, low in zip(squares, (self.box.y0, self.box.x0), strict=True))
        # what is left over beyond the last square is not shown
        kept = values[tuple(slice(end) for end in ends)].astype(np.float32, copy=False)
        sums = np.zeros((len(rows[1]), len(columns[1])))
        if sums.size:
            sums = np.add.reduceat(np.add.reduceat(kept, columns[1], axis=1, dtype=np.float64), rows[1], axis=0)
        whole = self._joined(place, sums, squares, np.dtype(np.float64))
        return None if whole is None else Picture((whole / self.thin**2).astype(np.float32), self.thin)

    def sample(self, values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray | None:
        """The values at some rows and columns of the domain on the rank that draws, None elsewhere. Collective.

        Args:
            values: this rank's, shape (y, x) of its box.
            rows, columns: in ascending order.
        """
        (r0, r1), (c0, c1) = (
            np.searchsorted(indices, ends)
            for indices, ends in ((rows, (self.box.y0, self.box.y1)), (columns, (self.box.x0, self.box.x1)))
        )
        mine = values[np.ix_(rows[r0:r1] - self.box.y0, columns[c0:c1] - self.box.x0)]
        return self._joined((slice(r0, r1), slice(c0, c1)), mine, (len(rows), len(columns)), values.dtype)

    def _joined(self, place: tuple[slice, slice], block: np.ndarray, shape, dtype) -> np.ndarray | None:
        """The sum of all ranks' blocks, each at its place in an array of zeros, on the rank that draws."""
        blocks = [(place, block)]
        if self.communicator is not None:
            blocks = self.communicator.gather((place, block), root=self.root)  # type: ignore[attr-defined]
        if blocks is None:
            return None
        whole = np.zeros(shape, dtype)
        for there, values in blocks:
            whole[there] += values
        return whole


def _squares(low: int, high: int, thin: int, count: int) -> tuple[int, list[int]]:
    """The first of the squares that [low, high) touches, and where in it each square begins."""
    first, last = low // thin, min(-(-high // thin), count)
    return first, [max(square * thin, low) - low for square in range(first, last)]
