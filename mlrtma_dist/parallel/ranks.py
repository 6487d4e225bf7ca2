"""The ranks of a job: MPI starts them and introduces them, torch.distributed carries their tensors.

`Ranks.start` works under ``mpiexec``, under ``srun --mpi=pmix`` and alone; alone, MPI is not even imported. When
a rank fails, all end: the first to fail is named with its trace, and MPI aborts the rest, which would wait for it for
ever.
"""

import contextlib
import logging
import os
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from mlrtma_dist.errors import InputError, UserError
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood
from mlrtma_dist.parallel.address import interface_towards, own_address
from mlrtma_dist.parallel.mesh import Mesh, make_groups
from mlrtma_dist.parallel.neighbourhood import Tiled
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport

log = logging.getLogger(__name__)

DEVICES = ("auto", "cpu", "cuda")
# Open MPI and PMIx; MPICH, Intel MPI and Slurm's PMI-2.
MPI_SIGNS = ("OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE")
FIRST_FAILURE = "first_failure"
# Under srun, Open MPI 5 crashes now and then where a rank leaves MPI_Init and writes to one that cannot receive yet
# (open-mpi/ompi issues 11438, 12495): 2 of 40 starts on 4 busy nodes. After this pause, in seconds: 0 of 190. The other
# cure, addresses exchanged in the background (pmix_base_async_modex), made the first message between ranks of one node
# hang in 3 of 10 starts.
LEAVE_INIT = 0.5


class RanksError(InputError):
    """The ranks were started in a way that cannot work."""


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
    communicator: object

    @classmethod
    @contextlib.contextmanager
    def start(
        cls, mesh: Mesh | None = None, *, device: str = "auto", always_group: bool = False, timeout: float = 1800.0
    ):
        """Join the other ranks; leave them at the end of the ``with`` block.

        Args:
            mesh: the ranks as (data, y, x); None puts all of them on the data axis.
            device: "auto" takes this node's ``local_rank``-th GPU if there is one; or "cpu", "cuda".
            always_group: make torch.distributed's group alone, too (DeepSpeed wants one).
            timeout: seconds after which a rank gives up waiting for the others.

        Raises:
            MeshError: the mesh has another size. RanksError: ranks that MPI does not know of.
        """
        communicator = _communicator()
        rank, size, nodes = _places(communicator)
        with contextlib.ExitStack() as stack:
            store = None
            abort = lambda: _abort_on_failure(communicator, rank, size, lambda: store)  # noqa: E731
            stack.enter_context(abort())
            mesh = Mesh(data=size) if mesh is None else mesh
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


def _communicator():
    """MPI's communicator of all ranks, or None when nobody else was started."""
    sign = next((name for name in MPI_SIGNS if name in os.environ), None)
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS", "1") if os.environ.get("SLURM_STEP_ID", "").isdigit() else "1"
    if sign is None and tasks == "1":
        return None
    if sign is None:
        raise RanksError(f"srun started {tasks} tasks that do not know of each other. Use srun --mpi=pmix.")
    from mpi4py import MPI  # here, so that a process alone needs no MPI library

    if "SLURM_STEP_ID" in os.environ:
        time.sleep(LEAVE_INIT)
    expected = int(os.environ.get("OMPI_COMM_WORLD_SIZE", tasks))
    if MPI.COMM_WORLD.size != expected and expected > 1:
        raise RanksError(
            f"{expected} ranks were started, but MPI knows of {MPI.COMM_WORLD.size}: the launcher ({sign} is set) and"
            f" the library ({MPI.Get_library_version().split(',')[0]}) differ. Use the mpiexec of this library."
        )
    return MPI.COMM_WORLD if MPI.COMM_WORLD.size > 1 else None


def _places(communicator) -> tuple[int, int, list[str]]:
    """Rank, size, and the node of every rank."""
    if communicator is None:
        return 0, 1, [_node_name()]
    return communicator.rank, communicator.size, communicator.allgather(_node_name())


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


def _node_name() -> str:
    """What tells nodes apart without a network: the name the kernel has, never looked up, and the boot's number."""
    with open("/proc/sys/kernel/random/boot_id") as boot:
        return os.uname().nodename + boot.read()


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


@contextlib.contextmanager
def _abort_on_failure(communicator, rank: int, size: int, store):
    """End all ranks when this one, or a thread of it, raises, with the trace of all but the user's errors.

    SystemExit passes: it is agreed by all ranks.
    """
    if communicator is None:
        yield
        return

    def abort(error: BaseException) -> None:
        first = _first_to_fail(store(), rank)
        order = "" if first is None else " first" if first == rank else f" after rank {first}"
        title = f"rank {rank} of {size} failed{order}"
        trace = [] if isinstance(error, UserError) else [f"{title}:\n", *traceback.format_exception(error)]
        sys.stdout.flush()
        sys.stderr.write("".join([*trace, f"{title}: {type(error).__name__}: {error}\n"]))
        sys.stderr.flush()
        if first not in (rank, None):
            time.sleep(1.0)  # the first one's words come before the end
        communicator.Abort(getattr(error, "exit_code", 1))

    hooks = sys.excepthook, threading.excepthook
    sys.excepthook = lambda kind, error, trace: abort(error)
    threading.excepthook = lambda arguments: abort(arguments.exc_value)
    try:
        yield
    except SystemExit:
        raise
    except BaseException as error:
        abort(error)
    finally:
        sys.excepthook, threading.excepthook = hooks


def _first_to_fail(store, rank: int) -> int | None:
    """The rank that failed first, by whoever wrote its number down first; None if nobody can be asked."""
    try:
        return int(store.compare_set(FIRST_FAILURE, "", str(rank)))
    except (AttributeError, RuntimeError):  # no store yet, or rank 0 that held it is gone
        return None
