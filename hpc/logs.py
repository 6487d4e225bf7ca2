"""The logs of jobs: where they are, and what is in them, from their beginning or as they grow."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hpc.order import LOGS

BLOCK = 2**16  # bytes
SECONDS = 0.5  # between two looks at a log that grows


def logs_of(job: str) -> list[Path]:
    """The logs of a job, one per element of an array, in their order; those of jobs by hand lie in this folder."""
    for folder in (Path(LOGS), Path()):
        paths = [*folder.glob(f"*-{job}.log"), *folder.glob(f"*-{job}_*.log")]
        if paths:
            return sorted(paths, key=lambda path: (len(path.name), path.name))
    return []


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
