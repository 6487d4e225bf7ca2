"""Which cases a step is made of: a function of the seed and the step alone, never of the ranks or of the past."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import numpy as np

from mlrtma_dist.config import ConfigError


def split_by_date(time: np.ndarray, validation_from: np.datetime64 | None, gap_hours: float = 0.0):
    """Divide cases into those to train on and those to validate with: before a date, and from it on.

    Neighbouring hours are alike; a gap before the date keeps twins of validation cases out of training.

    Args:
        time: UTC, datetime64[s], shape (n,).
        validation_from: None: all are trained on.
        gap_hours: cases so shortly before the date are left out.

    Returns:
        Two arrays of indices, in order of time.

    Raises:
        ConfigError: a side is empty.
    """
    order = np.argsort(time, kind="stable")
    if validation_from is None:
        return order, order[:0]
    gap = np.timedelta64(round(gap_hours * 3600), "s")
    training, validation = order[time[order] < validation_from - gap], order[time[order] >= validation_from]
    for name, side in (("train on", training), ("validate with", validation)):
        if not len(side):
            raise ConfigError(
                f"validation_from: expected a date within the samples, {time.min()} to {time.max()}, got"
                f" {validation_from}: nothing is left to {name}"
            )
    return training, validation


def cases_of_step(indices: np.ndarray, step: int, batch: int, seed: int) -> np.ndarray:
    """The cases of a step, shape (batch,): every case once an epoch, each epoch in its own random order."""
    position = np.arange(step * batch, (step + 1) * batch)
    count = len(indices)
    return np.array([indices[_permutation(count, seed, int(p) // count)[p % count]] for p in position])


@lru_cache(maxsize=2)  # a step touches two epochs at most, unless it is longer than one
def _permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)


def own_batches(cases: np.ndarray, parts: list[int], data_rank: int) -> list[list[int]]:
    """The micro-batches of one data rank among the cases of a step: its stretch of them, cut into ``parts``."""
    each = sum(parts)
    stretch = cases[data_rank * each : (data_rank + 1) * each]
    edges = np.cumsum([0, *parts])
    return [stretch[low:high].tolist() for low, high in pairwise(edges)]


def batches_from(
    indices: np.ndarray, steps: range, batch: int, seed: int, parts: list[int], data_rank: int
) -> Iterator[list[int]]:
    """All micro-batches of one data rank in these steps, in order."""
    for step in steps:
        yield from own_batches(cases_of_step(indices, step, batch, seed), parts, data_rank)


def rounds(indices: np.ndarray, at_once: int, data_ranks: int, data_rank: int) -> Iterator[tuple[list[int], int]]:
    """One data rank's share of cases that are looked at once each, in as many rounds on every rank.

    Yields:
        Indices, ``at_once`` of them, and how many of these count; the others fill up the last rounds.
    """
    for first in range(0, len(indices), at_once * data_ranks):
        mine = indices[first + data_rank * at_once : first + (data_rank + 1) * at_once].tolist()
        yield mine + [int(indices[0])] * (at_once - len(mine)), len(mine)
