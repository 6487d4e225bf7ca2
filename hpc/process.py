"""Process: whether the one that runs a job of this machine still lives, or its number is another one's by now."""

import os
import socket
from pathlib import Path

OVER = ("Z", "X", "")  # states of a process that has ended, or is none


def identity(number: int) -> list[str]:
    """Host, the host's present start and the numbering of its processes, and the start of the process in ticks.

    Together they belong to one process alone; "" where the system does not say.
    """
    try:
        space = os.readlink("/proc/self/ns/pid")  # containers number their processes by themselves
    except OSError:
        space = ""
    return [socket.gethostname(), f"{_read('/proc/sys/kernel/random/boot_id')} {space}", _state_and_start(number)[1]]


def lives(number: int, noted: list[str]) -> bool | None:
    """Whether a process lives; None: it is another host's, which is to be asked.

    Args:
        noted: its `identity` when it was written down; empty: it was not, and the number decides.
    """
    own = identity(number)
    if noted and noted[0] != own[0]:
        return None
    return _state_and_start(number)[0] not in OVER and (not noted or noted == own)


def _state_and_start(number: int) -> tuple[str, str]:
    _, _, fields = _read(f"/proc/{number}/stat").rpartition(")")  # before it there may be any characters
    return (fields.split()[0], fields.split()[19]) if fields else ("", "")


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
