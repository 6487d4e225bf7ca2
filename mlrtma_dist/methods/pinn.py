"""A physics-informed network of place, height and time, fitted to the reports of each window (Raissi et al. 2019).

The reports enter by optimal interpolation in time, whose analysis is the base and whose error a is the scale of what
the network may add to it:

    field(p, t) = x_oi(p, t) + a(p, t) N(p, t),   a -> 0 where and when there are reports

so the network moves the field where reports say little -- between stations and between hours -- towards
fields that obey the equations of `physics.surface`: advection and diffusion of temperature and dew point by the wind,
momentum, hydrostatic pressure, no dew point above the temperature. With ``of: first_guess`` a is the deviation of
the first guess and the network is fitted to the reports themselves, as Soto et al. (2024) do. The fit is the analysis:
nothing is trained beforehand. `methods.pinn_fit` has the function that is minimised, and how equations are weighed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.consistency import limits_of, make_consistent
from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical import BLOCK, ClassicalAnswer, ClassicalMethod, no_progress
from mlrtma_dist.methods.events import gaussian_below
from mlrtma_dist.methods.method import ALONE, Fields, Share
from mlrtma_dist.methods.pinn_networks import Networks
from mlrtma_dist.methods.pinn_prior import deviation_of
from mlrtma_dist.methods.pinn_settings import PinnSettings

VARIABLES = ("t2m", "d2m", "u10", "v10", "psfc")
ROWS = 24  # of the grid, evaluated at once; boxes begin on multiples of it


@dataclass(frozen=True)
class Pinn:
    """The method.

    Attributes:
        base: optimal interpolation in time; settings: of the network and its fit.
    """

    base: ClassicalMethod
    settings: PinnSettings
    alignment = BLOCK  # boxes that begin on multiples of it give the values of the whole domain

    def analyse(self, case: Case, neighbourhood=None) -> "PinnAnswer":
        """Analyse by interpolation; the networks are fitted with the fields; see `methods.method.Method.analyse`.

        Every rank makes the same interpolation, of the reports of the whole domain.

        Raises:
            InputError: none of the variables that have equations is analysed.
        """
        base = self.base.analyse(case)
        reported = set(base.case.observations.variable[base.case.used].tolist())
        names = tuple(name for name in VARIABLES if name in base.variables and name in reported)
        if not set(VARIABLES) & set(base.variables):
            raise InputError(
                f"method pinn: expected some of the variables {', '.join(VARIABLES)}, got {', '.join(base.variables)}."
                " Name some of them in 'variables', or use method oi_time."
            )
        return PinnAnswer(base, names, Networks(base, names, self.settings) if names else None)


@dataclass(frozen=True)
class PinnAnswer:
    """The base and what the network adds (`methods.method.Answer`).

    Attributes:
        base: of the interpolation; names: variables to which the network adds; the others are the base's.
        networks: of all subdomains; None: there is no report. They are fitted when they are first needed: by all ranks
            together in ``fields``, else by each alone.
    """

    base: ClassicalAnswer
    names: tuple[str, ...]
    networks: Networks | None
    everywhere = True

    @property
    def variables(self) -> tuple[str, ...]:
        """The analysed variables."""
        return self.base.variables

    @property
    def weight(self) -> np.ndarray:
        """Of the quality control of the interpolation, shape (n,)."""
        return self.base.weight

    @property
    def observation_error(self) -> np.ndarray:
        """That of the interpolation, shape (n,)."""
        return self.base.observation_error

    @property
    def case(self) -> Case:
        """The window that was analysed."""
        return self.base.case

    def at(self, variable: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Analysis and standard deviation of its error at points with their times, analysis space, (m,) each.

        The same limits hold between variables as on the grid, so that what is verified is the product.
        """
        value, error = self._at(variable, points)
        others = [name for name in limits_of(variable, self.case.reported) if name in self.base.fits]
        if others and len(points):
            values = {variable: value} | {name: self._at(name, points)[0] for name in others}
            make_consistent(values, self.case.reported)
            value = values[variable]
        return value, error

    def _at(self, variable: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """The same before variables limit each other."""
        value, error = self.base.at(variable, points)
        if self.networks is None or variable not in self.names or not len(points):
            return value, error
        scale = error
        if self.networks.settings.of == "first_guess":
            value = self.base.case.first_guess.mean(variable, points)
            scale = np.full(len(points), deviation_of(self.base.assumed[variable]))
        added, spread = self._network(points)
        number = self.names.index(variable)
        return value + scale * added[:, number], scale * spread[:, number]

    def below(self, variable: str, points: Points, limits: np.ndarray) -> np.ndarray:
        """Probability that a report would lie below limits, analysis space, shape (m, k); see `events.below`."""
        if variable not in self.names:
            return self.base.below(variable, points, limits)
        value, error = self.at(variable, points)
        return gaussian_below(value, np.hypot(error, self.base.assumed[variable].observation_error), limits)

    def fields(self, share: Share = ALONE, progress: Callable[[str, float], None] = no_progress) -> Fields:
        """The analysis on the case's box; see `methods.method.Answer.fields`."""
        fields, case = self.base.fields(share, progress), self.base.case
        if self.networks is None:
            return fields
        self.networks.fit(share)
        for row in range(case.box.y0, case.box.y1, ROWS):
            rows = slice(row, min(row + ROWS, case.box.y1))
            place = slice(rows.start - case.box.y0, rows.stop - case.box.y0)
            added, spread = self._network(case.grid_points(rows))
            for number, name in enumerate(self.names):
                own, shape = fields.error[name][place], fields.values[name][place].shape
                if self.networks.settings.of == "first_guess":
                    fields.values[name][place] = fields.first_guess[name][place]
                    own = np.full(shape, deviation_of(self.base.assumed[name]), np.float32)
                fields.values[name][place] += own * added[:, number].reshape(shape)
                fields.error[name][place] = own * spread[:, number].reshape(shape)
        make_consistent(fields.values, case.reported)
        return fields

    def _network(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """What the analysis adds in units of the scale, and the members' deviation from it, shape (n, k) each."""
        assert self.networks is not None, "the callers ask"
        values = self.networks.at(points)
        return values[0], np.sqrt(np.mean((values[1:] - values[0]) ** 2, axis=0))
