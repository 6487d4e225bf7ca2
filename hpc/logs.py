"""The logs of jobs: where they are, and what is in them, from their beginning or as they grow."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hpc.order import LOGS

NAME = re.compile(r".+-(\d+(?:_\d+)?)\.log")
BLOCK = 2**16  # bytes
SECONDS = 0.5  # between two looks at a log that grows


def logs() -> dict[str, list[Path]]:
    """The logs of this folder's jobs, and those of jobs that were submitted by hand, by job or element of an array."""
    paths: dict[str, list[Path]] = {}
    for folder in (Path(LOGS), Path()):
        for path in sorted(folder.glob("*.log")):
            if match := NAME.fullmatch(path.name):
                paths.setdefault(match[1], []).append(path)
    return paths


def logs_of(job: str) -> list[Path]:
    """The logs of a job; of an array one per element, in their order."""
    elements = sorted((len(own), own, paths) for own, paths in logs().items() if job in (own, own.partition("_")[0]))
    return [path for _, _, paths in elements for path in paths]


def follow(path: Path, is_over: Callable[[], bool]) -> Iterator[bytes]:
    """What is in a log, and what is added to it until the job is over.

    Args:
        path: of the log, which may not be there yet.
        is_over: asked twice a second.
    """
    position = 0
    while True:
        over = is_over()  # asked before the last look
        if path.exists():
            with path.open("rb") as file:
                file.seek(position)
                while block := file.read(BLOCK):
                    position += len(block)
                    yield block
        if over:
            return
        time.sleep(SECONDS)
