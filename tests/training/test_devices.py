"""The GPU of a rank: which one DeepSpeed sets, however its launcher shows GPUs to the ranks of a node."""

import json
import subprocess
import sys

import pytest
from launch import ROOT, rank_environment

pytestmark = pytest.mark.slow

KERNEL = ROOT / "tests" / "training" / "kernels" / "devices.py"


@pytest.fixture(scope="module")
def indices():
    """What two ranks set, which launch.sh started as on a node of two GPUs."""
    environment = rank_environment() | {
        "MLRTMA_LAUNCHER": "mpiexec",
        "MLRTMA_LAUNCHER_OPTIONS": "--oversubscribe --bind-to none",
        "MLRTMA_RANKS": "2",
        "MLRTMA_GPUS_PER_NODE": "2",
        "MLRTMA_PYTHON": sys.executable,
    }
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    command = ["bash", str(ROOT / "hpc" / "launch.sh"), sys.executable, str(KERNEL)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("one, by launch.sh", (0, 0)),
        ("one, by UUID", (0, 0)),
        ("one, shared", (0, 0)),
        ("all", (0, 1)),
        ("all, by UUID", (0, 1)),
    ],
)
def test_deepspeed_sets_the_gpu_that_a_rank_has_among_those_it_sees(indices, visible, expected):
    assert indices[visible] == [[[index], [index]] for index in expected]


def test_on_a_cpu_no_gpu_is_set_and_ranks_keep_their_places_on_the_node(indices):
    assert indices["none"] == [[[], [0]], [[], [1]]]


def test_deepspeed_does_not_start_compilers_to_see_which_operators_it_could_build(indices):
    assert indices["looks at what compiles"] == 0
