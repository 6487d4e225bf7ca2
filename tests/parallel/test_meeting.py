"""Ranks that meet without MPI: the communicator over a store, and what is refused in words."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.distributed as dist

from mlrtma_dist.parallel import communicator, meeting
from mlrtma_dist.parallel.communicator import RanksError, communicator_of_all, started_without_mpi
from mlrtma_dist.parallel.store_communicator import StoreCommunicator

SIGNS = (*communicator.MPI_SIGNS, communicator.TORCHRUN_SIGN, "SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS")
NAMES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK")


@pytest.fixture
def environment(monkeypatch):
    """An environment without signs of a launcher; gives a function that sets variables."""
    for name in (*SIGNS, *NAMES):
        monkeypatch.delenv(name, raising=False)
    return lambda **values: [monkeypatch.setenv(name, value) for name, value in values.items()]


def on_ranks(size, function):
    """The results of ``function(communicator)``, a thread for each rank."""
    store = dist.HashStore()
    with ThreadPoolExecutor(size) as threads:
        futures = [threads.submit(function, StoreCommunicator(store, rank, size)) for rank in range(size)]
        return [future.result(timeout=30) for future in futures], store


def test_every_call_gives_what_mpi_would():
    def calls(world):
        world.Barrier()
        rank = world.rank
        return {
            "allgather": world.allgather(rank * 10),
            "bcast": world.bcast(f"of {rank}", root=2),
            "gather": world.gather(rank, root=1),
            "alltoall": world.alltoall([(rank, to) for to in range(3)]),
            "number": world.allreduce(rank + 1),
            "array": world.allreduce(np.array([rank, 1.0])).tolist(),
        }

    results, _ = on_ranks(3, calls)
    for rank, result in enumerate(results):
        assert result["allgather"] == [0, 10, 20] and result["bcast"] == "of 2"
        assert result["gather"] == ([0, 1, 2] if rank == 1 else None)
        assert result["alltoall"] == [(0, rank), (1, rank), (2, rank)]
        assert result["number"] == 6 and result["array"] == [3.0, 3.0]


def test_the_store_does_not_grow_with_the_number_of_calls():
    _, store = on_ranks(2, lambda world: [world.allgather(b"x" * 1000) for _ in range(50)])
    assert store.num_keys() <= 2 * 2


@pytest.mark.parametrize(
    ("names", "without_mpi"),
    [
        ({}, False),
        ({"RANK": "0", "WORLD_SIZE": "1"}, False),
        ({"WORLD_SIZE": "4"}, False),
        ({"RANK": "1", "WORLD_SIZE": "4"}, True),
        ({"RANK": "1", "WORLD_SIZE": "4", "OMPI_COMM_WORLD_SIZE": "4"}, False),  # set by a script below mpiexec
        ({"RANK": "1", "WORLD_SIZE": "4", "PMIX_RANK": "0", "TORCHELASTIC_RUN_ID": "7"}, True),  # torchrun below srun
        ({"RANK": "1", "WORLD_SIZE": "4", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4"}, True),  # srun without MPI
    ],
)
def test_who_started_the_ranks_is_told_by_the_environment(environment, names, without_mpi):
    environment(**names)
    assert started_without_mpi() is without_mpi


def test_a_classical_verb_refuses_ranks_that_mpi_does_not_list(environment):
    environment(RANK="0", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1")
    with pytest.raises(RanksError, match=r"2 ranks were started without MPI, by torchrun.*Use mpiexec -n N"):
        communicator_of_all()


def test_without_the_address_of_the_first_rank_nobody_can_meet(environment):
    environment(RANK="0", WORLD_SIZE="2")
    with pytest.raises(RanksError, match="WORLD_SIZE=2.*MASTER_ADDR is not: set it to the address of rank 0's node"):
        meeting.meet_by_environment(1.0)


def test_ranks_that_share_a_gpu_use_gloo_and_cannot_divide_a_sample(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda place: SimpleNamespace(uuid=f"GPU-{place.index}"))
    place, shares = torch.device("cuda", 0), SimpleNamespace(allgather=lambda gpu: [gpu, gpu])
    owns = SimpleNamespace(allgather=lambda gpu: [gpu, "GPU-1"])
    assert meeting.backend_for(place, None, 1) == meeting.backend_for(place, owns, 2) == "cpu:gloo,cuda:nccl"
    assert meeting.backend_for(place, shares, 1) == "cpu:gloo,cuda:gloo"
    with pytest.raises(RanksError, match="2 ranks share 1 GPUs, which samples divided into 2 tiles do not allow"):
        meeting.backend_for(place, shares, 2)
