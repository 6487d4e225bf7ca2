"""Flight category: what ceiling and visibility together mean for a flight by sight.

The limits are those of the US National Weather Service (Instruction 10-813, terminal aerodrome forecasts) and of the
FAA (Aeronautical Information Manual, chapter 7). The lower of the two categories counts:

| category | ceiling | visibility |
|---|---|---|
| LIFR | < 500 ft | < 1 mile |
| IFR | < 1000 ft | < 3 miles |
| MVFR | <= 3000 ft | <= 5 miles |
| VFR | > 3000 ft | > 5 miles |
"""

import numpy as np

from mlrtma_dist.names import FOOT, MILE

CATEGORIES = ("LIFR", "IFR", "MVFR", "VFR")  # by number, the worst first
CEILINGS = (500.0 * FOOT, 1000.0 * FOOT, 3000.0 * FOOT)  # m, between one category and the next
VISIBILITIES = (1.0 * MILE, 3.0 * MILE, 5.0 * MILE)  # m
# A value that differs from a limit by less than files round it (1/1024) is at the limit: 914 m are reported as 3000 ft.
AT_LIMIT = 1e-3


def flight_category(ceiling, visibility):
    """The number of the category in ``CATEGORIES``.

    Args:
        ceiling: above ground, m, any shape; ``names.UNLIMITED_CEILING`` where there is none.
        visibility: m, the same shape.

    Returns:
        float32 of the same shape: 0 (LIFR) to 3 (VFR), NaN where ceiling or visibility is NaN.
    """
    return np.minimum(_number(ceiling, CEILINGS), _number(visibility, VISIBILITIES))


def _number(value, limits) -> np.ndarray:
    """The category by one of the two alone."""
    value = np.asarray(value)
    low, middle, high = limits
    number = np.zeros(value.shape, np.float32)
    for limit in (low, middle):
        number += value >= limit * (1.0 - AT_LIMIT)
    number += value > high * (1.0 + AT_LIMIT)
    return np.where(np.isnan(value), np.float32(np.nan), number)
