"""Classical methods on cases: a departure method is fitted to each variable and evaluated over the grid.

The first guess is corrected by the increments of the fits. Both components of a wind are analysed as one vector where
the method has an isotropic covariance (`methods.wind`). `methods.classical_fields` evaluates the fits over the grid.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.consistency import limits_of, make_consistent
from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.by_others import ByOthers
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical_fields import BLOCK, Progress, evaluate_fields, evaluate_members
from mlrtma_dist.methods.departure_kind import DepartureKind, Prior
from mlrtma_dist.methods.departure_method import Fit
from mlrtma_dist.methods.error_calibration import calibrated
from mlrtma_dist.methods.evaluation import Evaluation, JoinedEvaluation
from mlrtma_dist.methods.events import at_limits, gaussian_below
from mlrtma_dist.methods.hour_settings import HourSettings
from mlrtma_dist.methods.indicators import IndicatorFit
from mlrtma_dist.methods.local import groups
from mlrtma_dist.methods.method import ALONE, Fields, Share
from mlrtma_dist.methods.settings import Classical, VariableSettings, for_vectors
from mlrtma_dist.methods.threads import threads
from mlrtma_dist.methods.variable_fit import fit_variable, has_distribution
from mlrtma_dist.methods.wind import WIND, WindComponent, fit_wind, wind_rows
from mlrtma_dist.methods.window import WindowCase

AT_ONCE = 512  # points of a compact block at which all variables are evaluated


def no_progress(name: str, share: float) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class ClassicalMethod:
    """A departure method applied to every variable of a case.

    Attributes:
        kind: how the departure method of a variable is made.
        settings: what the classical methods assume of each variable.
        hours: the settings scaled to each hour; shared by the methods of one run.
    """

    kind: DepartureKind
    settings: Classical
    hours: HourSettings
    alignment = BLOCK  # boxes that begin on multiples of it give the values of the whole domain

    @property
    def name(self) -> str:
        """Of the method."""
        return self.kind.name

    def analyse(self, case: Case, neighbourhood=None) -> "ClassicalAnswer":
        """Fit the method to the departures of every variable; see `methods.method.Method.analyse`.

        Raises:
            InputError: no first guess, or a method of ensembles without members.
        """
        if case.first_guess is None:
            raise InputError(f"method {self.name}: the case of {case.time} has no first guess, which it corrects")
        if self.kind.in_time and not isinstance(case, WindowCase):
            return self._in_window(case)
        names = self._variables(case)
        modelled = tuple(name for name in names if not has_distribution(self.kind, self.settings, case, name))
        assumed = {name: self.settings.variables[name] for name in names}
        if self.kind.covariance:
            assumed |= self.hours.of(case, modelled, self.kind.members)
        fits: dict[str, Fit] = {}
        winds = wind_rows(case.observations, case.used) if self.kind.isotropic else ()
        if len(winds) and set(WIND) <= set(names):
            fits |= self._fit_wind(case, assumed[WIND[0]], winds)
        for name in (each for each in names if each not in fits):
            fits[name] = fit_variable(self.kind, self.settings, case, name, assumed[name])
        answer = ClassicalAnswer(case, {name: fits[name] for name in names}, assumed)
        others = ByOthers(case, {name: assumed[name] for name in self._plain(modelled)}, answer.weight)
        return replace(answer, fits=calibrated(answer.fits, self.settings, others), others=others)

    def _plain(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the variables whose analysis is an interpolation of one report of each station."""
        if not self.kind.isotropic or not self.kind.covariance or self.kind.members or self.kind.in_time:
            return ()
        return tuple(name for name in names if self.settings.variables[name].local is None)

    def _in_window(self, case: Case) -> "ClassicalAnswer":
        """The analysis of the reports of the whole window."""
        timed = [name for name, own in self.settings.variables.items() if own.window is not None]
        settings = self.settings.in_window
        method = replace(self, settings=settings, hours=HourSettings(settings))
        return method.analyse(WindowCase.of(case, timed))

    def _variables(self, case: Case) -> tuple[str, ...]:
        """The variables of the settings that the case is to be analysed in."""
        return tuple(name for name in self.settings.variables if not case.variables or name in case.variables)

    def _fit_wind(self, case: Case, assumed: VariableSettings, rows: np.ndarray) -> dict[str, Fit]:
        """Fit the method to both components at once, from the ``rows`` (n, 2) of their reports."""
        method = self.kind.method(Prior(WIND[0], for_vectors(self.settings), Covariance(assumed.covariance)))
        error = np.full(len(rows), assumed.observation_error)
        fit = fit_wind(method, case.points[rows[:, 0]], case.departure[rows], error)
        order = np.argsort(rows, axis=0)  # weights stand in the order of each component's own reports
        return {name: WindComponent(fit, column, fit.weight[order[:, column]]) for column, name in enumerate(WIND)}


