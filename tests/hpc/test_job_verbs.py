"""Jobs are resumed, cancelled and read by their numbers, as Slurm and the journal name them."""

import json
import os
from pathlib import Path

import pytest
from answers import SILENT, comment_of, row

from hpc import logs
from jobs import cancel, command, resume
from jobs import logs as printed_logs
from jobs import submit as resubmit
from mlrtma_dist.config import ConfigError
from mlrtma_dist.errors import InputError


def test_a_job_that_failed_is_submitted_again_as_it_was_and_what_may_still_run_is_refused(
    answers, submitted, monkeypatch
):
    job = submitted("train", "toy.yaml", "schedule.steps=7")
    monkeypatch.setattr("hpc.campaign.rehearsed", lambda order, earlier=(): order)
    lines = [json.loads(line) for line in Path("sbatch.json").read_text().splitlines()]
    refusals = {
        row(job, "RUNNING"): f"job {job} is running: mlrtma cancel {job} ends it",
        row(job, "PENDING"): f"job {job} is waiting",
        row(job, "COMPLETED"): f"job {job} is done. To repeat it",
        SILENT: f"job {job}: it may still run, as Slurm does not answer",
        "\n".join([row(job, "FAILED"), row("300", "PENDING", comment=comment_of(job))]): "job 300, which does the same",
    }
    for queue, message in refusals.items():
        answers(squeue=queue)
        with pytest.raises(InputError, match=message):
            resume.main([job])
    with pytest.raises(InputError, match="end the command that started it"):
        resume.main([f"local-{os.getpid()}-0"])  # which mlrtma cancel cannot end
    assert len(Path("sbatch.json").read_text().splitlines()) == 1
    answers(squeue=row(job, "TIMEOUT", "TimeLimit"))
    assert resume.main([job]) == 0
    first, again = lines[0], json.loads(Path("sbatch.json").read_text().splitlines()[1])
    assert again == [*first, "--resume"]  # the same step: its comment, too
    answers(squeue=row(job, "TIMEOUT", "TimeLimit"))
    assert resume.main([job, "--time", "00:09:00"]) == 0
    assert "--time=00:09:00" in json.loads(Path("sbatch.json").read_text().splitlines()[2])
    with pytest.raises(InputError, match="the journal has no line of its submission"):
        resume.main(["77"])


def test_a_job_is_resumed_after_the_jobs_that_do_again_what_it_came_after(answers, submitted, monkeypatch):
    monkeypatch.setattr("hpc.campaign.rehearsed", lambda order, earlier=(): order)
    first = submitted()
    submit = ["analyse", "toy.yaml", "--machine", "slurm_test", "--set", "method=oi"]
    assert resubmit.main([*submit, "--after", first]) == 0
    answers(squeue="\n".join([row(first, "FAILED"), row("102", "PENDING", "DependencyNeverSatisfied")]))
    with pytest.raises(InputError, match=f"job 102 comes after job {first}, which is failed: resume that one first"):
        resume.main(["102"])
    rows = [row("103", "RUNNING", comment=comment_of(first)), row("102", "PENDING", "DependencyNeverSatisfied")]
    answers(squeue="\n".join([row(first, "FAILED"), *rows]))
    assert resume.main(["102"]) == 0
    again = json.loads(Path("sbatch.json").read_text().splitlines()[-1])
    assert "--dependency=afterok:103" in again and again[-2:] == ["--set", "method=oi"]


def test_jobs_are_cancelled_by_number_and_a_campaigns_from_its_end(answers, submitted, capsys):
    Path("campaign.yaml").write_text(
        "steps:\n  first: {verb: analyse, config: toy.yaml}\n"
        "  second: {verb: analyse, config: toy.yaml, set: [method=oi], after: [first]}\n"
    )
    first, second = submitted(), submitted("analyse", "toy.yaml", "method=oi")
    rows = [row(first, "RUNNING"), row(second, "PENDING", "Dependency")]
    answers(squeue="\n".join(rows))
    assert cancel.main(["campaign.yaml"]) == 0
    assert [call for call in answers.calls if "scancel" in call] == [f"scancel {second}", f"scancel {first}"]
    assert cancel.main(["12_3"]) == 0 and answers.calls[-1] == "scancel 12_3"
    for name in ("--user=root", "12;reboot", "nothing.tsv", ""):
        with pytest.raises(ConfigError):
            cancel.main([name])
    capsys.readouterr()


def test_a_log_is_printed_and_followed_until_its_job_is_over(answers, submitted, capfdbinary):
    job = submitted()
    answers(squeue=row(job, "RUNNING"))
    with pytest.raises(InputError, match=f"job {job}: no log in output/logs or here"):
        printed_logs.main([job])
    path = Path(f"output/logs/analyse-{job}.log")
    path.write_bytes(b"\xff raw\n")
    capfdbinary.readouterr()
    assert command.main(["logs", job]) == 0
    assert capfdbinary.readouterr().out == b"\xff raw\n"
    for element in (10, 9):
        Path(f"output/logs/worklist-55_{element}.log").write_text(f"of {element}\n")
    assert command.main(["logs", "55"]) == 0
    printed = capfdbinary.readouterr().out.decode()
    assert printed.index("of 9") < printed.index("of 10") and printed.count("==> ") == 2
    assert command.main(["logs", "55", "--follow"]) == 2
    assert b"name one of its elements: 55_9, 55_10" in capfdbinary.readouterr().err


def test_a_log_that_grows_is_followed_to_the_end_of_its_job(tmp_path, monkeypatch):
    path, parts = tmp_path / "a.log", [b"one\n", b"two\n", b"three\n"]
    monkeypatch.setattr(logs.time, "sleep", lambda seconds: path.open("ab").write(parts.pop(0)))
    assert b"".join(logs.follow(path, lambda: not parts)) == b"one\ntwo\nthree\n"
