"""The journal keeps whole lines whatever happens to its writers."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from hpc import journal

WRITER = (
    "import sys; from pathlib import Path; from hpc import journal\n"
    "for i in range(10**9):\n"
    "    journal.append(Path(sys.argv[1]), job=sys.argv[2], event='started', number=i, padding='x' * 500)\n"
)


def test_writers_beside_each_other_and_killed_leave_whole_lines_in_order(tmp_path):
    book = tmp_path / "folder" / "journal.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(book), str(i)]) for i in range(3)]
    end = time.monotonic() + 60.0  # on a busy machine a process takes seconds to start
    while any(len(journal.read(book, str(i))) < 5 for i in range(3)) and time.monotonic() < end:
        time.sleep(0.1)
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    lines = book.read_text().splitlines()
    assert len(journal.read(book)) == len(lines) > 10
    for i in range(3):
        numbers = [entry["number"] for entry in journal.read(book, str(i))]
        assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_keeps_the_lines(tmp_path, monkeypatch, code):
    def refuse(file, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "lockf", refuse)
    journal.append(tmp_path / "journal.jsonl", job="1", event="started")
    assert [entry["event"] for entry in journal.read(tmp_path / "journal.jsonl")] == ["started"]


def test_a_journal_whose_lock_stays_taken_is_written_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "LOCK_SECONDS", 0.1)
    book = tmp_path / "journal.jsonl"
    hold = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, book], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        other.stdout.readline()
        journal.append(book, job="1", event="started")
        other.communicate("\n")
    assert len(journal.read(book)) == 1


def test_a_journal_on_a_full_disk_is_warned_of_with_reason_and_place(tmp_path, capsys, monkeypatch):
    book = tmp_path / "full.jsonl"
    monkeypatch.setattr(os, "write", lambda file, text: 0)  # as a disk that is full takes a part of a line
    journal.append(book, job="7", event="done")
    assert f"{book}: No space left on device: not noted: job 7 done" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["folder", "device", "pipe"])
def test_a_journal_that_is_no_regular_file_is_neither_read_nor_written_and_is_warned_of(tmp_path, capsys, kind):
    book = tmp_path / "journal.jsonl"
    make = {"folder": book.mkdir, "device": lambda: book.symlink_to("/dev/full"), "pipe": lambda: os.mkfifo(book)}
    make[kind]()
    assert journal.read(book) == [] and journal.ending(book, "7") is None
    assert journal.prune(book, lambda entry: False) == 0 == journal.prune(book, lambda entry: False, dry_run=True)
    journal.append(book, job="7", event="done")
    messages = capsys.readouterr().err.splitlines()
    assert len(messages) == 5 and all(f"{book}: expected a regular file" in line for line in messages)
    assert [line.rpartition(": ")[2] for line in messages[1:3]] == ["it cannot be read", "it cannot be pruned"]


def test_a_torn_last_line_costs_only_itself(tmp_path):
    book = tmp_path / "journal.jsonl"
    journal.append(book, job="1", event="started")
    with book.open("a") as file:
        file.write('{"job": "1", "eve')
    journal.append(book, job="1", event="done", exit_code=0)
    assert [entry["event"] for entry in journal.read(book)] == ["started", "done"]


def test_a_job_that_goes_on_has_not_ended(tmp_path):
    book = tmp_path / "journal.jsonl"
    for event in ("submitted", "started", "again"):
        journal.append(book, job="7", event=event)
        assert journal.ending(book, "7") is None
    journal.append(book, job="7", event="failed", reason="rank 2 on n3 was ended by signal 9")
    assert journal.ending(book, "7")["reason"] == "rank 2 on n3 was ended by signal 9"
    assert journal.ending(book, "8") is None


def test_a_commit_is_that_of_the_checkout_that_holds_the_file_and_of_no_other(tmp_path):
    def git(*words: str) -> str:
        line = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *words]
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()

    (tmp_path / "hpc").mkdir()
    (tmp_path / "hpc" / "journal.py").write_text("held = 1\n")
    assert journal.commit(tmp_path) == "unknown"  # no repository
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "empty")
    assert journal.commit(tmp_path) == "unknown"  # somebody else's: the file only lies in it
    git("add", ".")
    git("commit", "--quiet", "--message", "held")
    assert journal.commit(tmp_path) == git("rev-parse", "--short=12", "HEAD")
    (tmp_path / "hpc" / "journal.py").write_text("held = 2\n")
    before = (tmp_path / ".git" / "index").stat()
    assert journal.commit(tmp_path) == git("rev-parse", "--short=12", "HEAD") + "+changes"
    (tmp_path / "hpc" / "journal.py").write_text("held = 1\n")
    (tmp_path / "hpc" / "journal.py").touch()
    assert journal.commit(tmp_path) == git("rev-parse", "--short=12", "HEAD")
    after = (tmp_path / ".git" / "index").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns), "asking must not write the index"
