"""Lock: one run at a time writes into a folder, where a file names it; the lock of a run that is over is taken over.

The file is created exclusively (O_EXCL), which every file system does, NFS and those without flock too.
"""

import contextlib
import getpass
import json
import logging
import os
import pathlib
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.processes import lives, machine, state_and_start

log = logging.getLogger(__name__)

FILE = "run.lock"
WRITING = 2.0  # seconds within which an owner has written its name into the file that it has created

IsRunning = Callable[[str], bool | None]


class LockError(InputError):
    """A folder that another run is writing into; the message names it."""


@dataclass(frozen=True)
class Owner:
    """The run that holds a lock.

    Attributes:
        user, host, pid: of the process.
        machine: the host's present start and the process's namespace; started: when the process was, which tells it
            from another one of the same number; "" where the system does not say.
        job: number of its Slurm job, restarts: how often that was queued again before; "" and 0 outside Slurm.
        time: when the lock was taken, UTC.
        token: tells two locks of one process apart.
    """

    user: str
    host: str
    pid: int
    machine: str
    started: str
    job: str
    restarts: int
    time: str
    token: str

    @classmethod
    def here(cls) -> "Owner":
        """This process."""
        return cls(
            user=_user(),
            host=socket.gethostname(),
            pid=os.getpid(),
            machine=machine(),
            started=state_and_start(os.getpid())[1],
            job=os.environ.get("SLURM_JOB_ID", ""),
            restarts=int(os.environ.get("SLURM_RESTART_COUNT") or 0),
            time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            token=secrets.token_hex(8),
        )

    def __str__(self) -> str:
        job = f", Slurm job {self.job}" if self.job else ""
        return f"{self.user} on {self.host}, process {self.pid}{job}, since {self.time}"

    def is_over(self, us: "Owner", is_running: IsRunning) -> bool:
        """Whether this run has ended for certain; ``us``: who asks; ``is_running``: whether a Slurm job runs."""
        if (self.host, self.machine) == (us.host, us.machine):
            return not lives(self.pid, self.started)
        if self.job and self.job == us.job:
            return self.restarts < us.restarts
        return bool(self.job) and is_running(self.job) is False


@contextlib.contextmanager
def locked(folder, is_running: IsRunning = lambda job: None) -> Iterator[None]:
    """Hold the lock of a folder during the ``with`` block.

    The folder is made where it is missing, and is removed again if nothing was written into it.

    Args:
        folder: where the run writes.
        is_running: whether a Slurm job's processes may still live, None where that is unknown.

    Raises:
        LockError: another run holds it, or may do so; the message says who, and what to do.
        OSError: the folder cannot be written.
    """
    path, us = pathlib.Path(folder) / FILE, Owner.here()
    missing = [each for each in path.parents if not each.exists()]  # the innermost first
    while not _create(path, us):
        try:
            owner = _owner(path)
        except FileNotFoundError:  # its owner has ended just now
            continue
        if owner is None or not owner.is_over(us, is_running):
            raise LockError(
                f"{folder}: another run writes into it: {owner or 'its lock names nobody'}. Wait for its end or name"
                f" another folder; if you are certain that it has ended, remove {path}."
            )
        if _remove(path, owner.token):
            log.warning("%s: took over the lock of a run that is over: %s", folder, owner)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            _remove(path, us.token)
        with contextlib.suppress(OSError):  # one that holds anything stays
            for each in missing:
                each.rmdir()


def _create(path: pathlib.Path, us: Owner) -> bool:
    """Take a lock; False where another one has it, or where its folder was removed at this moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except (FileExistsError, FileNotFoundError):
        return False
    try:
        with open(file, "w", encoding="utf-8") as stream:
            json.dump(asdict(us), stream)
            stream.flush()
            os.fsync(file)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error  # a write itself names no file
    return True


def _owner(path: pathlib.Path) -> Owner | None:
    """Who holds a lock; None if its file names nobody."""
    end = time.monotonic() + WRITING
    while True:
        try:
            return Owner(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            if time.monotonic() > end:
                return None
        time.sleep(0.05)


def _remove(path: pathlib.Path, token: str) -> bool:
    """Remove a lock unless it has become another owner's meanwhile: it is moved aside, looked at, and put back."""
    aside = path.with_name(f".{FILE}.{secrets.token_hex(4)}")
    try:
        path.rename(aside)
        if json.loads(aside.read_text(encoding="utf-8")).get("token") != token:
            aside.rename(path)
            return False
        aside.unlink()
    except (FileNotFoundError, ValueError):
        return False
    return True


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in containers
        return str(os.getuid())
