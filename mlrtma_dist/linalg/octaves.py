"""Octaves: a moving Gaussian field with the spectrum of weather, drawn on any box of a grid by itself.

White noise on a lattice of spacing s, interpolated by cubic B-splines, has a flat spectrum for waves longer than about
3 s and next to nothing below. A sum over lattices s = l, l/2, l/4, ... of variances

    a(s)^2 ~ (s/b)^(p - 1) + (s/b)^(q - 1)

has the one-dimensional spectrum k^-p for waves longer than about 3 b and k^-q below (Nastrom and Gage 1985, Journal
of the Atmospheric Sciences 42, 950-960: k^-3 and k^-5/3, with the bend at some 500 km). The lattices move with a
velocity; in time each fades from one draw into the next, a small one sooner than a large one, as s^(2/3): the turnover
time of eddies in a k^-5/3 spectrum. Weights are scaled so that the variance is one at every place and time.

The field is a function of seed, channel, time and place, never of the box or the rank: a tile is, to the last bit, the
cut of the whole field. For the same reason the sums below are written out: a matrix product depends on its shape.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlrtma_dist.linalg.noise import WORD, normal

EPOCH = np.datetime64("1970-01-01T00:00:00", "s")
CHANNELS = 32  # most octaves of a field: from 1 mm to the earth's circumference


def seconds(time: np.datetime64) -> float:
    """Seconds since 1970."""
    return float((time - EPOCH) / np.timedelta64(1, "s"))


@dataclass(frozen=True)
class Octaves:
    """A Gaussian field of unit variance.

    Attributes:
        channel: which field; fields of other numbers are independent.
        longest, shortest: lattice spacings in m between which the octaves lie; waves are three times as long.
        slopes: p and q, of the long and of the short waves.
        bend: b, m.
        velocity: of the whole pattern, northward and eastward (along y and x), m/s.
        lifetime: after which the longest octave is another one, s; 0: for ever the same.
    """

    channel: int
    longest: float
    shortest: float
    slopes: tuple[float, float] = (3.0, 5.0 / 3.0)
    bend: float = 150e3
    velocity: tuple[float, float] = (0.0, 0.0)
    lifetime: float = 0.0

    @cached_property
    def spacings(self) -> np.ndarray:
        """Of the lattices, m, the coarsest first."""
        count = 1 + max(0, int(np.floor(np.log2(self.longest / self.shortest) + 1e-9)))
        return self.longest / 2.0 ** np.arange(min(count, CHANNELS))

    @cached_property
    def amplitudes(self) -> np.ndarray:
        """Standard deviation of each octave; the squares sum to one."""
        relative = self.spacings / self.bend
        variance = np.sum([relative ** (slope - 1.0) for slope in self.slopes], axis=0)
        return np.sqrt(variance / variance.sum())

    def draw(
        self,
        seed: int,
        y: np.ndarray,
        x: np.ndarray,
        time: float,
        *,
        member: int = 0,
        gain: Callable[[np.ndarray], np.ndarray] = np.ones_like,
    ) -> np.ndarray:
        """The field at the points of a grid.

        Args:
            seed, member: of the noise.
            y, x: places in m, ascending, shapes (y,) and (x,).
            time: s since any date.
            gain: factor of each octave by its spacing in m: a model that resolves less sees less.

        Returns:
            Shape (y, x), float64.
        """
        total = np.zeros((len(y), len(x)))
        factors = self.amplitudes * gain(self.spacings)
        for number, (spacing, factor) in enumerate(zip(self.spacings, factors, strict=True)):
            if factor > 0.0:
                places = [(c - v * time) / spacing for c, v in zip((y, x), self.velocity, strict=True)]
                total += factor * self._octave((seed, member), number, places, time)
        return total

    def _octave(self, key: tuple[int, int], number: int, places: list[np.ndarray], time: float) -> np.ndarray:
        """One octave of unit variance at places given in its own spacing."""
        (row, up), (column, across) = (_spline(place) for place in places)
        low, left = row.min(), column.min()
        lattice = self._lattice(key, number, np.arange(low, row.max() + 4), np.arange(left, column.max() + 4), time)
        row, column = row - low, column - left
        lines = sum(across[tap] * lattice[:, column + tap] for tap in range(4))
        field = np.empty((len(row), len(column)))
        for line, first, weights in zip(field, row, up.T, strict=True):
            np.multiply(lines[first], weights[0], out=line)
            for tap in (1, 2, 3):
                line += weights[tap] * lines[first + tap]
        return field

    def _lattice(self, key: tuple[int, int], number: int, rows, columns, time: float) -> np.ndarray:
        """White noise on a box of the lattice, faded from one draw into the next."""
        at = (rows % WORD)[:, None], (columns % WORD)[None, :]
        (seed, member), channel = key, self.channel * CHANNELS + number
        if not self.lifetime:
            return normal(seed, *at, member=member, channel=channel)
        age = time / (self.lifetime * (self.spacings[number] / self.longest) ** (2.0 / 3.0))
        frame = int(np.floor(age))
        turn = 0.5 * np.pi * (age - frame)
        old, new = (normal(seed, *at, member=member, channel=channel, step=(frame + later) % WORD) for later in (0, 1))
        return np.cos(turn) * old + np.sin(turn) * new


def _spline(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First of four lattice points around each place, and their cubic B-spline weights, shape (4, n), of unit norm."""
    base = np.floor(place)
    f = place - base
    weights = np.stack([(1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3])
    return base.astype(np.int64) - 1, weights / np.sqrt((weights**2).sum(0))
