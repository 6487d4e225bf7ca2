"""Imagery: named fields on the domain's grid that are neither reports nor a background, such as a satellite's channels.

A case may have any number of channels, lack some or all of them, and have missing pixels, which are NaN.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mlrtma_dist.grid.box import Box


@dataclass(frozen=True, eq=False)
class Imagery:
    """The channels of a case on a box of the domain.

    Attributes:
        box: the grid points of the fields, as a rule all of the domain: what is near a point may lie on another tile.
        values: channel -> field on the box, shape (y, x), NaN where a pixel is missing; in the channel's unit.
    """

    box: Box
    values: Mapping[str, np.ndarray] = field(default_factory=dict)

    def field_on(self, name: str, box: Box) -> np.ndarray:
        """A channel on a box of the domain, NaN where it is missing or not held, shape (y, x), float32."""
        result = np.full(box.shape, np.nan, np.float32)
        low = max(box.y0, self.box.y0), max(box.x0, self.box.x0)
        high = min(box.y1, self.box.y1), min(box.x1, self.box.x1)
        if name in self.values and low[0] < high[0] and low[1] < high[1]:
            there, here = (
                tuple(slice(first - start, last - start) for first, last, start in zip(low, high, corner, strict=True))
                for corner in ((self.box.y0, self.box.x0), (box.y0, box.x0))
            )
            result[here] = self.values[name][there]
        return result

    def crop(self, box: Box) -> "Imagery":
        """The part on a box of the domain, as imagery of a domain that is this box alone."""
        values = {name: self.field_on(name, box) for name in self.values}
        return replace(self, box=Box.whole(box.shape), values=values)


NO_IMAGERY = Imagery(Box(0, 0, 0, 0))


class ReadFields(Mapping):
    """Fields by name, each read whenever it is taken and not kept: those of a large domain take much memory."""

    def __init__(self, names: tuple[str, ...], read: Callable[[int], np.ndarray]):
        self._numbers, self._read = {name: index for index, name in enumerate(names)}, read

    def __getitem__(self, name: str) -> np.ndarray:
        return self._read(self._numbers[name])

    def __contains__(self, name: object) -> bool:
        return name in self._numbers

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)
