"""The background of a stored case as a first guess at any point."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from mlrtma_dist.fields.first_guess import FirstGuess
from mlrtma_dist.fields.gridded import GriddedFirstGuess
from mlrtma_dist.fields.plane import PlaneFirstGuess
from mlrtma_dist.fields.state import State
from mlrtma_dist.fields.static import Static


class LazyFields(Mapping):
    """Fields by name, each read when it is asked for and then kept."""

    def __init__(self, variables: tuple[str, ...], read: Callable[[int], np.ndarray]):
        self._numbers, self._read = {name: index for index, name in enumerate(variables)}, read
        self._kept: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._kept:
            self._kept[name] = self._read(self._numbers[name])
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def stored_first_guess(
    static: Static, time: np.datetime64, variables: tuple[str, ...], read: Callable[[int], np.ndarray], name: str
) -> FirstGuess:
    """A first guess of whole fields on a domain, at the domain's terrain.

    Args:
        static: the domain; time: of the fields.
        variables: that there are; read: the field of a variable's number, shape (y, x), SI.
        name: for provenance.
    """
    values = LazyFields(variables, read)
    if static.domain.is_plane:
        return PlaneFirstGuess(static.domain, values, name)
    return GriddedFirstGuess(State(static.domain, time, values, static.terrain, name), name)
