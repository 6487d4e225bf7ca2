"""Settings of one hour: those of the classical methods, with what is assumed of errors scaled to the hour's departures.

With a regression as first guess, for which the settings were estimated, the variances are scaled (``amplitude``). The
errors of a gridded background are other ones: all that is assumed of them is fitted (``background_error``), by the
reports where it has values: beyond them a regression is the first guess.
"""

from dataclasses import replace

import numpy as np

from mlrtma_dist.fields.fallback import Fallback
from mlrtma_dist.fields.first_guess import FirstGuess
from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.amplitude import scale_to_hour
from mlrtma_dist.methods.background_error import fit_to_hour
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.settings import Classical, VariableSettings
from mlrtma_dist.methods.wind import MEASURED, WIND, in_space, wind_rows


class HourSettings:
    """The settings of every variable for a case; those of the last case are kept, as several methods want them."""

    def __init__(self, settings: Classical):
        self._settings = settings
        self._last: tuple[Case, dict[tuple[str, bool], VariableSettings]] | None = None

    def of(self, case: Case, names: tuple[str, ...], members: bool = False) -> dict[str, VariableSettings]:
        """Variable -> its settings for the case.

        Args:
            case: whose departures tell of the errors.
            names: of variables.
            members: for methods of ensembles, whose weights were estimated beside the observation errors and scales
                of the settings: only variances are scaled.
        """
        if not self._settings.amplitude:
            return {name: self._settings.variables[name] for name in names}
        if self._last is None or self._last[0] is not case:
            self._last = case, {}
        scaled = self._last[1]
        gridded = frozenset() if members else getattr(case.first_guess, "variables", frozenset())
        winds = wind_rows(case.observations, case.used)
        for name in names:
            key = name, name in gridded
            if key not in scaled:
                scaled[key] = self._scaled(case, name, name in gridded, winds)
            if name in WIND and len(winds):  # one vector, one covariance
                scaled |= {(component, key[1]): scaled[key] for component in WIND}
        return {name: scaled[name, name in gridded] for name in names}

    def _scaled(self, case: Case, name: str, gridded: bool, winds: np.ndarray) -> VariableSettings:
        own, measured = self._settings.variables[name], 1
        if name in WIND and len(winds):
            measured = MEASURED
            points = case.points[winds[:, 0]]
            departure = in_space(points, case.departure[winds])
        else:
            rows = case.used & (case.observations.variable == name)
            points, departure = case.points[rows], case.departure[rows]
        reached = of_the_background(case.first_guess, name, points)
        points, departure = points[reached], departure[reached]
        if gridded:
            return fit_to_hour(own, points, departure, measured)
        error = np.full(len(points), own.observation_error)
        scaled = scale_to_hour(Covariance(own.covariance), points, departure, error, measured)
        return replace(own, covariance=scaled.components)


def of_the_background(guess: FirstGuess, name: str, points: Points) -> np.ndarray:
    """Mask of the points where a first guess that is made of two has values of its first, (n,); all, if none has."""
    guess = getattr(guess, "base", guess)  # of a window: the one that its regressions change
    every = np.ones(len(points), dtype=bool)
    if not isinstance(guess, Fallback) or not len(points):
        return every
    reached = guess.reaches(name, points)
    return reached if reached.any() else every
