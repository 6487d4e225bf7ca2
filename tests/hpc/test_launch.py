"""Ranks started by launch.sh without Slurm: exit codes, signals, GPUs, and jobs that run here one after another."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hpc import job, journal
from hpc.machine import ROOT, load_machine
from hpc.order import Order
from hpc.submit import JobFailed, submit

LAUNCH = ROOT / "hpc" / "launch.sh"


def launch(*command, **variables):
    values = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    return subprocess.run(["bash", LAUNCH, *map(str, command)], env=values, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("code", [0, 1, 75])
def test_the_exit_code_of_a_rank_is_that_of_the_launch(environment, code):
    assert launch(sys.executable, "-c", f"raise SystemExit({code})").returncode == code


def test_a_rank_ended_by_a_signal_is_named(environment):
    done = launch(
        "--rank", sys.executable, "-c", "import os; os.kill(os.getpid(), 9)", SLURM_PROCID=3, SLURMD_NODENAME="n7"
    )
    assert done.returncode == 137 and "rank 3 on n7 was ended by signal 9" in done.stderr


def test_a_signal_goes_on_to_the_ranks_and_their_exit_code_comes_back(environment, tmp_path):
    program = (
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGUSR1, lambda *_: sys.exit(75))\n"
        f"pathlib.Path({str(tmp_path / 'ready')!r}).touch()\n"
        "time.sleep(30)\n"
    )
    process = subprocess.Popen(["bash", LAUNCH, sys.executable, "-c", program])
    end = time.monotonic() + 20
    while not (tmp_path / "ready").exists() and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(timeout=20) == 75


@pytest.mark.parametrize(
    ("lent", "local_rank", "gpu"), [(None, 0, "0"), (None, 3, "3"), ("2,5", 1, "5"), ("2,5", 2, "2"), (None, 5, "1")]
)
def test_a_rank_sees_the_gpu_of_its_local_rank_among_those_lent(environment, lent, local_rank, gpu):
    lent = {"CUDA_VISIBLE_DEVICES": lent} if lent else {}
    done = launch(
        "--rank", "printenv", "CUDA_VISIBLE_DEVICES", MLRTMA_GPUS_PER_NODE=4, SLURM_LOCALID=local_rank, **lent
    )
    assert done.stdout.strip() == gpu


def order(program):
    machine = replace(load_machine("local"), restarts=2, python=sys.executable)
    Path("payload.sbatch").write_text(
        (ROOT / "jobs" / "train.sbatch").read_text().replace("-m jobs.command train", str(program))
    )
    return PayloadHere(machine, "train", str(Path.cwd()), (), machine.resources("train"))


class PayloadHere(Order):
    """The order of a job whose script is payload.sbatch of the present folder."""

    @property
    def script(self) -> Path:
        return Path("payload.sbatch").absolute()


def test_a_job_here_that_asks_to_run_again_does_so_as_often_as_the_profile_allows(environment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "again.py"
    program.write_text("import sys\nopen('arguments', 'a').write(' '.join(sys.argv[2:]) + '\\n')\nsys.exit(75)\n")
    here = order(program)
    here = replace(here, machine=replace(here.machine, launcher="none"))
    with pytest.raises(JobFailed) as failure:
        submit(here)
    assert Path("arguments").read_text().splitlines() == ["", "--resume", "--resume"]
    assert failure.value.code == 1
    entries = journal.read(journal.path())
    assert [entry["event"] for entry in entries] == ["submitted", *["started", "again"] * 2, "started", "failed"]
    assert "2 restarts" in entries[-1]["reason"]


@pytest.mark.parametrize(
    ("first", "code", "event"),
    [("ended with exit code 75", 75, "again"), ("was ended by signal 9", 137, "failed")],
)
def test_a_rank_that_had_to_be_killed_after_the_others_asked_to_be_run_again_does_not_fail_the_job(
    environment, tmp_path, monkeypatch, first, code, event
):
    monkeypatch.chdir(tmp_path)
    ranks = f"echo 'rank 0 on n1 {first}' >&2; echo 'rank 1 on n2 was ended by signal 9' >&2; exit 137"
    assert job.run(["bash", "-c", ranks], verb="train", config="c.yaml") == code
    assert journal.read(journal.path())[-1]["event"] == event


@pytest.mark.parametrize("what", ["confirm allocation for job 7", "create step for job 7"])
def test_a_job_whose_srun_finds_no_controller_starts_its_ranks_later(environment, tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(job, "PAUSE", 0.01)
    silent = f"srun: error: Unable to {what}: Unable to contact slurm controller (connect failure)"
    ranks = f"echo >> starts; if [ $(wc -l < starts) -lt 3 ]; then echo '{silent}' >&2; exit 1; fi; exit 4"
    assert job.run(["bash", "-c", ranks], verb="train", config="c.yaml") == 4
    assert (tmp_path / "starts").read_text() == "\n" * 3
    assert [entry["event"] for entry in journal.read(journal.path())] == ["started", "failed"]
