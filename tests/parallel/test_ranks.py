"""How ranks meet, and how they end."""

import socket
import time

import pytest
import torch.distributed as dist
from launch import launch, start_ranks

from mlrtma_dist.errors import InputError
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel import communicator as communicator_module
from mlrtma_dist.parallel.address import interface_towards, interfaces, own_address
from mlrtma_dist.parallel.communicator import RanksError
from mlrtma_dist.parallel.mesh import Mesh, MeshError
from mlrtma_dist.parallel.ranks import Ranks

pytestmark = pytest.mark.slow


@pytest.fixture
def nobody_else(monkeypatch):
    """An environment without signs of a launcher."""
    for name in (*communicator_module.MPI_SIGNS, "SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_four_ranks_find_their_places_groups_and_tiles():
    everyone = launch("worlds", 4, 2, 2, 1)
    assert [seen["rank"] for seen in everyone] == [seen["local_rank"] for seen in everyone] == [0, 1, 2, 3]
    assert [seen["coordinates"] for seen in everyone] == [[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]]
    assert [seen["sums"]["tiles"] for seen in everyone] == [1, 1, 5, 5]
    assert [seen["sums"]["data"] for seen in everyone] == [2, 4, 2, 4]
    assert [seen["sums"]["x"] for seen in everyone] == [0, 1, 2, 3]
    assert {seen["sums"]["world"] for seen in everyone} == {6}
    assert [seen["box"] for seen in everyone] == [[0, 45, 0, 61], [45, 97, 0, 61]] * 2
    assert {seen["neighbourhood"] for seen in everyone} == {"Tiled"}
    assert len({seen["weights"] for seen in everyone}) == 1


def test_alone_nothing_is_started():
    (seen,) = launch("worlds", 0)
    assert (seen["rank"], seen["size"], seen["neighbourhood"], seen["box"]) == (0, 1, "Alone", [0, 97, 0, 61])
    assert seen["mpi"] is False and seen["group"] is False


def test_ranks_that_have_left_run_no_thread_that_could_outlive_python():
    within, after = launch("leaving", 2)
    assert within > 0 == after


@pytest.mark.parametrize(("where", "ranks"), [("main", 3), ("thread", 2)])
def test_a_failing_rank_ends_all_within_seconds_and_is_named_with_its_trace(where, ranks):
    begin = time.monotonic()
    ended = start_ranks("failing", ranks, where, timeout=60)
    assert ended.status != 0
    assert time.monotonic() - begin < 40, "start-up included; the others would have waited for 300 s"
    assert f"rank 1 of {ranks} failed first:" in ended.err
    assert "raise ArithmeticError" in ended.err and "the sample of 2026-02-30 holds a NaN" in ended.err


def test_what_the_user_can_mend_ends_all_ranks_in_words_and_with_its_exit_code():
    ended = start_ranks("failing", 3, "input", timeout=60)
    assert ended.status == InputError.exit_code == 3
    assert "rank 1 of 3 failed first: InputError: samples.h5: expected an HDF5 file, got text" in ended.err
    assert "Traceback" not in ended.err


def test_a_group_is_made_alone_where_it_is_asked_for(nobody_else):
    with Ranks.start(device="cpu", always_group=True, timeout=30) as world:
        assert dist.get_world_size() == 1 and world.groups["tiles"] is None
        assert isinstance(world.neighbourhood(world.tile((5, 7))), Alone)
    assert not dist.is_initialized()


def test_a_mesh_for_several_ranks_is_refused_alone(nobody_else):
    with pytest.raises(MeshError, match=r"data\(1\) \* y\(2\) \* x\(1\) = 2 != 1 ranks"):
        with Ranks.start(Mesh(y=2), device="cpu"):
            pass


def test_tasks_of_srun_without_mpi_are_told_how_to_start(nobody_else):
    nobody_else.setenv("SLURM_STEP_ID", "0")
    nobody_else.setenv("SLURM_STEP_NUM_TASKS", "4")
    with pytest.raises(RanksError, match="srun started 4 tasks that do not know of each other. Use srun --mpi=pmix"):
        with Ranks.start(device="cpu"):
            pass


def test_the_address_needs_no_name_service(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a name was looked up")

    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "getfqdn", "gethostname"):
        monkeypatch.setattr(socket, name, refuse)
    assert own_address(one_node=True) == "127.0.0.1"
    assert interfaces()["lo"] == "127.0.0.1" and interface_towards("127.0.0.1") == "lo"
    outward = [address for address in interfaces().values() if not address.startswith("127.")]
    if outward:
        assert own_address(one_node=False) in outward
