"""Exercise 1: Gaussian fields on a periodic plane, an imperfect background and random observations of each.

Every case is a function of the seed and its number, never of the ranks.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlrtma_dist.grid.box import Box
from mlrtma_dist.linalg.noise import distinct_points, normal
from mlrtma_dist.linalg.spectral import SpectralCovariance
from mlrtma_dist.samples.build import Case
from mlrtma_dist.samples.store import Layout, Table

TRUTH, BACKGROUND, PLACES, ERRORS = range(4)  # channels of the noise
EPOCH = np.datetime64("2000-01-01T00:00:00", "s")  # the cases have no date; one an hour from here on names them


@dataclass(frozen=True)
class Field:
    """A Gaussian field: length L of the spectrum exp(-k^2 L^2 / 8) in grid points, and standard deviation."""

    length: float
    deviation: float

    def __post_init__(self):
        if not (self.length > 0.0 and self.deviation > 0.0):
            raise ValueError(f"expected length and deviation above 0, got {self.length:g} and {self.deviation:g}")


@dataclass(frozen=True)
class GaussianPlane:
    """The world of Exercise 1. The defaults are its reference.

    Attributes:
        size: points on a side.
        truth: the field H; background_error: what the background adds to it.
        observations: distinct grid points that are observed; observation_error: standard deviation there.
        seed: of everything random.
    """

    size: int = 64
    truth: Field = Field(12.0, 1.0)
    background_error: Field = Field(6.0, 0.4)
    observations: int = 200
    observation_error: float = 0.1
    seed: int = 1

    def __post_init__(self):
        if not 0 <= self.observations <= self.size**2:
            raise ValueError(f"observations: expected 0 to {self.size**2} distinct points, got {self.observations}")
        if not self.observation_error > 0.0:
            raise ValueError(f"observation_error: expected more than 0, got {self.observation_error:g}")

    @property
    def shape(self) -> tuple[int, int]:
        """Points in y and x."""
        return self.size, self.size

    @cached_property
    def covariances(self) -> tuple[SpectralCovariance, SpectralCovariance]:
        """Of the truth, and of the background's error."""
        return tuple(
            SpectralCovariance.gaussian(self.shape, f.length, f.deviation) for f in (self.truth, self.background_error)
        )

    def layout(self, name: str, edge: int) -> Layout:
        """How a store keeps such cases; chunks of ``edge`` points."""
        return Layout(name, self.shape, True, ("background", "truth"), ("field",), edge)

    def time(self, cases: int) -> np.ndarray:
        """The names of so many cases, datetime64[s]."""
        return EPOCH + np.arange(cases).astype("timedelta64[h]")

    def draw(self, number: int) -> tuple[np.ndarray, Table]:
        """A whole case: background and truth, shape (2, y, x), and the observations."""
        covariance, error = self.covariances
        truth = covariance.draw(self.seed, member=number, channel=TRUTH)
        background = truth + error.draw(self.seed, member=number, channel=BACKGROUND)
        place = distinct_points(self.seed, self.shape, self.observations, member=number, channel=PLACES)
        noise = normal(self.seed, *place.T, member=number, channel=ERRORS)
        value = truth[tuple(place.T)] + self.observation_error * noise
        error_of_each = np.full(len(value), self.observation_error)
        return np.stack([background, truth]), Table(place, value, error_of_each, np.zeros(len(value), np.int64))

    def make(self, number: int, box: Box) -> Case:
        """The case of a number, on a box of the plane; see `build.build_store`."""
        fields, table = self.draw(number)
        return Case(fields[:, box.y0 : box.y1, box.x0 : box.x1], table[box.owns(table.place)])
