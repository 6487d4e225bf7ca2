"""The ranks of a job without torch: what a classical analysis needs of the others.

Arrays travel by MPI. `parallel.ranks.Ranks` answers the same questions where networks need tensors.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.parallel.communicator import abort_on_failure, communicator_of_all, places, threads_per_rank
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.tile import Tile

Made = TypeVar("Made")


@dataclass(frozen=True)
class Processes:
    """This process among the others.

    Attributes:
        rank, size: among all processes.
        mesh: the processes as (data, y, x).
        communicator: mpi4py's communicator of all, None alone.
        tiles: mpi4py's communicator of those that share a case; None alone.
    """

    rank: int
    size: int
    mesh: Mesh
    communicator: Any = None
    tiles: Any = field(default=None, repr=False)

    @classmethod
    @contextlib.contextmanager
    def start(cls, mesh: Mesh | None = None, *, in_tiles: bool = False) -> Iterator["Processes"]:
        """Join the other processes; leave them at the end of the ``with`` block.

        Args:
            mesh: the processes as (data, y, x); None puts all of them on the data axis.
            in_tiles: without a mesh put all of them on the y axis instead.

        Raises:
            MeshError: the mesh has another size. RanksError: processes that MPI does not list.
        """
        communicator = communicator_of_all()
        rank, size, _ = places(communicator)
        with abort_on_failure(communicator, rank, size, lambda: None):
            mesh = Mesh.of(size, in_tiles) if mesh is None else mesh
            mesh.check(size)
            tiles = None if communicator is None else communicator.Split(mesh.coordinates(rank)[0], rank)
            yield cls(rank, size, mesh, communicator, tiles)
            if communicator is not None:
                communicator.Barrier()

    @property
    def coordinates(self) -> tuple[int, int, int]:
        """This process's place on (data, y, x)."""
        return self.mesh.coordinates(self.rank)

    @cached_property
    def threads(self) -> int:
        """Threads that this process may use; 0: one per core."""
        return 0 if self.communicator is None else threads_per_rank(self.communicator)

    def tile(self, domain: tuple[int, int], *, align: int = 1, periodic=(False, False), name: str = "unnamed") -> Tile:
        """The part of a domain (points in y, x) that this process owns; see `Tile.split`."""
        return Tile.split(domain, (self.mesh.y, self.mesh.x), self.coordinates[1:], align, periodic, name)

    def tile_of(self, domain: Domain, align: int = 1) -> Tile:
        """The part of a domain that this rank owns; tiles begin on multiples of ``align``."""
        return self.tile(domain.shape, align=align, periodic=(domain.periodic,) * 2, name=domain.name)

    def from_first(self, make: Callable[[], Made]) -> Made:
        """What process 0 makes, on every process; it must be possible to pickle it. Collective."""
        if self.communicator is None:
            return make()
        return self.communicator.bcast(make() if self.rank == 0 else None)

    def total(self, array: np.ndarray) -> np.ndarray:
        """The sum of an array over all processes, element by element. Collective."""
        return _sum(self.communicator, array)

    def tiles_total(self, array: np.ndarray) -> np.ndarray:
        """The sum of an array over the processes that share a case, element by element. Collective."""
        return _sum(self.tiles, array)


def _sum(communicator, array: np.ndarray) -> np.ndarray:
    """The sum over a communicator's processes."""
    if communicator is None or communicator.size == 1:
        return array
    array = np.ascontiguousarray(array)
    total = np.empty_like(array)
    communicator.Allreduce(array, total)
    return total
