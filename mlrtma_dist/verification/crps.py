"""Continuous ranked probability score: how far a forecast distribution is from what was measured.

    CRPS(F, y) = integral (F(x) - 1[x >= y])^2 dx

In the unit of the variable; of a single value it is the absolute error (Gneiting and Raftery 2007).
"""

import numpy as np
from scipy.special import ndtr

from mlrtma_dist.verification.match import Matches


def crps_of_matches(matches: Matches) -> np.ndarray:
    """CRPS of every match, analysis space, shape (n,): that of the method's own distribution where the match has it,
    else that of a Gaussian of the expected error and the report's; NaN where neither is known."""
    gaussian = crps_gaussian(matches.prediction, matches.deviation, matches.observation)
    return np.where(np.isfinite(matches.crps), matches.crps, gaussian)


def crps_gaussian(mean: np.ndarray, deviation: np.ndarray, observation: np.ndarray) -> np.ndarray:
    """CRPS of Gaussian forecasts, shape (n,) (Gneiting et al. 2005, eq. 5).

    Args:
        mean, observation: shape (n,).
        deviation: standard deviation, shape (n,) or a number; 0 gives the absolute error.

    Raises:
        ValueError: a negative deviation.
    """
    if np.any(np.asarray(deviation) < 0):
        raise ValueError(f"crps_gaussian: expected deviations >= 0, got {np.min(deviation):g}")
    error = np.asarray(observation, dtype=np.float64) - mean
    deviation = np.broadcast_to(deviation, error.shape)
    z = np.divide(error, deviation, out=np.zeros(error.shape), where=deviation > 0)
    density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    spread = deviation * (z * (2.0 * ndtr(z) - 1.0) + 2.0 * density - 1.0 / np.sqrt(np.pi))
    return np.where(deviation > 0, spread, np.abs(error))


def crps_at_limits(below: np.ndarray, limits: np.ndarray, values: np.ndarray, observation: np.ndarray) -> np.ndarray:
    """CRPS of n distributions of which the probabilities below k limits are known, shape (n,).

        sum over k of (v_k+1 - v_k) (F_k - 1[y < limit k])^2

    is the integral for a distribution on the values v_0 to v_k, between which the limits lie, and an approximation of
    it for any other: methods are compared by the same limits.

    Args:
        below: F, shape (n, k), NaN where not known.
        limits: ascending, shape (k,); values: ascending, shape (k + 1,).
        observation: y, shape (n,).
    """
    return ((below - (observation[:, None] < limits)) ** 2 * np.diff(values)).sum(axis=1)


def crps_ensemble(members: np.ndarray, observation: np.ndarray, *, fair: bool = False) -> np.ndarray:
    """CRPS of the distribution of members, shape (n,): mean |x - y| - mean |x - x'| / 2.

    Args:
        members: shape (members, n).
        observation: shape (n,).
        fair: take |x - x'| over pairs of different members, which scores the distribution that a few members were
            drawn from instead of themselves (Ferro 2014).

    Raises:
        ValueError: no member, or one alone that should be fair.
    """
    number = len(members)
    if number < 1 + fair:
        raise ValueError(f"crps_ensemble: expected at least {1 + fair} member(s), got {number}")
    ordered = np.sort(members, axis=0)
    rank = np.arange(1, number + 1)[:, None]
    pairs = 2.0 * ((2 * rank - number - 1) * ordered).sum(axis=0)  # sum over all pairs of |x - x'|
    return np.abs(members - observation).mean(axis=0) - 0.5 * pairs / (number * (number - fair))
