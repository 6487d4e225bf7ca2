"""Events: the probability that a report would lie below limits, from any method's answer."""

import numpy as np
from scipy.special import ndtr

from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.method import Answer


def below(answer: Answer, variable: str, points: Points, limits: np.ndarray) -> np.ndarray:
    """Probability that a report would lie below limits (k,), analysis space, shape (m, k).

    An answer that has a method ``below`` is asked; of any other the error is taken as Gaussian, and an answer that does
    not know its error is certain.
    """
    own = getattr(answer, "below", None)
    return own(variable, points, limits) if own else gaussian_below(*answer.at(variable, points), limits)


def gaussian_below(value: np.ndarray, deviation: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Probability of a Gaussian below limits, shape (m, k); a deviation (m,) that is NaN is taken as 0."""
    distance = limits - value[:, None]
    spread = np.nan_to_num(deviation)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        probability = ndtr(distance / spread)
    certain = np.where(np.isnan(distance), np.nan, (distance > 0).astype(np.float64))
    return np.where(spread > 0, probability, certain)


def at_limits(edges: np.ndarray, below_edges: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Probabilities below ``limits`` (k,), shape (m, k), from those below the inner edges of classes, shape (m, e - 2).

    Within a class they are linear; above the last limit of a class lies what is unlimited.
    """
    inner = edges[:-1]
    first = np.clip(np.searchsorted(inner, limits, side="right") - 1, 0, len(inner) - 2)
    share = np.clip((limits - inner[first]) / (inner[first + 1] - inner[first]), 0.0, 1.0)
    cumulative = np.concatenate([np.zeros((1, len(below_edges))), below_edges.T])
    return (cumulative[first] * (1.0 - share)[:, None] + cumulative[first + 1] * share[:, None]).T
