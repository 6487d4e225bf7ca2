"""How the ranks of a job meet for torch.distributed: the store they share, their device, and what carries tensors.

MPI introduces the ranks where mpiexec or srun started them. Where torchrun, DeepSpeed's launcher or a script of the
user's did, RANK, WORLD_SIZE and MASTER_ADDR are enough, and the store does what MPI's communicator does elsewhere.
"""

import contextlib
import functools
import itertools
import logging
import os
from collections.abc import Iterator
from datetime import timedelta

import torch
import torch.distributed as dist

from mlrtma_dist.parallel.address import interface_towards, own_address
from mlrtma_dist.parallel.communicator import RanksError, started_without_mpi
from mlrtma_dist.parallel.store_communicator import StoreCommunicator

log = logging.getLogger(__name__)

DEVICES = ("auto", "cpu", "cuda")
PORT = "29500"  # torchrun's and DeepSpeed's own default
_MEETINGS = itertools.count()  # a process may start its ranks several times, and each time needs names of its own


def check_device(wish: str) -> None:
    """Raise RanksError unless ``wish`` is one of DEVICES."""
    if wish not in DEVICES:
        raise RanksError(f"device: expected one of {', '.join(DEVICES)}, got {wish!r}.")


def local_rank_of(rank: int, nodes: list[str]) -> int:
    """The number of a rank among those of its node, by its launcher where that tells, else by the order of ranks."""
    # Open MPI numbers the ranks of a node by where it binds them.
    number = os.environ.get("LOCAL_RANK" if started_without_mpi() else "OMPI_COMM_WORLD_LOCAL_RANK")
    return nodes[:rank].count(nodes[rank]) if number is None else int(number)


def device_of(wish: str, local_rank: int) -> torch.device:
    """Where a rank computes: its GPU among those that this process sees, or the CPU.

    Raises:
        RanksError: a GPU is asked for and PyTorch sees none.
    """
    check_device(wish)
    if wish == "cpu" or (wish == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise RanksError('device "cuda" was asked for, but PyTorch sees no GPU here. Use "auto" or "cpu".')
    place = torch.device("cuda", local_rank % torch.cuda.device_count())
    torch.cuda.set_device(place)
    return place


def backend_for(place: torch.device, communicator, tiles: int) -> str:
    """What carries tensors: gloo those of the CPU, NCCL those of a GPU, or gloo where ranks share one. Collective.

    NCCL refuses two ranks on one GPU. Gloo copies sums and collections through the CPU, slowly, but sends no messages
    from a GPU.

    Args:
        communicator: of all ranks, None alone; tiles: ranks that share a sample and send each other messages.

    Raises:
        RanksError: tiles on a GPU that ranks share.
    """
    if place.type == "cpu":
        return "gloo"
    gpu = str(torch.cuda.get_device_properties(place).uuid)
    gpus = [gpu] if communicator is None else communicator.allgather(gpu)
    if len(set(gpus)) == len(gpus):
        return "cpu:gloo,cuda:nccl"
    if tiles > 1:
        raise RanksError(
            f"{len(gpus)} ranks share {len(set(gpus))} GPUs, which samples divided into {tiles} tiles do not allow."
            " Start one rank per GPU, or put all ranks on the mesh's data axis."
        )
    log.warning("%d ranks share %d GPUs: their sums go through the CPU, slowly", len(gpus), len(set(gpus)))
    return "cpu:gloo,cuda:gloo"


def meet_by_environment(timeout: float) -> tuple[dist.Store, StoreCommunicator]:
    """The store and the communicator of ranks that were not started by MPI. Collective.

    Args:
        timeout: seconds to wait for the others.

    Raises:
        RanksError: MASTER_ADDR is not set, or a number is none.
    """
    if not os.environ.get("MASTER_ADDR"):
        raise RanksError(
            f"RANK and WORLD_SIZE are set (WORLD_SIZE={os.environ['WORLD_SIZE']}), but MASTER_ADDR is not: set it to"
            " the address of rank 0's node, or start the ranks by mpiexec or srun."
        )
    os.environ.setdefault("MASTER_PORT", PORT)
    try:
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    except ValueError as error:
        raise RanksError(f"RANK and WORLD_SIZE: expected whole numbers: {error}") from error
    store = dist.PrefixStore(f"meeting {next(_MEETINGS)}", _store_of_launcher(rank, size))
    store.set_timeout(timedelta(seconds=timeout))
    return store, StoreCommunicator(store, rank, size)


@functools.cache
def _store_of_launcher(rank: int, size: int) -> dist.Store:
    """The one store of this process and the others: torchrun's own, or one at MASTER_ADDR that rank 0 keeps."""
    store, *_ = next(dist.rendezvous("env://", rank, size))
    return store


def meet_by_mpi(communicator, rank: int, nodes: list[str], timeout: float) -> tuple[dist.TCPStore, dict[str, object]]:
    """The store, and how it is reached: rank 0 listens on a port that the system picks; MPI tells the others where.

    Args:
        communicator: of all ranks, None alone; nodes: of every rank; timeout: seconds to wait for the others.

    Returns:
        The store, and the environment variables that name it.
    """
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
    log.info("rank %d of %d meets the others at %s:%d", rank, size, address, port)
    return store, {"RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": address, "MASTER_PORT": port}


@contextlib.contextmanager
def environment_of_rank(names: dict[str, object], local_rank: int, place: torch.device) -> Iterator[None]:
    """Set the environment variables that DeepSpeed, gloo and NCCL read, and leave them as they were.

    DeepSpeed takes LOCAL_RANK for the number of a GPU among those that the process sees, and refuses another value than
    Open MPI's. A rank that sees one GPU only has number 0, whatever its place on the node.

    Args:
        names: RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT; empty where the launcher has set them.
    """
    address = str(names.get("MASTER_ADDR") or os.environ["MASTER_ADDR"])
    index = local_rank if place.type == "cpu" else place.index
    names = {**names, "LOCAL_RANK": index}
    if "OMPI_COMM_WORLD_LOCAL_RANK" in os.environ:
        names["OMPI_COMM_WORLD_LOCAL_RANK"] = index
    # Both carriers would look their own node's name up.
    for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        if variable not in os.environ and (interface := interface_towards(address)):
            names[variable] = interface
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: str(value) for name, value in names.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
