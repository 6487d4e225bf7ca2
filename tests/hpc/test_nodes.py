"""A job whose ranks fail asks which of its nodes still answer: one that lost a node is queued again."""

import os
import subprocess
import sys

import pytest
from answers import row

import hpc.job
from hpc import journal, nodes, status

# In the place of srun: a step starts on every node but those of SILENT.
SRUN = """\
for word in "$@"; do case $word in --nodelist=*) node=${word#--nodelist=};; esac; done
case " $SILENT " in *" $node "*) echo "srun: error: Task launch failed on node $node" >&2; exit 1;; esac
echo "$node"
"""
SCONTROL = 'if [ "$2" = hostnames ]; then printf "n1\\nn2\\nn3\\n"; else echo "$*" >> requeued; fi'


@pytest.fixture
def job(answers, monkeypatch):
    """A job on n1 to n3, whose script runs on n1."""
    answers(squeue="7|7|RUNNING|None")
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (answers.folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (answers.folder / name).chmod(0o755)
    for name, value in {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n[1-3]", "SLURMD_NODENAME": "n1"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("silent", "lost"), [("", []), ("n2", ["n2"]), ("n3 n2", ["n2", "n3"]), ("n1 n2 n3", []), ("n1", [])]
)
def test_a_node_on_which_no_step_starts_is_silent_unless_none_starts_here_either(job, monkeypatch, silent, lost):
    monkeypatch.setenv("SILENT", silent)
    assert nodes.silent() == lost


def test_neither_a_job_of_one_node_nor_one_without_slurm_asks_any(job, monkeypatch):
    monkeypatch.setattr(nodes, "_run", lambda command: pytest.fail(f"{command} was run"))
    monkeypatch.setenv("SLURM_JOB_NODELIST", "n1")
    assert nodes.silent() == []
    monkeypatch.delenv("SLURM_JOB_NODELIST")
    assert nodes.silent() == []


def end(command, **variables):
    line = [sys.executable, "-m", "hpc.job", "--verb", "train", "--config", "c", "sh", "-c", command]
    code = subprocess.run(line, env=os.environ | variables, capture_output=True, timeout=60).returncode
    last = journal.read(journal.path(), "7")[-1]
    return code, last["event"], last.get("reason")


def test_a_job_that_lost_a_node_is_queued_again_as_often_as_it_may_and_one_that_lost_none_fails(job, tmp_path):
    assert end("exit 1", SILENT="n2") == (75, "again", "no answer from n2")
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"
    assert end("exit 1") == (1, "failed", "exit code 1")
    assert end("exit 1", SILENT="n2", SLURM_RESTART_COUNT="3", MLRTMA_RESTARTS="3")[:2] == (1, "failed")
    assert end("exit 0", SILENT="n2") == (0, "done", None)
    assert end("exit 75", MLRTMA_RESTARTS="9") == (75, "again", None)
    assert (tmp_path / "requeued").read_text() == "requeue 7\n" * 2


# In the place of scontrol: no controller answers the first calls, as many as ABSENT says.
RESTARTING = """\
if [ "$1" != requeue ]; then exit; fi
echo "$*" >> requeued
if [ "$(wc -l < requeued)" -le "$ABSENT" ]; then
    echo "$ANSWER for job 7" >&2; exit 1
fi
if [ -n "$REFUSES" ]; then echo "Requested operation is presently disabled for job 7" >&2; exit 1; fi
"""


@pytest.mark.parametrize("answer", ["Unexpected message received", "Slurm backup controller in standby mode"])
@pytest.mark.parametrize(
    ("absent", "refuses", "calls", "event", "words"),
    [
        (2, "", 3, "again", None),
        (2, "yes", 3, "failed", "presently disabled"),
        (99, "", None, "failed", "no answer for 0.3 s, so the job is not queued again: mlrtma resume"),
    ],
)
def test_a_controller_that_does_not_answer_is_asked_again_until_it_queues_the_job_or_refuses_it(
    answers, job, tmp_path, monkeypatch, answer, absent, refuses, calls, event, words
):
    (answers.folder / "scontrol").write_text(f"#!/bin/sh\n{RESTARTING}")
    for name, value in {"ABSENT": str(absent), "REFUSES": refuses, "ANSWER": answer}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(hpc.job, "PAUSE", 0.05)
    monkeypatch.setattr(hpc.job, "PATIENCE", 0.3)
    assert hpc.job.run(["sh", "-c", "exit 75"], verb="train", config="c") == 75
    last = journal.read(journal.path(), "7")[-1]
    assert last["event"] == event and (words is None or words in last["reason"])
    asked = (tmp_path / "requeued").read_text().splitlines()
    assert set(asked) == {"requeue 7"} and (len(asked) == calls if calls else len(asked) > 2)


def test_the_reason_of_a_failure_has_the_words_of_the_verb_but_not_those_of_ranks_that_lost_another(job):
    words = "mlrtma reanalysis: /out/a.nc: No space left on device"
    ended, killed = "rank 0 on n1 ended with exit code 3", "rank 2 on n3 was ended by signal 9"
    assert end(f"echo '{words}' >&2; echo '{ended}' >&2; exit 3")[2] == f"{ended}; {words}"
    assert end(f"echo '{killed}' >&2; echo 'mlrtma train: lost rank 2' >&2; exit 1")[2] == killed


def test_a_job_that_is_queued_again_says_why_until_it_has_started_again(answers, submitted):
    job = submitted()
    journal.append(journal.path(), job=job, event="again", exit_code=75, reason="no answer from n3")
    for word, state in (("COMPLETING", "running"), ("PENDING", "waiting")):
        answers(squeue=row(job, word, reason="BeginTime"))
        assert (status.jobs()[0].state, status.jobs()[0].action) == (state, "")
        assert status.jobs()[0].reason.endswith("queued again: no answer from n3")
    journal.append(journal.path(), job=job, event="started")
    assert "queued again" not in status.jobs()[0].reason
