"""Ranks that write one HDF5 file at once, by parallel HDF5, leave the content of ranks in turn and of one alone.

h5py's wheels know no MPI. Debian's python3-h5py-mpi does; with its own Open MPI it runs in processes of its own.
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from launch import ROOT, launch

from mlrtma_dist.io.hdf5 import Reader, content_hash

pytestmark = pytest.mark.slow

KERNEL = Path(__file__).parent / "kernels" / "slabs"
PYTHON, MPIEXEC = Path("/usr/bin/python3"), Path("/usr/bin/mpiexec.openmpi")
PACKAGES = "python3-h5py-mpi python3-mpi4py openmpi-bin"


@pytest.fixture
def parallel():
    """Runs the kernel on ranks whose h5py is built for MPI; skips where the site has none, but not in CI."""
    probe = "import mpi4py.MPI, h5py; assert h5py.get_config().mpi"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("OMPI_", "PMIX_", "PRTE_", "PYTHON"))
    }
    root = ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")
    environment |= dict.fromkeys(("H5PY_ALWAYS_USE_MPI", *root), "1")  # Debian's h5py is serial unless told otherwise
    environment["PYTHONPATH"] = str(ROOT)
    there = MPIEXEC.exists() and PYTHON.exists()
    if not there or subprocess.run([PYTHON, "-c", probe], env=environment, capture_output=True).returncode:
        why = f"no parallel HDF5 for {PYTHON}: apt-get install {PACKAGES}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)

    def run(ranks, path):
        start = [MPIEXEC, "--oversubscribe", "--bind-to", "none", "-n", str(ranks), PYTHON, f"{KERNEL}.py", str(path)]
        done = subprocess.run(start, env=environment, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_four_ranks_at_once_write_what_they_write_in_turn_and_one_alone(parallel, tmp_path):
    at_once = parallel(4, tmp_path / "at_once.h5")
    assert '"ranks": 4' in at_once and '"drivers": ["mpio", "mpio", "mpio", "mpio"]' in at_once
    assert at_once.count("/libmpi.so") == 1  # one MPI library a process
    in_turn = launch(str(KERNEL), 4, tmp_path / "in_turn.h5")
    assert in_turn["ranks"] == 4 and set(in_turn["drivers"]) == {"sec2"} and len(in_turn["mpi"]) == 1
    alone = launch(str(KERNEL), 0, tmp_path / "alone.h5")
    assert alone["ranks"] == 1 and set(alone["drivers"]) == {"sec2"}
    hashes = {content_hash(tmp_path / f"{how}.h5") for how in ("at_once", "in_turn", "alone")}
    assert len(hashes) == 1
    with Reader(tmp_path / "at_once.h5") as reader:
        truth = np.arange(3 * 2 * 96 * 80, dtype=np.float32).reshape(3, 2, 96, 80)
        np.testing.assert_array_equal(reader.read("fields", [range(n) for n in truth.shape]), truth)
        np.testing.assert_array_equal(reader.read("rows", [range(50)]), np.arange(50))
