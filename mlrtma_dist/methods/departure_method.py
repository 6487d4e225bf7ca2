"""Departure method: a way to make an analysis of one variable from departures; the interface.

A method is fitted to the departures of one variable at its stations and can then be asked for
the increment, and for its own opinion of the remaining error, at any points. Grids are asked
block by block, so a method never holds a field.
"""

from typing import Protocol

import numpy as np

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.mesh import Area


class Fit(Protocol):
    """A method fitted to one variable's departures.

    A fit that is made of others may have ``parts``, a tuple of them, and ``combined(points, first, increments)``, its
    increment from the variable's first guess and the parts' increments at the points: parts of several fits are then
    evaluated together (`evaluation`).

    Attributes:
        weight: weight of the variational quality control of each observation in (0, 1], shape (n,).
    """

    weight: np.ndarray

    def increment(self, points: Points) -> np.ndarray:
        """Analysis minus first guess at the points, analysis space, shape (m,)."""
        ...

    def error(self, points: Points) -> np.ndarray:
        """Standard deviation of the analysis error at the points, analysis space, shape (m,), NaN if unknown."""
        ...


def within(fit: Fit, area: Area) -> Fit:
    """A fit made ready for many points of an area of the grid: its increments there are the same, only sooner.

    A fit may have a method ``within(area)`` that returns such a fit; one that has none serves as it is.

    Args:
        fit: that is to be evaluated.
        area: of the grid.
    """
    own = getattr(fit, "within", None)
    return own(area) if own is not None else fit


class DepartureMethod(Protocol):
    """A way to make an analysis."""

    def fit(self, points: Points, departure: np.ndarray, error: np.ndarray) -> Fit:
        """Fit to observations.

        Args:
            points: where the n observations were made.
            departure: observation minus first guess, analysis space, shape (n,); of a covariance's methods also (n, k):
                k fields of the same covariance, of which one weight judges each row (``methods.wind``).
            error: observation error standard deviation, analysis space, shape (n,).
        """
        ...
