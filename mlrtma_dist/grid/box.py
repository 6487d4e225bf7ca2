"""Box: a rectangle of grid points, and the one rule that says which box owns an observation.

The cell of grid point i is the half-open interval [i - 1/2, i + 1/2) in each direction. An observation belongs to the
grid point in whose cell it lies, and so to exactly one box of any division of a domain.
"""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.errors import InputError


class PlaceError(InputError):
    """An observation that lies on no cell of the domain."""


@dataclass(frozen=True)
class Box:
    """Half-open ranges [y0, y1) and [x0, x1) of the domain's points; negative where a periodic domain wraps."""

    y0: int
    y1: int
    x0: int
    x1: int

    @classmethod
    def whole(cls, shape: tuple[int, int]) -> "Box":
        """All points of a domain of ``shape`` (y, x)."""
        return cls(0, shape[0], 0, shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Points in y and x."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def slices(self) -> tuple[slice, slice]:
        """The box as an index into an array of the whole domain, shape (y, x)."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def owns(self, cell: np.ndarray) -> np.ndarray:
        """Mask (n,) of the cells (n, 2), grid points (y, x), that lie in the box."""
        rows, columns = cell[:, 0], cell[:, 1]
        return (rows >= self.y0) & (rows < self.y1) & (columns >= self.x0) & (columns < self.x1)


def inside(place: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Mask (n,) of the places (n, 2), grid coordinates (y, x), that lie on a cell of a domain that does not wrap."""
    return np.all((place >= -0.5) & (place < np.array(shape) - 0.5), axis=1)


def cell_of(place: np.ndarray, shape: tuple[int, int], periodic: bool | tuple[bool, bool]) -> np.ndarray:
    """The grid point whose cell [i - 1/2, i + 1/2) holds each place, integers of shape (n, 2).

    Args:
        place: grid coordinates (y, x) of the domain, shape (n, 2).
        shape: points of the domain in y and x.
        periodic: whether the domain wraps, in both directions or in y and x.

    Raises:
        PlaceError: a place lies outside a domain that does not wrap.
    """
    cell = np.floor(np.asarray(place, dtype=np.float64) + 0.5).astype(np.int64).reshape(-1, 2)
    wraps = np.broadcast_to(periodic, 2)
    if wraps.all():
        return cell % shape
    cell = np.where(wraps, cell % shape, cell)
    outside = ((cell < 0) | (cell >= shape)).any(1)
    if outside.any():
        raise PlaceError(
            f"an observation at (y, x) = {np.asarray(place)[outside][0].tolist()} lies outside the domain of {shape}"
            " points. Leave out what lies more than half a step beyond the edge."
        )
    return cell
