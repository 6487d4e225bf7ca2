"""Dataset: the cases of one or several stores as samples of a learned method, on the tile that this rank owns.

A tile reads its own points and reports only; the network fetches the halos it needs. On a periodic square plane a case
may be shown under several symmetries.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlrtma_dist.config import ConfigError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.learned import LearnedMethod
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.samples.pipeline import read_ahead
from mlrtma_dist.samples.store import Store
from mlrtma_dist.samples.successive import successive
from mlrtma_dist.samples.symmetry import Symmetry

KEPT = 256  # cases that are kept for further draws; 5 MB each of 2,500 stations


@dataclass(frozen=True)
class Dataset:
    """Cases of stores on a tile.

    Attributes:
        stores: where they are, of equal contents.
        tile: the points that this rank owns.
        method: encodes a case; it knows the statistics of the cases to train on.
        variants: how often a case is shown, each time under another symmetry of the periodic plane or, by a method that
            ``draws``, with other reports withheld or other noise; 1: as it is.
        held_out: number of the last stores whose cases are shown as they are, once: those to validate with.
        plain_from: cases from this time on are shown as they are, once: those to validate with. None: none.
        seed: of the symmetries.
    """

    stores: tuple[Store, ...]
    tile: Tile
    method: LearnedMethod
    variants: int = 1
    held_out: int = 0
    plain_from: np.datetime64 | None = None
    seed: int = 0

    def __post_init__(self):
        layout = check_equal(self.stores)
        if tuple(layout.shape) != self.tile.domain:
            raise ConfigError(
                f"expected a tile of {layout.domain} {layout.shape}, got one of {self.tile.domain} points."
            )
        check_variants(self.variants, self.stores[0].domain, self.method.draws)
        self.method.check(self.stores[0].contents)

    @cached_property
    def _keys(self) -> np.ndarray:
        """Store, case and variant of every case shown, shape (n, 3): first all as they are, then variant by variant."""
        lags = self.method.lags
        suited = [successive(store.time, lags, f"samples: {store.reader.path}", first=False) for store in self.stores]
        stored = np.concatenate(
            [np.stack([np.full(len(numbers), index), numbers], 1) for index, numbers in enumerate(suited)]
        )
        time = np.concatenate([store.time[numbers] for store, numbers in zip(self.stores, suited, strict=True)])
        trained_on = stored[:, 0] < len(self.stores) - self.held_out
        varied = stored[trained_on if self.plain_from is None else trained_on & (time < self.plain_from)]
        keys = [np.pad(stored, ((0, 0), (0, 1)))]
        keys += [np.pad(varied, ((0, 0), (0, 1)), constant_values=variant) for variant in range(1, self.variants)]
        return np.concatenate(keys)

    @cached_property
    def time(self) -> np.ndarray:
        """UTC of every case shown, datetime64[s], shape (n,); those of variants repeat."""
        return np.array([self.stores[store].time[case] for store, case, _ in self._keys], dtype="datetime64[s]")

    @property
    def validates(self) -> np.ndarray:
        """Mask of the cases shown that are of stores to validate with, shape (n,)."""
        return self._keys[:, 0] >= len(self.stores) - self.held_out

    def stream(self, batches: Iterable[Sequence[int]]) -> Generator[Sample, None, None]:
        """Read batches of cases, by their indices in ``time``, in this order, some ahead of the network."""
        for store in self.stores:
            _ = store.static  # read here: of the threads that follow two would read one netCDF file at once
        return read_ahead(self.batch, batches)

    def batch(self, indices: Sequence[int]) -> Sample:
        """The cases of these indices side by side."""
        samples = [self._show(*(int(part) for part in self._keys[index])) for index in indices]
        return type(samples[0]).join(samples)

    def _show(self, store: int, case: int, variant: int) -> Sample:
        """A case under a symmetry, encoded where it is stored, then moved; or under a draw of its reports."""
        if self.method.whole_reports:
            return self.method.encode(self._whole(store, case), variant)
        stored = self.stores[store]
        symmetry = Symmetry(stored.layout.shape[0])
        if stored.domain.is_square_torus:
            turns, either_sign = stored.layout.targets == 1, getattr(stored.law, "either_sign", True)
            symmetry = Symmetry.draw(symmetry.size, self.seed, case, variant, turns, either_sign)
        rows, columns = symmetry.source(self.tile.box)
        box = Box(rows.start, rows.stop, columns.start, columns.stop)
        draw = variant * len(stored.time) + case  # no two cases have one, though they may be of one time
        sample = self.method.encode(stored.case_of_tile(case, box, self.method.reads_reports), draw)
        return sample if variant == 0 else symmetry.sample(sample, self.method.signed)

    def _whole(self, store: int, case: int) -> Case:
        """A case with the reports of the whole domain; it is kept, as other draws of it follow."""
        kept = self._kept
        if (store, case) not in kept:
            while len(kept) >= KEPT:
                kept.pop(next(iter(kept)), None)
            kept[store, case] = self.stores[store].case(case, self.tile.box)
        return kept[store, case]

    @cached_property
    def _kept(self) -> dict[tuple[int, int], Case]:
        return {}


def check_variants(variants: int, domain: Domain, draws: bool) -> None:
    """Raise ConfigError unless cases of a domain can be shown so often, each time under another symmetry or draw."""
    if variants > 1 and not domain.is_square_torus and not draws:
        raise ConfigError(
            f"variants: expected 1 on {domain.name}, got {variants}: only cases on a square periodic plane"
            " may be shifted or, if of one variable, mirrored and turned"
        )


def check_equal(stores: Sequence[Store]):
    """The layout of stores that hold the same kind of cases.

    Raises:
        ConfigError: none, or one that differs; names both.
    """
    if not stores:
        raise ConfigError("samples: expected at least one store, got none")
    first = stores[0]
    for other in stores[1:]:
        for name in ("shape", "variables", "units", "observed", "fields", "periodic"):
            one, two = getattr(first.layout, name), getattr(other.layout, name)
            if one != two:
                raise ConfigError(
                    f"samples: {first.reader.path} and {other.reader.path} differ in {name}: {one} and {two}."
                    " One training takes stores of the same contents."
                )
    return first.layout
