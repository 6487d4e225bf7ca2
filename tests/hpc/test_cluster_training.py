"""The real training on a real Slurm of four nodes: equal losses, whoever starts the ranks and whatever ends them."""

import calendar
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from launch import process_of
from training import CONFIG, LIMIT, RTOL, STEPS, arguments, losses, run, was_signalled

from hpc import journal, slurm, status
from hpc.job import UNNAMED
from hpc.machine import ROOT
from mlrtma_dist.weights.checkpoint import Checkpoint

pytestmark = pytest.mark.slow

TILES = ("mesh={data: 1, y: 2, x: 2}", "engine.zero_optimization={stage: 2}", "schedule.checkpoint_every=2")


def sbatch(*train_arguments, options=()):
    """Plain ``sbatch jobs/train.sbatch`` by hand, from the checkout, with python3 on the PATH; the job's number.

    Only what it writes beside the output goes to the test's folder.
    """
    here = Path.cwd()
    variables = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MLRTMA_JOURNAL": str(here / "output/journal.jsonl"),
    }
    line = [
        "sbatch",
        "--parsable",
        "--nodes=4",
        f"--output={here}/train-%j.log",
        *options,
        "jobs/train.sbatch",
        *train_arguments,
    ]
    done = subprocess.run(line, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def log(job):
    path = Path(f"train-{job}.log")
    return path.read_text() if path.exists() else "no log"


def until(true, job, seconds=LIMIT):
    end = time.monotonic() + seconds
    while not (outcome := true()) and time.monotonic() < end and not slurm.state(job).ended:
        time.sleep(0.1)
    assert outcome or true(), f"{slurm.state(job)}\n{log(job)}"


def ended(job, seconds=LIMIT):
    until(lambda: slurm.state(job).ended, job, seconds)
    return slurm.state(job)


def entries(job):
    return journal.read(journal.path(), job)


def test_alone_by_mpiexec_and_by_sbatch_the_shipped_configuration_gives_the_same_losses(
    slurm_here, store, alone, tmp_path, clean_environment
):
    assert len(alone) == STEPS
    mpiexec = Path(sys.executable).with_name("mpiexec")
    four = [str(mpiexec) if mpiexec.exists() else "mpiexec", "--oversubscribe", "--bind-to", "none", "-n", "4"]
    run(arguments(store, tmp_path / "mpiexec"), clean_environment, four)
    job = sbatch(*arguments(store, tmp_path / "slurm"))
    assert ended(job).done, log(job)
    assert slurm.state(job).nodes == "n[1-4]"
    assert losses(tmp_path / "mpiexec") == pytest.approx(alone, rel=RTOL)
    assert losses(tmp_path / "slurm") == pytest.approx(alone, rel=RTOL)
    assert [entry["event"] for entry in entries(job)] == ["started", "done"]
    assert entries(job)[0]["config"] == str(CONFIG)


def test_a_training_rank_killed_with_9_ends_the_job_and_a_new_one_goes_on_with_the_losses_of_an_uninterrupted_run(
    slurm_here, store, alone, tmp_path
):
    output = tmp_path / "killed"
    job = sbatch(*arguments(store, output, *TILES))
    until(lambda: len(losses(output)) >= 5, job)
    os.kill(process_of(2, output), signal.SIGKILL)
    killed = time.monotonic()
    assert ended(job).state == "FAILED"
    assert time.monotonic() - killed < 30, log(job)
    last = journal.ending(journal.path(), job)
    assert last["event"] == "failed" and last["exit_code"] != 0
    named = "rank 2 on n3 was ended by signal 9"
    # On a busy machine Slurm may kill the shell that names the rank, with all others, before it has;
    # then the words of ranks that lost it may follow.
    assert last["reason"] == named if named in log(job) else UNNAMED in last["reason"], log(job)
    (seen,) = status.jobs([job])
    assert (seen.state, seen.source, seen.log) == ("failed", "slurm", f"train-{job}.log")
    assert last["reason"] in seen.reason and 0 < seen.progress.done < seen.progress.total == STEPS
    assert seen.action == "submit it again as it was submitted, a training with --resume"
    assert len(losses(output)) < STEPS
    newest = max(path.name for path in (output / "checkpoints").glob("step_*"))
    again = sbatch(*arguments(store, output, *TILES), "--resume")
    assert ended(again).done, log(again)
    assert re.search(rf"goes on from .*/{newest}$", log(again), re.MULTILINE)
    assert losses(output) == pytest.approx(alone, rel=RTOL)


def test_a_training_at_its_time_limit_checkpoints_is_requeued_and_ends_with_the_losses_of_an_uninterrupted_run(
    slurm_here, store, alone, tmp_path
):
    output = tmp_path / "limited"
    two = arguments(store, output, "mesh={data: 1, y: 2, x: 1}")
    job = sbatch(*two, options=("--nodes=2", "--time=5", "--signal=USR1@20"))
    until(lambda: len(losses(output)) >= 2, job)
    # A rank that is held holds all: the few steps that are left would not fill the time until the signal.
    process = process_of(1, output)
    os.kill(process, signal.SIGSTOP)
    try:
        seconds = time.time() - journal_time(entries(job)[0])
        slurm_here.call("scontrol", "update", f"jobid={job}", f"timelimit={int(seconds + 30) // 60 + 1}")
        until(lambda: was_signalled(process, signal.SIGUSR1), job)
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)
    until(lambda: "again" in [entry["event"] for entry in entries(job)], job)
    slurm_here.call("scontrol", "update", f"jobid={job}", "timelimit=5")
    assert ended(job).done, log(job)
    assert [entry["event"] for entry in entries(job)] == ["started", "again", "started", "done"]
    assert entries(job)[2]["restarts"] == 1
    assert log(job).count("SIGUSR1: will stop after this step or the next, with a checkpoint") == 2  # all ranks
    assert re.search(r"goes on from .*/step_\d+$", log(job), re.MULTILINE)
    assert losses(output) == pytest.approx(alone, rel=RTOL)


def test_a_job_that_is_resumed_passes_over_a_damaged_newest_checkpoint_and_says_so(
    slurm_here, store, alone, tmp_path, clean_environment
):
    output = tmp_path / "damaged"
    run(arguments(store, output, "schedule.checkpoint_every=4"), clean_environment)
    before, newest = sorted((output / "checkpoints").glob("step_*"))[-2:]
    assert newest.name.endswith(f"{STEPS}")
    weights = max(newest.iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1  # one bit, of a file that keeps its size
    weights.write_bytes(content)
    job = sbatch(*arguments(store, output, "schedule.checkpoint_every=4"), "--resume", options=("--nodes=1",))
    assert ended(job).done, log(job)
    assert re.search(rf"WARNING.*{newest.name}.*{weights.name}", log(job)), log(job)
    assert re.search(rf"goes on from .*/{before.name}$", log(job), re.MULTILINE)
    assert losses(output) == pytest.approx(alone, rel=RTOL)
    assert Checkpoint(max((output / "checkpoints").glob("step_*"))).verify().manifest.state.step == STEPS


def journal_time(entry):
    return calendar.timegm(time.strptime(entry["time"], "%Y-%m-%dT%H:%M:%SZ"))
