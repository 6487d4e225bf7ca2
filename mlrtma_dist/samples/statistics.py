"""Statistics of a store's fields in one parallel pass: the units in which a network sees them.

Each rank reads its own tile of its share of the cases once; count, mean and squared departures of the parts are
joined exactly (Chan, Golub and LeVeque 1983, eq. 2.1).
"""

from dataclasses import dataclass

import numpy as np
import torch

from mlrtma_dist.errors import InputError
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport
from mlrtma_dist.samples.store import Store


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of every field of a store, SI.

    Attributes:
        fields: their names.
        mean, deviation: one each.
        cases: on how many it rests; start, end: the first and last of their times, UTC.
    """

    fields: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    cases: int
    start: str
    end: str


def gather_statistics(
    store: Store, cases: np.ndarray, tile: Tile, everyone: Transport, *, data_rank: int = 0, data_ranks: int = 1
) -> Statistics:
    """Mean and deviation over cases and points. Collective.

    Args:
        cases: numbers of the cases to rest on (those to train on), shape (n,).
        tile: this rank's.
        everyone: all ranks.
        data_rank, data_ranks: cases are dealt out over this axis.

    Raises:
        InputError: a field is constant or not finite.
    """
    count, mean, squares = 0.0, np.zeros(len(store.layout.fields)), np.zeros(len(store.layout.fields))
    for case in cases[data_rank::data_ranks]:
        values = store.fields(int(case), *tile.slab(0)).reshape(len(mean), -1).astype(np.float64)
        own = values.mean(1)
        part = float(values.shape[1]), own, ((values - own[:, None]) ** 2).sum(1)
        count, mean, squares = join((count, mean, squares), part)
    parts = everyone.collect(torch.from_numpy(np.concatenate([[count], mean, squares])))
    total = 0.0, np.zeros_like(mean), np.zeros_like(mean)
    for part in (each.numpy() for each in parts):
        total = join(total, (part[0], *np.split(part[1:], 2)))
    deviation = np.sqrt(total[2] / total[0])
    for name, value in zip(store.layout.fields, deviation, strict=True):
        if not (np.isfinite(value) and value > 0.0):
            raise InputError(f"{store.reader.path}: expected values of {name} that vary, got the deviation {value}.")
    times = store.time[cases]
    return Statistics(
        store.layout.fields, tuple(total[1].tolist()), tuple(deviation.tolist()), len(cases), str(times.min()),
        str(times.max()),
    )


def join(one, other):
    """Count, mean and squared departures of two parts together."""
    count = one[0] + other[0]
    if count == 0:
        return one
    apart = other[1] - one[1]
    mean = one[1] + apart * other[0] / count
    return count, mean, one[2] + other[2] + apart**2 * one[0] * other[0] / count
