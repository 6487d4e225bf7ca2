"""What remains of the work of a job, by its outputs alone: tasks of a worklist, parts of what a verb divides itself."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hpc.division import pieces_of
from hpc.order import dry_run, is_divided
from hpc.worklist import Task, WorklistError, read, remaining


@dataclass(frozen=True)
class Work:
    """Work that is counted in tasks, or in pieces: ``left`` of ``total`` remain."""

    what: str
    left: int
    total: int

    @property
    def words(self) -> str:
        """What remains, for people; "" where nothing does."""
        return f"{self.left} of {self.total} {self.what} remain" if self.left else ""


Answers = dict[tuple[str, ...], tuple[list[int], int] | None]  # command -> what its dry run said of its pieces


def work_of(
    verb: str, config: str, arguments: Sequence[str], job: str = "", elements: int = 0, answers: Answers | None = None
) -> Work | None:
    """The work of an array or of one of its elements; None: of another job, or where list or configuration are gone.

    Args:
        arguments: of the verb. job: of an element 12_3, else all of the work is meant; elements: of the array.
        answers: takes what the verb's dry run said, which takes seconds, and gives it to those who ask again.
    """
    element = job.partition("_")[2]
    if verb == "worklist":
        tasks = _tasks(config)
        if element and elements:
            tasks = tasks[int(element) :: elements]
        return Work("tasks", len(remaining(tasks)), len(tasks)) if tasks else None
    if not is_divided(verb):
        return None
    answers, command = {} if answers is None else answers, (verb, config, *arguments)
    if command not in answers:
        answers[command] = pieces_of(dry_run(verb, config, arguments).stdout)
    if (division := answers[command]) is None:
        return None
    pieces, total = division
    own = range(int(element), total, _shares(arguments)) if element else range(total)
    return Work("parts of the work", len(set(own).intersection(pieces)), len(own))


def _shares(arguments: Sequence[str]) -> int:
    """Among how many elements `hpc.order` divided the pieces."""
    return int(arguments[arguments.index("--of") + 1]) if "--of" in arguments else 1


def _tasks(config: str) -> tuple[Task, ...]:
    try:
        path = Path(config).absolute()
        return _list(path, path.stat().st_mtime_ns)
    except (WorklistError, OSError):
        return ()


@functools.lru_cache
def _list(path: Path, changed: int) -> tuple[Task, ...]:
    """The tasks of a list; it is read once for all elements of an array, unless it has ``changed`` since, ns."""
    return read(path)
