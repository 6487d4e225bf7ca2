"""Flight category: what ceiling and visibility together mean for a flight by sight.

The limits are those of the US National Weather Service (Instruction 10-813, terminal aerodrome forecasts) and of the
FAA (Aeronautical Information Manual, chapter 7). The lower of the two categories counts:

| category | ceiling | visibility |
|---|---|---|
| LIFR | < 500 ft | < 1 mile |
| IFR | < 1000 ft | < 3 miles |
| MVFR | <= 3000 ft | <= 5 miles |
| VFR | > 3000 ft | > 5 miles |

With p and q the probabilities that visibility and ceiling by themselves are of a category or a worse one, the flight
category is so with the probability

    (max(p, q) + 1 - (1 - p) (1 - q)) / 2,

the mean of what holds where the two always come together and where they are independent.
"""

import numpy as np

from mlrtma_dist.names import FOOT, MILE

CATEGORIES = ("LIFR", "IFR", "MVFR", "VFR")  # by number, the worst first
CEILINGS = (500.0 * FOOT, 1000.0 * FOOT, 3000.0 * FOOT)  # m, between one category and the next
VISIBILITIES = (1.0 * MILE, 3.0 * MILE, 5.0 * MILE)  # m
# A value that differs from a limit by less than files round it (1/1024) is at the limit: 914 m are reported as 3000 ft.
AT_LIMIT = 1e-3
# Which of the probabilities of ``names.EVENTS`` are those of LIFR, IFR or worse, and MVFR or worse.
OF_EVENTS = slice(1, 4)


def flight_category(ceiling, visibility):
    """The number of the category in ``CATEGORIES``.

    Args:
        ceiling: above ground, m, any shape; ``names.UNLIMITED_CEILING`` where there is none.
        visibility: m, the same shape.

    Returns:
        float32 of the same shape: 0 (LIFR) to 3 (VFR), NaN where ceiling or visibility is NaN.
    """
    return np.minimum(_number(ceiling, CEILINGS), _number(visibility, VISIBILITIES))


def or_worse(visibility, ceiling) -> np.ndarray:
    """Probability of LIFR, of IFR or worse, and of MVFR or worse.

    Args:
        visibility, ceiling: probability of values below each limit of ``names.EVENTS``, shape (4, ...) both.

    Returns:
        Shape (3, ...), NaN where one of the two is NaN.
    """
    one, other = np.asarray(visibility)[OF_EVENTS], np.asarray(ceiling)[OF_EVENTS]
    return 0.5 * (np.maximum(one, other) + 1.0 - (1.0 - one) * (1.0 - other))


def category_probabilities(visibility, ceiling) -> np.ndarray:
    """Probability of each of ``CATEGORIES``, shape (4, ...); arguments as of `or_worse`."""
    worse = or_worse(visibility, ceiling)
    return np.concatenate([worse[:1], np.diff(worse, axis=0), 1.0 - worse[-1:]])


def most_likely_category(visibility, ceiling) -> np.ndarray:
    """The number of the most likely category, of equal ones the worst; arguments as of `or_worse`.

    Returns:
        float32, shape (...), NaN where a probability is NaN.
    """
    probability = category_probabilities(visibility, ceiling)
    number = np.argmax(probability, axis=0).astype(np.float32)
    return np.where(np.isnan(probability).any(axis=0), np.float32(np.nan), number)


def _number(value, limits) -> np.ndarray:
    """The category by one of the two alone."""
    value = np.asarray(value)
    low, middle, high = limits
    number = np.zeros(value.shape, np.float32)
    for limit in (low, middle):
        number += value >= limit * (1.0 - AT_LIMIT)
    number += value > high * (1.0 + AT_LIMIT)
    return np.where(np.isnan(value), np.float32(np.nan), number)
