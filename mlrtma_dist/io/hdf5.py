"""HDF5 files that many ranks write and read, each its own slab.

Where h5py is built for MPI all ranks write at once; where it is not they open the file in turn. The content is the
same. Nothing is compressed: parallel HDF5 writes filtered chunks only collectively, and then a slow rank holds up all.
Values are little-endian as numpy gives them; strings are UTF-8 attributes.
"""

import contextlib
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.atomic import device_errors, written_atomically

NO_CACHE = 0  # bytes of chunks kept: HDF5 crashes at the end of a program whose disk was full when it wrote kept ones


class StoreError(InputError):
    """A file that is not what it should be, or a write that cannot be."""


@dataclass(frozen=True)
class Array:
    """An array of a file to be.

    Attributes:
        shape: may be 0 along the first axis where ``grows``.
        dtype: numpy's name.
        chunks: pieces in which it is stored; a property of the data, never of the ranks.
        grows: the first axis can be made longer.
    """

    shape: tuple[int, ...]
    dtype: str
    chunks: tuple[int, ...]
    grows: bool = False


@dataclass(frozen=True)
class Slab:
    """A piece of an array: where it begins along every axis, and its values."""

    array: str
    start: tuple[int, ...]
    values: np.ndarray


@contextlib.contextmanager
def made_together(path, communicator) -> Iterator[Path]:
    """Hand all ranks one partial file's name; when all are done it becomes ``path``. Collective.

    Args:
        path: of the file to be; communicator: mpi4py's, None alone.
    """
    with contextlib.ExitStack() as stack:
        if communicator is None:
            yield stack.enter_context(written_atomically(path))
        else:
            partial = stack.enter_context(written_atomically(path)) if communicator.rank == 0 else None
            partial = communicator.bcast(partial)
            with device_errors(path, partial):
                yield partial
                communicator.Barrier()
    if communicator is not None:
        communicator.Barrier()  # nobody goes on to read before the file has its name


def create(path, arrays: Mapping[str, Array], attributes: Mapping[str, object], communicator) -> None:
    """Make a file with empty arrays. Collective, with equal arguments on all ranks.

    Args:
        attributes: anything that JSON can say; kept as text.
        communicator: mpi4py's, None alone.
    """
    if communicator is None or communicator.rank == 0:
        with h5py.File(path, "w", libver="v110") as file:
            for name, array in arrays.items():
                longest = (None, *array.shape[1:]) if array.grows else array.shape
                file.create_dataset(name, array.shape, array.dtype, maxshape=longest, chunks=array.chunks)
            for name, value in attributes.items():
                file.attrs[name] = json.dumps(value)
    if communicator is not None:
        communicator.Barrier()


def write(path, slabs: Sequence[Slab], communicator, lengths: Mapping[str, int] | None = None) -> None:
    """Write every rank's slabs, at once where h5py can, in turn where it cannot. Collective.

    Args:
        slabs: this rank's; no two ranks' may share a chunk of a fixed array, or points of any.
        lengths: new lengths of growing arrays, equal on all ranks.

    Raises:
        StoreError: a slab leaves its array.
    """
    together = h5py.get_config().mpi and hasattr(communicator, "py2f")  # MPI's own, which HDF5 can use
    if communicator is None or together:
        how = {"driver": "mpio", "comm": communicator} if together else {}
        with h5py.File(path, "r+", rdcc_nbytes=NO_CACHE, **how) as file:
            _put(file, slabs, lengths or {})
        return
    for turn in range(communicator.size):
        if communicator.rank == turn:
            with h5py.File(path, "r+", rdcc_nbytes=NO_CACHE) as file:
                _put(file, slabs, lengths or {})
        communicator.Barrier()


def _put(file, slabs: Sequence[Slab], lengths: Mapping[str, int]) -> None:
    for name, length in lengths.items():
        file[name].resize(length, axis=0)
    for slab in slabs:
        array = file[slab.array]
        ends = tuple(start + size for start, size in zip(slab.start, slab.values.shape, strict=True))
        if any(end > size for end, size in zip(ends, array.shape, strict=True)):
            raise StoreError(f"{file.filename}: the slab {slab.start} to {ends} leaves {slab.array} {array.shape}.")
        if slab.values.size:
            array[tuple(slice(low, high) for low, high in zip(slab.start, ends, strict=True))] = slab.values


class Reader:
    """A file open for reading, which counts what it takes from the disk.

    Attributes:
        path: of the file.
        attributes: by name.
        bytes_read: stored bytes of the chunks that reads touched; a chunk read twice counts twice.
    """

    def __init__(self, path):
        """Open a file.

        Raises:
            StoreError: no such file, or no whole HDF5 file.
        """
        self.path, self.bytes_read, self._sizes, self._arrays = Path(path), 0, {}, {}
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise StoreError(f"{path}: expected an HDF5 file: {error}. Make one with `mlrtma samples`.") from error
        self.attributes = {name: _from_json(value) for name, value in self._file.attrs.items()}

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def has(self, name: str) -> bool:
        """Whether the file has an array of that name."""
        return name in self._arrays or name in self._file

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of an array; StoreError names those there are."""
        return self._array(name).shape

    def chunks(self, name: str) -> tuple[int, ...]:
        """Pieces in which an array is stored."""
        return self._array(name).chunks

    def read(self, name: str, ranges: Sequence[range]) -> np.ndarray:
        """A box of an array.

        Args:
            ranges: consecutive indices along every axis.

        Raises:
            StoreError: no such array, or the box leaves it.
        """
        array = self._array(name)
        sizes = array.shape
        if len(ranges) != len(sizes) or any(r.start < 0 or r.stop > n for r, n in zip(ranges, sizes, strict=True)):
            raise StoreError(f"{self.path}: expected a box within {name} {array.shape}, got {list(ranges)}.")
        if not all(len(r) for r in ranges):
            return np.empty([len(r) for r in ranges], array.dtype)
        self.bytes_read += self._touched(name, array, ranges)
        return array[tuple(slice(r.start, r.stop) for r in ranges)]

    def _touched(self, name: str, array, ranges) -> int:
        """Stored bytes of the chunks that a box lies in, asked of the file itself."""
        corners = [range(r.start // c * c, r.stop, c) for r, c in zip(ranges, array.chunks, strict=True)]
        sizes, total = self._sizes.setdefault(name, {}), 0
        for corner in itertools.product(*corners):
            if corner not in sizes:
                sizes[corner] = array.id.get_chunk_info_by_coord(corner).size
            total += sizes[corner]
        return total

    def _array(self, name: str):
        if name not in self._arrays:  # opened once: opening takes as long as reading a table's rows
            if name not in self._file:
                raise StoreError(f"{self.path}: expected an array {name}, found {', '.join(self._file) or 'none'}.")
            self._arrays[name] = self._file[name]
        return self._arrays[name]


def _from_json(text):
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def content_hash(path) -> str:
    """SHA-256 of what a file says: names, types, shapes, chunks, values, attributes. Not of how it lies on the disk."""
    digest = hashlib.sha256()
    with h5py.File(path, "r") as file:
        for name, value in sorted(file.attrs.items()):
            digest.update(f"{name}={value};".encode())
        for name in sorted(file):
            array = file[name]
            digest.update(f"{name} {array.dtype.str} {array.shape} {array.chunks};".encode())
            for first in range(0, array.shape[0], array.chunks[0]):
                digest.update(np.ascontiguousarray(array[first : first + array.chunks[0]]).tobytes())
    return digest.hexdigest()
