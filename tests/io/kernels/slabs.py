"""Four ranks, or one alone, write the same fields in slabs. Arguments: path. Rank 0 prints how the file was opened.

Imports nothing that a Python without torch lacks: Debian's, whose h5py is built for MPI, runs it, too.
"""

import json
import sys

import h5py
import numpy as np
from mpi4py import MPI

from mlrtma_dist.io import hdf5
from mlrtma_dist.io.hdf5 import Array, Slab

SHAPE, CHUNKS, LONG = (3, 2, 96, 80), (1, 2, 16, 16), 50
VALUES = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
ARRAYS = {"fields": Array(SHAPE, "float32", CHUNKS), "rows": Array((0,), "int64", (8,), grows=True)}
DRIVERS = []


class Recorded(h5py.File):
    """h5py's file, and by which driver it is written."""

    def __init__(self, *arguments, **how):
        super().__init__(*arguments, **how)
        if self.mode != "r":
            DRIVERS.append(self.driver)


def main(path):
    communicator = MPI.COMM_WORLD if MPI.COMM_WORLD.size > 1 else None
    rank, ranks = MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size
    edges = [CHUNKS[2] * (SHAPE[2] // CHUNKS[2] * r // ranks) for r in range(ranks + 1)]
    ends = [LONG * r // ranks for r in range(ranks + 1)]  # within chunks: pieces of a table end anywhere
    h5py.File = Recorded
    with hdf5.made_together(path, communicator) as partial:
        hdf5.create(partial, ARRAYS, {"note": "four or one"}, communicator)
        DRIVERS.clear()  # what matters is how the slabs are written
        for case in range(SHAPE[0]):
            field = VALUES[case : case + 1, :, edges[rank] : edges[rank + 1]]
            hdf5.write(partial, [Slab("fields", (case, 0, edges[rank], 0), field)], communicator)
        rows = np.arange(ends[rank], ends[rank + 1])
        hdf5.write(partial, [Slab("rows", (ends[rank],), rows)], communicator, {"rows": LONG})
    if rank == 0:
        print(json.dumps({"ranks": ranks, "drivers": DRIVERS, "mpi": _libraries()}))


def _libraries():
    with open("/proc/self/maps") as maps:
        return sorted({line.split()[-1] for line in maps if "/libmpi.so" in line})


if __name__ == "__main__":
    main(sys.argv[1])
