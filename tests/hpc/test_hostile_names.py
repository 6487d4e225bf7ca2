"""Names of files, settings and commands reach programs word for word: no shell reads them, whatever they hold."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hpc.machine import ROOT, load_machine
from hpc.order import Order, describe, sbatch_line
from hpc.submit import array
from hpc.tasks import run
from hpc.worklist import Task, read, write

HOSTILE = (
    "a b;touch stolen",
    "$(touch stolen)",
    "`touch stolen`",
    'it\'s "quoted"',
    "*?[a]{b,c}~",
    "a\\nb|c&d>stolen",
    "-n",
)
SCRIPTS = sorted((ROOT / "jobs").glob("*.sbatch"))
# In the place of the interpreter of a job script: hpc.job is run by the real one, what it starts is written down.
INTERPRETER = f"""#!/bin/bash
if [ "$2" = hpc.job ]; then exec {sys.executable} "$@"; fi
printf '%s\\0' "$@" > arguments
"""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_job_script_hands_its_arguments_on_as_they_are(environment, tmp_path, monkeypatch, script):
    folder = tmp_path / HOSTILE[0] / "$(touch stolen)"  # the folder of the job, and the interpreter's
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    (folder / "python").write_text(INTERPRETER)
    (folder / "python").chmod(0o755)
    words = [f"{name}.yaml" for name in HOSTILE]
    variables = {"MLRTMA_ROOT": str(ROOT), "MLRTMA_PYTHON": str(folder / "python"), "MLRTMA_LAUNCHER": "none"}
    line = ["bash", str(script), words[0], "--set", *words[1:]]
    done = subprocess.run(line, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    arguments = (folder / "arguments").read_text().split("\0")
    begin = arguments.index(words[0])
    if script.stem != "check":  # whose only argument is a number
        assert arguments[begin : begin + len(line) - 2] == line[2:]
    assert not list(tmp_path.rglob("stolen"))


def test_the_line_of_a_submission_reads_back_as_it_is_and_is_no_line_of_a_shell(environment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    machine = load_machine("slurm_test")
    settings = tuple(part for name in HOSTILE for part in ("--set", f"key={name}"))
    order = Order(machine, "analyse", HOSTILE[1], settings, machine.resources("analyse"))
    words = shlex.split(describe(order).rsplit("\n#", 1)[0].replace("\\\n", ""))
    assert words[words.index("sbatch") :] == sbatch_line(order)
    assert sbatch_line(order)[-len(settings) - 1 :] == [HOSTILE[1], *settings]


def test_the_commands_of_tasks_are_words_and_not_lines_of_a_shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [name for name in HOSTILE if name != "-n"]
    program = [sys.executable, "-c", "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"]
    lines = [shlex.join([*program, f"out{i}", name]) for i, name in enumerate(names)]
    tasks = [Task(f"t{i}", f"out{i}", "x", line) for i, line in enumerate(lines)]
    write(Path("tasks.tsv"), tasks)
    assert run(read(Path("tasks.tsv"))) == 0
    assert [Path(f"out{i}").read_text() for i in range(len(names))] == names and not Path("stolen").exists()
    bare = [Task(name, name, "x", f"echo {name}") for name in ("; touch stolen", "$(touch stolen)", "> stolen")]
    assert run(bare) == 1 and not Path("stolen").exists()  # echo prints them


def test_every_array_has_a_list_of_its_own_whatever_the_name_of_its_worklist(environment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    machine = load_machine("slurm_test", {"array_limit": 9})
    lists = []
    for name in ("a[1]*?", "a[1]*?", "a[1]"):
        tasks = (Task(f"{name}{len(lists)}", "out", "x", "true"),)
        order = Order(machine, "worklist", f"{name}.tsv", (), machine.resources("worklist"), elements=1)
        lists.append(array(order, tasks, Path("lists")).config)
    assert len(set(lists)) == 3
    assert [read(Path(path))[0].id for path in lists] == ["a[1]*?0", "a[1]*?1", "a[1]2"]
