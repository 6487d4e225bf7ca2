"""Fallback: one first guess where it has a value, another where it has none; or the first damped towards the second."""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.fields.first_guess import FirstGuess
from mlrtma_dist.fields.regression import Regression
from mlrtma_dist.grid.points import Points


@dataclass(frozen=True)
class Fallback:
    """A first guess made of two; see ``first_guess.FirstGuess``.

    Attributes:
        first: asked first.
        second: asked where ``first`` answers NaN (a variable or a place that its file does not hold).
        share: of the first where both have a value, in [0, 1]; the second has the rest. Below 1 the first is damped
            towards the second.
    """

    first: FirstGuess
    second: FirstGuess
    share: float = 1.0

    @property
    def name(self) -> str:
        """Both names."""
        if self.share < 1.0:
            return f"{self.share:g} of {self.first.name} and the rest, or where it has none: {self.second.name}"
        return f"{self.first.name}; where it has none: {self.second.name}"

    @property
    def variables(self) -> frozenset[str]:
        """The variables of which ``first`` has fields."""
        return frozenset(getattr(self.first, "variables", ()))

    def reaches(self, variable: str, points: Points) -> np.ndarray:
        """Where ``first`` has a value, boolean of shape (n,): the errors of the two are different ones."""
        return ~np.isnan(self.first.mean(variable, points))

    def mean(self, variable: str, points: Points) -> np.ndarray:
        """The first guess in analysis space, shape (n,)."""
        return self._joined(self.first.mean(variable, points), variable, points, self.second.mean)

    def spread(self, variable: str, points: Points) -> np.ndarray:
        """The spread of both, each by its share, shape (n,)."""
        spread = self.first.spread(variable, points)
        missing = np.isnan(self.first.mean(variable, points))
        return self._joined(np.where(missing, np.nan, spread), variable, points, self.second.spread)

    def _joined(self, value: np.ndarray, variable: str, points: Points, second) -> np.ndarray:
        """The first one's values with what ``second`` gives of the second, shape (n,)."""
        missing = np.isnan(value)
        rows = missing if self.share == 1.0 else np.ones(len(value), dtype=bool)
        if rows.any():
            other = second(variable, points if rows.all() else points[rows])
            value[rows] = np.where(missing[rows], other, self.share * value[rows] + (1.0 - self.share) * other)
        return value


def rests_on_climatology(guess: FirstGuess | None, variable: str) -> bool:
    """Whether a first guess of a variable is climatology alone: a regression without a report, and no file has it."""
    if isinstance(guess, Fallback):
        return variable not in getattr(guess.first, "variables", ()) and rests_on_climatology(guess.second, variable)
    return isinstance(guess, Regression) and guess.coefficients[variable].reports == 0
