"""netCDF-4 files that many ranks fill: every chunk is compressed and written by one rank, and the ranks write in turn.

A compressed chunk cannot be written by two ranks at once, and one that is written twice leaves a hole in the file. So
points of a chunk that lies across the parts of several ranks are sent to the rank that holds most of it. All ranks
compress their chunks at the same time, on all their cores, as HDF5's filters "shuffle" and "deflate" would (HDF5 user's
guide, section 5.6); only the compressed bytes are written in turn.
"""

import itertools
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import h5py
import netCDF4
import numpy as np

from mlrtma_dist.io.hdf5 import StoreError
from mlrtma_dist.io.netcdf_write import NetcdfVariable, packed

Index = tuple[slice, ...]
Extent = tuple[tuple[int, ...], tuple[int, ...]]  # first index and number of points along every dimension
CACHE = 2**22  # bytes, for chunks that are written piece by piece: a few of them


@dataclass(frozen=True)
class Part:
    """A box of one variable and its values.

    Attributes:
        variable: of the file; its rounding is applied.
        start: first index along every dimension.
        shape: number of points along every dimension.
        values: function of an index within the part, one slice for each dimension, that returns the values there.
    """

    variable: NetcdfVariable
    start: tuple[int, ...]
    shape: tuple[int, ...]
    values: Callable[[Index], np.ndarray]

    @classmethod
    def of(cls, variable: NetcdfVariable, start: tuple[int, ...], values: np.ndarray) -> "Part":
        """A part of which the values are an array."""
        return cls(variable, start, values.shape, lambda index: values[index])


