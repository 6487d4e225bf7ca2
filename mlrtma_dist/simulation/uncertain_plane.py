"""Backgrounds whose errors are not Gaussian: displaced fronts, errors of mixed scales, fields of two values or a limit.

A case on a periodic plane begins with a Gaussian field g. The background is f(g), and the truth is the same field
displaced by a random vector field s, with Gaussian errors e added:

    x_b = f(g)       x = f(g(r + s(r)) + e(r))        f(g) = tanh(g / front), or min(g, limit), or g

The truth is a draw of the distribution given g, and so is every further member: an ensemble of members is exact, and
what is known of the truth before any report is what an ensemble of infinite size says. Where two error fields are
named, each acts on its own part of the plane, which the sign of a random field divides and which nobody is told.

Every case is a function of the seed and its number, never of the ranks.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.plane import require_plane
from mlrtma_dist.linalg.spectral import SpectralCovariance
from mlrtma_dist.methods.case import Contents
from mlrtma_dist.simulation.gaussian_plane import VARIABLE, Field
from mlrtma_dist.simulation.source import Drawn, PlaneCases, point_reports

# channels of the noise; the errors count on from the last
FIELD, NORTH, EAST, PARTS, PLACES, REPORTS, ERRORS = range(7)
TRUTH = 1  # step of the noise of the truth; those of the members follow


@dataclass(frozen=True)
class UncertainPlane:
    """The world.

    Attributes:
        size: number of points on a side.
        field: the field g.
        front: width of the transition between two air masses, as a factor of the unit of g; null: there are none.
        limit: the largest value, as of a visibility, as a factor of the unit of g; null: there is none.
        displacement: of the truth from the background: each component's scale and size, grid points; null: none.
        errors: what is added to g: nothing, one field, or two of which each acts on its part of the plane.
        parts: scale of the field whose sign divides the plane into the parts of two errors, grid points.
        observations: number of distinct grid points that are observed.
        observation_error: standard deviation of an observation's error.
        seed: of everything random.
    """

    size: int = 32
    field: Field = Field(10.0, 1.0)
    front: float | None = None
    limit: float | None = None
    displacement: Field | None = None
    errors: tuple[Field, ...] = ()
    parts: float = 12.0
    observations: int = 50
    observation_error: float = 0.1
    seed: int = 1

    def __post_init__(self):
        if self.front is not None and self.limit is not None:
            raise ValueError(f"expected front or limit, not both, got {self.front:g} and {self.limit:g}")
        if self.front is not None and not self.front > 0.0:
            raise ValueError(f"front: expected more than 0, or null, got {self.front:g}")
        if len(self.errors) > 2 or not (self.errors or self.displacement):
            raise ValueError(f"errors: expected one or two fields, or a displacement, got {len(self.errors)} fields")
        if not 0 <= self.observations <= self.size**2:
            raise ValueError(f"observations: expected 0 to {self.size**2} distinct points, got {self.observations}")
        if not (self.observation_error > 0.0 and self.parts > 0.0):
            raise ValueError(
                f"observation_error, parts: expected more than 0, got {self.observation_error:g} and {self.parts:g}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Points in y and x."""
        return self.size, self.size

    @property
    def either_sign(self) -> bool:
        """Whether a case with its sign changed is as likely as it was; a limit is on one side."""
        return self.limit is None

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
        truth = self.member(number, 0)
        channels = PLACES, REPORTS
        reports = point_reports(truth, self.observation_error, self.seed, self.observations, number, channels)
        return {VARIABLE: truth}, {VARIABLE: self.observable(self._field(number))}, reports

    def member(self, case: int, number: int) -> np.ndarray:
        """A draw of the field given the background of a case, shape (y, x); number 0 is the truth."""
        step = TRUTH + number
        field = self._field(case)
        if self.displacement is not None:
            moved = [self._drawn(self.displacement, case, step, channel) for channel in (NORTH, EAST)]
            field = map_coordinates(field, np.indices(self.shape) + moved, order=3, mode="grid-wrap")
        errors = [self._drawn(each, case, step, ERRORS + channel) for channel, each in enumerate(self.errors)]
        if len(errors) == 2:
            first = self._drawn(Field(self.parts, 1.0), case, step, PARTS) > 0.0
            errors = [np.where(first, *errors)]
        return self.observable(field + sum(errors))

    def observable(self, field: np.ndarray) -> np.ndarray:
        """f of a field."""
        if self.front is not None:
            return np.tanh(field / self.front)
        return field if self.limit is None else np.minimum(field, self.limit)

    def _field(self, case: int) -> np.ndarray:
        return self._drawn(self.field, case, 0, FIELD)

    def _drawn(self, field: Field, case: int, step: int, channel: int) -> np.ndarray:
        covariance = SpectralCovariance.gaussian(self.shape, field.length, field.deviation)
        return covariance.draw(self.seed, member=case, step=step, channel=channel)
