"""Worklists: what remains, and what a line must be."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpc.job import AGAIN
from hpc.tasks import run, share
from hpc.worklist import Task, WorklistError, is_done, read, remaining, write

WORD = st.text(st.characters(blacklist_categories=("C", "Z")), min_size=1).filter(lambda text: not text.startswith("#"))


@given(st.lists(st.tuples(WORD, WORD, WORD, WORD), unique_by=(lambda row: row[0], lambda row: row[1])))
def test_a_worklist_reads_back_as_it_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("list") / "tasks.tsv"
    tasks = tuple(Task(*row) for row in rows)
    write(path, tasks)
    assert read(path) == tasks


@pytest.fixture
def tasks(tmp_path):
    commands = {"good": "echo 1 > {0}", "bad": "exit 3", "empty": "true", "last": "echo 2 > {0}"}
    return [
        Task(name, str(tmp_path / name), f"sum-{name}", f"sh -c '{command.format(tmp_path / name)}'")
        for name, command in commands.items()
    ]


def test_a_task_that_fails_or_leaves_no_output_remains_and_the_others_are_done(tasks, capfd):
    assert run(tasks) == 1
    assert [task.id for task in remaining(tasks)] == ["bad", "empty"]
    messages = capfd.readouterr().err
    assert "task bad failed: exit code 3" in messages and "task empty failed: exit code 0, but no" in messages


def test_a_task_that_cannot_be_started_fails_alone(tmp_path, capfd):
    commands = {"nowhere": "/no/such/program", "open": "echo 'x", "good": f"touch {tmp_path / 'good'}"}
    assert run([Task(name, str(tmp_path / name), "x", command) for name, command in commands.items()]) == 1
    assert (tmp_path / "good").exists()
    messages = capfd.readouterr().err
    assert (
        "task nowhere failed: cannot be started: " in messages
        and "task open failed: cannot be started: No clos" in messages
    )


def test_a_task_whose_checksum_or_output_changed_is_to_be_done_again(tasks):
    run(tasks)
    good = tasks[0]
    assert is_done(good, verify=True)
    assert not is_done(Task(good.id, good.output, "another configuration", good.command))
    with open(good.output, "w") as file:
        file.write("X\n")  # of the same length: only the content tells
    assert is_done(good) and not is_done(good, verify=True)
    with open(good.output, "w") as file:
        file.write("longer")
    assert not is_done(good)


def test_a_signal_lets_the_running_task_end_and_leaves_the_rest_for_the_next_run(tmp_path):
    tasks = [
        Task(f"t{i}", str(tmp_path / f"t{i}"), "x", f"sh -c 'trap : USR1; sleep 1; touch {tmp_path}/t{i}'")
        for i in range(3)
    ]
    write(tmp_path / "tasks.tsv", tasks)
    process = subprocess.Popen([sys.executable, "-m", "hpc.tasks", "run", str(tmp_path / "tasks.tsv")])
    time.sleep(0.7)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(timeout=20) == AGAIN
    assert [task.id for task in remaining(tasks)] in (["t1", "t2"], ["t2"])


def test_elements_of_an_array_share_the_lines_without_a_gap(tmp_path):
    tasks = [Task(f"t{i}", str(tmp_path / f"t{i}"), "x", f"touch {tmp_path}/t{i}") for i in range(7)]
    write(tmp_path / "tasks.tsv", tasks)
    for element in range(3):
        command = [
            sys.executable,
            "-m",
            "hpc.tasks",
            "run",
            str(tmp_path / "tasks.tsv"),
            "--of",
            "3",
            "--element",
            str(element),
        ]
        assert subprocess.run(command).returncode == 0
        assert [i for i in range(7) if is_done(tasks[i])] == [i for i in range(7) if i % 3 <= element]


def test_workers_share_the_tasks_and_each_sees_its_part_of_the_node(tmp_path, monkeypatch):
    monkeypatch.setenv("MLRTMA_GPUS_PER_NODE", "4")
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "64")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    # Each task waits until four are there: one that has to wait for another one's end would wait for ever.
    wait = "until [ $(ls {0}/here-* | wc -l) -ge 4 ]; do sleep 0.02; done"
    body = "touch {0}/here-$$; " + wait + "; echo $CUDA_VISIBLE_DEVICES $OMP_NUM_THREADS > {0}/t{1}"
    tasks = [Task(f"t{i}", str(tmp_path / f"t{i}"), "x", f"sh -c '{body.format(tmp_path, i)}'") for i in range(6)]
    assert run(tasks, workers=4, seconds=20) == 0
    seen = sorted((tmp_path / f"t{i}").read_text().split() for i in range(6))
    assert {gpu for gpu, _ in seen} == {"0", "1", "2", "3"} and {threads for _, threads in seen} == {"16"}


@pytest.mark.parametrize(
    ("lent", "workers", "gpus"),
    [("2,5", 2, ["2", "5"]), ("0,1,2,3", 2, ["0,1", "2,3"]), ("7", 3, ["7", "7", "7"]), (None, 2, ["0,1", "2,3"])],
)
def test_gpus_that_slurm_lent_are_divided_among_workers(lent, workers, gpus):
    environment = {"MLRTMA_GPUS_PER_NODE": "4"} | ({"CUDA_VISIBLE_DEVICES": lent} if lent else {})
    assert [share(worker, workers, environment)["CUDA_VISIBLE_DEVICES"] for worker in range(workers)] == gpus
    assert share(0, 1, environment) == environment


def test_a_task_that_hangs_is_ended_at_its_limit_with_all_that_it_started_and_the_others_run(tmp_path, capfd):
    child = tmp_path / "child"
    commands = {"hung": f"sh -c 'sleep 60 & echo $! > {child}; wait'", "good": f"touch {tmp_path / 'good'}"}
    tasks = [Task(name, str(tmp_path / name), "x", command) for name, command in commands.items()]
    assert run(tasks, seconds=0.5) == 1
    assert [task.id for task in remaining(tasks)] == ["hung"]
    assert "task hung failed: it reached its limit of 0.5 s" in capfd.readouterr().err
    state = Path(f"/proc/{child.read_text().strip()}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_a_record_that_cannot_be_written_fails_its_task_and_names_the_reason_and_the_place(tmp_path, capfd):
    tasks = [Task(name, str(tmp_path / name), "x", f"touch {tmp_path / name}") for name in ("full", "good")]
    (tmp_path / f"full.task.part-{os.getpid()}").symlink_to("/dev/full")
    assert run(tasks) == 1 and is_done(tasks[1])
    place = f"No space left on device: '{tmp_path / 'full.task'}'"
    assert "task full failed: done, but its record cannot be written:" in (text := capfd.readouterr().err)
    assert place in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\tc\n", r":1: expected id, output, checksum, command"),
        ("# comment\na\to\tc\tx\na\tp\tc\tx\n", r":3: id a is that of line 2"),
        ("a\to\tc\tx\nb\to\tc\tx\n", r":2: output o is that of line 1"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number(tmp_path, text, message):
    (tmp_path / "tasks.tsv").write_text(text)
    with pytest.raises(WorklistError, match=message):
        read(tmp_path / "tasks.tsv")
