"""Rim: how many points around a box are wanted, and what a domain can give."""

from dataclasses import dataclass

from mlrtma_dist.errors import InputError


class NeighbourhoodError(InputError):
    """A field, kernel or factor that does not suit the domain."""


@dataclass(frozen=True)
class Rim:
    """Points wanted on each side of a field; y grows northward, x eastward."""

    south: int = 0
    north: int = 0
    west: int = 0
    east: int = 0

    @classmethod
    def around(cls, y: int, x: int) -> "Rim":
        """The rim with ``y`` rows to the south and north, ``x`` columns to the west and east."""
        return cls(y, y, x, x)


def check_factor(domain: tuple[int, int], periodic: tuple[bool, bool], factor: int) -> None:
    """Raise NeighbourhoodError where a periodic size is no multiple of ``factor``: its ends would not meet."""
    for axis, size, wraps in zip("yx", domain, periodic, strict=True):
        if wraps and size % factor:
            raise NeighbourhoodError(
                f"a periodic domain of {size} points in {axis} cannot be coarsened by {factor}: its ends would not"
                f" meet. Use a multiple of {factor} points, or fewer levels."
            )
