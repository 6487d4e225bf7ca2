"""Progress: the file by which a running job says how far it is, in whatever it counts; `mlrtma status` reads it.

`hpc.job` names the file to the ranks, of which one uses a `Counter`. It is replaced as a whole: a reader sees no half.
"""

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from hpc import journal
from hpc.whole_file import write_whole

VARIABLE = "MLRTMA_PROGRESS"
EVERY = 5.0  # seconds between two writes


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes:
        what: is counted, such as steps.
        done, total: of it.
        first: of it were done when this run of the job began to count.
        since, time: when it began, and when it counted last, seconds since 1970.
    """

    what: str
    done: float
    total: float
    first: float
    since: float
    time: float

    @property
    def rate(self) -> float | None:
        """Counted per second of this run; None: nothing yet."""
        passed = self.time - self.since
        return (self.done - self.first) / passed if self.done > self.first and passed > 0.0 else None

    @property
    def seconds_left(self) -> float | None:
        """Until all is done, at this rate; None: unknown."""
        return (self.total - self.done) / self.rate if self.rate else None


def folder() -> Path:
    """Where the jobs of this working directory write their progress: beside the journal."""
    return journal.path().parent / "progress"


def path_of(job: str) -> Path:
    """Where a job writes its progress."""
    return folder() / f"{job}.json"


def read(job: str) -> Progress | None:
    """The progress of a job; None: it has written none."""
    try:
        facts = json.loads(path_of(job).read_text(encoding="utf-8"))
        words = facts.pop("what")
        return Progress(str(words), **{key: float(value) for key, value in facts.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def of_array(number: str, elements: int) -> Progress | None:
    """The progress of an array whose elements count the same; those that have not begun are as large as the others."""
    paths = folder().glob(f"{number}_*.json") if elements else ()
    parts = [part for path in paths if (part := read(path.stem)) is not None]
    if not parts or len({part.what for part in parts}) > 1:
        return None
    done, total, first = (sum(getattr(part, name) for part in parts) for name in ("done", "total", "first"))
    since, last = min(part.since for part in parts), max(part.time for part in parts)
    return Progress(parts[0].what, done, total * max(1.0, elements / len(parts)), first, since, last)


class Counter:
    """Writes how far this job is, every five seconds at most and at its end; nothing where no file is asked for."""

    def __init__(self, what: str):
        """Begin to count ``what``, such as steps."""
        self._what = what
        self._last: Progress | None = None
        self._path = os.environ.get(VARIABLE)

    def __call__(self, done: float, total: float) -> None:
        """Say that so much is done; a file that cannot be written is passed over, as the job counts more."""
        now, last = time.time(), self._last
        if not self._path or (last is not None and now - last.time < EVERY and done < total):
            return
        first, since = (done, now) if last is None else (last.first, last.since)
        self._last = Progress(self._what, done, total, first, since, now)
        with contextlib.suppress(OSError):
            write_whole(Path(self._path), json.dumps(asdict(self._last)) + "\n")
