"""Unfinished files: the name of one says which process writes it, so that what a killed one left can be removed.

.<name>.<machine>-<process>-<its start>.<8 hex digits>.partial
"""

import hashlib
import logging
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from mlrtma_dist.io.processes import lives, machine, state_and_start

log = logging.getLogger(__name__)
UNTOUCHED = 6 * 3600.0  # s: no writer of another machine leaves its file alone for so long; a hang ends it much sooner
_NAME = re.compile(
    r"\.(?P<name>.+?)(\.(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-(?P<start>\d*))?\.[0-9a-f]{8}\.partial"
)


def unfinished_path(path: Path) -> Path:
    """Where this process may write what is to become ``path``: hidden beside it, another name with every call."""
    start = state_and_start(os.getpid())[1]
    # random, so that two threads that make the same product never write into one file
    return path.with_name(f".{path.name}.{_machine()}-{os.getpid()}-{start}.{secrets.token_hex(4)}.partial")


def remove_unfinished(folder: Path, begin: str = "") -> list[Path]:
    """Remove the unfinished files of writers that are gone; returns which these were.

    A writer of this machine is gone where its process has ended; one of another machine, or of an older version, which
    its files do not name, where its file was not touched for ``UNTOUCHED`` s.

    Args:
        folder: where they are, not below it; one that is missing has none.
        begin: of the names of the files that they were to become.

    Raises:
        OSError: the folder cannot be read or written.
    """
    removed = []
    for path, match in _unfinished(folder, begin):
        if _is_written(path, match):
            continue
        path.unlink(missing_ok=True)  # another process may remove it, too
        log.info("%s: removed, its writer is gone", path)
        removed.append(path)
    return removed


def _unfinished(folder: Path, begin: str) -> Iterator[tuple[Path, re.Match]]:
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    for name in names:
        match = _NAME.fullmatch(name)
        # an unfinished file may itself be written by way of another one, whose name has a further dot in front
        if match and match["name"].lstrip(".").startswith(begin):
            yield folder / name, match


def _is_written(path: Path, match: re.Match) -> bool:
    """Whether the process that began a file may still write it."""
    if match["machine"] and match["machine"] == _machine() and machine():
        return lives(int(match["process"]), match["start"])
    try:
        return time.time() - path.lstat().st_mtime < UNTOUCHED
    except FileNotFoundError:
        return False


def _machine() -> str:
    """Eight hexadecimal digits of this machine."""
    # the host's name, too: where the system does not say its start, the namespace is the same on every host
    return hashlib.blake2b(f"{socket.gethostname()} {machine()}".encode(), digest_size=4).hexdigest()
