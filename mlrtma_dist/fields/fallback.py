"""Fallback: one first guess where it has a value, another where it has none."""

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
    """

    first: FirstGuess
    second: FirstGuess

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.first.name}; where it has none: {self.second.name}"

    @property
    def variables(self) -> frozenset[str]:
        """The variables of which ``first`` has fields."""
        return frozenset(getattr(self.first, "variables", ()))

    def mean(self, variable: str, points: Points) -> np.ndarray:
        """The first guess in analysis space, shape (n,)."""
        value = self.first.mean(variable, points)
        missing = np.isnan(value)
        if missing.any():
            value[missing] = self.second.mean(variable, points[missing])
        return value

    def spread(self, variable: str, points: Points) -> np.ndarray:
        """The spread of whichever answered, shape (n,)."""
        spread = self.first.spread(variable, points)
        missing = np.isnan(self.first.mean(variable, points))
        if missing.any():
            spread[missing] = self.second.spread(variable, points[missing])
        return spread


def rests_on_climatology(guess: FirstGuess | None, variable: str) -> bool:
    """Whether a first guess of a variable is climatology alone: a regression without a report, and no file has it."""
    if isinstance(guess, Fallback):
        return variable not in getattr(guess.first, "variables", ()) and rests_on_climatology(guess.second, variable)
    return isinstance(guess, Regression) and guess.coefficients[variable].reports == 0
