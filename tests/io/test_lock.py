"""Locks: one run at a time writes into a folder, whoever started it, and a lock that its owner left is no obstacle."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest

from mlrtma_dist.io import lock
from mlrtma_dist.io.lock import FILE, LockError, Owner, locked
from mlrtma_dist.io.processes import lives

HOLDER = """\
import sys, time
from mlrtma_dist.io.lock import LockError, locked
try:
    with locked(sys.argv[1]):
        print("mine", flush=True)
        time.sleep(float(sys.argv[2]))
except LockError as error:
    print(error)
"""


def start(folder, seconds):
    line = [sys.executable, "-c", HOLDER, str(folder), str(seconds)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, text=True)


def holder(folder):
    process = start(folder, 30.0)
    return process, process.stdout.readline().strip()


def leave(folder, **changes):
    """The lock of another owner."""
    (folder / FILE).write_text(json.dumps(asdict(replace(Owner.here(), **changes))))


def test_the_second_run_is_refused_with_owner_host_process_and_time(tmp_path):
    process, word = holder(tmp_path / "run")
    try:
        assert word == "mine"
        with pytest.raises(LockError) as refusal, locked(tmp_path / "run"):
            pass
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
    who = rf"\S+ on {re.escape(os.uname().nodename)}, process {process.pid}, since 20\d\d-"
    words = f"another run writes into it: {who}"
    assert re.search(words, str(refusal.value)) and f"remove {tmp_path / 'run' / FILE}" in str(refusal.value)


def test_a_run_that_ends_or_fails_leaves_no_lock(tmp_path):
    with locked(tmp_path):
        assert (tmp_path / FILE).exists()
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_made_for_the_lock_stays_only_where_something_was_written(tmp_path):
    for name in ("", "file"):
        with locked(tmp_path / "new" / "inner"):
            if name:
                (tmp_path / "new" / "inner" / name).touch()
        assert (tmp_path / "new").exists() == bool(name)
    with locked(tmp_path / "new"):
        pass
    assert (tmp_path / "new" / "inner" / "file").exists()


def test_the_lock_of_a_process_that_was_killed_is_taken_over(tmp_path, caplog):
    process, _ = holder(tmp_path)
    process.send_signal(signal.SIGKILL)
    while process.poll() is None and lives(process.pid, ""):
        time.sleep(0.01)
    with locked(tmp_path):  # also while nobody has waited for the dead process
        pass
    process.wait()
    process.stdout.close()
    assert f"took over the lock of a run that is over: {Owner.here().user}" in caplog.text
    leave(tmp_path, started="1")  # another process has the number of the dead one
    with locked(tmp_path):
        pass


@pytest.mark.parametrize(
    ("changes", "answer", "free"),
    [
        ({"job": "12"}, True, False),
        ({"job": "12"}, False, True),
        ({"job": "12"}, None, False),  # no controller answers
        ({}, False, False),  # no job: nobody can tell
        ({"job": "7", "restarts": 0}, True, True),  # this job itself, before its node failed
        ({"job": "7", "restarts": 1}, True, False),  # another step of this job
    ],
)
def test_the_lock_of_another_host_is_free_when_slurm_says_that_its_job_no_longer_runs(
    tmp_path, monkeypatch, changes, answer, free
):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    leave(tmp_path, **{"host": "n9", "machine": "another", "job": "", **changes})
    asked = []

    def is_running(job):
        asked.append(job)
        return answer

    if free:
        with locked(tmp_path, is_running):
            assert json.loads((tmp_path / FILE).read_text())["job"] == "7"
    else:
        with pytest.raises(LockError, match="on n9"), locked(tmp_path, is_running):
            pass
    assert set(asked) <= {changes.get("job")}


def test_of_many_that_want_the_lock_of_a_dead_run_one_gets_it(tmp_path):
    leave(tmp_path, pid=2**22 + 1)  # above the largest number of a process
    processes = [start(tmp_path, 1.0) for _ in range(4)]
    words = [process.communicate(timeout=30)[0].strip() for process in processes]
    assert words.count("mine") == 1 and all("another run writes" in word for word in words if word != "mine")


def test_a_lock_that_names_nobody_is_refused_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "WRITING", 0.1)
    (tmp_path / FILE).touch()
    with pytest.raises(LockError, match=f"its lock names nobody.* remove {tmp_path / FILE}"), locked(tmp_path):
        pass


def test_a_full_disk_is_named_with_the_place(tmp_path, monkeypatch):
    monkeypatch.setattr(lock.json, "dump", lambda *_: os.write(os.open("/dev/full", os.O_WRONLY), b"x"))
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path / FILE}'"), locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
