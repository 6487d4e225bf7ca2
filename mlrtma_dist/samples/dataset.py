"""Dataset: the cases of a store as a method eats them, on the tile that this rank owns.

Channels are backgrounds, departures and masks of the variables (`encode`), all in units of the target: minus its mean,
over its deviation. Without backgrounds they are values and masks of the types that are observed, each minus the mean of
that type's observations, over their deviation: no observation is zero, and zero is the mean. A tile reads its own
points and observations only; the network fetches the rims it wants.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from mlrtma_dist.config import ConfigError
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.samples.encode import encode
from mlrtma_dist.samples.sample import Sample
from mlrtma_dist.samples.statistics import Statistics
from mlrtma_dist.samples.store import Store, Table, cell_of
from mlrtma_dist.samples.symmetry import Symmetry

AHEAD = 3  # batches read while the network works; more only costs memory


@dataclass(frozen=True)
class Dataset:
    """Cases of a store on a tile.

    Attributes:
        store: where they are.
        tile: the points that this rank owns.
        statistics: of the store's fields and, without backgrounds, observations, over the cases to train on.
        variants: how often a case is shown, each time under another symmetry of the periodic plane; 1: as it is.
        plain_from: cases from this time on are shown as they are, once: those to validate with. None: none.
        seed: of the symmetries.
    """

    store: Store
    tile: Tile
    statistics: Statistics
    variants: int = 1
    plain_from: np.datetime64 | None = None
    seed: int = 0

    def __post_init__(self):
        layout = self.store.layout
        if tuple(layout.shape) != self.tile.domain:
            got = self.tile.domain
            raise ConfigError(f"expected a tile of {layout.domain} {layout.shape}, got one of {got} points.")
        square = layout.periodic and layout.shape[0] == layout.shape[1] and len(layout.variables) == 1
        if self.variants > 1 and not square:
            raise ConfigError(
                f"variants: expected 1 on {layout.domain}, got {self.variants}: only one variable on a square periodic"
                " plane may be shifted, mirrored and turned"
            )
        known = self.statistics.fields + self.statistics.observed
        if known != (expected := layout.fields + (() if layout.backgrounds else layout.observed)):
            raise ConfigError(f"expected statistics of {expected}, got those of {known}.")

    @cached_property
    def _keys(self) -> np.ndarray:
        """Stored case and variant of every case shown, shape (n, 2): first all as they are, then variant by variant."""
        stored = np.arange(len(self.store.time))
        varied = stored if self.plain_from is None else stored[self.store.time < self.plain_from]
        keys = [np.stack([stored, np.zeros_like(stored)], 1)]
        keys += [np.stack([varied, np.full_like(varied, variant)], 1) for variant in range(1, self.variants)]
        return np.concatenate(keys)

    @cached_property
    def time(self) -> np.ndarray:
        """UTC of every case shown, datetime64[s], shape (n,); those of variants repeat."""
        return self.store.time[self._keys[:, 0]]

    def stream(self, batches: Iterable[Sequence[int]]) -> Iterator[Sample]:
        """Read batches of cases, by their indices in ``time``, in this order, some ahead of the network."""
        return read_ahead(self.batch, batches, AHEAD)

    def batch(self, indices: Sequence[int]) -> Sample:
        """The cases of these indices side by side."""
        shown = [self._show(*self._keys[index]) for index in indices]
        inputs, target = (torch.from_numpy(np.stack(parts)) for parts in zip(*shown, strict=True))
        return Sample(inputs, target, None, self.time[np.asarray(indices, dtype=np.int64)])

    def _show(self, case: int, variant: int) -> tuple[np.ndarray, np.ndarray]:
        layout, box = self.store.layout, self.tile.box
        symmetry = Symmetry.draw(layout.shape[0], self.seed, int(case), int(variant))
        rows, columns = symmetry.source(box)
        values = self._normalise(symmetry.field(self.store.fields(int(case), rows, columns)), symmetry.sign)
        table = self._place(self.store.observations(int(case), rows, columns), symmetry)
        cell, number = cell_of(table.place, layout.shape, layout.periodic), table.variable.astype(np.int64)
        believed = values[number, cell[:, 0] - box.y0, cell[:, 1] - box.x0] if layout.backgrounds else 0.0
        channels = encode(cell, table.value - believed, number, box, len(layout.observed))
        return np.concatenate([values[: layout.backgrounds], channels]), values[layout.backgrounds :]

    def _normalise(self, values: np.ndarray, sign: int) -> np.ndarray:
        """Backgrounds and targets in units of the targets."""
        mean, deviation = (np.resize(part, len(values)) for part in self._target_units)
        return ((values - sign * mean[:, None, None]) / deviation[:, None, None]).astype(np.float32)

    def _place(self, table: Table, symmetry: Symmetry) -> Table:
        units = self._target_units if self.store.layout.backgrounds else self._observed_units
        mean, deviation = (part[table.variable.astype(np.int64)] for part in units)
        value = symmetry.sign * (table.value - mean) / deviation
        return replace(table, place=symmetry.place(table.place), value=value, error=table.error / deviation)

    @cached_property
    def _target_units(self) -> tuple[np.ndarray, np.ndarray]:
        known = self.statistics
        return tuple(np.array(part[-self.store.layout.targets :]) for part in (known.mean, known.deviation))

    @cached_property
    def _observed_units(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self.statistics.observed_mean), np.array(self.statistics.observed_deviation)


def read_ahead(read: Callable, keys: Iterable, depth: int) -> Iterator:
    """``read(key)`` of every key in order, up to ``depth`` of them read by a thread before they are asked for.

    What goes wrong in the thread is raised where its result is asked for.
    """
    keys, waiting = iter(keys), []
    with ThreadPoolExecutor(1, thread_name_prefix="read_ahead") as thread:
        try:
            for key in keys:
                waiting.append(thread.submit(read, key))
                if len(waiting) > depth:
                    yield _next(waiting)
            while waiting:
                yield _next(waiting)
        finally:
            for each in waiting:
                each.cancel()


def _next(waiting: list[Future]):
    return waiting.pop(0).result()
