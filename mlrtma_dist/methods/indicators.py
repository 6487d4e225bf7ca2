"""Indicators: the probability that a variable lies below each of several limits, and the median of that distribution.

Visibility and ceiling have two modes, fog or none: a mean of both is what nobody measured. What is analysed is, for
each limit t, the indicator of a report y,

    i_t = 1 where y < t, else 0,   P(y < t | reports) = g_t + increment of (i_t - g_t)

(indicator kriging, Journel 1983). The first guess g_t is a logistic regression of the reports' indicators on the
distance of the limit from the first guess's own value,

    g_t = 1 / (1 + exp(-a_t - b_t (ln t - x_b))),

with Gaussian priors of a_t and b_t: a background is believed as far as the hour's reports agree with it; without one
g_t is the hour's frequency. All limits have one covariance, whose variance is one in units of the indicator's own, so
that all are one system with several right-hand sides. The analysis of the variable is the median, and half the
interval that holds 68 % is its standard deviation.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.special import expit, logit

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Component
from mlrtma_dist.methods.departure_method import DepartureMethod, Fit

REACH = 4.0  # a limit further than this from the first guess, analysis space, is as far as this
PRIOR_DEVIATION = 1.5  # of a and of b
BACKGROUND_SLOPE = 2.0  # b before any report where a background has the variable: odds of 4 at a factor of 2
STEPS = 30  # of Newton's iteration at most
LARGEST_STEP = 2.0
ONE_DEVIATION = (0.1587, 0.8413)  # levels of a Gaussian at one standard deviation on either side
Guess = Callable[[Points], np.ndarray]


@dataclass(frozen=True)
class Indicators:
    """What is assumed of a variable's indicators.

    Attributes:
        limits: ascending, in the SI unit of the variable; values between those that reports can have.
        frequency: of values below each limit in any weather, as shares from 0 to 1.
        unlimited: value of the analysis, in the SI unit of the variable, where no limit is likelier than not.
        observation_error: standard deviation as a factor of the indicator's own.
        covariance: components; variances in units of the indicator's own variance.
    """

    limits: tuple[float, ...]
    frequency: tuple[float, ...]
    unlimited: float
    observation_error: float
    covariance: tuple[Component, ...]

    def __post_init__(self):
        if not self.limits or np.any(np.diff(self.limits) <= 0) or self.limits[0] <= 0:
            raise ValueError(f"indicators: limits: expected positive ascending numbers, got {list(self.limits)}")
        if len(self.frequency) != len(self.limits):
            raise ValueError(f"indicators: frequency: expected {len(self.limits)} numbers, got {len(self.frequency)}")
        if np.any(np.diff(self.frequency) < 0) or not 0 < self.frequency[0] <= self.frequency[-1] < 1:
            raise ValueError(f"indicators: frequency: expected ascending between 0 and 1, got {list(self.frequency)}")
        if self.unlimited < self.limits[-1]:
            raise ValueError(f"indicators: unlimited: expected at least the last limit, got {self.unlimited:g}")
        if not self.observation_error > 0:
            raise ValueError(f"indicators: observation_error: expected above 0, got {self.observation_error:g}")


@dataclass(frozen=True)
class IndicatorFit:
    """A variable's distribution; see ``methods.departure_method.Fit``.

    Attributes:
        edges: natural logarithm of the least value, of the limits and of "unlimited", shape (k + 2,).
        guess: first guess of the variable itself, analysis space.
        coefficients: a and b of each limit, shape (2, k).
        fits: of the indicators: one of k columns, or k of one.
        weight: of each report, shape (n,).
        last: points and probabilities that were asked for last: value, error and probabilities at the same stations
            follow from one evaluation.
    """

    edges: np.ndarray
    guess: Guess
    coefficients: np.ndarray
    fits: tuple[Fit, ...]
    weight: np.ndarray
    last: list[tuple[Points, np.ndarray]] = field(default_factory=list, repr=False, compare=False)

    def below(self, points: Points) -> np.ndarray:
        """Probability that the variable lies below each limit, ascending, shape (m, k)."""
        for places, probability in self.last[:1]:
            if places.equals(points):
                return probability
        probability = self.distribution(self.guess(points), [fit.increment(points) for fit in self.fits])
        self.last[:] = [(points, probability)]
        return probability

    @property
    def parts(self) -> tuple[Fit, ...]:
        """The fits of which the distribution is made."""
        return self.fits

    def distribution(self, guess: np.ndarray, increments: list[np.ndarray]) -> np.ndarray:
        """``below`` from the first guess of the variable (m,) and the increments of the parts."""
        first = first_guess(self.edges[1:-1], guess, self.coefficients)
        columns = [increment.reshape(len(guess), -1) for increment in increments]
        upward = np.clip(first.T + np.concatenate(columns, axis=1).T, 0.0, 1.0)  # (k, m): long rows are soon worked on
        downward = upward.copy()
        # Separate analyses may cross; the mean of both ways to order them (Deutsch and Journel 1998, chapter IV).
        for low, high in pairwise(range(len(upward))):
            np.maximum(upward[high], upward[low], out=upward[high])
        for high, low in pairwise(reversed(range(len(upward)))):
            np.minimum(downward[low], downward[high], out=downward[low])
        return (0.5 * (upward + downward)).T

    def increment(self, points: Points) -> np.ndarray:
        """Median minus first guess, analysis space, shape (m,)."""
        return self.median(self.below(points)) - self.guess(points)

    def median(self, below: np.ndarray) -> np.ndarray:
        """Median of distributions (m, k), analysis space, shape (m,)."""
        return quantile(self.edges, below, 0.5)

    def error(self, points: Points) -> np.ndarray:
        """Half the interval between the levels of one standard deviation, analysis space, shape (m,)."""
        below = self.below(points)
        low, high = (quantile(self.edges, below, level) for level in ONE_DEVIATION)
        return 0.5 * (high - low)


def fit_indicators(
    method: DepartureMethod,
    settings: Indicators,
    *,
    points: Points,
    value: np.ndarray,
    guess: Guess,
    least: float,
    gridded: bool,
    columns: bool,
) -> IndicatorFit:
    """Fit a method to the indicators of n reports.

    Args:
        method: of departures, for the indicators' covariance.
        settings: of the indicators.
        points: where the reports were made.
        value: reports in analysis space, shape (n,).
        guess: first guess of the variable, analysis space.
        least: the least value that nature gives, SI.
        gridded: whether a background has the variable.
        columns: whether the method takes departures of several columns.
    """
    limits = np.log(np.array(settings.limits))
    indicator = (value[:, None] < limits).astype(np.float64)
    first = guess(points)
    coefficients = np.stack(
        [_logistic(t - first, indicator[:, k], settings.frequency[k], gridded) for k, t in enumerate(limits)], axis=1
    )
    departure = indicator - first_guess(limits, first, coefficients)
    error = np.full(len(value), settings.observation_error)
    parts = [departure] if columns else list(departure.T)
    fits = tuple(method.fit(points, part, error) for part in parts)
    edges = np.concatenate([[np.log(least)], limits, [np.log(settings.unlimited)]])
    return IndicatorFit(edges, guess, coefficients, fits, np.ones(len(value)))


def first_guess(limits: np.ndarray, guess: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Probability of a value below each limit before reports act, shape (m, k); see the module's text.

    Args:
        limits: analysis space, shape (k,); guess: of the variable, shape (m,).
        coefficients: a and b, shape (2, k).
    """
    a, b = coefficients[..., None]
    distance = np.clip(limits[:, None] - guess, -REACH, REACH)
    return (0.5 + 0.5 * np.tanh(0.5 * (a + b * distance))).T  # expit takes five times as long


