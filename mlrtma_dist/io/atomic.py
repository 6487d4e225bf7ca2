"""Write a file beside its place and rename it: a reader sees the old file or the whole new one, never a part."""

import contextlib
import os
import pathlib
import secrets
from collections.abc import Iterator


@contextlib.contextmanager
def written_atomically(path) -> Iterator[pathlib.Path]:
    """Hand out a name beside ``path`` to write to; on leaving, bring it to disk and rename it to ``path``.

    The folder is made where it is missing. A file already at ``path`` stays until the new one is complete
    (POSIX rename(2)). If the block raises, the partial file is removed and ``path`` is left as it was.

    Args:
        path: the file to be; its partial twin is hidden, ends in ``.partial`` and matches no ``*.nc``.

    Raises:
        OSError: the folder cannot be made or written, or the disk is full.
        FileNotFoundError: the block wrote nothing.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # random, so that two processes that make the same product never write into one partial file
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        _synchronise(partial)
        os.replace(partial, path)
    except BaseException:  # KeyboardInterrupt, too: an interrupted run leaves no litter
        partial.unlink(missing_ok=True)
        raise
    _synchronise(path.parent)  # the new name itself is on disk only when its folder is


def _synchronise(path: pathlib.Path) -> None:
    """fsync: without it a crash after the rename can leave an empty file under the final name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with written_atomically(path) as partial:
        partial.write_text(text, encoding="utf-8")
