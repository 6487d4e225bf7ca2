"""Cases: those of a store, block by block, on the tile that this rank owns.

A block is the same cases side by side on any number of ranks. The data axis deals out blocks and the tiles divide
their fields, so memory depends on neither the length of the store nor, beyond a tile, the size of the domain.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mlrtma_dist.nn.neighbourhood import Neighbourhood
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.tile import Tile
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
    def of(cls, store: Store, world: Ranks, align: int = 1) -> "Cases":
        """This rank's part of the work; tiles begin on the chunks of the store and on multiples of ``align``.

        Raises:
            TileError: more tiles than that allows.
        """
        layout = store.layout
        lines = math.lcm(layout.edge, align) if world.mesh.tiles > 1 else 1
        tile = world.tile(layout.shape, align=lines, periodic=(layout.periodic,) * 2, name=layout.domain)
        return cls(store, tile, world.neighbourhood(tile), world.device, world.coordinates[0], world.mesh.data)

    @property
    def everywhere(self) -> tuple[range, range]:
        """Rows and columns of the whole domain."""
        return Tile.whole(self.store.layout.shape).slab(0)

    def blocks(self) -> Iterator[range]:
        """This rank's block of every round; an empty one where the cases do not suffice for all ranks."""
        cases, whole = len(self.store.time), BLOCK * self.data_ranks
        for start in range(BLOCK * self.data_rank, -(-cases // whole) * whole, whole):
            yield range(min(start, cases), min(start + BLOCK, cases))

    def background(self, cases: Sequence[int]) -> np.ndarray:
        """The backgrounds of cases on the tile, shape (case, variable, y, x), SI, float32; no variable without them."""
        return self._fields(cases)[:, : self.store.layout.backgrounds]

    def truth(self, cases: Sequence[int]) -> np.ndarray:
        """What methods are to say of cases, shape (case, variable, y, x) on the tile, SI, float32."""
        return self._fields(cases)[:, self.store.layout.backgrounds :]

    def _fields(self, cases: Sequence[int]) -> np.ndarray:
        held = [self.store.fields(case, *self.tile.slab(0)) for case in cases]
        shape = len(self.store.layout.fields), *self.tile.shape
        return np.stack(held) if held else np.empty((0, *shape), np.float32)
