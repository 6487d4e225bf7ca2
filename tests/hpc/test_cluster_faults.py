"""Faults of submission on a real Slurm: nothing is lost, nothing runs twice, and `mlrtma status` says what happened."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cluster import until

from hpc import slurm, status
from hpc.worklist import Task, remaining, write

pytestmark = pytest.mark.slow

# In the place of sbatch: submits, and then kills the process that called it, if it was called so often.
KILLER = """\
#!/bin/sh
{sbatch} "$@" || exit
echo x >> {folder}/calls
if [ "$(wc -l < {folder}/calls)" -eq {number} ]; then kill -9 $PPID; fi
"""


def campaign(count=3, command="sh -c 'echo run >> runs{0}; touch out{0}'"):
    """A campaign of worklists of one task each, one after the other; its file."""
    steps = {}
    for i in range(count):
        write(Path(f"step{i}.tsv"), [Task(f"t{i}", f"out{i}", "x", command.format(i))])
        steps[f"s{i}"] = {"verb": "worklist", "config": f"step{i}.tsv", "after": [f"s{i - 1}"] if i else []}
    Path("campaign.yaml").write_text(json.dumps({"steps": steps}))
    return "campaign.yaml"


def runs(count):
    """How often each task ran; those that did not are 0."""
    return [Path(f"runs{i}").read_text().count("run") if Path(f"runs{i}").exists() else 0 for i in range(count)]


def line(*arguments):
    return [sys.executable, "-m", "jobs.command", *map(str, arguments)]


def kill_behind(number, tmp_path, patch):
    """Until the patch is undone, the process that calls sbatch for this time is killed behind it."""
    program = tmp_path / "bin" / "sbatch"
    program.parent.mkdir(exist_ok=True)
    program.write_text(KILLER.format(sbatch=shutil.which("sbatch"), folder=tmp_path, number=number))
    program.chmod(0o755)
    patch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize("number", [1, 2])
def test_a_submitter_that_is_killed_behind_an_sbatch_loses_nothing_and_doubles_nothing(
    slurm_here, mlrtma, tmp_path, monkeypatch, number
):
    submit = ("submit", "campaign", campaign(), "--machine", "slurm_test")
    with monkeypatch.context() as patch:
        kill_behind(number, tmp_path, patch)
        assert mlrtma(*submit).returncode == -9
    # The last one that was queued has no line in the journal: it is told by its comment.
    queued = [job for job in status.jobs() if job.state in (*status.ALIVE, "done")]
    assert len(queued) == number and queued[-1].verb == "worklist"
    again = mlrtma(*submit, "--wait")
    assert again.returncode == 0, again.stdout + again.stderr
    assert runs(3) == [1, 1, 1]
    states = json.loads(mlrtma("status", "campaign.yaml", "--json").stdout)
    assert [(each["step"], each["state"]) for each in states] == [("s0", "done"), ("s1", "done"), ("s2", "done")]


def test_one_job_whose_submitter_was_killed_is_not_submitted_twice(slurm_here, mlrtma, tmp_path, monkeypatch):
    campaign(1, "sh -c 'echo run >> runs{0}; sleep 4; touch out{0}'")
    submit = ("submit", "worklist", "step0.tsv", "--machine", "slurm_test")
    with monkeypatch.context() as patch:
        kill_behind(1, tmp_path, patch)
        assert mlrtma(*submit).returncode == -9
    again = mlrtma(*submit, "--wait")
    assert again.returncode == 0 and "submitted before" in again.stdout, again.stdout + again.stderr
    assert runs(1) == [1]


def test_two_operators_who_submit_one_campaign_at_the_same_time_get_one(slurm_here, mlrtma):
    submit = ("submit", "campaign", campaign(), "--machine", "slurm_test")
    both = [subprocess.Popen(line(*submit), stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in both]
    assert 0 in [process.returncode for process in both], errors
    for process, error in zip(both, errors, strict=True):
        assert process.returncode == 0 or "output/submitting: another run writes into it: " in error
    assert mlrtma(*submit, "--wait").returncode == 0
    assert runs(3) == [1, 1, 1]


def test_a_journal_that_cannot_be_written_changes_neither_a_campaign_nor_its_status(slurm_here, mlrtma, monkeypatch):
    Path("file").touch()
    monkeypatch.setenv("MLRTMA_JOURNAL", "file/journal.jsonl")
    submit = ("submit", "campaign", campaign(2), "--machine", "slurm_test", "--wait")
    done = mlrtma(*submit)
    assert done.returncode == 0 and "file/journal.jsonl: Not a directory: not noted" in done.stderr
    assert [job.state for job in status.jobs() if job.verb == "worklist"] == ["done", "done"]
    again = mlrtma(*submit)
    assert again.returncode == 0 and "done before: s0\ndone before: s1\n" in again.stdout
    assert runs(2) == [1, 1]
    steps = json.loads(mlrtma("status", "campaign.yaml", "--machine", "slurm_test", "--json").stdout)
    assert [each["state"] for each in steps] == ["done", "done"]


HOSTILE = 'it\'s "a" $(touch stolen);`touch stolen`'


def test_one_element_of_an_array_is_cancelled_and_its_task_alone_runs_again_under_a_hostile_name(slurm_here, mlrtma):
    name, program = f"{HOSTILE}.tsv", 'echo run >> runs{0}; {1} touch "$1"'
    tasks = []
    for i, pause in enumerate(("", "test -e again || sleep 60;", "")):
        command = shlex.join(["sh", "-c", program.format(i, pause), "sh", f"{HOSTILE}{i}"])
        tasks.append(Task(f"t{i}", f"{HOSTILE}{i}", "x", command))
    write(Path(name), tasks)
    first = mlrtma("submit", "worklist", name, "--machine", "slurm_test")
    assert first.returncode == 0, first.stderr
    (job,) = (each.job for each in status.jobs())
    assert until(lambda: runs(3) == [1, 1, 1] and len(remaining(tasks)) == 1)
    assert mlrtma("cancel", f"{job}_1").returncode == 0
    assert until(lambda: slurm.state(job).ended)
    whole, *elements = status.jobs([job])
    assert whole.state == "cancelled" and whole.action == f"mlrtma resume {job}", whole
    assert (whole.progress.done, whole.progress.total) == (2, 3)
    assert [each.state for each in elements] == ["done", "cancelled", "done"]
    Path("again").touch()
    again = mlrtma("resume", job, "--wait")
    assert again.returncode == 0 and "1 array element;" in again.stdout, again.stderr
    assert runs(3) == [1, 2, 1] and not remaining(tasks) and not Path("stolen").exists()
    assert status.jobs([job])[0].action == "nothing: its output is there"


def test_a_time_beyond_the_partitions_limit_is_refused_by_what_slurm_says_of_it(slurm_here, mlrtma):
    write(Path("tasks.tsv"), [Task("t", "out", "x", "true")])
    done = mlrtma("submit", "worklist", "tasks.tsv", "--machine", "slurm_test", "--time", "24:00:01")
    assert done.returncode == 2
    assert "partition batch of slurm_test ends jobs after 1-00:00:00 (MaxTime), got 24:00:01" in done.stderr
    assert slurm_here.call("squeue", "--noheader", "--name=worklist").strip() == ""
