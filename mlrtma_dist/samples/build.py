"""Build: ranks take cases from a source and write them into one store, each its own slab.

The data axis divides cases, the tiles divide the domain. What is written does not depend on either: chunks are the
domain's, and the place of every report follows from counts summed over all ranks.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import torch

from mlrtma_dist.grid.box import Box
from mlrtma_dist.io import hdf5
from mlrtma_dist.io.hdf5 import Slab, StoreError
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport
from mlrtma_dist.samples.layout import COLUMNS, EDGE, Layout, Table
from mlrtma_dist.samples.statistics import join, moments_of
from mlrtma_dist.samples.summary import Summary

ROUND = 256  # cases a rank holds before it writes, at most; 8 MiB on the plane of Exercise 1
ROUND_BYTES = 256 << 20  # of their fields, at most, but for a single case


class TiledCases(Protocol):
    """A source whose cases can be made tile by tile.

    Attributes:
        contents: what every case holds; time: UTC of every case, datetime64[s], shape (case,).
    """

    contents: Contents
    time: np.ndarray

    def case_of_tile(self, number: int, box: Box) -> Case:
        """A case on a box with the reports that the box owns; more are left out."""
        ...


def cases_at_once(layout: Layout) -> int:
    """How many cases of a layout a rank holds before it writes, so that their fields take little memory."""
    fields = len(layout.fields) + len(layout.imagery)
    return max(1, min(ROUND, ROUND_BYTES // (4 * fields * int(np.prod(layout.shape)))))


def build_store(
    path,
    cases: TiledCases,
    ranks: Ranks,
    *,
    edge: int = EDGE,
    notes: Mapping[str, object] | None = None,
    at_once: int | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Summary:
    """Write all cases of a source. Collective; the content is the same on any number of ranks.

    Args:
        path: of the store.
        cases: the source.
        ranks: of the job.
        edge: points on a side of a chunk.
        notes: attributes beside the layout's: how the cases were made.
        at_once: cases that a rank holds before it writes; None: as many as take little memory.
        progress: called with the share that is done.

    Returns:
        The numbers of the store, on every rank.

    Raises:
        StoreError: tiles would share a chunk.
    """
    layout, time = Layout.of(cases.contents, edge), cases.time
    at_once = at_once or cases_at_once(layout)
    tile = ranks.tile(layout.shape, align=layout.edge, periodic=(layout.periodic,) * 2, name=layout.domain)
    data_rank, written = ranks.coordinates[0], 0
    moments = np.zeros((3, len(layout.fields) + len(layout.imagery)))
    counts = np.zeros(len(layout.observed), np.int64)
    everyone = ranks.everyone()
    with hdf5.made_together(path, ranks.communicator) as partial:
        hdf5.create(partial, layout.arrays(len(time)), {**layout.attributes(), **(notes or {})}, ranks.communicator)
        for first in range(0, len(time), at_once * ranks.mesh.data):
            block = range(first, min(first + at_once * ranks.mesh.data, len(time)))
            own = block[data_rank * at_once : (data_rank + 1) * at_once]
            parts = [_part(cases.case_of_tile(number, tile.box), layout, tile, number) for number in own]
            for fields, images, table, _ in parts:
                moments = join(moments, np.stack([moments_of(each.ravel()) for each in (*fields, *images)], 1))
                counts += np.bincount(table.variable, minlength=len(counts))
            slabs, written = _slabs(parts, own, block, layout, tile, everyone, written)
            if ranks.rank == 0:
                slabs.append(Slab("time", (first,), time[first : block.stop].astype("datetime64[s]").astype(np.int64)))
            hdf5.write(partial, slabs, ranks.communicator, dict.fromkeys(COLUMNS, written))
            progress(block.stop / len(time))
    counts = everyone.sum(torch.from_numpy(counts)).numpy()
    moments = functools.reduce(join, (part.numpy() for part in everyone.collect(torch.from_numpy(moments))))
    return Summary(cases.contents, time, moments, counts)


# Fields (field, y, x), imagery (channel, y, x), reports, and the chunk that owns each report.
Part = tuple[np.ndarray, np.ndarray, Table, np.ndarray]


def _part(case: Case, layout: Layout, tile: Tile, number: int) -> Part:
    fields, table = layout.fields_of(case), Table.from_case(case, layout.observed)
    if fields.shape != (len(layout.fields), *tile.shape):
        expected = (len(layout.fields), *tile.shape)
        raise StoreError(f"case {number}: expected fields {expected} on {tile.box}, got {fields.shape}.")
    images = np.array([case.imagery.field_on(name, tile.box) for name in layout.imagery], np.float32)
    return fields, images, table, layout.chunk_of(table.place)


def _slabs(parts: list[Part], own: range, block: range, layout: Layout, tile: Tile, everyone: Transport, written: int):
    """This rank's slabs of a round, and the length of the table after it."""
    chunks = layout.chunk_table[0] * layout.chunk_table[1]
    counts = np.zeros((len(block), chunks), np.int64)
    for number, (*_, owner) in zip(own, parts, strict=True):
        counts[number - block.start] = np.bincount(owner, minlength=chunks)
    counts = everyone.sum(torch.from_numpy(counts)).numpy()
    ends = written + np.cumsum(counts).reshape(counts.shape)
    first = np.concatenate([ends[:, :1] - counts[:, :1], ends], axis=1)
    slabs = []
    for number, (fields, images, _, _) in zip(own, parts, strict=True):
        corner = (number, 0, tile.box.y0, tile.box.x0)
        slabs.append(Slab("fields", corner, fields[None]))
        if len(images):
            slabs.append(Slab("imagery", corner, images[None]))
        if tile.rank == 0:
            slabs.append(Slab("first", (number, 0), first[number - block.start][None]))
    starts = first[own.start - block.start :][: len(own)]
    return slabs + _table_slabs(parts, starts), int(ends[-1, -1])


def _table_slabs(parts: list[Part], first: np.ndarray) -> list[Slab]:
    """Reports at their rows: cases one after the other, in each chunk by chunk, sorted whoever read them."""
    rows, tables = [], []
    for (_, _, table, owner), starts in zip(parts, first, strict=True):
        order = np.lexsort((table.station, table.value, table.variable, table.place[:, 1], table.place[:, 0], owner))
        owner = owner[order]
        tables.append(table[order])
        rows.append(starts[owner] + np.arange(len(owner)) - np.searchsorted(owner, owner))
    if not sum(map(len, rows)):
        return []
    rows = np.concatenate(rows)
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    slabs = []
    for name, (dtype, width) in COLUMNS.items():
        column = np.concatenate([getattr(table, name) for table in tables]).astype(dtype)
        for start, values in zip(rows[np.r_[0, breaks]], np.split(column, breaks), strict=True):
            slabs.append(Slab(name, (int(start),) + (0,) * bool(width), values))
    return slabs