@dataclass(frozen=True)
class ClassicalAnswer:
    """First guess plus the fitted increments of every variable (`methods.method.Answer`).

    Attributes:
        case: what was analysed; fits: variable -> fit; assumed: variable -> settings of the fit.
        others: what the other reports give at each, for variables whose analysis is an interpolation of them; None:
            the method does not tell.
    """

    case: Case
    fits: dict[str, Fit]
    assumed: Mapping[str, VariableSettings]
    others: ByOthers | None = None
    everywhere = True

    @property
    def variables(self) -> tuple[str, ...]:
        """The analysed variables."""
        return tuple(self.fits)

    @cached_property
    def weight(self) -> np.ndarray:
        """Weight of the variational quality control of each report in (0, 1], shape (n,), NaN where not used."""
        weight = np.full(len(self.case.used), np.nan)
        winds = np.sort(wind_rows(self.case.observations, self.case.used), axis=0)  # no component without the other
        for name, fit in self.fits.items():
            rows = np.flatnonzero(self.case.used & (self.case.observations.variable == name))
            weight[winds[:, fit.column] if isinstance(fit, WindComponent) else rows] = fit.weight
        return weight

    @cached_property
    def observation_error(self) -> np.ndarray:
        """Standard deviation assumed of each report, analysis space, shape (n,), NaN where not used."""
        assumed = {name: each.observation_error for name, each in self.assumed.items()}
        error = np.array([assumed.get(str(name), np.nan) for name in self.case.observations.variable])
        return np.where(self.case.used, error, np.nan)

    def at(self, variable: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Analysis and standard deviation of its error at points, analysis space, shape (m,) each.

        The same limits hold between variables as on the grid, so that what is verified is the product.
        """
        guess, fit = self.case.first_guess, self.fits[variable]
        value = guess.mean(variable, points) + fit.increment(points)
        error = np.hypot(fit.error(points), guess.spread(variable, points))
        reported = self.case.reported
        others = [name for name in limits_of(variable, reported) if name in self.fits]
        if others and len(points):
            values = {name: guess.mean(name, points) + self.fits[name].increment(points) for name in others}
            values[variable] = value
            make_consistent(values, reported)
            value = values[variable]
        return value, error

    def at_all(self, points: Points, share: Share = ALONE) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """``at`` of every variable at m points, for less: in compact blocks, and what variables share once."""
        result = {name: (np.empty(len(points)), np.empty(len(points))) for name in self.fits}
        if not len(points):
            return result
        joined = JoinedEvaluation.of(self.fits)

        def add_values(rows: np.ndarray) -> None:
            values = joined.at(self.case.first_guess, points[rows])
            make_consistent(values, self.case.reported)
            for name, value in values.items():
                result[name][0][rows] = value

        def add_errors(each: Evaluation) -> None:
            error = each.fit.error(points)
            for name in each.names:
                result[name][1][:] = np.hypot(error, self.case.first_guess.spread(name, points))

        with threads(share) as pool:
            for _ in pool.map(add_errors, joined.members):
                pass
            for _ in pool.map(add_values, groups(points.position, AT_ONCE)):
                pass
        return result

    def below(self, variable: str, points: Points, limits: np.ndarray) -> np.ndarray:
        """Probability that a report would lie below limits, analysis space, shape (m, k); see `events.below`."""
        fit = self.fits[variable]
        if isinstance(fit, IndicatorFit):
            return at_limits(fit.edges, fit.below(points), limits)
        value, error = self.at(variable, points)
        return gaussian_below(value, np.hypot(error, self.assumed[variable].observation_error), limits)

    def fields(self, share: Share = ALONE, progress: Progress = no_progress) -> Fields:
        """The analysis on the case's box; see `methods.method.Answer.fields`."""
        return evaluate_fields(self.case, self.fits, share, progress)

    def members_of(self, fields: Fields, share: Share = ALONE) -> dict[str, np.ndarray]:
        """The members of the variables whose fits have some; see `methods.method.Answer`."""
        return evaluate_members(self.case, self.fits, fields, share)
