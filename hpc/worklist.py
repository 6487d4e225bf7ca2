"""A worklist: the tasks of an array, one line each, and which of them remain.

A line is ``id <tab> output <tab> checksum <tab> command``; lines that begin with # are comments. The checksum stands
for what the task is made from (configuration, inputs) and is opaque here. A task whose command ends with 0 and has left
its output gets a record ``<output>.task`` with that checksum and the output's size and SHA-256; it remains to be done
as long as output and record are not both there, or differ from each other or from the line. `hpc.tasks` runs them.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hpc.whole_file import write_whole


class WorklistError(ValueError):
    """A worklist that cannot be used; the message names file and line."""


@dataclass(frozen=True)
class Task:
    """One line: a name, the file it makes, the checksum of what it is made from, and the command."""

    id: str
    output: str
    checksum: str
    command: str

    def line(self) -> str:
        """The task as a line, without its end."""
        return f"{self.id}\t{self.output}\t{self.checksum}\t{self.command}"

    @property
    def record(self) -> Path:
        """Where it is written that the task is done."""
        return Path(f"{self.output}.task")


def read(path: Path) -> tuple[Task, ...]:
    """Read a worklist.

    Raises:
        WorklistError: a line without four columns, or two tasks with one id or one output.
    """
    tasks: list[Task] = []
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WorklistError(f"{path}: cannot be read: {error}") from error
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != 4 or not all(column.strip() for column in columns):
            raise WorklistError(
                f"{path}:{number}: expected id, output, checksum, command with tabs between, got {line!r}"
            )
        task = Task(*columns)
        for kind in (f"id {task.id}", f"output {task.output}"):
            if kind in seen:
                raise WorklistError(
                    f"{path}:{number}: {kind} is that of line {seen[kind]}, too: tasks would overwrite each other"
                )
            seen[kind] = number
        tasks.append(task)
    return tuple(tasks)


def write(path: Path, tasks: Iterable[Task]) -> None:
    """Write a worklist; whole or not at all.

    Raises:
        WorklistError: a tab or a line's end within a column.
    """
    lines = [task.line() for task in tasks]
    for line in lines:
        if line.count("\t") != 3 or "\n" in line:
            raise WorklistError(f"{path}: a column holds a tab or a line's end: {line!r}")
    write_whole(Path(path), "".join(f"{line}\n" for line in lines))


def is_done(task: Task, verify: bool = False) -> bool:
    """Whether output and record are there and agree; ``verify`` reads the output again for its SHA-256."""
    try:
        record = json.loads(task.record.read_text())
        size = Path(task.output).stat().st_size
    except (OSError, json.JSONDecodeError):
        return False
    same = isinstance(record, dict) and record.get("checksum") == task.checksum and record.get("size") == size
    return same and (not verify or record.get("sha256") == _digest(Path(task.output)))


def remaining(tasks: Iterable[Task], verify: bool = False) -> tuple[Task, ...]:
    """The tasks that are not done."""
    return tuple(task for task in tasks if not is_done(task, verify))


def note_done(task: Task) -> None:
    """Leave the record that a task is done.

    Raises:
        OSError: it cannot be written; the path is named.
    """
    output = Path(task.output)
    facts = {"checksum": task.checksum, "size": output.stat().st_size, "sha256": _digest(output)}
    write_whole(task.record, json.dumps(facts) + "\n")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
