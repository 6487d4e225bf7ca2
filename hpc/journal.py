"""The journal: one line of JSON for everything that happens to a job, only ever appended.

It is a note for people. What became of a job is what Slurm and the job's outputs say: a journal that cannot be written
or read is warned of, and decides nothing.

A line is written by a single ``write`` to a file opened for appending and synchronised before the next step, so a
writer that is killed leaves a whole line or, at worst on a full disk, a torn last one: the next writer begins a new
line, and readers pass over what is not whole.
"""

import contextlib
import errno
import fcntl
import functools
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

DEFAULT = "output/journal.jsonl"
TIME = "%Y-%m-%dT%H:%M:%SZ"  # how a line has its time, UTC
ENDINGS = ("done", "again", "failed", "lost")
LOCK_SECONDS = 5.0  # a writer holds the lock for milliseconds


def path() -> Path:
    """The journal of this working directory: the environment variable MLRTMA_JOURNAL, else output/journal.jsonl."""
    return Path(os.environ.get("MLRTMA_JOURNAL") or DEFAULT)


def append(journal: Path, *, job: str, event: str, **facts) -> None:
    """Add one line; where that is not possible, warn.

    Args:
        journal: the file; it and its folder are made where they do not exist.
        job: Slurm's number, or "local-<process>".
        event: "submitted", "started", or one of ENDINGS: done; again (checkpointed, queued again); failed; lost.
        facts: whatever else is worth a word, e.g. config, commit, exit_code, reason.
    """
    entry = {"time": time.strftime(TIME, time.gmtime()), "job": job, "event": event, **facts}
    try:
        _add_line(journal, json.dumps(entry))
    except OSError as error:
        warn(f"journal: {journal}: {error.strerror or error}: not noted: job {job} {event}")


def _add_line(journal: Path, line: str) -> None:
    _check_kind(journal)
    journal.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(journal, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        _lock(file)
        size = os.fstat(file).st_size
        torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        text = (("\n" if torn else "") + line + "\n").encode()
        if os.write(file, text) < len(text):  # a disk that is full takes a part and says so at the next write only
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
    finally:
        os.close(file)


def _check_kind(journal: Path) -> None:
    """Raise OSError for what is there and is no regular file: a device may have no end, a pipe never answer."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(journal.stat().st_mode):
            raise OSError("expected a regular file, got a folder, a device or a pipe; MLRTMA_JOURNAL names another one")


def _lock(file: int) -> None:
    """Lock a file for a moment, since appending alone is not atomic on NFS.

    A file system without locks (ENOLCK, EOPNOTSUPP) and one whose lock stays taken go without: the line counts more.
    """
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN) or time.monotonic() > end:
                return
        time.sleep(0.01)


def warn(message: str) -> None:
    """Print a message on standard error, unless the log lies on the disk that is full."""
    with contextlib.suppress(OSError):
        print(message, file=sys.stderr, flush=True)


def read(journal: Path, job: str | None = None) -> list[dict]:
    """All whole lines, oldest first, of one job if it is named; no lines where there is no file, or no reading it."""
    try:
        _check_kind(journal)
        text = journal.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        warn(f"journal: {journal}: {error.strerror or error}: it cannot be read")
        return []
    entries = []
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(entry, dict) and job in (None, entry.get("job")):
            entries.append(entry)
    return entries


def prune(journal: Path, is_kept: Callable[[dict], bool], dry_run: bool = False) -> int:
    """Remove lines; those that stay keep their order. Returns how many were removed, or would be.

    The file stays the same one, as others may be about to append to it: what stays is moved to its beginning, and the
    rest cut off. A process that is killed meanwhile leaves lines twice, and loses none. What cannot be read is warned
    of, as by `read`.
    """
    try:
        _check_kind(journal)
        file = os.open(journal, os.O_RDONLY if dry_run else os.O_RDWR)
    except FileNotFoundError:
        return 0
    except OSError as error:
        warn(f"journal: {journal}: {error.strerror or error}: it cannot be pruned")
        return 0
    try:
        if not dry_run:
            _lock(file)
        lines = os.pread(file, os.fstat(file).st_size, 0).splitlines(keepends=True)
        kept = [line for line in lines if _stays(line, is_kept)]
        if not dry_run and len(kept) < len(lines):
            text = b"".join(kept)
            os.pwrite(file, text, 0)
            os.ftruncate(file, len(text))
            os.fsync(file)
    finally:
        os.close(file)
    return len(lines) - len(kept)


def _stays(line: bytes, is_kept: Callable[[dict], bool]) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:  # torn
        return False
    return isinstance(entry, dict) and is_kept(entry)


def ending(journal: Path, job: str) -> dict | None:
    """How a job ended: its last line if that is one of ENDINGS other than "again"; None while it may still run."""
    entries = read(journal, job)
    last = entries[-1] if entries else {}
    return last if last.get("event") in ENDINGS and last["event"] != "again" else None


def commit(root: Path) -> str:
    """The commit of the checkout at ``root``, with "+changes" where it is not clean.

    "unknown" outside one, and where ``root`` only lies inside somebody else's, as an installed package may.
    """
    run = functools.partial(subprocess.run, capture_output=True, text=True, timeout=60, check=True)
    try:
        git = ["git", "--no-optional-locks", "-C", str(root)]  # a job that is killed leaves no lock behind
        run([*git, "ls-files", "--error-unmatch", "hpc/journal.py"])
        name = run([*git, "describe", "--always", "--abbrev=12"]).stdout.strip()
        changes = run([*git, "status", "--porcelain", "--untracked-files=no"]).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return name + ("+changes" if changes else "")
