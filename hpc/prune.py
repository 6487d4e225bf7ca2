"""What a folder keeps of jobs that are long over: which of it may be removed. Outputs are none of it."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hpc import journal, progress, record
from hpc.evidence import notes_of, number_of
from hpc.logs import NAME
from hpc.order import LOGS, MARK
from hpc.queue import Row
from hpc.worklist import WorklistError, read

# Files that were being written: of hpc (name.part-<process>) and of the library (.name.<8 hex digits>.partial).
PART = re.compile(r".+\.part-\d+|\..+\.[0-9a-f]{8}\.partial")


@dataclass(frozen=True)
class Waste:
    """A file that may be removed; ``why``: in words."""

    path: Path
    why: str


def waste(folder: Path, days: float, queue: list[Row]) -> Iterator[Waste]:
    """Old logs, lists and progress of jobs that are over, records whose outputs are gone, and stale parts of files.

    Args:
        folder: below which outputs are written, for the parts of files.
        days: a file that was changed since stays, whatever it is.
        queue: this user's jobs in Slurm.
    """
    before, in_use, lists = time.time() - days * 86400.0, _in_use(queue), _lists_in_use(queue)
    for path in sorted(Path(LOGS).glob("*.log")):
        match = NAME.fullmatch(path.name)
        if match and number_of(match[1]) not in in_use and _is_older(path, before):
            yield Waste(path, "an old log")
    for path in sorted(Path(LOGS).glob("*.tsv")):
        if not {None, str(path)} & lists and _is_older(path, before):
            yield from _records_of_list(path, before)
            yield Waste(path, "the tasks of an old array")
    for path in sorted(progress.folder().glob("*.json")):
        if number_of(path.stem) not in in_use and _is_older(path, before):
            yield Waste(path, "the progress of a job that is over")
    for path in sorted(Path(record.FOLDER).glob("*.json")):
        facts = record.read(path)
        if (facts is None or not os.path.exists(facts["output"])) and _is_older(path, before):
            yield Waste(path, f"its output {facts['output']} is gone" if facts else "a record that cannot be read")
    for root, _, names in os.walk(folder):
        for path in (Path(root) / name for name in sorted(names) if PART.fullmatch(name)):
            if _is_older(path, before):
                yield Waste(path, "a part of a file whose writer is gone")


def prune_journal(days: float, queue: list[Row], dry_run: bool) -> int:
    """Remove the lines of jobs of which nothing was noted for so long; returns how many."""
    before, book, in_use = time.time() - days * 86400.0, journal.path(), _in_use(queue)
    notes = notes_of(journal.read(book))
    stay = {number for number, note in notes.items() if note.changed >= before or number in in_use}
    return journal.prune(book, lambda entry: number_of(str(entry.get("job"))) in stay, dry_run)


def _in_use(queue: list[Row]) -> set[str]:
    """Numbers of the jobs that wait or run."""
    return {row.number for row in queue if not row.status.ended}


def _lists_in_use(queue: list[Row]) -> set[str | None]:
    """The lists of arrays that wait or run; None: of some the journal does not say which list they read."""
    notes = notes_of(journal.read(journal.path()))
    arrays = {row.number for row in queue if not row.status.ended and row.comment.startswith(f"{MARK}worklist-")}
    return {notes[number].submitted.get("config") if number in notes else None for number in arrays}


def _records_of_list(path: Path, before: float) -> Iterator[Waste]:
    """Records of an array's tasks whose outputs are gone."""
    try:
        tasks = read(path)
    except WorklistError:
        return
    for task in tasks:
        if not os.path.exists(task.output) and _is_older(task.record, before):
            yield Waste(task.record, f"its output {task.output} is gone")


def _is_older(path: Path, before: float) -> bool:
    try:
        return path.lstat().st_mtime < before
    except OSError:  # removed meanwhile
        return False
