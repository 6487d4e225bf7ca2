"""What there is about jobs at one moment: Slurm's queue, its accounting, and the lines of the journal."""

import calendar
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hpc import journal, slurm
from hpc.logs import logs
from hpc.order import MARK
from hpc.outputs import Answers
from hpc.queue import Row, listed


@dataclass
class Note:
    """What the journal has of one job.

    Attributes:
        submitted: the line of its submission; empty: it was submitted by hand, or the journal could not be written.
        last: the last line of the job, or of each element of an array, by their numbers.
        begun, changed: times of the first start and of the last line, seconds since 1970; 0: none.
        process: `process.identity` of what runs a job of this machine; empty: nobody has written it down.
    """

    submitted: dict = field(default_factory=dict)
    last: dict[str, dict] = field(default_factory=dict)
    begun: float = 0.0
    changed: float = 0.0
    process: list[str] = field(default_factory=list)

    def ending(self, job: str) -> dict:
        """The last line of a job or of an element if that is an ending; of an array one that failed first."""
        lines = [line for own, line in self.last.items() if job in (own, number_of(own))]
        if not lines or any(line["event"] not in journal.ENDINGS or line["event"] == "again" for line in lines):
            return {}
        return next((line for line in lines if line["event"] != "done"), lines[-1])

    def again(self, job: str) -> str:
        """Why a job or an element is being queued again, where its last line says so; "" of other lines."""
        line = self.last.get(job, {})
        return str(line.get("reason", "")) if line.get("event") == "again" else ""


def number_of(job: str) -> str:
    """A job's number without the element of an array."""
    return job.partition("_")[0]


def notes_of(entries: Iterable[dict]) -> dict[str, Note]:
    """The journal's lines by the numbers of jobs."""
    notes: dict[str, Note] = {}
    for entry in entries:
        job, event = str(entry.get("job")), entry.get("event")
        note = notes.setdefault(number_of(job), Note())
        note.changed = max(note.changed, moment := _seconds(entry.get("time")))
        note.process = entry.get("process") or note.process
        if event == "submitted":
            note.submitted = entry
            continue
        if event == "started":
            note.begun = note.begun or moment
        note.last[job] = entry
    return notes


def _seconds(text) -> float:
    try:
        return calendar.timegm(time.strptime(text, journal.TIME))
    except (TypeError, ValueError):
        return 0.0


@dataclass(frozen=True)
class Evidence:
    """What there is about jobs at one moment.

    Attributes:
        notes: of the journal, by the number of the job.
        rows: of Slurm's queue, by the number of the job.
        accounted: what accounting says of jobs that the queue no longer lists, and of their elements.
        silent: why Slurm gives no answer; "": it does.
        logs: by the number of the job or of the element of an array.
        answers: what verbs said of their work, see `outputs.work_of`.
    """

    notes: dict[str, Note]
    rows: dict[str, list[Row]]
    accounted: dict[str, slurm.Status]
    silent: str
    logs: dict[str, list[Path]]
    answers: Answers = field(default_factory=dict)

    @property
    def live(self) -> dict[str, str]:
        """Numbers of jobs that wait or run, by their comments; the newest of one comment."""
        return {row.comment: row.number for row in self.by_age() if row.comment and not row.status.ended}

    def log(self, job: str) -> str:
        """The newest log of a job, of an array the pattern of its elements' logs; "" without one."""
        if job in self.logs:
            return str(self.logs[job][-1])
        element = next((paths[0] for own, paths in self.logs.items() if own.startswith(f"{job}_")), None)
        return str(element.with_name(f"{element.name.rpartition('_')[0]}_*.log")) if element else ""

    def by_age(self) -> list[Row]:
        """All rows of the queue, the oldest job's first."""
        return [row for number in sorted(self.rows, key=int) for row in self.rows[number]]


def gather(jobs: Iterable[str] | None = None, days: float = 7.0) -> tuple[Evidence, list[str]]:
    """Ask Slurm once, and read the journal.

    Args:
        jobs: numbers; None: the jobs of this folder that wait or run, or of which the journal has a line of late.
        days: that count as late.

    Returns:
        The evidence, and the numbers of the jobs, the oldest first.
    """
    notes = notes_of(journal.read(journal.path()))
    late = time.time() - days * 86400.0
    recent = (number for number, note in notes.items() if note.changed >= late)
    selection = set(recent if jobs is None else map(number_of, jobs))
    rows: dict[str, list[Row]] = {}
    silent = ""
    try:
        for row in listed(number for number in selection if number.isdecimal()):
            rows.setdefault(row.number, []).append(row)
    except slurm.SlurmError as error:
        silent = str(error)
    if jobs is None:
        here = os.path.realpath(os.curdir)
        selection |= {n for n, own in rows.items() if own[0].comment.startswith(MARK) and _is(own[0].folder, here)}
    forgotten = [number for number in selection if number.isdecimal() and number not in rows]
    elements = [own for number in forgotten for own in notes.get(number, Note()).last]
    accounted = slurm.accounted(sorted({*forgotten, *elements}))
    ordered = sorted(selection, key=lambda number: (not number.isdecimal(), len(number), number))
    return Evidence(notes, rows, accounted, silent, logs()), ordered


def _is(folder: str, here: str) -> bool:
    return os.path.realpath(folder) == here
