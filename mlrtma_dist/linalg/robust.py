"""Robust scale and weights: one bad number must not decide."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.stats import chi2


def median_scale(values: np.ndarray, components: int = 1) -> float:
    """Standard deviation of a component of the Gaussian vectors whose lengths have the median of ``values``.

    Args:
        values: numbers, or lengths of vectors, shape (n,), n >= 1.
        components: of the vectors; 1: of numbers.
    """
    return float(np.median(np.abs(values)) / _median_length(components))


@lru_cache
def _median_length(components: int) -> float:
    """Median length of Gaussian vectors of deviation one."""
    return float(np.sqrt(chi2.ppf(0.5, components)))


def huber_weight(standardised: np.ndarray, limit: float | None) -> np.ndarray:
    """Weight min(1, limit / |e|) of residuals in units of their error (Huber 1964); ``limit`` None: all one."""
    if limit is None:
        return np.ones_like(standardised)
    return np.minimum(1.0, limit / np.maximum(np.abs(standardised), 1e-12))


def reweight(
    solve: Callable[[np.ndarray], np.ndarray],
    r: np.ndarray,
    limit: float | None,
    *,
    settled: float,
    most_iterations: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise 1/2 dx' B^-1 dx + sum rho((d - H dx) / r), rho Huber's, by reweighting (Holland and Welsch 1977).

    A weight v stands for the observation error r^2 / v. J falls in every iteration, slowest where two
    stations at one place contradict each other.

    Args:
        solve: r^2 / v, shape (n,) -> w, the solution of (HBH' + diag(r^2 / v)) w = d; the analysis is dx = BH'w. With
            departures of k columns w has k, shape (n, k), and one weight judges the length of each row's residual.
        r: observation errors, shape (n,).
        limit: of the residuals, in units of r; None: all weights one.
        settled: largest relative change of a weight at which the iteration ends.
        most_iterations: after so many it ends anyway.

    Returns:
        w, and the weights v with which it was solved.
    """
    after = np.ones(len(r))
    for _ in range(most_iterations):
        v = after
        w = solve(r**2 / v)
        size = np.abs(w) if w.ndim == 1 else np.linalg.norm(w, axis=1)
        after = huber_weight(r / v * size, limit)  # r^2 / v * w = d - H dx
        if np.all(np.abs(after - v) <= settled * v):
            break
    return w, v
