"""Slurm's answers decide what became of a job: its commands are replaced by programs that answer as they do.

The real Slurm of test_cluster_jobs.py has no accounting and no GPUs, and is slow.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from answers import SILENT, UNLISTED

from hpc import campaign, journal, record, slurm
from hpc.campaign import submit_campaign
from hpc.chain import Step
from hpc.job import UNNAMED
from hpc.machine import load_machine
from hpc.order import Order, sbatch_line
from hpc.submit import elements_of, wait
from hpc.worklist import Task, note_done


def job_ends(answers, command="true", **commands):
    """Run a command as a Slurm job; its exit code and the last line of the journal."""
    answers(**commands)
    variables = {**os.environ, "SLURM_JOB_ID": "7"}
    line = [sys.executable, "-m", "hpc.job", "--verb", "train", "--config", "c", "sh", "-c", command]
    code = subprocess.run(line, env=variables, capture_output=True, timeout=60).returncode
    return code, journal.read(journal.path(), "7")[-1]


@pytest.mark.parametrize("state", ["CANCELLED", "TIMEOUT", "PREEMPTED", "NODE_FAIL", "COMPLETING", "OUT_OF_MEMORY"])
def test_ranks_that_end_with_0_while_slurm_ends_their_job_have_failed(answers, state):
    code, last = job_ends(answers, squeue=f"7|7|{state}|None", scontrol=f"JobId=7 JobState={state} Reason=None")
    assert code != 0 and last["event"] == "failed" and last["reason"] == f"Slurm: {state}"


def test_ranks_that_end_with_0_while_slurm_says_running_or_nothing_are_done(answers):
    for queue in ("7|7|RUNNING|None", SILENT):
        code, last = job_ends(answers, squeue=queue, scontrol=SILENT)
        assert code == 0 and last["event"] == "done"


@pytest.mark.parametrize(
    "message",
    [
        "srun: error: Timed out waiting for job step to complete",
        "slurmstepd-n3: error: *** STEP 7.0 ON n3 CANCELLED AT 2026-11-27T03:57:45 DUE TO NODE FAILURE ***",
    ],
)
def test_a_0_after_srun_gave_up_its_ranks_is_a_failure_though_no_controller_answers(answers, message):
    code, last = job_ends(answers, f"echo '{message}' >&2", squeue=SILENT, scontrol=SILENT)
    assert code == 1 and last["event"] == "failed" and last["reason"] in message


def test_a_step_that_slurm_ended_before_its_lost_rank_was_named_is_said_to_be_lost_or_cancelled(answers):
    words, fallen = "STEP 7.0 ON n1 CANCELLED AT 2026-11-29T01:32:07", "rank 2 on n3 was ended by signal 9"
    step = f"echo 'slurmstepd-n1: error: *** {words} ***' >&2"
    running = {"squeue": "7|7|RUNNING|None", "scontrol": SILENT}
    code, last = job_ends(answers, f"{step}; exit 137", **running)
    assert (code, last["event"], last["reason"]) == (137, "failed", f"{words}, {UNNAMED}")
    assert job_ends(answers, f"echo '{fallen}' >&2; {step}; exit 137", **running)[1]["reason"] == fallen
    due = step.replace(words, f"{words} DUE TO TIME LIMIT")
    assert job_ends(answers, f"{due}; exit 137", **running)[1]["reason"] == f"{words} DUE TO TIME LIMIT"
    signalled = f"kill -TERM $PPID; sleep 1; {step}; exit 143"
    reason = job_ends(answers, f"trap : TERM; {signalled}", **running)[1]["reason"]
    assert reason == f"SIGTERM: cancelled, preempted or out of time; {words}"


def test_a_job_that_slurm_itself_queued_again_is_not_queued_twice(answers):
    code, last = job_ends(answers, "exit 75", squeue="7|7|PENDING|BeginTime", scontrol="must not be asked to requeue")
    assert code == 75 and last["event"] == "again" and last["reason"] == "Slurm: PENDING BeginTime"


def test_a_job_that_is_preempted_and_still_completes_is_known_by_its_starts_to_be_queued_again(answers):
    answer = "JobId=7 JobState=COMPLETING Reason=None Restarts={} ExitCode=0:15"
    for starts, event in ((1, "again"), (0, "failed")):
        _, last = job_ends(answers, "exit 1", squeue="7|7|COMPLETING|None", scontrol=answer.format(starts))
        assert last["event"] == event


def test_a_log_on_a_full_disk_does_not_stop_the_ranks(answers):
    answers(squeue="7|7|RUNNING|None")
    noise = "import sys\nfor _ in range(9000): print('x' * 99, file=sys.stderr)"  # more than a pipe holds
    line = [sys.executable, "-m", "hpc.job", "--verb", "train", "--config", "c", sys.executable, "-c", noise]
    with open("/dev/full", "w") as full:
        variables = {**os.environ, "SLURM_JOB_ID": "7", "MLRTMA_JOURNAL": "/dev/full"}
        assert subprocess.run(line, env=variables, stderr=full, timeout=60).returncode == 0


def test_a_journal_that_cannot_be_written_changes_nothing(answers, monkeypatch):
    monkeypatch.setenv("MLRTMA_JOURNAL", "/dev/full")
    monkeypatch.setenv("MLRTMA_RECORD", str(Path("done/key.json").absolute()))
    monkeypatch.setenv("MLRTMA_OUTPUT", str(Path.cwd()))
    answers(squeue="7|7|RUNNING|None")
    line = [sys.executable, "-m", "hpc.job", "--verb", "train", "--config", "c", "true"]
    job = subprocess.run(line, env={**os.environ, "SLURM_JOB_ID": "7"}, capture_output=True, text=True, timeout=60)
    assert job.returncode == 0 and "/dev/full: expected a regular file" in job.stderr
    assert "not noted: job 7 done" in job.stderr
    assert json.loads(Path("done/key.json").read_text()) == {"job": "7", "output": str(Path.cwd())}


@pytest.mark.parametrize(
    ("rows", "state", "done"),
    [
        ("COMPLETED|0:0|n1", "COMPLETED", True),
        ("CANCELLED by 1000|0:0|n1", "CANCELLED", False),
        ("TIMEOUT|0:0|n[1-4]", "TIMEOUT", False),
        ("COMPLETED|0:0|n1\nNODE_FAIL|0:0|n2\nCOMPLETED|0:0|n3", "NODE_FAIL", False),
        ("FAILED|1:0|n1\nRUNNING|0:0|n2", "RUNNING", False),
    ],
)
def test_accounting_says_how_a_job_ended_that_the_controller_has_forgotten(answers, rows, state, done):
    listed = rows.splitlines()
    answers(sacct="\n".join(f"{f'7_{i}' if len(listed) > 1 else 7}|{row}" for i, row in enumerate(listed)))
    assert (slurm.state("7").state, slurm.state("7").done) == (state, done)


@pytest.mark.parametrize(
    ("queue", "controller", "running"),
    [
        ("7|7|RUNNING|None", "", True),
        ("7|7|COMPLETING|None", "", True),
        ("7|7|PENDING|BeginTime", "", False),
        ("7|7|COMPLETED|None", "JobId=7 JobState=COMPLETED ExitCode=0:0", False),
        (UNLISTED, UNLISTED, False),
        (SILENT, SILENT, None),
    ],
)
def test_whether_processes_of_a_job_may_live(answers, queue, controller, running):
    answers(squeue=queue, scontrol=controller)
    assert slurm.runs("7") is running


def test_a_wait_believes_slurm_and_outputs_and_corrects_the_journal(answers):
    machine = load_machine("slurm_test")
    orders = {job: Order(machine, "train", "c", (), machine.resources("train"), key=f"train-{job}") for job in "789"}
    for job in "78":
        journal.append(journal.path(), job=job, event="done", exit_code=0)
    output = Path("output.nc")
    output.touch()
    record.path_of("train-9").parent.mkdir(parents=True)
    record.path_of("train-9").write_text(json.dumps({"job": "9", "output": str(output)}))
    answers(squeue="7|7|TIMEOUT|TimeLimit\n", scontrol=UNLISTED)  # 8 and 9 are forgotten; only 9 has left its output
    last = wait(orders, 0)
    assert [last[job].state for job in "789"] == ["TIMEOUT", "UNKNOWN", "COMPLETED"]
    assert [journal.ending(journal.path(), job)["event"] for job in "789"] == ["failed", "lost", "done"]
    output.unlink()
    assert not record.is_done("train-9")


def test_an_array_is_as_large_as_slurm_allows_and_holds_its_workers_and_its_throttle(answers):
    machine = load_machine("slurm_test")
    assert [elements_of(machine, tasks, 1) for tasks in (3, 5000)] == [3, 1001]  # no answer: Slurm's default
    answers(scontrol="MaxArraySize            = 4\n")
    assert [elements_of(machine, tasks, workers) for tasks, workers in ((3, 1), (9, 1), (9, 4))] == [3, 4, 3]
    assert elements_of(load_machine("slurm_test", {"array_limit": 2}), 9, 1) == 2
    assert elements_of(load_machine("local"), 9, 1) == 1
    wishes = load_machine("slurm_test", {"jobs": {"worklist": {"at_once": 2}}}).resources("worklist")
    assert "--array=0-8%2" in sbatch_line(Order(machine, "worklist", "t.tsv", (), wishes, elements=9))


@pytest.mark.parametrize(("wish", "first"), [("NONE", []), ("NIL", []), ("HOME,LANG", ["HOME", "LANG"])])
def test_what_a_job_needs_is_handed_on_where_the_user_hands_on_nothing(environment, monkeypatch, wish, first):
    machine = load_machine("gpu_cluster")
    order = Order(machine, "train", "c", (), machine.resources("train"))
    monkeypatch.setenv("MLRTMA_REAL_DATA", "/data")
    assert not any(part.startswith("--export") for part in sbatch_line(order))
    monkeypatch.setenv("SBATCH_EXPORT", wish)
    names = next(part for part in sbatch_line(order) if part.startswith("--export=")).removeprefix("--export=")
    assert names.split(",")[: len(first)] == first
    assert {"MLRTMA_ROOT", "MLRTMA_PYTHON", "MLRTMA_REAL_DATA", *machine.variables} <= set(names.split(","))


STEPS = (
    Step("a", "worklist", "a.tsv"),
    Step("b", "worklist", "b.tsv", after=("a",)),
    Step("c", "worklist", "c.tsv", after=("b",)),
)


def lines():
    return [json.loads(line) for line in Path("sbatch.json").read_text().splitlines()]


def option(line, name):
    return next((part.split("=", 1)[1] for part in line if part.startswith(f"--{name}=")), None)


def test_a_campaign_half_submitted_is_submitted_again_for_what_is_missing(answers, monkeypatch, capsys):
    for name in "abc":
        Path(f"{name}.tsv").write_text(f"{name}\t{name}.txt\tx\ttrue\n")
    machine = load_machine("slurm_test")
    monkeypatch.setenv("MOST", "102")
    answers(squeue="")
    with pytest.raises(slurm.SlurmError, match="QOSMaxSubmit(.|\n)*2 of 3 steps are queued. Submit the campaign again"):
        submit_campaign(machine, STEPS, (), dry_run=False)
    comments = [option(line, "comment") for line in lines()]
    monkeypatch.delenv("MOST")
    answers(squeue=f"101|RUNNING|None|{comments[0]}\n102|PENDING|Dependency|{comments[1]}")
    orders = submit_campaign(machine, STEPS, (), dry_run=False)
    assert list(orders) == ["101", "102", "103"] and len(lines()) == 3
    assert option(lines()[2], "dependency") == "afterok:102"
    assert "job 102: b, submitted before\n" in capsys.readouterr().out


def test_a_campaign_skips_what_is_done_and_repeats_what_comes_after_a_step_that_is_not(
    answers, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(campaign, "rehearsed", lambda order, earlier=(): replace(order, output="here"))
    (tmp_path / "toy.yaml").write_text("cases: {domain: toy, reports: {observations: [a.csv]}}\noutput: here\n")
    methods = {"first": ("method=oi",), "second": ("method=threedvar",)}
    steps = (
        Step("first", "analyse", "toy.yaml", methods["first"]),
        Step("second", "analyse", "toy.yaml", methods["second"], ("first",)),
    )
    keys = [record.key_of("analyse", "toy.yaml", step.set) for step in steps]
    machine = load_machine("slurm_test")
    answers(squeue="")
    Path("here").mkdir()
    for number, key in enumerate(keys):
        record.path_of(key).parent.mkdir(parents=True, exist_ok=True)
        record.path_of(key).write_text(json.dumps({"job": str(number), "output": "here"}))
    assert submit_campaign(machine, steps, (), dry_run=False) == {}
    assert "done before: first\ndone before: second\n" in capsys.readouterr().out
    record.clear(keys[1])
    orders = submit_campaign(machine, steps, (), dry_run=False)
    assert [order.key for order in orders.values()] == keys[1:] and option(lines()[0], "dependency") is None
    record.path_of(keys[1]).write_text(json.dumps({"job": "1", "output": "here"}))
    record.clear(keys[0])  # the second's input will change
    assert [order.key for order in submit_campaign(machine, steps, (), dry_run=False).values()] == keys


def test_an_array_that_is_ending_with_all_its_tasks_done_stops_no_campaign(answers):
    for name in "abc":
        Path(f"{name}.tsv").write_text(f"{name}\t{name}.txt\tx\ttrue\n")
    Path("a.txt").touch()
    note_done(Task("a", "a.txt", "x", "true"))
    answers(squeue=f"101|COMPLETING|None|mlrtma {record.key_of('worklist', 'a.tsv', ())}")
    orders = submit_campaign(load_machine("slurm_test"), STEPS, (), dry_run=False)
    assert len(lines()) == 2 and list(orders)[0] == "101" and option(lines()[0], "dependency") == "afterok:101"


def test_a_step_of_which_a_job_waits_is_not_submitted_again_by_itself_either(answers, capsys):
    Path("a.tsv").write_text("a\ta.txt\tx\ttrue\n")
    machine = load_machine("slurm_test")
    answers(squeue="")
    assert list(campaign.submit_step(machine, STEPS[0], (), (), dry_run=False)) == ["101"]
    answers(squeue=f"101|PENDING|Priority|{option(lines()[0], 'comment')}")
    assert list(campaign.submit_step(machine, STEPS[0], (), (), dry_run=False)) == ["101"]
    assert len(lines()) == 1 and "job 101: a, submitted before\n" in capsys.readouterr().out
    answers(squeue=f"101|FAILED|NonZeroExitCode|{option(lines()[0], 'comment')}")
    assert list(campaign.submit_step(machine, STEPS[0], (), (), dry_run=False)) == ["102"]


def test_a_record_of_before_is_not_taken_for_a_step_whose_submission_was_cut_off(answers, monkeypatch):
    monkeypatch.setattr(campaign, "rehearsed", lambda order, earlier=(): replace(order, output="here"))
    Path("toy.yaml").write_text("output: here\n")
    Path("here").mkdir()
    first = Step("first", "analyse", "toy.yaml")
    second = Step("second", "analyse", "toy.yaml", ("method=oi",), ("first",))
    keys = [record.key_of("analyse", "toy.yaml", step.set) for step in (first, second)]

    def leave(key):
        record.path_of(key).parent.mkdir(parents=True, exist_ok=True)
        record.path_of(key).write_text(json.dumps({"job": "1", "output": "here"}))

    leave(keys[1])  # of an earlier run of both; the first one's output was removed
    machine = load_machine("slurm_test")
    monkeypatch.setenv("MOST", "101")
    answers(squeue="")
    with pytest.raises(slurm.SlurmError, match="1 of 2 steps are queued"):
        submit_campaign(machine, (first, second), (), dry_run=False)
    monkeypatch.delenv("MOST")
    leave(keys[0])  # its job has come to its end
    orders = submit_campaign(machine, (first, second), (), dry_run=False)
    assert [order.key for order in orders.values()] == [keys[1]]


def test_a_job_that_waits_for_a_step_which_must_run_again_is_refused(answers):
    for name in "abc":
        Path(f"{name}.tsv").write_text(f"{name}\t{name}.txt\tx\ttrue\n")
    answers(squeue=f"55|PENDING|Dependency|mlrtma {record.key_of('worklist', 'b.tsv', ())}")
    with pytest.raises(ValueError, match=r"steps.b: job 55 .* but a, which it comes after, .*scancel 55"):
        submit_campaign(load_machine("slurm_test"), STEPS, (), dry_run=False)
    answers(squeue=f"55|PENDING|DependencyNeverSatisfied|mlrtma {record.key_of('worklist', 'b.tsv', ())}")
    assert len(submit_campaign(load_machine("slurm_test"), STEPS, (), dry_run=False)) == 3