@dataclass(frozen=True)
class Piece:
    """A part's points in one chunk.

    Attributes:
        start, shape: first index and number of points along every dimension.
        values: function that returns the packed values.
    """

    start: tuple[int, ...]
    shape: tuple[int, ...]
    values: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Storage:
    """How a variable is stored.

    Attributes:
        shape, chunks: points along every dimension, of the variable and of a chunk.
        dtype: of the values.
        level: of deflate; None where the filters are others than shuffle and deflate.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype
    level: int | None

    @classmethod
    def of(cls, dataset: h5py.Dataset) -> "Storage":
        """The storage of a chunked variable."""
        plain = dataset.shuffle and dataset.compression == "gzip" and not dataset.fletcher32
        return cls(dataset.shape, dataset.chunks, dataset.dtype, dataset.compression_opts if plain else None)


Key = tuple[str, tuple[int, ...]]  # name of a variable, and number of a chunk along every dimension
Chunks = dict[Key, list[Piece]]


def fill(path, parts: Sequence[Part], communicator) -> None:
    """Write every rank's parts into variables that the file has already. Collective.

    Args:
        path: of a file of `netcdf_write.write_netcdf`.
        parts: those of this rank; parts of two ranks share no point.
        communicator: mpi4py's, None alone.

    Raises:
        StoreError: a part leaves its variable.
    """
    mine = [(part.variable.name, (part.start, part.shape)) for part in parts]
    extents = [mine] if communicator is None else communicator.allgather(mine)
    names = list(dict.fromkeys(name for entries in extents for name, _ in entries))
    with h5py.File(path, "r") as file:
        storage = {name: Storage.of(file[name]) for name in names}
    for name, extent in mine:
        _require_inside(storage[name].shape, name, extent, path)
    chunks: Chunks = {}
    for part in parts:
        for number, piece in _pieces(part, storage[part.variable.name].chunks):
            chunks.setdefault((part.variable.name, number), []).append(piece)
    if communicator is not None:
        chunks = _exchanged(chunks, _owners(extents, storage), communicator)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        for name in names:  # one at a time: compressed, the fields of a rank together are a third of them
            of_name = sorted((number, pieces) for (key, number), pieces in chunks.items() if key == name)
            stored = list(threads.map(partial(_stored, storage[name]), of_name))
            _write_in_turn(path, name, stored, communicator)


def set_attributes(path, attributes: Mapping[str, object]) -> None:
    """Write global attributes into a file that exists."""
    with netCDF4.Dataset(str(path), "a") as dataset:
        dataset.setncatts(dict(attributes))


def _require_inside(shape: tuple[int, ...], name: str, extent: Extent, path) -> None:
    ends = tuple(start + size for start, size in zip(*extent, strict=True))
    if any(end > size for end, size in zip(ends, shape, strict=True)):
        raise StoreError(f"{path}: the slab {extent[0]} to {ends} leaves {name} {shape}.")


def _pieces(part: Part, chunks: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Piece]]:
    """The part cut along the lines of chunks, with the numbers of the chunks."""
    for number in _touched((part.start, part.shape), chunks):
        start, shape = _overlap((part.start, part.shape), number, chunks)
        index = tuple(slice(s - first, s - first + n) for s, first, n in zip(start, part.start, shape, strict=True))
        yield number, Piece(start, shape, partial(_evaluate, part, index))


def _evaluate(part: Part, index: Index) -> np.ndarray:
    return packed(part.values(index), part.variable)


def _exchanged(chunks: Chunks, owner: Mapping[Key, int], communicator) -> Chunks:
    """The pieces that this rank writes: its own in chunks that it owns, and what the others send of these chunks."""
    kept: Chunks = {}
    sent: list[list] = [[] for _ in range(communicator.size)]
    for key, pieces in chunks.items():
        writer = owner.get(key, communicator.rank)
        if writer == communicator.rank:
            kept[key] = pieces
        else:
            sent[writer] += [(key, piece.start, piece.values()) for piece in pieces]
    for received in communicator.alltoall(sent):
        for key, start, values in received:
            kept.setdefault(key, []).append(Piece(start, values.shape, partial(np.asarray, values)))
    return kept


def _owners(extents: Sequence[Sequence[tuple[str, Extent]]], storage: Mapping[str, Storage]) -> dict[Key, int]:
    """The rank that writes a chunk: the one that holds most of its points.

    A field that lies in one chunk has no owner: no rank is sent a whole field, the ranks write into the chunk in turn.
    """
    points: dict[Key, np.ndarray] = {}
    for rank, entries in enumerate(extents):
        for name, extent in entries:
            chunks = storage[name].chunks
            if chunks[-2:] == storage[name].shape[-2:]:
                continue
            for number in _touched(extent, chunks):
                share = points.setdefault((name, number), np.zeros(len(extents), np.int64))
                share[rank] += np.prod(_overlap(extent, number, chunks)[1])
    return {key: int(np.argmax(share)) for key, share in points.items()}


def _touched(extent: Extent, chunks: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The numbers of the chunks in which an extent lies."""
    if not all(extent[1]):
        return iter(())
    return itertools.product(
        *(range(start // edge, -(-(start + size) // edge)) for start, size, edge in zip(*extent, chunks, strict=True))
    )


def _overlap(extent: Extent, number: tuple[int, ...], chunks: tuple[int, ...]) -> Extent:
    """The part of an extent that lies in a chunk."""
    starts = tuple(max(start, i * edge) for start, i, edge in zip(extent[0], number, chunks, strict=True))
    ends = (min(start + size, (i + 1) * edge) for start, size, i, edge in zip(*extent, number, chunks, strict=True))
    return starts, tuple(end - start for start, end in zip(starts, ends, strict=True))


@dataclass(frozen=True)
class Stored:
    """A chunk as it is written: compressed where all its points are here, else in pieces."""

    start: tuple[int, ...]
    compressed: bytes | None
    pieces: list[Piece]


def _stored(storage: Storage, chunk: tuple[tuple[int, ...], list[Piece]]) -> Stored:
    number, pieces = chunk
    start, shape = _overlap(((0,) * len(number), storage.shape), number, storage.chunks)
    if storage.level is None or sum(int(np.prod(piece.shape)) for piece in pieces) < np.prod(shape):
        return Stored(start, None, pieces)
    values = np.zeros(storage.chunks, storage.dtype)  # at the far edges of the variable a chunk is stored whole, too
    for piece in pieces:
        corner = (first - origin for first, origin in zip(piece.start, start, strict=True))
        values[tuple(slice(c, c + size) for c, size in zip(corner, piece.shape, strict=True))] = piece.values()
    shuffled = values.reshape(-1, 1).view(np.uint8).T.tobytes()  # first all first bytes of the values, then all second
    return Stored(start, zlib.compress(shuffled, storage.level), [])


def _write_in_turn(path, name: str, chunks: Sequence[Stored], communicator) -> None:
    for turn in range(1 if communicator is None else communicator.size):
        if chunks and (communicator is None or communicator.rank == turn):
            with h5py.File(path, "r+", rdcc_nbytes=CACHE) as file:
                dataset = file[name]
                for chunk in chunks:
                    if chunk.compressed is not None:
                        dataset.id.write_direct_chunk(chunk.start, chunk.compressed)
                    for piece in chunk.pieces:
                        extent = zip(piece.start, piece.shape, strict=True)
                        dataset[tuple(slice(low, low + size) for low, size in extent)] = piece.values()
        if communicator is not None:
            communicator.Barrier()
