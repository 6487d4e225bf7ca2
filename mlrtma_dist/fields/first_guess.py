"""FirstGuess: what is believed before the observations are used; the interface.

Three kinds exist: a gridded background (``gridded.py``: a model's forecast or the previous
analysis) and, with neither, a robust regression that shrinks towards climatology (``regression.py``).
"""

from typing import Protocol

import numpy as np

from mlrtma_dist.grid.points import Points


class FirstGuess(Protocol):
    """A belief that can be asked at any point, in a variable's analysis space."""

    @property
    def name(self) -> str:
        """For provenance and the product's attribute, e.g. "gridded: hrrr.grib2" or "regression, 2635 reports"."""
        ...

    def mean(self, variable: str, points: Points) -> np.ndarray:
        """The first guess of ``variable`` in analysis space, shape (n,), NaN where it has none."""
        ...

    def spread(self, variable: str, points: Points) -> np.ndarray:
        """Standard deviation of its error that the analysis' background covariance does not
        carry (a regression's uncertain coefficients; 0 for a gridded background), shape (n,)."""
        ...


def means(guess: FirstGuess, variables: tuple[str, ...], points: Points) -> dict[str, np.ndarray]:
    """``mean`` of several variables at the same points.

    A first guess may have a method ``means(variables, points)`` that gives them sooner than one by one.
    """
    own = getattr(guess, "means", None)
    return own(variables, points) if own is not None else {name: guess.mean(name, points) for name in variables}
