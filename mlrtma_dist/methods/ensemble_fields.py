"""Fields of many members, some rows at a time: what is computed of them needs no copy of all."""

from collections.abc import Callable

import numpy as np

POINTS_AT_ONCE = 2**13  # of which all members are taken at once: they stay in the processor's cache


def by_rows(function: Callable[..., np.ndarray], *members: np.ndarray) -> np.ndarray:
    """A function of members (member, y, x), which takes each point by itself, float32 (..., y, x)."""
    rows, columns = members[0].shape[-2:]
    step = max(1, POINTS_AT_ONCE // columns)
    result = None
    for start in range(0, rows, step):
        part = function(*(each[:, start : start + step] for each in members))
        if result is None:
            result = np.empty((*part.shape[:-2], rows, columns), np.float32)
        result[..., start : start + step, :] = part
    assert result is not None, "a box has at least one row"
    return result
