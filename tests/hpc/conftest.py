"""The cluster that the tests of this folder share, and how they call the command."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from answers import Answers
from cluster import Cluster, missing
from training import arguments, losses, make_store, run

from hpc import campaign
from hpc.chain import Step
from hpc.machine import load_machine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def clean_environment() -> dict[str, str]:
    """This process's environment without what would speak of another job or machine."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SLURM_", "MLRTMA_", "OMPI_", "PMIX_"))
    }
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }


@pytest.fixture(scope="session")
def cluster():
    why = missing()
    if why and os.environ.get("CI") == "true":
        pytest.fail(why)
    if why:
        pytest.skip(why)
    with Cluster() as running:
        yield running


@pytest.fixture(scope="session")
def store(tmp_path_factory, clean_environment):
    """A few cases of Exercise 1."""
    return make_store(tmp_path_factory.mktemp("store"), clean_environment)


@pytest.fixture(scope="session")
def alone(store, clean_environment):
    """The losses of ``mlrtma train`` on one rank, uninterrupted."""
    run(arguments(store, store.parent / "alone"), clean_environment)
    return losses(store.parent / "alone")


@pytest.fixture
def environment(monkeypatch, clean_environment):
    """No job and no machine is spoken of in the environment of this process and its children."""
    for name in set(os.environ) - set(clean_environment):
        monkeypatch.delenv(name)
    for name, value in clean_environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def answers(environment, tmp_path, monkeypatch):
    """Programs in the place of Slurm's commands, in a folder to submit from; answers(squeue=..., scontrol=...)."""
    programs = Answers(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{programs.folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return programs


@pytest.fixture
def submitted(answers, monkeypatch):
    """Submits a step to the programs that answer for Slurm; the number of its job."""
    monkeypatch.setattr(campaign, "rehearsed", lambda order, earlier=(): replace(order, output="here"))
    Path("toy.yaml").write_text("cases: {domain: toy, reports: {observations: [a.csv]}}\noutput: here\n")

    def submit(verb="analyse", config="toy.yaml", *changes, name="slurm_test"):
        answers(squeue="")
        machine = load_machine(name)
        return next(iter(campaign.submit_step(machine, Step(verb, verb, config, changes), (), (), False, name)))

    return submit


@pytest.fixture
def slurm_here(cluster, environment, tmp_path, monkeypatch):
    """A folder to submit from, with the cluster's commands; the cluster."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return cluster


@pytest.fixture
def mlrtma():
    """Runs the command in the present folder; the finished process."""

    def run(*arguments, timeout=120):
        command = [sys.executable, "-m", "jobs.command", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout)

    return run
