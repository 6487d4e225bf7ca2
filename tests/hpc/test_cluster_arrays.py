"""Arrays on a real Slurm: domains of which one is preempted, and 200 short tasks under kills at random moments."""

import json
import os
import random
import shlex
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from cluster import until
from regions import small_region

from hpc import journal, slurm, status
from hpc.machine import folder
from hpc.worklist import Task, remaining, write
from jobs import analyse
from mlrtma_dist import config
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.simulation.simulated_hour import simulate_hour

pytestmark = pytest.mark.slow

HOUR = "2022-08-24T06:00"
DOMAINS = tuple(f"region_{number}" for number in range(5))


def ended(job):
    return slurm.state(job).ended


def moves(job, tasks, count):
    """Whether ten of the tasks that remained were done, or the job is over."""
    return count - len(remaining(tasks)) >= 10 or ended(job)


def submitted(done):
    """The number of the job that a submission names."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1].split()[1].rstrip(":")


def make_reports(path):
    """The files of five domains, and the reports of all in one table."""
    tables = []
    for number, name in enumerate(DOMAINS):
        static = small_region(path, name, 6.0 - 20.0 * number)
        table = simulate_hour(static, np.datetime64(HOUR, "s"), stations=40, seed=number).observations.of("t2m")
        tables.append(replace(table, station=np.char.add(f"{name}_", table.station)))
    write_csv(path / "reports.csv", Observations.concatenate(tables))


def test_five_domains_by_an_array_of_which_one_element_is_preempted_are_those_by_hand(
    slurm_here, mlrtma, tmp_path, seed
):
    chance = random.Random(seed)
    make_reports(tmp_path)
    keys = {"cases": {"reports": {"observations": ["reports.csv"], "time": [HOUR]}}, "maps": False}
    keys |= {"method": "nearest", "variables": ["t2m"], "output": "by_job"}
    Path("hour.yaml").write_text(json.dumps(keys))
    python = shlex.quote(sys.executable)
    tasks = []
    for name in DOMAINS:
        stem = f"{name}_20220824T0600Z"
        command = f"{python} -m jobs.command analyse hour.yaml --domain {name}.yaml"
        tasks.append(Task(name, f"by_job/{stem}/{stem}.nc", "x", command))
    write(Path("domains.tsv"), tasks)
    profile = (folder() / "slurm_test.yaml").read_text()
    assert "partitions: [batch]" in profile
    Path("spare.yaml").write_text(profile.replace("partitions: [batch]", "partitions: [spare]"))
    job = submitted(mlrtma("submit", "worklist", "domains.tsv", "--machine", "spare.yaml"))

    own = f"{job}_{chance.randrange(4)}"
    element = f"SLURM_ARRAY_TASK_ID={own.partition('_')[2]}"
    assert until(lambda: slurm_here.processes("-m\0jobs.command\0analyse", element))
    time.sleep(chance.uniform(0.0, 1.0))
    node = slurm_here.call("squeue", "--noheader", "--format=%N", f"--jobs={own}").strip()
    slurm_here.call(
        "sbatch", "--partition=urgent", f"--nodelist={node}", "--exclusive", "--output=/dev/null", "--wrap=true"
    )
    assert until(lambda: slurm.state(own).state in slurm.WAITING)
    (seen,) = status.jobs([own])
    assert seen.state == "waiting" and "queued again: Slurm: " in seen.reason, seen
    world = {**keys, "cases": {**keys["cases"], "domain": [f"{name}.yaml" for name in DOMAINS]}, "output": "by_hand"}
    analyse.make(config.build(analyse.Run, world, "test"))
    assert until(ended, job)
    assert not remaining(tasks) and slurm.state(job).done
    events = [entry["event"] for entry in journal.read(journal.path(), own)]
    assert events == ["started", "again", "started", "done"] and slurm.state(own).restarts == 1
    (whole, *elements) = status.jobs([job])
    assert whole.state == "done" and [each.state for each in elements] == ["done"] * 4
    for task in tasks:
        with netCDF4.Dataset(task.output) as ours, netCDF4.Dataset(task.output.replace("by_job", "by_hand")) as theirs:
            assert list(ours.variables) == list(theirs.variables) and "t2m" in ours.variables
            for name in ours.variables:
                np.testing.assert_array_equal(ours[name][:], theirs[name][:])


TASKS = 200
CLOSED = 117  # whose output cannot be written at first
KINDS = ("task", "runner", "element", "node")


def strike(slurm_here, kind, job, chance):
    """Kill something of a job that runs; whether there was anything."""
    if kind in ("task", "runner"):
        words = "-c\0sleep 0.1" if kind == "task" else "-m\0hpc.tasks\0run"
        processes = slurm_here.processes(words, f"SLURM_ARRAY_JOB_ID={job}")
        if processes:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(processes), signal.SIGKILL)
        return bool(processes)
    columns = slurm_here.call("squeue", "--noheader", "--array", "--states=R", "--format=%i %N", f"--jobs={job}")
    if not (rows := [row.split() for row in columns.splitlines()]):
        return False
    element, node = chance.choice(rows)
    if kind == "element":
        slurm_here.call("scancel", element)
    else:
        slurm_here.kill_node(node)
        slurm_here.call("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        slurm_here.boot_node(node)
    return True


def test_200_short_tasks_under_kills_at_random_moments_end_with_200_right_products(slurm_here, mlrtma, seed):
    chance = random.Random(seed)
    Path("products").mkdir()
    Path("closed").touch()  # a file where a folder is needed
    program = 'sleep 0.1; printf %s "$1" | sha256sum > "$2"'
    outputs = [f"{'closed' if i == CLOSED else 'products'}/{i}" for i in range(TASKS)]
    tasks = [
        Task(f"t{i}", output, "x", shlex.join(["sh", "-c", program, "sh", str(i), output]))
        for i, output in enumerate(outputs)
    ]
    write(Path("tasks.tsv"), tasks)
    submit = ("submit", "worklist", "tasks.tsv", "--machine", "slurm_test", "--workers", "2")
    struck = []
    for _ in range(2):
        job = submitted(mlrtma(*submit))
        for kind in chance.sample(KINDS, 3):
            count = len(remaining(tasks))
            assert until(moves, job, tasks, count)
            struck += [kind] * strike(slurm_here, kind, job, chance)
        assert until(ended, job)
    print("struck:", *struck)
    assert len(struck) >= 3
    assert tasks[CLOSED] in remaining(tasks)
    whole = status.jobs([job])[0]
    assert (
        whole.progress.total - whole.progress.done == len(remaining(tasks)) and whole.action == f"mlrtma resume {job}"
    )
    Path("closed").unlink()
    Path("closed").mkdir()
    last = mlrtma("resume", job, "--wait")
    assert last.returncode == 0, last.stdout + last.stderr
    assert not remaining(tasks, verify=True)
    for i, output in enumerate(outputs):
        assert Path(output).read_text().split()[0] == sha256(str(i).encode()).hexdigest()
