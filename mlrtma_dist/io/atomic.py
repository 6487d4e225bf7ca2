"""Write a file beside its place and rename it: a reader sees the old file or the whole new one, never a part."""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator

from mlrtma_dist.errors import DEVICE_ERRORS
from mlrtma_dist.io.unfinished import unfinished_path

PROBE = 2**24  # bytes, more than libraries write at once where they do not give the reason: a chunk of netCDF, a buffer
_HDF5_ERRNO = re.compile(r"errno = (\d+)")


@contextlib.contextmanager
def written_atomically(path) -> Iterator[pathlib.Path]:
    """Hand out a name beside ``path`` to write to; on leaving, bring it to disk and rename it to ``path``.

    The folder is made where it is missing. A file already at ``path`` stays until the new one is complete
    (POSIX rename(2)). If the block raises, the partial file is removed and ``path`` is left as it was.

    Args:
        path: the file to be; its partial twin is hidden, matches no ``*.nc`` and names its writer (`unfinished`).

    Raises:
        OSError: the folder cannot be made or written, or the disk is full, whichever library wrote (`device_errors`).
        FileNotFoundError: the block wrote nothing.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = unfinished_path(path)
    try:
        with device_errors(path, partial):
            yield partial
            synchronise(partial)
        os.replace(partial, path)
    except BaseException:  # KeyboardInterrupt, too: an interrupted run leaves no litter
        partial.unlink(missing_ok=True)
        raise
    synchronise(path.parent)  # the new name itself is on disk only when its folder is


@contextlib.contextmanager
def device_errors(path, file=None) -> Iterator[None]:
    """Raise the failure of a device as OSError with its reason and the path, whatever a library raises instead.

    HDF5 gives the reason as text, netCDF4 and PyTorch give a RuntimeError without one: then the file is made longer,
    and what the system answers is the reason.

    Args:
        path: that the error names.
        file: that the block writes; None: ``path`` itself.

    Raises:
        OSError: the disk is full, a quota or a largest size is reached, or the device failed.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        file = pathlib.Path(path if file is None else file)
        reason = _reason(error, file)
        if reason is None or getattr(error, "filename", None) not in (None, str(file)):
            raise
        raise OSError(reason, os.strerror(reason), str(path)) from error


def _reason(error: BaseException, file: pathlib.Path) -> int | None:
    """The number of the device's error that an error, or one that came before it, stands for; None where it is none."""
    cause: BaseException | None = error
    while cause is not None:
        match = _HDF5_ERRNO.search(str(cause))
        number = getattr(cause, "errno", None) or (int(match[1]) if match else None)
        if number in DEVICE_ERRORS:
            return number
        cause = cause.__cause__ or cause.__context__
    return _probe(file) if isinstance(error, RuntimeError) else None


def _probe(file: pathlib.Path) -> int | None:
    """What the system answers where a file is made longer; None where it can be, or is not there."""
    try:
        descriptor = os.open(file, os.O_WRONLY)
    except OSError:
        return None
    try:
        size = os.fstat(descriptor).st_size
        os.posix_fallocate(descriptor, size, PROBE)
        os.ftruncate(descriptor, size)
    except OSError as error:
        return error.errno if error.errno in DEVICE_ERRORS else None
    finally:
        os.close(descriptor)
    return None


def synchronise(path: pathlib.Path) -> None:
    """Bring a file or folder to disk; without it a crash after a rename can leave an empty file under the new name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with written_atomically(path) as partial:
        partial.write_text(text, encoding="utf-8")
