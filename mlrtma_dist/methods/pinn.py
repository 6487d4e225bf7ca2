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
import torch

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.consistency import limits_of, make_consistent
from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical import ClassicalAnswer, ClassicalMethod, no_progress
from mlrtma_dist.methods.events import gaussian_below
from mlrtma_dist.methods.method import ALONE, Fields, Share
from mlrtma_dist.methods.pinn_fit import Fitted, Prior, Reported, fit
from mlrtma_dist.methods.pinn_points import SECONDS, Collocation
from mlrtma_dist.methods.pinn_settings import PinnSettings
from mlrtma_dist.methods.settings import VariableSettings
from mlrtma_dist.nn.space_time import Jet

VARIABLES = ("t2m", "d2m", "u10", "v10", "psfc")
HEIGHT = 500.0  # m over which what the network adds varies
HOURS = 1.5  # of the same in time
LENGTHS = 2.0  # of the same in place, in spacings of the stations
ROWS = 32  # of the grid, evaluated at once


@dataclass(frozen=True)
class Pinn:
    """The method.

    Attributes:
        base: optimal interpolation in time; settings: of the network and its fit.
    """

    base: ClassicalMethod
    settings: PinnSettings

    def analyse(self, case: Case, neighbourhood=None) -> "PinnAnswer":
        """Analyse by interpolation, then fit the network; see `methods.method.Method.analyse`.

        Every rank makes the same fit, of the reports of the whole domain, and evaluates it on its own box.

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
        if not names:
            return PinnAnswer(base, names, None, None, self.settings)
        collocation = Collocation.draw(base.case, self.settings.points, self.settings.seed)
        prior, reported = self._prior(base, names, collocation), None
        if self.settings.of == "first_guess":
            reported = _reported(base, names, collocation)
        return PinnAnswer(base, names, collocation, fit(self.settings, collocation, prior, reported), self.settings)

    def _prior(self, base: ClassicalAnswer, names: tuple[str, ...], collocation: Collocation) -> Prior:
        guess = base.case.first_guess
        jets, scales = [], []
        for name in names:
            if self.settings.of == "analysis":
                jets.append(collocation.differences(lambda p, n=name: guess.mean(n, p) + base.fits[n].increment(p)))
                same = name == "v10" and "u10" in names  # one vector, one error
                scales.append(scales[-1] if same else collocation.error(base, name))
            else:
                jets.append(collocation.differences(lambda p, n=name: guess.mean(n, p)))
                scales.append(_constant(deviation_of(base.assumed[name]), len(collocation.points)))
        length = LENGTHS * collocation.spacing
        return Prior(names, _stacked(jets), _stacked(scales), (length, length, HEIGHT, HOURS * SECONDS))


def deviation_of(assumed: VariableSettings) -> float:
    """Standard deviation of the first guess's error."""
    return Covariance(assumed.covariance).variance ** 0.5


def _constant(value: float, count: int) -> Jet:
    return Jet(torch.full((1, count), value), torch.zeros(4, 1, count), torch.zeros(2, 1, count))


def _stacked(jets: list[Jet]) -> Jet:
    return Jet(*(torch.stack([getattr(jet, part) for jet in jets], dim=-1) for part in ("value", "first", "second")))


def _reported(base: ClassicalAnswer, names: tuple[str, ...], collocation: Collocation) -> Reported:
    """The used reports, with the weights of the interpolation's quality control."""
    case, parts = base.case, []
    for number, name in enumerate(names):
        rows = np.flatnonzero(case.used & (case.observations.variable == name))
        scale = deviation_of(base.assumed[name])
        error = base.observation_error[rows] / np.sqrt(base.weight[rows])
        x = collocation.frame.coordinates(case.points[rows])
        columns = (case.departure[rows] / scale, error / scale)
        parts.append((x, torch.full((len(rows),), number), *(torch.from_numpy(c.astype(np.float32)) for c in columns)))
    return Reported(*(torch.cat(column) for column in zip(*parts, strict=True)))


@dataclass(frozen=True)
class PinnAnswer:
    """The base and what the network adds (`methods.method.Answer`).

    Attributes:
        base: of the interpolation; names: variables to which the network adds; the others are the base's.
        collocation: of the fit, with its coordinates; fitted: the members; None: there is no report.
        settings: of the method.
    """

    base: ClassicalAnswer
    names: tuple[str, ...]
    collocation: Collocation | None
    fitted: Fitted | None
    settings: PinnSettings
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
        if self.fitted is None or variable not in self.names or not len(points):
            return value, error
        scale = error
        if self.settings.of == "first_guess":
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
        if self.fitted is None:
            return fields
        for row in range(case.box.y0, case.box.y1, ROWS):
            rows = slice(row, min(row + ROWS, case.box.y1))
            place = slice(rows.start - case.box.y0, rows.stop - case.box.y0)
            added, spread = self._network(case.grid_points(rows))
            for number, name in enumerate(self.names):
                own, shape = fields.error[name][place], fields.values[name][place].shape
                if self.settings.of == "first_guess":
                    fields.values[name][place] = fields.first_guess[name][place]
                    own = np.full(shape, deviation_of(self.base.assumed[name]), np.float32)
                fields.values[name][place] += own * added[:, number].reshape(shape)
                fields.error[name][place] = own * spread[:, number].reshape(shape)
        make_consistent(fields.values, case.reported)
        return fields

    @torch.no_grad()
    def _network(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """What the analysis adds in units of the scale, and the members' deviation from it, shape (n, k) each."""
        values = self.fitted.network(self.collocation.frame.coordinates(points)).double().numpy()
        return values[0], np.sqrt(np.mean((values[1:] - values[0]) ** 2, axis=0))
