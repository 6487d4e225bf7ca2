"""MPI's communicator of all ranks: how a process finds the others, and how all end when one fails. No torch is needed.

When a rank fails, all end: the first to fail is named with its trace, and MPI aborts the rest, which would wait for it
for ever.
"""

import contextlib
import os
import sys
import threading
import time
import traceback

from mlrtma_dist.errors import InputError, exit_code, is_users

# Open MPI and PMIx; MPICH, Intel MPI and Slurm's PMI-2.
MPI_SIGNS = ("OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE")
TORCHRUN_SIGN = "TORCHELASTIC_RUN_ID"
FIRST_FAILURE = "first_failure"
# Under srun, Open MPI 5 crashes now and then where a rank leaves MPI_Init and writes to one that cannot receive yet
# (open-mpi/ompi issues 11438, 12495): 2 of 40 starts on 4 busy nodes. After this pause, in seconds: 0 of 190. The other
# cure, addresses exchanged in the background (pmix_base_async_modex), made the first message between ranks of one node
# hang in 3 of 10 starts.
LEAVE_INIT = 0.5


class RanksError(InputError):
    """The ranks were started in a way that cannot work."""


def started_without_mpi() -> bool:
    """Whether torchrun, DeepSpeed's launcher or a script like them started several ranks.

    Below srun torchrun's processes have the signs of MPI, too, but all those of a node the same: torchrun's count.
    """
    if TORCHRUN_SIGN not in os.environ and any(name in os.environ for name in MPI_SIGNS):
        return False
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def ranks_started() -> int:
    """How many ranks this process's launcher started together, by the environment alone; 1: this one alone."""
    if started_without_mpi():
        return int(os.environ["WORLD_SIZE"])
    sizes = (os.environ.get(name, "") for name in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE"))
    return max([_tasks_of_step(), *(int(size) for size in sizes if size.isdecimal())])


def is_first_started() -> bool:
    """Whether this process is rank 0 of those that its launcher started, by the environment alone."""
    names = ("RANK",) if started_without_mpi() else ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK")
    return all(os.environ.get(name, "0") == "0" for name in names)


def _tasks_of_step() -> int:
    """The tasks of the step of srun to which this process belongs; 1 outside one, in a batch script too."""
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) if os.environ.get("SLURM_STEP_ID", "").isdigit() else 1


def communicator_of_all():
    """MPI's communicator of all ranks, or None when nobody else was started.

    Raises:
        RanksError: the ranks were started in a way that MPI does not know of.
    """
    if started_without_mpi():
        raise RanksError(
            f"{os.environ['WORLD_SIZE']} ranks were started without MPI, by torchrun or the like (RANK and WORLD_SIZE"
            " are set); only trainings and networks meet so. Use mpiexec -n N or srun --mpi=pmix, or unset WORLD_SIZE."
        )
    sign = next((name for name in MPI_SIGNS if name in os.environ), None)
    tasks = _tasks_of_step()
    if sign is None and tasks == 1:
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


def places(communicator) -> tuple[int, int, list[str]]:
    """Rank, size, and the node of every rank."""
    if communicator is None:
        return 0, 1, [node_name()]
    return communicator.rank, communicator.size, communicator.allgather(node_name())


@contextlib.contextmanager
def abort_on_failure(communicator, rank: int, size: int, store):
    """End all ranks when this one, or a thread of it, raises.

    The first to fail writes its trace, but for errors of users and of files; the others write one line.

    SystemExit passes: it is agreed by all ranks.
    """
    if communicator is None:
        yield
        return

    def abort(error: BaseException) -> None:
        first = first_to_fail(store(), rank)
        order = "" if first is None else " first" if first == rank else f" after rank {first}"
        title = f"rank {rank} of {size} failed{order}"
        follows = first not in (rank, None)
        trace = [] if is_users(error) or follows else [f"{title}:\n", *traceback.format_exception(error)]
        sys.stdout.flush()
        sys.stderr.write("".join([*trace, f"{title}: {type(error).__name__}: {error}\n"]))
        sys.stderr.flush()
        if follows:
            time.sleep(1.0)  # the first one's words come before the end
        communicator.Abort(exit_code(error))

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


def end_process(code: int) -> None:
    """End this process at once, without tidying up, which would wait for the other ranks."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def threads_per_rank(communicator) -> int:
    """Threads that a rank may use: the cores it is bound to, shared with the ranks of its node that are bound alike."""
    cores = tuple(sorted(os.sched_getaffinity(0)))
    everywhere = communicator.allgather((node_name(), cores))
    return max(1, len(cores) // everywhere.count((node_name(), cores)))


def node_name() -> str:
    """What tells nodes apart without a network: the name the kernel has, never looked up, and the boot's number."""
    with open("/proc/sys/kernel/random/boot_id") as boot:
        return os.uname().nodename + boot.read()


def first_to_fail(store, rank: int) -> int | None:
    """The rank that failed first, by whoever wrote its number down first; None if nobody can be asked."""
    try:
        return int(store.compare_set(FIRST_FAILURE, "", str(rank)))
    except (AttributeError, RuntimeError):  # no store yet, or rank 0 that held it is gone
        return None
