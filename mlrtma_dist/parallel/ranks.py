"""The ranks of a job: MPI starts and introduces them, torch.distributed carries their tensors.

`Ranks.start` works under ``mpiexec``, under ``srun --mpi=pmix`` and alone; alone, MPI is not even imported. What needs
no tensors uses `parallel.processes` instead.
"""

import contextlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood
from mlrtma_dist.parallel.address import interface_towards, own_address
from mlrtma_dist.parallel.communicator import (
    RanksError,
    abort_on_failure,
    communicator_of_all,
    places,
    threads_per_rank,
)
from mlrtma_dist.parallel.mesh import Mesh, make_groups
from mlrtma_dist.parallel.neighbourhood import Tiled
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport

log = logging.getLogger(__name__)

Made = TypeVar("Made")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Ranks:
    """This rank among the others.

    Attributes:
        rank, size: among all ranks; local_rank: among those on this node.
        mesh: the ranks as (data, y, x).
        device: where this rank computes.
        groups: torch.distributed groups by name, "world", "data", "y", "x", "tiles"; None for a group of one.
        communicator: mpi4py's communicator of all ranks, None alone. For `mlrtma_dist.io`.
    """

    rank: int
    size: int
    local_rank: int
    mesh: Mesh
    device: torch.device
    groups: dict
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
        timeout: float = 1800.0,
    ):
        """Join the other ranks; leave them at the end of the ``with`` block.

        Args:
            mesh: the ranks as (data, y, x); None puts all of them on the data axis.
            device: "auto" takes this node's ``local_rank``-th GPU if there is one; or "cpu", "cuda".
            always_group: make torch.distributed's group alone, too (DeepSpeed wants one).
            in_tiles: without a mesh put all ranks on the y axis instead of the data axis.
            timeout: seconds after which a rank gives up waiting for the others.

        Raises:
            MeshError: the mesh has another size. RanksError: ranks that MPI does not know of.
        """
        communicator = communicator_of_all()
        rank, size, nodes = places(communicator)
        with contextlib.ExitStack() as stack:
            store = None
            abort = lambda: abort_on_failure(communicator, rank, size, lambda: store)  # noqa: E731
            stack.enter_context(abort())
            mesh = Mesh.of(size, in_tiles) if mesh is None else mesh
            mesh.check(size)
            # Open MPI numbers the ranks of a node by where it binds them, and DeepSpeed insists on its number.
            local_rank = int(os.environ.get("OMPI_COMM_WORLD_LOCAL_RANK", nodes[:rank].count(nodes[rank])))
            place = _device(device, local_rank)
            groups = dict.fromkeys(("world", "data", "y", "x", "tiles"))
            if size > 1 or always_group:
                store = _meet(communicator, nodes, rank, local_rank, timeout, stack)
                backend = "cpu:gloo,cuda:nccl" if place.type == "cuda" else "gloo"
                dist.init_process_group(
                    backend, store=store, rank=rank, world_size=size, timeout=timedelta(seconds=timeout)
                )
                stack.callback(dist.destroy_process_group)
                groups = make_groups(mesh, rank)
            # Again, and innermost: the abort comes before tidying up, which would wait for the others.
            stack.enter_context(abort())
            yield cls(rank, size, local_rank, mesh, place, groups, communicator)
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


def check_device(wish: str) -> None:
    """Raise RanksError unless ``wish`` is one of DEVICES."""
    if wish not in DEVICES:
        raise RanksError(f"device: expected one of {', '.join(DEVICES)}, got {wish!r}.")


def _device(wish: str, local_rank: int) -> torch.device:
    check_device(wish)
    if wish == "cpu" or (wish == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise RanksError('device "cuda" was asked for, but PyTorch sees no GPU here. Use "auto" or "cpu".')
    place = torch.device("cuda", local_rank % torch.cuda.device_count())
    torch.cuda.set_device(place)
    return place


def _meet(communicator, nodes, rank, local_rank, timeout, stack) -> dist.TCPStore:
    """Rank 0 listens on a port that the system picks; MPI tells the others where."""
    limit, size = timedelta(seconds=timeout), len(nodes)
    address, store = own_address(len(set(nodes)) == 1) if rank == 0 else None, None
    if rank == 0:
        store = dist.TCPStore(address, 0, size, True, limit, wait_for_workers=False)
    address, port = (
        (address, store.port)
        if communicator is None
        else communicator.bcast((address, store.port) if rank == 0 else None)
    )
    store = dist.TCPStore(address, port, size, False, limit, wait_for_workers=False) if rank else store
    names = {"RANK": rank, "LOCAL_RANK": local_rank, "WORLD_SIZE": size, "MASTER_ADDR": address, "MASTER_PORT": port}
    # Both carriers would look their own node's name up; DeepSpeed reads the rest.
    for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        if variable not in os.environ and (interface := interface_towards(address)):
            names[variable] = interface
    stack.enter_context(_environment(names))
    log.info("rank %d of %d meets the others at %s:%d", rank, size, address, port)
    return store


@contextlib.contextmanager
def _environment(values: dict):
    """Set environment variables, and leave them as they were."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update({name: str(value) for name, value in values.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
