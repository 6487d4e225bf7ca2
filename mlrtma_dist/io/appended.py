"""Files of lines that are only ever appended, by one write each: a writer that is killed tears no line but its own.

A torn line, which a full disk can leave too, is ended by the next writer, who begins a new one.
"""

import contextlib
import errno
import fcntl
import os
import pathlib

from mlrtma_dist.io.atomic import device_errors


def append_text(path, text: str, *, header: str = "") -> None:
    """Append whole lines, and bring them to disk; the file and its folder are made where they are missing.

    Args:
        text: ends with a line's end; what is not UTF-8 in it is escaped.
        header: lines that come first in a file that is new or empty.

    Raises:
        OSError: the lines cannot be written; the path is named.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with device_errors(path):
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            with contextlib.suppress(OSError):  # NFS does not append in one piece; a file system without locks does
                fcntl.lockf(file, fcntl.LOCK_EX)
            size = os.fstat(file).st_size
            is_torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
            before = "\n" * is_torn if size else header
            content = (before + text).encode("utf-8", "backslashreplace")
            if os.write(file, content) < len(content):  # a full disk takes a part; the next write has the reason
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            os.fsync(file)
        finally:
            os.close(file)
