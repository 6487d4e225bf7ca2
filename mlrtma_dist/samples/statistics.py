"""Statistics of a store's fields in one parallel pass: the units in which a network sees them.

Each rank reads its own tile of its share of the cases once; count, mean and squared departures of the parts are
joined exactly (Chan, Golub and LeVeque 1983, eq. 2.1). Without backgrounds observations are given to a network as they
are, not as departures, and each type has statistics of its own, too.
"""

from collections.abc import Sequence

import numpy as np
import torch

from mlrtma_dist.errors import InputError
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport
from mlrtma_dist.samples.store import Store


def gather_statistics(
    stores: Sequence[Store],
    cases: np.ndarray,
    tile: Tile,
    everyone: Transport,
    *,
    data_rank: int = 0,
    data_ranks: int = 1,
    reports: bool = True,
    constant: bool = False,
    lag: np.timedelta64 | None = None,
) -> Statistics:
    """Mean and deviation over cases and known points, or observations. Collective.

    Args:
        stores: of equal contents, whose cases are numbered one after the other.
        cases: numbers of the cases to rest on (those to train on), shape (n,).
        tile: this rank's.
        everyone: all ranks.
        data_rank, data_ranks: cases are dealt out over this axis.
        reports: whether the method reads reports, whose statistics are then those without backgrounds.
        constant: whether a field may have one value everywhere: of a method that reads none.
        lag: of a method that forecasts, from one state to the next; else None.

    Raises:
        InputError: a field or a type of observation is constant, not finite or absent; see ``constant``.
    """
    contents = stores[0].contents
    observed = () if contents.background or not reports else contents.observed
    changing = contents.variables if lag is not None else ()
    names = contents.fields + observed + tuple(f"the change of {name}" for name in changing)
    places = [(store, number) for store in stores for number in range(len(store.time))]
    moments = np.zeros((3, len(names)))  # count, mean and squared departures
    for case in cases[data_rank::data_ranks]:
        parts = _values(*places[case], tile, observed, lag)
        moments = join(moments, np.stack([moments_of(values) for values in parts], 1))
    total = np.zeros_like(moments)
    for part in everyone.collect(torch.from_numpy(moments)):
        total = join(total, part.numpy())
    deviation = np.sqrt(total[2] / np.maximum(total[0], 1.0))
    for name, value in zip(names, deviation, strict=True):
        if not (np.isfinite(value) and (value > 0.0 or constant)):
            paths = ", ".join(str(store.reader.path) for store in stores)
            raise InputError(f"{paths}: expected values of {name} that vary, got the deviation {value}.")
    times, of_fields = np.concatenate([store.time for store in stores])[cases], len(contents.fields)
    of_changes = len(names) - len(changing)
    means, deviations = tuple(total[1, :of_changes].tolist()), tuple(deviation.tolist())
    return Statistics(
        contents.fields,
        means[:of_fields],
        deviations[:of_fields],
        len(cases),
        str(times.min()),
        str(times.max()),
        observed,
        means[of_fields:],
        deviations[of_fields:of_changes],
        deviations[of_changes:],
    )


def _values(
    store: Store, number: int, tile: Tile, observed: tuple[str, ...], lag: np.timedelta64 | None
) -> list[np.ndarray]:
    """The values of every field and of every type of observation of a case, and of every change since ``lag``."""
    slab = tile.slab(0)
    fields = store.fields(number, *slab)
    parts = list(fields.reshape(len(fields), -1))
    if observed:
        table = store.observations(number, *slab)
        parts += [table.value[table.variable == index] for index in range(len(observed))]
    if lag is not None:
        parts += _changes(store, number, tile, lag, fields)
    return parts


def _changes(store: Store, number: int, tile: Tile, lag: np.timedelta64, fields: np.ndarray) -> list[np.ndarray]:
    """The change of every true field since the state so much earlier; nothing of any where that is not there.

    Args:
        fields: of the case on the tile, the truths last, shape (field, y, x).
    """
    names, before = store.contents.variables, store.before(number, tile.box, lag)
    if before is None:
        return [np.empty(0) for _ in names]
    truths = fields[len(fields) - len(names) :].astype(np.float64)
    return [(truth - before[name]).ravel() for name, truth in zip(names, truths, strict=True)]


def moments_of(values: np.ndarray) -> np.ndarray:
    """Count, mean and summed squares of departures of the values that are not NaN, shape (3,)."""
    values = values.astype(np.float64)
    if np.isnan(values.sum()):  # beyond the edge of a label's grid
        values = values[~np.isnan(values)]
    mean = values.mean() if len(values) else 0.0
    return np.array([len(values), mean, ((values - mean) ** 2).sum()])


def join(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Count, mean and squared departures of two parts together, shape (3, n) each."""
    count = one[0] + other[0]
    share = other[0] / np.maximum(count, 1.0)
    difference = other[1] - one[1]
    return np.stack([count, one[1] + difference * share, one[2] + other[2] + difference**2 * one[0] * share])
