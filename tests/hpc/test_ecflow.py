"""A campaign as a suite of ecFlow, read by ecFlow's own parser; without it the tests skip, and with CI=true they fail.

ecFlow's Python module is Debian's, for the system's interpreter: it is asked in a process of its own.
"""

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpc import campaign, ecflow, record
from hpc.campaign import alone
from hpc.chain import ChainError, Step
from hpc.machine import load_machine
from jobs import command

PYTHON = "/usr/bin/python3"
# Prints the tasks with their triggers, then the errors of a dry run of all jobs, which fills in the scripts.
READER = """\
import ecflow, json, sys
suite = ecflow.Defs(sys.argv[1])
tasks = {node.get_abs_node_path(): str(node.get_trigger() or "") for node in suite.get_all_tasks()}
print(json.dumps([tasks, suite.check(), suite.check_job_creation()]))
"""
HOSTILE = "a 'b\" $(touch stolen); `touch stolen` %ECF_PORT% & \\.yaml"


@pytest.fixture(scope="module")
def parsed():
    """ecFlow's reading of a definition: triggers by task, errors of the graph, errors of the scripts."""
    there = subprocess.run([PYTHON, "-c", "import ecflow"], capture_output=True).returncode == 0
    if not there and os.environ.get("CI") == "true":
        pytest.fail("ecFlow is not installed: apt-get install python3-ecflow")
    if not there:
        pytest.skip("ecFlow is not installed: apt-get install python3-ecflow")

    def read(path):
        done = subprocess.run([PYTHON, "-c", READER, str(path)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return read


STEPS = (
    Step("1st-analysis", "analyse", "toy.yaml"),
    Step("train vit", "train", "train.yaml", after=("1st-analysis",)),
    Step("report", "verify", "v.yaml", after=("1st-analysis", "train vit")),
)


def test_ecflow_reads_the_suite_with_the_triggers_of_the_campaign_and_makes_its_jobs(parsed, tmp_path):
    path = tmp_path / "july-2022.def"
    folder = ecflow.write(path, STEPS, lambda step: ("echo", step.name))
    tasks, graph, scripts = parsed(path)
    assert tasks == {
        "/july_2022/1st_analysis": "",
        "/july_2022/train_vit": "/july_2022/1st_analysis == complete",
        "/july_2022/report": "/july_2022/1st_analysis == complete and /july_2022/train_vit == complete",
    }
    assert graph == scripts == ""
    assert sorted(file.name for file in folder.glob("*.ecf")) == ["1st_analysis.ecf", "report.ecf", "train_vit.ecf"]


@pytest.mark.parametrize(("code", "end"), [(0, "--complete"), (3, "--abort=exit code 3")])
def test_a_task_runs_its_command_word_for_word_and_tells_ecflow_how_it_ended(
    parsed, environment, tmp_path, monkeypatch, code, end
):
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > arguments\nexit {code}\n')
    client = tmp_path / "bin" / "ecflow_client"
    client.parent.mkdir()
    client.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/told\n')
    for path in (program, client):
        path.chmod(0o755)
    folder = ecflow.write(tmp_path / "s.def", STEPS[:1], lambda step: (str(program), HOSTILE, "--wait"))
    _, _, errors = parsed(tmp_path / "s.def")
    assert errors == ""
    (job,) = folder.rglob("*.job*")  # the script as ecFlow has filled it in
    variables = {**os.environ, "PATH": f"{client.parent}:{os.environ['PATH']}"}
    assert subprocess.run(["bash", job], env=variables, cwd="/").returncode == code
    assert Path("arguments").read_text() == f"{HOSTILE}\n--wait\n" and not Path("stolen").exists()
    first, last = Path("told").read_text().splitlines()
    assert first.startswith("--init=") and last == end


@pytest.mark.slow
def test_a_server_of_ecflow_runs_the_steps_in_their_order_and_shows_the_one_that_fails(
    environment, tmp_path, monkeypatch
):
    absent = [name for name in ("ecflow_server", "ecflow_client") if shutil.which(name) is None]
    if absent and os.environ.get("CI") != "true":
        pytest.skip("ecFlow is not installed: apt-get install ecflow-server ecflow-client")
    monkeypatch.chdir(tmp_path)
    commands = {"a": "touch outa", "b": "cp outa outb", "c": "false", "d": "touch outd"}
    for name, line in commands.items():
        Path(f"{name}.tsv").write_text(f"{name}\tout{name}\tx\t{line}\n")
    steps = {name: {"verb": "worklist", "config": f"{name}.tsv"} for name in commands}
    for before, name in ("ab", "bc", "cd"):
        steps[name]["after"] = [before]
    Path("campaign.yaml").write_text(json.dumps({"steps": steps}))
    submit = ["submit", "campaign", "campaign.yaml", "--machine", "local"]
    assert command.main([*submit, "--export", "ecflow", "suite.def"]) == 0
    port = free_port()
    variables = {"ECF_PORT": str(port), "ECF_HOST": "localhost", "ECF_HOME": str(tmp_path)}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def client(*options):
        done = subprocess.run(["ecflow_client", *options], capture_output=True, text=True, timeout=60)
        return done.stdout.strip() if done.returncode == 0 else None

    server = subprocess.Popen(
        ["ecflow_server", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert until(lambda: client("--ping") is not None)
        for options in ("--load=suite.def", "--restart", "--begin=suite"):
            assert client(options) is not None
        assert until(lambda: client("--query", "state", "/suite/c") == "aborted")
        assert [client("--query", "state", f"/suite/{name}") for name in "abd"] == ["complete", "complete", "queued"]
    finally:
        server.kill()  # it answers SIGTERM with a checkpoint alone
        server.wait()
    assert Path("outb").exists() and not Path("outd").exists()


def free_port():
    """A port that ecFlow takes, which wants a registered one, and nobody uses."""
    for port in random.sample(range(20000, 32000), 100):
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("localhost", port))
            return port
    raise AssertionError("no free port")


def until(true, seconds=60):
    end = time.monotonic() + seconds
    while not (outcome := true()) and time.monotonic() < end:
        time.sleep(0.3)
    return outcome


def test_what_ecflow_cannot_hold_is_refused(tmp_path):
    with pytest.raises(ChainError, match="steps a b, a-b: in ecFlow both would be 'a_b'"):
        ecflow.write(tmp_path / "s.def", (Step("a b", "v", "c"), Step("a-b", "v", "c")), lambda step: ("true",))
    with pytest.raises(ChainError, match="ecFlow takes no quote"):
        ecflow.write(tmp_path / "it's" / "s.def", STEPS, lambda step: ("true",))
    with pytest.raises(ChainError, match="no line's end"):
        ecflow.write(tmp_path / "s.def", STEPS, lambda step: ("true", "a\n%end\nb"))


def test_an_export_writes_one_submission_per_step_which_campaign_and_queue_recognise(answers, monkeypatch, capsys):
    monkeypatch.setattr(campaign, "rehearsed", lambda order, earlier=(): order)
    Path("toy.yaml").write_text("output: here\n")
    Path("campaign.yaml").write_text(
        "steps:\n  first: {verb: analyse, config: toy.yaml}\n"
        "  second: {verb: analyse, config: toy.yaml, set: [method=oi], after: [first]}\n"
    )
    line = ["submit", "campaign", "campaign.yaml", "--machine", "slurm_test"]
    assert command.main([*line, "--export", "ecflow", "suite.def"]) == 0
    script = Path("suite_tasks/second.ecf").read_text()
    assert f"{sys.executable} -m jobs.command {' '.join(line)} --step=second --wait" in script
    assert not Path("sbatch.json").exists()  # nothing is queued
    answers(squeue="")
    assert command.main([*line, "--step=second"]) == 0  # ecFlow has waited for the first
    assert (
        len(Path("sbatch.json").read_text().splitlines()) == 1 and "dependency" not in Path("sbatch.json").read_text()
    )
    assert command.main([*line, "--step=third"]) == 2
    assert command.main([*line, "--export", "rocoto", "suite.xml"]) == 2
    assert command.main(["submit", "analyse", "toy.yaml", "--machine", "slurm_test", "--step=first"]) == 2
    assert "no step 'third'; the steps are first, second" in capsys.readouterr().err


def test_a_step_that_runs_again_makes_those_after_it_to_be_done_again(environment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("toy.yaml").write_text("output: here\n")
    steps = (
        Step("first", "analyse", "toy.yaml"),
        Step("second", "analyse", "toy.yaml", ("a=b",), ("first",)),
        Step("third", "analyse", "toy.yaml", ("a=c",), ("second",)),
        Step("other", "analyse", "toy.yaml", ("a=d",)),
    )
    machine = load_machine("slurm_test")
    keys = {step.name: campaign.key_of(machine, step) for step in steps}
    for key in keys.values():
        record.path_of(key).parent.mkdir(parents=True, exist_ok=True)
        record.path_of(key).write_text(json.dumps({"job": "1", "output": str(tmp_path)}))
    assert alone(machine, steps, "second") == (Step("second", "analyse", "toy.yaml", ("a=b",)),)
    assert all(record.is_done(key) for key in keys.values())  # it is done: nothing changes
    record.clear(keys["first"])
    alone(machine, steps, "first")
    assert {name for name, key in keys.items() if record.is_done(key)} == {"other"}
