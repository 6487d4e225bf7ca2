"""The journal keeps whole lines whatever happens to its writers."""

import signal
import subprocess
import sys
import time

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
    assert journal.commit(tmp_path) == git("rev-parse", "--short=12", "HEAD") + "+changes"
