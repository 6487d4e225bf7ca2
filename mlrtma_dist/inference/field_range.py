"""Range, mean and percentiles of a field of which every rank holds a tile, exact and the same for any number of ranks.

A percentile lies between two values of the sorted field. These are found digit by digit: ranks add up how many of
their values have which leading 16 bits, and go on with those among which the one they seek must be.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

DIGIT = 16  # bits
Total = Callable[[np.ndarray], np.ndarray]  # sum of an array over all ranks, element by element


@dataclass(frozen=True)
class FieldRange:
    """The finite values of a field in a few numbers; all of them 0 where there is none.

    Attributes:
        points: number of values; finite: number of those that are finite.
        low, mean, high: of the finite values.
        percentiles: those that were asked for.
    """

    points: int
    finite: int
    low: float = 0.0
    mean: float = 0.0
    high: float = 0.0
    percentiles: tuple[float, ...] = ()


def field_range(values: np.ndarray, percentiles: tuple[float, ...], communicator=None) -> FieldRange:
    """Describe a field. Collective.

    Args:
        values: this rank's, any shape, float32 or float64, the same type on all ranks.
        percentiles: in [0, 100]; interpolated linearly, as ``numpy.percentile`` does.
        communicator: mpi4py's, None alone.
    """
    finite = values[np.isfinite(values)]
    sums = np.array([values.size, finite.size, finite.sum(dtype=np.float64)])

    def total(array: np.ndarray) -> np.ndarray:
        return array if communicator is None else communicator.allreduce(array)

    points, count, whole = total(sums)
    if not count:
        return FieldRange(int(points), 0, percentiles=(0.0,) * len(percentiles))
    places = np.asarray(percentiles, dtype=np.float64) / 100.0 * (count - 1)
    below = np.floor(places).astype(np.int64)
    above = np.minimum(below + 1, int(count) - 1)
    indices = np.concatenate([[0, int(count) - 1], below, above]).astype(np.int64)
    low, high, *between = _order_statistics(finite, indices, total)
    pairs = zip(between[: len(below)], between[len(below) :], places - below, strict=True)
    return FieldRange(
        int(points), int(count), float(low), whole / count, float(high), tuple(_interpolated(*p) for p in pairs)
    )


def _interpolated(low: np.floating, high: np.floating, share: float) -> float:
    """As ``numpy.percentile`` rounds it: from the nearer end."""
    difference = high - low
    return float(high - difference * (1.0 - share) if share >= 0.5 else low + difference * share)


def _order_statistics(values: np.ndarray, places: np.ndarray, total: Total) -> np.ndarray:
    """The values at some places of the sorted field of all ranks."""
    unsigned = np.dtype(f"u{values.dtype.itemsize}")
    sign = unsigned.type(1 << (8 * unsigned.itemsize - 1))
    bits = np.ascontiguousarray(values).view(unsigned)
    keys = np.where(bits & sign, ~bits, bits | sign)  # unsigned integers in the order of the values
    selected = _select(keys, places, 8 * unsigned.itemsize - DIGIT, total)
    return np.where(selected & sign, selected ^ sign, ~selected).view(values.dtype)


def _select(keys: np.ndarray, places: np.ndarray, shift: int, total: Total) -> np.ndarray:
    """The keys at some places of the sorted keys of all ranks, which agree in the bits above this digit."""
    digit = ((keys >> keys.dtype.type(shift)) & keys.dtype.type(2**DIGIT - 1)).astype(np.int64)
    counts = total(np.bincount(digit, minlength=2**DIGIT))
    ends = np.cumsum(counts)
    digits = np.searchsorted(ends, places, side="right")
    selected = np.zeros(len(places), keys.dtype)
    for each in np.unique(digits):
        rows = digits == each
        selected[rows] = int(each) << shift
        if shift:
            rest = places[rows] - (ends[each] - counts[each])
            selected[rows] |= _select(keys[digit == each], rest, shift - DIGIT, total)
    return selected
