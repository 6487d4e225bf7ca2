"""The rows of Slurm's queue that concern this folder: what `mlrtma status` reads, in one question for all jobs."""

import getpass
import re
from collections.abc import Iterable
from dataclasses import dataclass

from hpc import slurm
from hpc.machine import seconds_of

COLUMNS = "%i|%F|%T|%r|%N|%S|%L|%k|%Z"  # the folder is the last one: it may hold any character
CLOCK = re.compile(r"(?:\d+-)?\d+(?::\d+)*")


@dataclass(frozen=True)
class Row:
    """A job or an element of an array, in the queue or out of it since minutes.

    Attributes:
        job: its number, with the element of an array: 12, 12_3.
        number: without the element, as it was printed when it was submitted.
        status: without exit code.
        begun: local time of its start, expected where it waits: 2026-11-27T16:00:00; "" where Slurm does not say.
        seconds_left: of its time limit; None: there is none, or it has not begun.
        comment: by which `hpc.order` marks a step's jobs.
        folder: from which it was submitted.
    """

    job: str
    number: str
    status: slurm.Status
    begun: str
    seconds_left: int | None
    comment: str
    folder: str


def listed(jobs: Iterable[str]) -> list[Row]:
    """All of this user's jobs and some other ones, arrays element by element.

    Args:
        jobs: numbers of the other ones.

    Raises:
        SlurmError: the controller does not answer.
    """
    options = ("--states=all", "--array")
    rows = list(map(_row, slurm.rows(COLUMNS, *options, f"--user={getpass.getuser()}")))
    if others := sorted(set(jobs) - {row.number for row in rows}):
        rows += map(_row, slurm.rows(COLUMNS, *options, f"--jobs={','.join(others)}"))
    return rows


def _row(columns: list[str]) -> Row:
    job, number, word, reason, nodes, begun, left, comment, folder = columns
    status = slurm.Status(word, "" if reason == "None" else reason, nodes=nodes)
    begun, comment = ("" if text in ("N/A", "(null)") else text for text in (begun, comment))
    return Row(job, number, status, begun, seconds_of(left) if CLOCK.fullmatch(left) else None, comment, folder)
