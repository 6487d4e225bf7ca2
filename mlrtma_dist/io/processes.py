"""Processes of this machine: which of them runs, for what was left by one that does not any more."""

import os
import pathlib


def machine() -> str:
    """The host's present start and the process's namespace, within which a number names one process."""
    try:
        space = os.readlink("/proc/self/ns/pid")  # containers number their processes by themselves
    except OSError:
        space = ""
    return f"{_read('/proc/sys/kernel/random/boot_id')} {space}".strip()


def state_and_start(process: int) -> tuple[str, str]:
    """State of a process, and its start in ticks since the host's; "" without one or where the system does not say."""
    _, _, fields = _read(f"/proc/{process}/stat").rpartition(")")  # before it there may be any characters
    return (fields.split()[0], fields.split()[19]) if fields else ("", "")


def lives(process: int, started: str) -> bool:
    """Whether a process of this machine runs; one of the same number that was started at another time is another."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    state, start = state_and_start(process)
    return state not in ("Z", "X") and not (start and started and start != started)


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
