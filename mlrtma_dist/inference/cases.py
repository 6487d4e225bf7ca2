"""Cases: every case of a store analysed by one method, block by block, on the tile that this rank owns.

A block is the same cases side by side on any number of ranks. The data axis deals out blocks and the tiles divide
their fields, so memory depends on neither the length of the store nor, beyond a tile, the size of the domain. The
exact methods solve a whole plane at once, on every tile alike, and keep the tile's part.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mlrtma_dist.inference.learned import Learned
from mlrtma_dist.methods.optimal import OptimalAnalysis
from mlrtma_dist.nn.neighbourhood import Neighbourhood
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.world import World
from mlrtma_dist.samples.gaussian_plane import GaussianPlane
from mlrtma_dist.samples.store import Store

BLOCK = 16  # cases; of 64 x 64 points the network's activations are then 25 MiB


@dataclass(frozen=True)
class Cases:
    """The cases of a store as this rank sees them.

    Attributes:
        store: where they are; tile: the points that this rank owns; neighbourhood: of the tile.
        device: where networks compute.
        data_rank, data_ranks: blocks are dealt out over this axis.
    """

    store: Store
    tile: Tile
    neighbourhood: Neighbourhood
    device: torch.device
    data_rank: int = 0
    data_ranks: int = 1

    @classmethod
    def of(cls, store: Store, world: World, align: int = 1) -> "Cases":
        """This rank's part of the work; tiles begin on the chunks of the store and on multiples of ``align``.

        Raises:
            TileError: more tiles than that allows.
        """
        layout = store.layout
        lines = math.lcm(layout.edge, align) if world.mesh.tiles > 1 else 1
        tile = world.tile(layout.shape, align=lines, periodic=(layout.periodic,) * 2, name=layout.domain)
        return cls(store, tile, world.neighbourhood(tile), world.device, world.coordinates[0], world.mesh.data)

    def blocks(self) -> Iterator[range]:
        """This rank's block of every round; an empty one where the cases do not suffice for all ranks."""
        cases, whole = len(self.store.time), BLOCK * self.data_ranks
        for start in range(BLOCK * self.data_rank, -(-cases // whole) * whole, whole):
            yield range(min(start, cases), min(start + BLOCK, cases))

    def background(self, cases: Sequence[int]) -> np.ndarray:
        """The backgrounds of cases on the tile, shape (case, variable, y, x), SI, float32."""
        return self._fields(cases)[:, : len(self.store.layout.variables)]

    def truth(self, cases: Sequence[int]) -> np.ndarray:
        """What methods are to say of cases, shape (case, variable, y, x) on the tile, SI, float32."""
        return self._fields(cases)[:, len(self.store.layout.variables) :]

    def _fields(self, cases: Sequence[int]) -> np.ndarray:
        held = [self.store.fields(case, *self.tile.slab(0)) for case in cases]
        shape = len(self.store.layout.fields), *self.tile.shape
        return np.stack(held) if held else np.empty((0, *shape), np.float32)


Analyse = Callable[[Sequence[int]], np.ndarray]  # numbers of cases -> (case, variable, y, x) of the tile, SI, float32


def _background(cases: Cases, learned: Learned | None) -> Analyse:
    return cases.background


def _interpolation(cases: Cases, learned: Learned | None) -> Analyse:
    plane = GaussianPlane.of(cases.store)
    return _exact(OptimalAnalysis.interpolation(plane.covariances[1], plane.observation_error), cases)


def _optimal(cases: Cases, learned: Learned | None) -> Analyse:
    plane = GaussianPlane.of(cases.store)
    return _exact(OptimalAnalysis.bayes(*plane.covariances, plane.observation_error), cases)


def _exact(method: OptimalAnalysis, cases: Cases) -> Analyse:
    store, box = cases.store, cases.tile.box
    everything = Tile.whole(store.layout.shape).slab(0)

    def analyse(numbers: Sequence[int]) -> np.ndarray:
        said = np.empty((len(numbers), 1, *box.shape), np.float32)
        for row, number in enumerate(numbers):
            background, table = store.fields(number, *everything)[0], store.observations(number, *everything)
            place, value = table.place.astype(np.int64), table.value.astype(np.float64)
            whole = method.analyse(background.astype(np.float64), place, value)
            said[row, 0] = whole[box.y0 : box.y1, box.x0 : box.x1]
        return said

    return analyse


def _regression(cases: Cases, learned: Learned | None) -> Analyse:
    assert learned is not None, "a learned method is prepared with its checkpoint"
    learned.check(cases.store)
    data = learned.dataset(cases.store, cases.tile)

    def analyse(numbers: Sequence[int]) -> np.ndarray:
        if not len(numbers):
            return np.empty((0, len(cases.store.layout.variables), *cases.tile.shape), np.float32)
        return learned.analyse(data, numbers, cases.neighbourhood, cases.device)

    return analyse


METHODS = {"background": _background, "interpolation": _interpolation, "regression": _regression, "optimal": _optimal}
LEARNS = ("regression",)  # those that need a checkpoint


def prepare(name: str, cases: Cases, learned: Learned | None = None) -> Analyse:
    """A method made ready for a store: a function from numbers of cases to their analyses.

    Args:
        name: of ``METHODS``.
        learned: for those of ``LEARNS``.

    Raises:
        InputError: interpolation or optimal on a store of another world than gaussian_plane.
        CheckpointError: the checkpoint was trained on other fields.
    """
    return METHODS[name](cases, learned)