def quantile(edges: np.ndarray, below: np.ndarray, level: float) -> np.ndarray:
    """The value below which a share ``level`` of each distribution lies, shape (m,).

    Args:
        edges: of the classes, shape (k + 2,); the last is the value of all that lies above the last limit.
        below: probability of a value below ``edges[1:-1]``, ascending, shape (m, k); within a class it is linear.
    """
    count = below.shape[1]
    cumulative = np.concatenate([np.zeros((1, len(below))), below.T])
    upper = (cumulative[1:] < level).sum(axis=0)  # the class that holds the level; count: above all limits
    columns, inside = np.arange(len(below)), np.minimum(upper, count - 1)
    low, high = cumulative[inside, columns], cumulative[inside + 1, columns]
    share = np.clip((level - low) / np.maximum(high - low, 1e-12), 0.0, 1.0)
    value = edges[inside] + share * (edges[inside + 1] - edges[inside])
    return np.where(upper < count, value, edges[-1])


def _logistic(distance: np.ndarray, indicator: np.ndarray, frequency: float, gridded: bool) -> np.ndarray:
    """Most probable a and b of one limit, shape (2,), by Newton's method."""
    prior = np.array([0.0, BACKGROUND_SLOPE]) if gridded else np.array([logit(frequency), 0.0])
    regressors = np.stack([np.ones(len(distance)), np.clip(distance, -REACH, REACH)], axis=1)
    precision = np.eye(2) / PRIOR_DEVIATION**2
    coefficients = prior.copy()
    for _ in range(STEPS):
        probability = expit(regressors @ coefficients)
        slope = regressors.T @ (indicator - probability) - precision @ (coefficients - prior)
        curvature = (regressors * (probability * (1 - probability))[:, None]).T @ regressors + precision
        step = np.clip(np.linalg.solve(curvature, slope), -LARGEST_STEP, LARGEST_STEP)
        coefficients += step
        if np.all(np.abs(step) < 1e-10):
            break
    return coefficients
