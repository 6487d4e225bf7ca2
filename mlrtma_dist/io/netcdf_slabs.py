"""netCDF-4 files that many ranks fill: every chunk is written by one rank, and the ranks write in turn.

A compressed chunk cannot be written by two ranks at once, and one that is written twice leaves a hole in the file. So
points of a chunk that lies across the parts of several ranks are sent to the rank that holds most of it.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import netCDF4
import numpy as np

from mlrtma_dist.io.hdf5 import StoreError
from mlrtma_dist.io.netcdf_write import NetcdfVariable, packed

Index = tuple[slice, ...]
Extent = tuple[tuple[int, ...], tuple[int, ...]]  # first index and number of points along every dimension
CACHED_CHUNKS = 2  # of each variable while it is written; the library's own 16 MB would be 500 MB for a product


@dataclass(frozen=True)
class Part:
    """A box of one variable and its values.

    Attributes:
        variable: of the file. Its rounding is applied; its ``chunks`` must be set.
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
    """A part's points in one chunk: packed values, or a function that computes them when they are written."""

    name: str
    start: tuple[int, ...]
    shape: tuple[int, ...]
    values: Callable[[], np.ndarray]


Numbered = tuple[tuple[int, ...], Piece]  # a piece, and the number of its chunk along every dimension


def fill(path, parts: Sequence[Part], communicator) -> None:
    """Write every rank's parts into variables that the file has already. Collective.

    Args:
        path: of a file of `netcdf_write.write_netcdf`.
        parts: those of this rank; parts of two ranks share no point.
        communicator: mpi4py's, None alone.

    Raises:
        StoreError: a part leaves its variable.
    """
    numbered = [entry for part in parts for entry in _pieces(part)]
    pieces = _ordered(numbered if communicator is None else _exchange(numbered, parts, communicator))
    for turn in range(1 if communicator is None else communicator.size):
        if communicator is None or communicator.rank == turn:
            _write(path, parts, pieces)
        if communicator is not None:
            communicator.Barrier()


def set_attributes(path, attributes: Mapping[str, object]) -> None:
    """Write global attributes into a file that exists."""
    with netCDF4.Dataset(str(path), "a") as dataset:
        dataset.setncatts(dict(attributes))


def _pieces(part: Part) -> Iterator[Numbered]:
    """The part cut along the lines of chunks."""
    chunks = _chunks(part.variable)
    for number in _touched((part.start, part.shape), chunks):
        start, shape = _overlap((part.start, part.shape), number, chunks)
        index = tuple(slice(s - first, s - first + n) for s, first, n in zip(start, part.start, shape, strict=True))
        yield number, Piece(part.variable.name, start, shape, partial(_evaluate, part, index))


def _evaluate(part: Part, index: Index) -> np.ndarray:
    return packed(part.values(index), part.variable)


def _ordered(numbered: Sequence[Numbered]) -> list[Piece]:
    """Pieces of one variable, and of one chunk, one after the other: a chunk is complete before it is compressed."""
    row = {name: number for number, name in enumerate(dict.fromkeys(piece.name for _, piece in numbered))}
    in_order = sorted(numbered, key=lambda entry: (row[entry[1].name], entry[0], entry[1].start))
    return [piece for _, piece in in_order]


def _exchange(numbered: Sequence[Numbered], parts: Sequence[Part], communicator) -> list[Numbered]:
    """The pieces that this rank writes: its own in chunks that it owns, and what the others send of these chunks."""
    extents = communicator.allgather([(p.variable.name, _chunks(p.variable), (p.start, p.shape)) for p in parts])
    owner = _owners(extents)
    kept: list[Numbered] = []
    sent: list[list] = [[] for _ in range(communicator.size)]
    for number, piece in numbered:
        writer = owner.get((piece.name, number), communicator.rank)
        if writer == communicator.rank:
            kept.append((number, piece))
        else:
            sent[writer].append((number, piece.name, piece.start, piece.values()))
    for received in communicator.alltoall(sent):
        for number, name, start, values in received:
            kept.append((number, Piece(name, start, values.shape, partial(np.asarray, values))))
    return kept


def _owners(extents: Sequence[Sequence[tuple[str, tuple[int, ...], Extent]]]) -> dict[tuple, int]:
    """The rank that writes a chunk, by name of the variable and number of the chunk: it holds most of its points.

    A field that lies in one chunk has no owner: nobody is sent a whole field, the ranks write into the chunk in turn.
    """
    points: dict[tuple, np.ndarray] = {}
    for rank, entries in enumerate(extents):
        for name, chunks, extent in entries:
            for number in _touched(extent, chunks):
                share = points.setdefault((name, number), np.zeros(len(extents), np.int64))
                share[rank] += np.prod(_overlap(extent, number, chunks)[1])
    fields: dict[str, set] = {}
    for name, number in points:
        fields.setdefault(name, set()).add(number[-2:])
    return {chunk: int(np.argmax(share)) for chunk, share in points.items() if len(fields[chunk[0]]) > 1}


def _chunks(variable: NetcdfVariable) -> tuple[int, ...]:
    assert variable.chunks is not None, f"{variable.name}: a variable that is filled in parts names its chunks"
    return variable.chunks


def _touched(extent: Extent, chunks: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The numbers of the chunks in which an extent lies."""
    if not all(extent[1]):
        return iter(())
    return itertools.product(
        *(range(start // edge, -(-(start + size) // edge)) for start, size, edge in zip(*extent, chunks, strict=True))
    )


def _overlap(extent: Extent, number: tuple[int, ...], chunks: tuple[int, ...]) -> Extent:
    """The part of an extent that lies in a chunk."""
    lows = tuple(max(start, i * edge) for start, i, edge in zip(extent[0], number, chunks, strict=True))
    ends = (min(start + size, (i + 1) * edge) for start, size, i, edge in zip(*extent, number, chunks, strict=True))
    return lows, tuple(end - low for low, end in zip(lows, ends, strict=True))


def _write(path, parts: Sequence[Part], pieces: Sequence[Piece]) -> None:
    if not parts and not pieces:
        return
    with netCDF4.Dataset(str(path), "a") as dataset:
        dataset.set_auto_maskandscale(False)
        for part in parts:
            sizes, ends = dataset[part.variable.name].shape, tuple(map(sum, zip(part.start, part.shape, strict=True)))
            if any(end > size for end, size in zip(ends, sizes, strict=True)):
                raise StoreError(f"{path}: the slab {part.start} to {ends} leaves {part.variable.name} {sizes}.")
        for name, group in itertools.groupby(pieces, lambda piece: piece.name):
            variable = dataset[name]
            chunk = int(np.prod(variable.chunking())) * variable.dtype.itemsize
            variable.set_var_chunk_cache(size=CACHED_CHUNKS * chunk)
            for piece in group:
                extent = zip(piece.start, piece.shape, strict=True)
                variable[tuple(slice(low, low + size) for low, size in extent)] = piece.values()
