"""Processes without torch: what a classical analysis on ranks needs."""

import subprocess
import sys

import numpy as np
import pytest
from launch import ROOT, launch

from mlrtma_dist.parallel import communicator as communicator_module
from mlrtma_dist.parallel.communicator import RanksError
from mlrtma_dist.parallel.mesh import Mesh, MeshError
from mlrtma_dist.parallel.processes import Processes

# A finder ahead of all others refuses torch; scipy looks at sys.modules["torch"], so None must not stand there.
WITHOUT_TORCH = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError("torch is blocked")

sys.meta_path.insert(0, Refuse())
import numpy as np
import mlrtma_dist.parallel.communicator, mlrtma_dist.parallel.mesh, mlrtma_dist.parallel.tile
from mlrtma_dist.parallel.processes import Processes
with Processes.start() as processes:
    print(processes.tile((97, 61)).box.shape, processes.total(np.arange(3)))
try:
    import torch
except ImportError as error:
    print(error)
"""


@pytest.fixture
def nobody_else(monkeypatch):
    """An environment without signs of a launcher."""
    for name in (*communicator_module.MPI_SIGNS, "SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.slow
def test_meshes_tiles_and_processes_need_no_torch(nobody_else):
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["(97, 61) [0 1 2]", "torch is blocked"]


@pytest.mark.slow
def test_three_processes_sum_arrays_and_divide_the_domain_in_y():
    everyone = launch("processes", 3, timeout=60)
    assert [each["rank"] for each in everyone] == [0, 1, 2]
    assert [each["coordinates"] for each in everyone] == [[0, 0, 0], [0, 1, 0], [0, 2, 0]]
    assert [each["box"] for each in everyone] == [[0, 48, 0, 61], [48, 96, 0, 61], [96, 97, 0, 61]]
    for each in everyone:
        assert each["total"] == (6.0 * np.arange(6.0).reshape(2, 3).T).tolist()
        assert each["counts"] == [3, 3]
        assert each["from_first"] == ["of", 0]
        assert each["torch"] is False


def test_alone_a_total_is_the_array_itself(nobody_else):
    with Processes.start(in_tiles=True) as processes:
        own = np.arange(3.0)
        assert (
            processes.total(own) is own and processes.tiles_total(own) is own and processes.from_first(lambda: 7) == 7
        )
        assert (processes.rank, processes.size, processes.communicator, processes.threads) == (0, 1, None, 0)


def test_processes_are_refused_a_mesh_of_another_size(nobody_else):
    with pytest.raises(MeshError, match=r"= 2 != 1 ranks"):
        with Processes.start(Mesh(y=2)):
            pass


def test_tasks_of_srun_without_mpi_are_told_how_to_start(nobody_else):
    nobody_else.setenv("SLURM_STEP_ID", "0")
    nobody_else.setenv("SLURM_STEP_NUM_TASKS", "4")
    with pytest.raises(RanksError, match="Use srun --mpi=pmix"):
        with Processes.start():
            pass
