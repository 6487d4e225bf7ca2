"""What became of jobs: Slurm and the outputs decide, the journal's word is marked as such, unknown is no failure."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from answers import SILENT, comment_of, row

from hpc import journal, process, progress, record, slurm, status
from hpc.progress import Counter
from hpc.worklist import note_done, read
from jobs import command


def record_done(job, output="here"):
    key = comment_of(job).split()[1]
    Path(output).mkdir(exist_ok=True)
    record.path_of(key).parent.mkdir(parents=True, exist_ok=True)
    record.path_of(key).write_text(json.dumps({"job": job, "output": output}))


@pytest.mark.parametrize(
    ("word", "reason", "state", "action"),
    [
        ("RUNNING", "None", "running", ""),
        ("COMPLETING", "None", "running", ""),
        ("PENDING", "Priority", "waiting", ""),
        ("PENDING", "Dependency", "waiting", "it starts when the jobs before it have succeeded"),
        ("PENDING", "JobHeldUser", "waiting", "scontrol release 101"),
        ("PENDING", "DependencyNeverSatisfied", "cancelled", "a job before it failed"),
        ("REQUEUED", "BeginTime", "waiting", ""),
        ("COMPLETED", "None", "done", ""),
        ("FAILED", "NonZeroExitCode", "failed", "mlrtma resume 101"),
        ("TIMEOUT", "TimeLimit", "out of time", "mlrtma resume 101 --time LONGER"),
        ("CANCELLED", "None", "cancelled", "mlrtma resume 101"),
        ("NODE_FAIL", "None", "node failed", "mlrtma resume 101"),
        ("OUT_OF_MEMORY", "OutOfMemory", "out of memory", "mlrtma resume 101 --nodes MORE"),
        ("PREEMPTED", "None", "preempted", "mlrtma resume 101"),
    ],
)
def test_the_state_of_a_job_is_slurms_word_and_says_what_to_do(answers, submitted, word, reason, state, action):
    job = submitted()
    answers(squeue=row(job, word, reason))
    (seen,) = status.jobs()
    assert (seen.job, seen.verb, seen.config) == (job, "analyse", "toy.yaml")
    assert (seen.state, seen.source) == (state, "slurm")
    assert seen.action.startswith(action) and bool(seen.action) == bool(action)
    assert ("expected to start at 2026-11-27T16:00:00" in seen.reason) == (state == "waiting")


def test_a_job_of_which_slurm_does_not_answer_is_unknown_unless_its_output_is_there(answers, submitted):
    job = submitted()
    journal.append(journal.path(), job=job, event="failed", reason="rank 2 on n3 was ended by signal 9")
    answers(squeue=SILENT, sacct=SILENT)
    (seen,) = status.jobs()
    assert (seen.state, seen.source) == ("unknown", "") and "Unable to contact slurm controller" in seen.reason
    assert "no failure" in seen.action
    record_done(job)
    (seen,) = status.jobs()
    assert (seen.state, seen.source, seen.action) == ("done", "outputs", "")


def test_an_error_of_slurm_of_several_lines_is_told_on_one_each_of_them_once(answers, submitted, capsys):
    job = submitted()
    answers(squeue=f"squeue: error: fetch_config: DNS lookup failed\n{SILENT}\n{SILENT}\nsqueue: fatal: no answer")
    capsys.readouterr()
    assert command.main(["status"]) == 0
    text = " ".join(capsys.readouterr().out.split())  # the console breaks a long line
    assert status.jobs()[0].reason == f"squeue failed with 1: fetch_config: DNS lookup failed; {SILENT}; no answer"
    assert f"{job}: unknown (squeue failed with 1: fetch_config: DNS lookup failed; " in text


def test_a_job_that_slurm_has_forgotten_is_what_accounting_outputs_or_the_journal_say_in_this_order(answers, submitted):
    job = submitted()
    answers(squeue="")
    (seen,) = status.jobs()
    assert (seen.state, seen.source) == ("lost", "") and seen.action == f"mlrtma resume {job}"
    journal.append(journal.path(), job=job, event="failed", reason="rank 2 on n3 was ended by signal 9")
    (seen,) = status.jobs()
    assert (seen.state, seen.source, seen.reason) == ("failed", "journal", "rank 2 on n3 was ended by signal 9")
    record_done(job)
    assert (status.jobs()[0].state, status.jobs()[0].source) == ("done", "outputs")
    answers(squeue="", sacct=f"{job}|TIMEOUT|0:0|n1")
    assert (status.jobs()[0].state, status.jobs()[0].source) == ("out of time", "slurm")


def test_a_failed_step_that_another_job_does_again_or_has_done_since_asks_for_nothing(answers, submitted):
    first, second = submitted(), submitted()
    answers(squeue="\n".join([row(first, "FAILED"), row(second, "RUNNING", comment=comment_of(second))]))
    assert [job.action for job in status.jobs()] == [f"nothing: job {second} does it again", ""]
    record_done(second)
    answers(squeue="\n".join([row(first, "FAILED"), row(second, "COMPLETED", comment=comment_of(second))]))
    assert [job.action for job in status.jobs()] == ["nothing: its output is there", ""]


def test_a_job_without_a_line_in_the_journal_is_listed_by_its_comment_in_its_own_folder_alone(answers, submitted):
    job = submitted()
    comment = comment_of(job)
    journal.path().unlink()
    rows = [row(job, "RUNNING", comment=comment), row("7", "RUNNING", comment=comment, folder="/elsewhere")]
    answers(squeue="\n".join([*rows, row("8", "RUNNING")]))
    (seen,) = status.jobs()
    assert (seen.job, seen.verb, seen.state) == (job, "analyse", "running")


def test_progress_is_what_the_job_counts_with_its_rate_and_the_time_that_is_left(answers, submitted, monkeypatch):
    job = submitted()
    clock = [1000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    monkeypatch.setenv(progress.VARIABLE, str(progress.path_of(job).absolute()))
    count = Counter("steps")
    for step in range(20, 60):  # a training that was resumed at step 20: 1 step a second
        count(step, 100)
        clock[0] += 1.0
    counted = progress.read(job)
    assert (counted.what, counted.total, counted.first) == ("steps", 100, 20)
    assert 55 <= counted.done <= 59  # written every five seconds
    assert counted.rate == pytest.approx(1.0) and counted.seconds_left == pytest.approx(100 - counted.done)
    count(100, 100)
    assert progress.read(job).done == 100  # the end is always written
    monkeypatch.undo()


def test_a_job_that_stands_still_or_will_not_end_in_time_is_told(answers, submitted):
    job = submitted()
    answers(squeue=row(job, "RUNNING", left="1:00:00"))
    progress.path_of(job).parent.mkdir(parents=True)

    def write(done, age):
        now = time.time()
        counted = progress.Progress("steps", done, 100.0, 0.0, now - age - 3600.0, now - age)
        progress.path_of(job).write_text(json.dumps(vars(counted)))

    write(60.0, 0.0)  # 40 steps are 40 minutes
    assert status.jobs()[0].action == "" and status.jobs()[0].limit_left == 3600
    write(30.0, 0.0)  # 70 steps are 140 minutes
    assert status.jobs()[0].action == "at this rate its time limit comes first"
    write(60.0, 1000.0)
    assert re.match(rf"no progress since \d\d:\d\d:\d\d: mlrtma logs {job}", status.jobs()[0].action)


def tasks_list(count=6, name="tasks.tsv"):
    Path(name).write_text("".join(f"t{i}\tout{i}\tx\ttouch out{i}\n" for i in range(count)))


def finish(list_of_tasks, *numbers):
    for task in (read(Path(list_of_tasks))[number] for number in numbers):
        Path(task.output).touch()
        note_done(task)


def test_an_array_counts_its_tasks_by_their_records_and_each_element_its_own(answers, submitted):
    tasks_list()
    job = submitted("worklist", "tasks.tsv")
    finish("tasks.tsv", 0, 4)
    states = ("RUNNING", "FAILED", "PENDING", "PENDING", "COMPLETED", "PENDING")
    answers(squeue="\n".join(row(f"{job}_{i}", word) for i, word in enumerate(states)))
    (whole,) = status.jobs()
    assert (whole.state, whole.reason) == ("running", "1 running, 1 failed, 3 waiting, 1 done")
    assert (whole.progress.done, whole.progress.total) == (2, 6)
    whole, *elements = status.jobs([job])
    assert [each.job for each in elements] == [f"{job}_{i}" for i in range(6)]
    assert [each.progress.done for each in elements] == [1, 0, 0, 0, 1, 0]
    assert [each.state for each in elements] == ["running", "failed", "waiting", "waiting", "done", "waiting"]
    for i in (1, 10):
        Path(f"output/logs/worklist-{job}_{i}.log").touch()
    answers(squeue="\n".join(row(f"{job}_{i}", word) for i, word in enumerate(("COMPLETED", "FAILED", "FAILED"))))
    assert status.jobs()[0].reason == "1 done, 2 failed" and status.jobs()[0].log == f"output/logs/worklist-{job}_*.log"
    (alone,) = status.jobs([f"{job}_1"])
    assert alone.state == "failed" and alone.action == f"mlrtma resume {job}"


def test_an_array_of_which_slurm_has_forgotten_the_failed_elements_is_not_done_while_tasks_remain(answers, submitted):
    tasks_list(3)
    job = submitted("worklist", "tasks.tsv")
    finish("tasks.tsv", 0, 2)
    answers(squeue="\n".join(row(f"{job}_{i}", "COMPLETED") for i in (0, 2)))
    assert (status.jobs()[0].state, status.jobs()[0].reason) == ("failed", "1 of 3 tasks remain")
    finish("tasks.tsv", 1)
    assert status.jobs()[0].state == "done"
    answers(squeue="")
    assert (status.jobs()[0].state, status.jobs()[0].source) == ("done", "outputs")


def test_a_job_of_this_machine_runs_while_its_own_process_lives_and_not_another_one_of_its_number(answers):
    with subprocess.Popen(["sleep", "60"]) as child:
        job, (host, machine, started) = f"local-{child.pid}-0", process.identity(child.pid)

        def state(*identity):
            journal.append(journal.path(), job=job, event="submitted", verb="train", process=list(identity))
            (seen,) = status.jobs([job])
            return seen.state, seen.source

        assert state(host, machine, started) == ("running", "process")
        assert state(host, machine, str(int(started) - 1)) == ("lost", "")  # its number was given again
        assert state(host, "another start of the host", started) == ("lost", "")
        assert state("elsewhere", machine, started) == ("unknown", "")
        assert "it was started on elsewhere: ask there" in status.jobs([job])[0].reason
        assert state(host, machine, started) == ("running", "process")
        child.kill()
        child.wait()
    assert status.jobs([job])[0].state == "lost"


def test_a_job_that_runs_here_notes_its_process(environment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = [sys.executable, "-m", "hpc.job", "--verb", "train", "--config", "c", "sleep", "60"]
    with subprocess.Popen(line) as child:
        until = time.monotonic() + 30
        while not (entries := journal.read(journal.path())) and time.monotonic() < until:
            time.sleep(0.05)
        (seen,) = status.jobs()
        child.terminate()
    assert entries[0]["process"][2] and (seen.job, seen.state) == (f"local-{child.pid}", "running")


def test_a_campaign_shows_each_step_by_its_newest_job_and_those_that_were_not_submitted(answers, submitted, capsys):
    Path("campaign.yaml").write_text(
        "steps:\n  first: {verb: analyse, config: toy.yaml}\n"
        "  second: {verb: analyse, config: toy.yaml, set: [method=oi], after: [first]}\n"
        "  third: {verb: analyse, config: toy.yaml, set: [method=nearest], after: [second]}\n"
    )
    old, new = submitted(), submitted()
    other = submitted("analyse", "toy.yaml", "method=oi")
    rows = [row(old, "FAILED"), row(new, "COMPLETED"), row(other, "RUNNING", comment=comment_of(other))]
    answers(squeue="\n".join(rows))
    capsys.readouterr()
    assert command.main(["status", "campaign.yaml", "--json"]) == 0  # the machine is that of the journal
    entries = json.loads(capsys.readouterr().out)
    assert [(each["step"], each["job"], each["state"]) for each in entries] == [
        ("first", new, "done"), ("second", other, "running"), ("third", "", "not submitted")
    ]  # fmt: skip
    answers(squeue=SILENT)
    assert command.main(["status", "campaign.yaml", "--machine", "slurm_test", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [each["state"] for each in entries] == ["unknown"] * 3
    assert all("Unable to contact" in each["reason"] and "no failure" in each["action"] for each in entries)
    assert command.main(["status", "campaign.yaml", "--machine", "local", "--json"]) == 0  # which has no Slurm to ask
    assert json.loads(capsys.readouterr().out)[2]["state"] == "not submitted"


def test_a_campaign_with_a_period_is_named_with_its_end(answers, submitted, capsys):
    steps = 'steps:\n  first: {verb: analyse, config: toy.yaml, set: ["output=out_${until}"]}\n'
    Path("campaign.yaml").write_text(f"period: {{days: 1}}\n{steps}")
    job = submitted("analyse", "toy.yaml", "output=out_20200331")
    answers(squeue=row(job, "RUNNING", comment=comment_of(job)))
    capsys.readouterr()
    assert command.main(["status", "campaign.yaml", "--until", "2020-03-31", "--json"]) == 0
    assert [(each["job"], each["state"]) for each in json.loads(capsys.readouterr().out)] == [(job, "running")]
    assert command.main(["status", "campaign.yaml"]) == 2
    assert "--until TIME" in capsys.readouterr().err


def test_slurm_is_asked_once_for_all_jobs_whatever_their_number(answers, submitted):
    jobs = [submitted("analyse", "toy.yaml", f"method=m{i}") for i in range(5)]
    answers(squeue="\n".join(row(job, "RUNNING") for job in jobs[1:]))
    before = len(answers.calls)
    assert [job.state for job in status.jobs()] == ["lost", "running", "running", "running", "running"]
    programs = [call.split()[0] for call in answers.calls[before:]]
    assert programs == ["squeue", "squeue", "sacct"]  # this user's jobs, then those that are not among them, at once


def test_the_table_names_state_progress_and_log_and_says_below_what_to_do(answers, submitted, capsys):
    job = submitted()
    Path(f"output/logs/analyse-{job}.log").write_text("hello\n")
    answers(squeue=row(job, "FAILED", "NonZeroExitCode"))
    journal.append(journal.path(), job=job, event="failed", reason="exit code 3")
    capsys.readouterr()
    assert command.main(["status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["job", "step", "state", "progress", "rate", "left", "log"]
    assert re.fullmatch(rf"{job} +analyse toy.yaml +failed +output/logs/analyse-{job}.log *", lines[1])
    assert lines[-1].rstrip() == f"{job}: failed (NonZeroExitCode; exit code 3). Next: mlrtma resume {job}"


def test_a_live_status_ends_when_nothing_waits_or_runs_and_asks_once_a_minute(answers, submitted, capsys, monkeypatch):
    job = submitted()
    assert slurm.POLL_SECONDS >= 60.0
    pauses = []

    def sleep(seconds):
        if seconds < 1.0:  # of a subprocess that is waited for
            return
        pauses.append(seconds)
        answers(squeue=row(job, "COMPLETED" if len(pauses) == 2 else "RUNNING"))

    monkeypatch.setattr("jobs.status.time.sleep", sleep)
    answers(squeue=row(job, "PENDING"))
    assert command.main(["status", "--live"]) == 0
    assert pauses == [60.0, 60.0] and "done" in capsys.readouterr().out
