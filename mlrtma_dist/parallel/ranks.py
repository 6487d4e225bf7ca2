"""The ranks of a job: MPI starts and introduces them, torch.distributed carries their tensors.

`Ranks.start` works under ``mpiexec``, ``srun --mpi=pmix`` and ``torchrun``, and alone; only the first two import MPI.
What needs no tensors uses `parallel.processes` instead.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood
from mlrtma_dist.parallel import meeting
from mlrtma_dist.parallel.communicator import (
    abort_on_failure,
    communicator_of_all,
    places,
    started_without_mpi,
    threads_per_rank,
)
from mlrtma_dist.parallel.heartbeat import Heartbeat, time_limit
from mlrtma_dist.parallel.mesh import Mesh, make_groups
from mlrtma_dist.parallel.neighbourhood import Tiled
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport

Made = TypeVar("Made")
PATIENCE = 30.0  # s that collectives wait beyond the time limit: the heartbeat, which says more, comes first
LEAVE_GROUPS = 0.1  # s, many times what a thread needs to be given a core on a busy machine


@dataclass(frozen=True)
class Ranks:
    """This rank among the others.

    Attributes:
        rank, size: among all ranks; local_rank: among those on this node.
        mesh: the ranks as (data, y, x).
        device: where this rank computes.
        groups: torch.distributed groups by name, "world", "data", "y", "x", "tiles"; None for a group of one.
        heartbeat: the watch over this rank; a program that beats it ends where it makes no progress.
        communicator: mpi4py's communicator of all ranks, or what stands for it; None alone. For `mlrtma_dist.io`.
    """

    rank: int
    size: int
    local_rank: int
    mesh: Mesh
    device: torch.device
    groups: dict
    heartbeat: Heartbeat
    communicator: Any

    @classmethod
    @contextlib.contextmanager
    def start(
        cls,
        mesh: Mesh | None = None,
        *,
        device: str = "auto",
        always_group: bool = False,
        in_tiles: bool = False,
        timeout: float | None = None,
    ):
        """Join the other ranks; leave them at the end of the ``with`` block.

        Args:
            mesh: the ranks as (data, y, x); None puts all of them on the data axis.
            device: "auto" takes this node's ``local_rank``-th GPU if there is one; or "cpu", "cuda".
            always_group: make torch.distributed's group alone, too (DeepSpeed wants one).
            in_tiles: without a mesh put all ranks on the y axis instead of the data axis.
            timeout: seconds after which a rank gives up waiting for the others; None: those of the environment, see
                `heartbeat.time_limit`.

        Raises:
            MeshError: the mesh has another size. RanksError: ranks that MPI does not know of.
        """
        timeout = time_limit() if timeout is None else timeout
        store = None
        with contextlib.ExitStack() as stack:
            heartbeat = stack.enter_context(Heartbeat.watching(timeout))
            heartbeat.beat()
            if started_without_mpi():
                store, communicator = meeting.meet_by_environment(timeout)
            else:
                communicator = communicator_of_all()
            rank, size, nodes = places(communicator)
            heartbeat.of(rank, size)
            abort = lambda: abort_on_failure(communicator, rank, size, lambda: store)  # noqa: E731
            stack.enter_context(abort())
            mesh = Mesh.of(size, in_tiles) if mesh is None else mesh
            mesh.check(size)
            local_rank = meeting.local_rank_of(rank, nodes)
            place = meeting.device_of(device, local_rank)
            groups = dict.fromkeys(("world", "data", "y", "x", "tiles"))
            if size > 1 or always_group:
                backend = meeting.backend_for(place, communicator, mesh.tiles)
                names = {}
                if store is None:
                    store, names = meeting.meet_by_mpi(communicator, rank, nodes, timeout)
                stack.enter_context(meeting.environment_of_rank(names, local_rank, place))
                heartbeat.store = store
                patience = timedelta(seconds=timeout + PATIENCE)
                dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=patience)
                stack.callback(_leave, groups)
                groups.update(make_groups(mesh, rank))
            # Again, and innermost: the abort comes before tidying up, which would wait for the others.
            stack.enter_context(abort())
            stack.enter_context(heartbeat.ending_with_others())
            heartbeat.rest()
            yield cls(rank, size, local_rank, mesh, place, groups, heartbeat, communicator)
            if communicator is not None:
                communicator.Barrier()  # rank 0 holds the store: nobody leaves before all are done

    @property
    def coordinates(self) -> tuple[int, int, int]:
        """This rank's place on (data, y, x)."""
        return self.mesh.coordinates(self.rank)

    def tile(self, domain: tuple[int, int], *, align: int = 1, periodic=(False, False), name: str = "unnamed") -> Tile:
        """The part of a domain (points in y, x) that this rank owns; see `Tile.split`."""
        return Tile.split(domain, (self.mesh.y, self.mesh.x), self.coordinates[1:], align, periodic, name)

    @property
    def threads(self) -> int:
        """Threads that this rank may use; 0: one per core."""
        return 0 if self.communicator is None else threads_per_rank(self.communicator)

    def total(self, array: np.ndarray) -> np.ndarray:
        """The sum of an array over all ranks, element by element. Collective."""
        return self.everyone().sum(torch.from_numpy(np.ascontiguousarray(array))).numpy()

    def tiles_total(self, array: np.ndarray) -> np.ndarray:
        """The sum of an array over the tiles of this rank's sample, element by element. Collective."""
        return self.transport().sum(torch.from_numpy(np.ascontiguousarray(array))).numpy()

    def tile_of(self, domain: Domain, align: int = 1) -> Tile:
        """The part of a domain that this rank owns; tiles begin on multiples of ``align``."""
        return self.tile(domain.shape, align=align, periodic=(domain.periodic,) * 2, name=domain.name)

    def from_first(self, make: Callable[[], Made]) -> Made:
        """What rank 0 makes, on every rank; it must be possible to pickle it. Collective."""
        if self.communicator is None:
            return make()
        return self.communicator.bcast(make() if self.rank == 0 else None)

    def transport(self) -> Transport:
        """How tensors travel between the tiles of this rank's sample."""
        if self.mesh.tiles == 1:
            return Transport.alone()
        first = self.coordinates[0] * self.mesh.tiles
        return Transport(self.groups["tiles"], tuple(range(first, first + self.mesh.tiles)), self.rank - first)

    def everyone(self) -> Transport:
        """How tensors travel between all ranks of the job, for sums over them."""
        return Transport(self.groups["world"], tuple(range(self.size)), self.rank)

    def neighbourhood(self, tile: Tile) -> Neighbourhood:
        """What a network is handed with the tile's field: `Alone` for an undivided domain."""
        return Alone(tile.domain, tile.periodic) if self.mesh.tiles == 1 else Tiled(tile, self.transport())


def _leave(groups: dict) -> None:
    """End the groups of torch.distributed, and their threads with them.

    A thread of gloo that still drops the tensor of its last collective while Python ends aborts the process. It lives
    as long as its group, which a program's `Ranks` would keep. Where others keep it, as DeepSpeed may, `LEAVE_GROUPS`
    gives the thread the time.
    """
    dist.destroy_process_group()
    groups.update(dict.fromkeys(groups))
    time.sleep(LEAVE_GROUPS)
