"""Reference methods: what an analysis must beat.

The first guess itself, the nearest station, and a weighted mean of near stations (Cressman 1959;
Gaussian weights as in Barnes 1964, one pass).
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.departure_kind import DepartureKind


@dataclass(frozen=True)
class NoIncrement:
    """The first guess as it is."""

    def fit(self, points: Points, departure: np.ndarray, error: np.ndarray) -> "WeightedMeanFit":
        """Use no observation; see ``methods.departure_method.DepartureMethod.fit``."""
        return WeightedMeanFit(None, departure, 0, 1.0, np.ones(len(points)))


@dataclass(frozen=True)
class NearestStation:
    """The departure of the nearest station."""

    def fit(self, points: Points, departure: np.ndarray, error: np.ndarray) -> "WeightedMeanFit":
        """Remember the stations; see ``methods.departure_method.DepartureMethod.fit``."""
        return WeightedMeanFit(_tree(points), departure, 1, 1.0, np.ones(len(points)))


@dataclass(frozen=True)
class GaussianWeights:
    """Mean of the nearest departures with weights exp(-r^2 / (2 length^2)).

    Attributes:
        length: m.
        neighbours: stations used.
    """

    length: float = 60e3
    neighbours: int = 20

    def fit(self, points: Points, departure: np.ndarray, error: np.ndarray) -> "WeightedMeanFit":
        """Remember the stations; see ``methods.departure_method.DepartureMethod.fit``."""
        return WeightedMeanFit(_tree(points), departure, self.neighbours, self.length, np.ones(len(points)))


def _tree(points: Points) -> cKDTree | None:
    return cKDTree(points.position) if len(points) else None


@dataclass(frozen=True)
class WeightedMeanFit:
    """Weighted mean of the nearest stations' departures; zero where there is none (``departure_method.Fit``)."""

    tree: cKDTree | None
    departure: np.ndarray
    neighbours: int
    length: float
    weight: np.ndarray

    def increment(self, points: Points) -> np.ndarray:
        """Weighted mean of departures, shape (m,)."""
        if self.tree is None or not self.neighbours or not len(points):
            return np.zeros(len(points))
        count = min(self.neighbours, self.tree.n)
        distance, chosen = (x.reshape(len(points), -1) for x in self.tree.query(points.position, k=count))
        exponent = -0.5 * (distance / self.length) ** 2
        weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))  # far from all stations: the nearest counts
        return (weight * self.departure[chosen]).sum(axis=1) / weight.sum(axis=1)

    def error(self, points: Points) -> np.ndarray:
        """Unknown to these methods: NaN, shape (m,)."""
        return np.full(len(points), np.nan)


FIRST_GUESS = DepartureKind("first_guess", lambda prior: NoIncrement(), reports=False)
NEAREST = DepartureKind("nearest", lambda prior: NearestStation())
GAUSSIAN_WEIGHTS = DepartureKind("gaussian_weights", lambda prior: GaussianWeights())
