"""Build: ranks make cases and write them into one store, each its own slab.

The data axis divides cases, the tiles divide the domain. What is written does not depend on either: chunks are the
domain's, and the place of every observation follows from counts summed over all ranks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from mlrtma_dist.grid.box import Box
from mlrtma_dist.io import hdf5
from mlrtma_dist.io.hdf5 import Slab, StoreError
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport
from mlrtma_dist.samples.store import COLUMNS, Layout, Table

ROUND = 256  # cases a rank holds before it writes, at most; 8 MiB on the plane of Exercise 1
ROUND_BYTES = 256 << 20  # of their fields, at most, but for a single case


@dataclass(frozen=True)
class Case:
    """One case on a tile.

    Attributes:
        fields: shape (field, y, x), the tile's own points, SI.
        observations: those that the tile owns.
    """

    fields: np.ndarray
    observations: Table


def cases_at_once(layout: Layout) -> int:
    """How many cases of a layout a rank holds before it writes, so that their fields take little memory."""
    return max(1, min(ROUND, ROUND_BYTES // (4 * len(layout.fields) * int(np.prod(layout.shape)))))


def build_store(
    path,
    layout: Layout,
    time: np.ndarray,
    make: Callable[[int, Box], Case],
    world: Ranks,
    *,
    notes: Mapping[str, object] | None = None,
    at_once: int = ROUND,
    progress: Callable[[float], None] = lambda share: None,
) -> None:
    """Make all cases and write them. Collective; the content is the same on any number of ranks.

    Args:
        path: of the store.
        layout: what it holds.
        time: of every case, datetime64[s], shape (case,).
        make: the case of a number, on a box of the domain.
        world: the ranks.
        notes: attributes beside the layout's: how the cases were made.
        at_once: cases that a rank holds before it writes; 1 for large domains.
        progress: called with the share that is done.

    Raises:
        StoreError: tiles would share a chunk.
    """
    tile = world.tile(layout.shape, align=layout.edge, periodic=(layout.periodic,) * 2, name=layout.domain)
    data_rank, written = world.coordinates[0], 0
    everyone = world.everyone()
    with hdf5.made_together(path, world.communicator) as partial:
        hdf5.create(partial, layout.arrays(len(time)), {**layout.attributes(), **(notes or {})}, world.communicator)
        for first in range(0, len(time), at_once * world.mesh.data):
            block = range(first, min(first + at_once * world.mesh.data, len(time)))
            own = block[data_rank * at_once : (data_rank + 1) * at_once]
            cases = [make(number, tile.box) for number in own]
            slabs, written = _slabs(cases, own, block, layout, tile, everyone, written)
            if world.rank == 0:
                slabs.append(Slab("time", (first,), time[first : block.stop].astype("datetime64[s]").astype(np.int64)))
            hdf5.write(partial, slabs, world.communicator, dict.fromkeys(COLUMNS, written))
            progress(block.stop / len(time))


def _slabs(cases, own: range, block: range, layout: Layout, tile: Tile, everyone: Transport, written: int):
    """This rank's slabs of a round, and the length of the table after it."""
    chunks = layout.chunk_table[0] * layout.chunk_table[1]
    owners = [layout.chunk_of(case.observations.place) for case in cases]
    counts = np.zeros((len(block), chunks), np.int64)
    for number, owner in zip(own, owners, strict=True):
        counts[number - block.start] = np.bincount(owner, minlength=chunks)
    counts = everyone.sum(torch.from_numpy(counts)).numpy()
    ends = written + np.cumsum(counts).reshape(counts.shape)
    first = np.concatenate([ends[:, :1] - counts[:, :1], ends], axis=1)
    slabs = []
    for number, case, owner in zip(own, cases, owners, strict=True):
        _check(case, layout, tile, owner, number)
        values = np.asarray(case.fields, np.float32)[None]
        slabs.append(Slab("fields", (number, 0, tile.box.y0, tile.box.x0), values))
        if tile.rank == 0:
            slabs.append(Slab("first", (number, 0), first[number - block.start][None]))
    starts = first[own.start - block.start :][: len(own)]
    return slabs + _table_slabs([case.observations for case in cases], owners, starts), int(ends[-1, -1])


def _table_slabs(tables: list[Table], owners: list[np.ndarray], first: np.ndarray) -> list[Slab]:
    """Observations at their rows: cases one after the other, in each chunk by chunk, sorted whoever read them."""
    rows, sorted_tables = [], []
    for table, owner, starts in zip(tables, owners, first, strict=True):
        order = np.lexsort((table.value, table.variable, table.place[:, 1], table.place[:, 0], owner))
        owner = owner[order]
        sorted_tables.append(table[order])
        rows.append(starts[owner] + np.arange(len(owner)) - np.searchsorted(owner, owner))
    if not sum(map(len, rows)):
        return []
    rows = np.concatenate(rows)
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    slabs = []
    for name, (dtype, width) in COLUMNS.items():
        column = np.concatenate([getattr(table, name) for table in sorted_tables]).astype(dtype)
        for start, values in zip(rows[np.r_[0, breaks]], np.split(column, breaks), strict=True):
            slabs.append(Slab(name, (int(start),) + (0,) * bool(width), values))
    return slabs


def _check(case: Case, layout: Layout, tile: Tile, owner: np.ndarray, number: int) -> None:
    expected = (len(layout.fields), *tile.shape)
    if np.shape(case.fields) != expected:
        raise StoreError(f"case {number}: expected fields {expected} on {tile.box}, got {np.shape(case.fields)}.")
    rows, columns = owner // layout.chunk_table[1] * layout.edge, owner % layout.chunk_table[1] * layout.edge
    box = tile.box
    strange = (rows < box.y0) | (rows >= box.y1) | (columns < box.x0) | (columns >= box.x1)
    if strange.any():
        place = case.observations.place[strange][0].tolist()
        raise StoreError(f"case {number}: the observation at (y, x) = {place} belongs to another tile than {box}.")
