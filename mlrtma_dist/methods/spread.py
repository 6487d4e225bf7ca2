"""Spread: analyses whose values are distributed as the reports are, so that strong winds stay strong.

The best estimate of a speed between stations varies less than speed does: what no neighbour knows is missing from it.
Here the estimate s is stretched about the mean of the reports y,

    s' = mean(y) + f (s - mean(s)),   f = deviation(y) / deviation(s),

mean and deviation of s taken from predictions of each report by its neighbours without itself. What a report differs
from s' at its own place is then added by an analysis of short reach: it is honoured where it was measured, and nowhere
else.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.methods import local
from mlrtma_dist.methods.departure_method import DepartureMethod, Fit

FEWEST = 30  # reports; of fewer the deviations are chance
GROUP = 200  # stations by which each of them is predicted
MOST = 2.0  # factor; no training hour asked for a larger one
ROUNDS = 5  # in which mean and deviation settle to a hundredth
Guess = Callable[[Points], np.ndarray]


@dataclass(frozen=True)
class Local:
    """What a report does not share with its neighbours.

    Attributes:
        covariance: of short reach.
        observation_error: standard deviation of what is no weather, in the SI unit of the variable.
    """

    covariance: tuple[Component, ...]
    observation_error: float

    def __post_init__(self):
        if not self.covariance or not self.observation_error > 0:
            raise ValueError("local: expected at least one component and an observation_error above 0")


@dataclass(frozen=True)
class Stretch:
    """The map s -> target + factor (s - centre).

    Attributes:
        added: standard deviation of what it adds to the error of s: (factor - 1) deviation(s), for the error of a best
            estimate is independent of the estimate.
    """

    centre: float = 0.0
    target: float = 0.0
    factor: float = 1.0
    added: float = 0.0

    def __call__(self, value: np.ndarray) -> np.ndarray:
        """Stretched values, never below zero; any shape."""
        return np.maximum(self.target + self.factor * (value - self.centre), 0.0)


@dataclass(frozen=True)
class SpreadFit:
    """A fit whose values are stretched; see ``methods.departure_method.Fit``.

    Attributes:
        smooth: the best estimate; guess: first guess of the variable.
        stretch: of the analysis.
        local: what is added at the stations.
    """

    smooth: Fit
    guess: Guess
    stretch: Stretch
    local: Fit | None = None

    @property
    def weight(self) -> np.ndarray:
        """Weight of each report, shape (n,)."""
        return self.smooth.weight

    @property
    def parts(self) -> tuple[Fit, ...]:
        """The fits of which the increment is made."""
        return (self.smooth,) if self.local is None else (self.smooth, self.local)

    def increment(self, points: Points) -> np.ndarray:
        """Analysis minus first guess, shape (m,)."""
        return self.combined(points, self.guess(points), [part.increment(points) for part in self.parts])

    def combined(self, points: Points, first: np.ndarray, increments: list[np.ndarray]) -> np.ndarray:
        """The increment from the first guess and the increments of the parts at the points."""
        value = self.stretch(first + increments[0])
        for of_the_local_part in increments[1:]:
            value = np.maximum(value + of_the_local_part, 0.0)
        return value - first

    def error(self, points: Points) -> np.ndarray:
        """Standard deviation of the error, shape (m,)."""
        return np.hypot(self.smooth.error(points), self.stretch.added)


def fit_spread(
    smooth: Fit,
    local_method: DepartureMethod,
    settings: Local,
    covariance: Covariance,
    *,
    points: Points,
    value: np.ndarray,
    guess: Guess,
    error: np.ndarray,
) -> SpreadFit:
    """Stretch a fit to the spread of its n reports, and add what they tell of their own places.

    Args:
        smooth: the fit; covariance: of its background error.
        local_method: for the residuals, with the local covariance; settings: of it.
        points: of the reports; value: reports, shape (n,); error: their standard deviation, shape (n,).
        guess: first guess of the variable.
    """
    if len(value) < FEWEST:
        return SpreadFit(smooth, guess, Stretch())
    first = guess(points)
    predicted = first + without_itself(covariance, points, value - first, error)
    fit = SpreadFit(smooth, guess, stretch_to(value, predicted))
    residual = value - first - fit.increment(points)
    deviation = np.full(len(value), settings.observation_error)
    return SpreadFit(smooth, guess, fit.stretch, local_method.fit(points, residual, deviation))


def stretch_to(value: np.ndarray, predicted: np.ndarray) -> Stretch:
    """The stretch after which predictions have mean and deviation of the reports, though none is below zero.

    Args:
        value: reports; predicted: each by the others; shape (n,) both.
    """
    centre, deviation = float(predicted.mean()), max(float(predicted.std()), 1e-6)
    stretch = Stretch(centre, float(value.mean()))
    for _ in range(ROUNDS):
        stretched = stretch(predicted)
        factor = stretch.factor * float(value.std() / max(stretched.std(), 1e-6))
        factor = min(max(factor, 1.0), MOST)
        target = stretch.target + float(value.mean() - stretched.mean())
        stretch = Stretch(centre, target, factor, (factor - 1.0) * deviation)
    return stretch


def without_itself(covariance: Covariance, points: Points, departure: np.ndarray, error: np.ndarray) -> np.ndarray:
    """The increment at each of n stations by the others of its group, shape (n,); see `local.leave_one_out`."""
    return local.leave_one_out(covariance, points, departure, error, GROUP)[0]
