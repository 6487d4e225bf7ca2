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
from mlrtma_dist.grid.box import cell_of
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.samples.encode import encode
from mlrtma_dist.samples.sample import Sample
from mlrtma_dist.samples.statistics import Statistics
from mlrtma_dist.samples.store import Store, Table
from mlrtma_dist.samples.symmetry import Symmetry

AHEAD = 3  # batches read while the network works; more only costs memory
BAND = 16  # rows


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
        square = layout.periodic and layout.shape[0] == layout.shape[1]
        if self.variants > 1 and not square:
            raise ConfigError(
                f"variants: expected 1 on {layout.domain}, got {self.variants}: only cases on a square periodic plane"
                " may be shifted or, if of one variable, mirrored and turned"
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
        layout, shape = self.store.layout, self.tile.box.shape
        channels = layout.backgrounds + 2 * len(layout.observed), layout.targets
        inputs, target = (torch.empty(len(indices), count, *shape) for count in channels)
        for number, index in enumerate(indices):
            self._show(*self._keys[index], inputs[number].numpy(), target[number].numpy())
        return Sample(inputs, target, None, self.time[np.asarray(indices, dtype=np.int64)])

    def _show(self, case: int, variant: int, inputs: np.ndarray, target: np.ndarray) -> None:
        """Write a case into its place of a batch: every field is touched once on the way."""
        layout, box = self.store.layout, self.tile.box
        backgrounds = layout.backgrounds
        symmetry = Symmetry.draw(layout.shape[0], self.seed, int(case), int(variant), turns=layout.targets == 1)
        rows, columns = symmetry.source(box)
        stored = symmetry.field(self.store.fields(int(case), rows, columns))
        for number, field in enumerate(stored):
            into = inputs[number] if number < backgrounds else target[number - backgrounds]
            self._normalise(field, number % layout.targets, symmetry.sign, into)
        table = self._place(self.store.observations(int(case), rows, columns), symmetry)
        cell, number = cell_of(table.place, layout.shape, layout.periodic), table.variable.astype(np.int64)
        believed = inputs[number, cell[:, 0] - box.y0, cell[:, 1] - box.x0] if backgrounds else 0.0
        encode(cell, table.value - believed, number, box, inputs[backgrounds:])

    def _normalise(self, field: np.ndarray, variable: int, sign: int, into: np.ndarray) -> None:
        """A background or target in units of the target, in double precision on the way."""
        mean, deviation = (part[variable] for part in self._target_units)
        wide = np.empty((BAND, field.shape[1]))
        for first in range(0, len(field), BAND):  # a band stays in the processor's cache between the two steps
            rows = slice(first, first + BAND)
            part = wide[: len(field[rows])]
            np.subtract(field[rows], sign * mean, out=part, dtype=np.float64)
            np.divide(part, deviation, out=into[rows], casting="same_kind")

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
