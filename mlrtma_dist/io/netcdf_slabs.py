"""netCDF-4 files that many ranks fill, each its own slab, in turn."""

from collections.abc import Sequence

import netCDF4

from mlrtma_dist.io.hdf5 import Slab, StoreError


def fill(path, slabs: Sequence[Slab], communicator) -> None:
    """Write every rank's slabs into variables that the file has already. Collective.

    The ranks open the file one after the other: compressed chunks cannot be written at once, and slabs of an analysis
    are small beside the work that made them.

    Args:
        path: of a file of `netcdf_write.write_netcdf`.
        slabs: this rank's; no two ranks' share points.
        communicator: mpi4py's, None alone.

    Raises:
        StoreError: a slab leaves its variable.
    """
    for turn in range(1 if communicator is None else communicator.size):
        if slabs and (communicator is None or communicator.rank == turn):
            with netCDF4.Dataset(str(path), "a") as dataset:
                dataset.set_auto_maskandscale(False)
                for slab in slabs:
                    _put(dataset, slab, path)
        if communicator is not None:
            communicator.Barrier()


def _put(dataset, slab: Slab, path) -> None:
    variable = dataset[slab.array]
    ends = tuple(start + size for start, size in zip(slab.start, slab.values.shape, strict=True))
    if any(end > size for end, size in zip(ends, variable.shape, strict=True)):
        raise StoreError(f"{path}: the slab {slab.start} to {ends} leaves {slab.array} {variable.shape}.")
    variable[tuple(slice(low, high) for low, high in zip(slab.start, ends, strict=True))] = slab.values
