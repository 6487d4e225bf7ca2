"""Symmetries of a periodic square plane with homogeneous, isotropic, symmetric statistics.

Shifted, mirrored, turned or with its sign changed, a case is as likely as it was, so one stored case gives many: 16
times the number of points. Exact for one scalar field; a wind would have to turn with the axes, so several fields are
shifted alone.

A point (i, j) of the new case is read at the source: transposed, then mirrored, then shifted.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from mlrtma_dist.grid.box import Box
from mlrtma_dist.linalg.noise import philox
from mlrtma_dist.methods.sample import Sample


@dataclass(frozen=True)
class Symmetry:
    """One of them; the default changes nothing.

    Attributes:
        size: points on a side of the plane.
        shift: of the source, in y and x.
        mirror: whether the source's y, x run backwards.
        transpose: whether y and x change places.
        sign: 1 or -1.
    """

    size: int
    shift: tuple[int, int] = (0, 0)
    mirror: tuple[bool, bool] = (False, False)
    transpose: bool = False
    sign: int = 1

    @classmethod
    def draw(
        cls, size: int, seed: int, case: int, variant: int, turns: bool = True, either_sign: bool = True
    ) -> "Symmetry":
        """A random one, a function of its arguments; variant 0 changes nothing.

        Args:
            turns: whether it may turn and mirror and change the sign; else it is a shift.
            either_sign: whether it may change the sign.
        """
        if variant == 0:
            return cls(size)
        a, b, c, _ = (int(word) for word in philox((case, variant, 0, 0), (seed, 0)))
        shift = (a % size, b % size)
        if not turns:
            return cls(size, shift)
        return cls(size, shift, (bool(c & 1), bool(c & 2)), bool(c & 4), -1 if c & 8 and either_sign else 1)

    def source(self, box: Box) -> tuple[range, range]:
        """Rows and columns to read for a box of the new case; they may leave the plane, which wraps."""
        spans = [(box.y0, box.y1), (box.x0, box.x1)]
        spans = spans[::-1] if self.transpose else spans
        read = []
        for (low, high), shift, mirror in zip(spans, self.shift, self.mirror, strict=True):
            low, high = (self.size - high, self.size - low) if mirror else (low, high)
            read.append(range(low + shift, high + shift))
        return tuple(read)

    def field(self, values: np.ndarray) -> np.ndarray:
        """The new case's box from what was read at `source`, shape (..., y, x)."""
        for axis, mirror in zip((-2, -1), self.mirror, strict=True):
            values = np.flip(values, axis) if mirror else values
        values = values.swapaxes(-1, -2) if self.transpose else values
        return values if self.sign == 1 else -values

    def place(self, source: np.ndarray) -> np.ndarray:
        """Where observations at ``source`` (n, 2) lie in the new case, in [-1/2, size - 1/2).

        If nothing changes they stay as they are, on a domain of any shape.
        """
        if self == Symmetry(self.size):
            return source
        place = np.asarray(source, dtype=np.float64) - self.shift
        place = np.where(self.mirror, self.size - 1 - place, place)
        place = place[:, ::-1] if self.transpose else place
        return (place + 0.5) % self.size - 0.5

    def sample(self, source: Sample, signed: int) -> Sample:
        """The new case's sample from that of the source box: moved, and the sign changed of all but the masks.

        Args:
            source: of the box that `source` names; signed: leading channels of the input that change sign.
        """
        moves = Symmetry(self.size, self.shift, self.mirror, self.transpose)
        inputs, target = (np.ascontiguousarray(moves.field(each.numpy())) for each in (source.inputs, source.target))
        if self.sign != 1:
            inputs[:, :signed] *= self.sign
            target *= self.sign
        return replace(source, inputs=torch.from_numpy(inputs), target=torch.from_numpy(target))
