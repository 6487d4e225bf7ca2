"""Exercise 1: Gaussian fields on a periodic plane, an imperfect background and random observations of each.

Every case is a function of the seed and its number, never of the ranks.
"""

from dataclasses import dataclass
from functools import cached_property

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.plane import require_plane
from mlrtma_dist.linalg.spectral import SpectralCovariance
from mlrtma_dist.methods.case import Contents
from mlrtma_dist.simulation.source import Drawn, PlaneCases, point_reports

TRUTH, BACKGROUND, PLACES, ERRORS = range(4)  # channels of the noise
VARIABLE = "field"  # the name of the one that is analysed


@dataclass(frozen=True)
class Field:
    """A Gaussian field.

    Attributes:
        length: L of the spectrum exp(-k^2 L^2 / 8), grid points.
        deviation: standard deviation, in the field's unit.
    """

    length: float
    deviation: float

    def __post_init__(self):
        if not (self.length > 0.0 and self.deviation > 0.0):
            raise ValueError(f"expected length and deviation above 0, got {self.length:g} and {self.deviation:g}")


@dataclass(frozen=True)
class GaussianPlane:
    """The world of Exercise 1. The defaults are its reference.

    Attributes:
        size: number of points on a side.
        truth: the field H.
        background_error: what the background adds to the field.
        observations: number of distinct grid points that are observed.
        observation_error: standard deviation of an observation's error, in the field's unit.
        seed: of everything random.
    """

    size: int = 64
    truth: Field = Field(12.0, 1.0)
    background_error: Field = Field(6.0, 0.4)
    observations: int = 200
    observation_error: float = 0.1
    seed: int = 1
    variable = VARIABLE

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
        truth, error = (
            SpectralCovariance.gaussian(self.shape, f.length, f.deviation) for f in (self.truth, self.background_error)
        )
        return truth, error

    def on(self, domain: Domain, first: int = 0, count: int = 1) -> PlaneCases:
        """The cases of the world on a plane, ``count`` from number ``first`` on.

        Raises:
            ConfigError: the domain is no periodic plane of the world's size.
        """
        require_plane(domain, self.shape, "domain", "the world of the cases")
        contents = Contents(domain, (VARIABLE,), ("1",), (VARIABLE,), background=True, truth=True)
        return PlaneCases(contents, self, self.draw, first, count)

    def draw(self, number: int) -> Drawn:
        """A whole case: truth and background, shape (y, x), and the reports."""
        covariance, error = self.covariances
        truth = covariance.draw(self.seed, member=number, channel=TRUTH)
        background = truth + error.draw(self.seed, member=number, channel=BACKGROUND)
        channels = PLACES, ERRORS
        reports = point_reports(truth, self.observation_error, self.seed, self.observations, number, channels)
        return {VARIABLE: truth}, {VARIABLE: background}, reports
