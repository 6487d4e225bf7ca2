"""Small files that are replaced as a whole: a reader sees the old text or the new one, whoever is killed meanwhile."""

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a text into a file, whose folder is made where it is missing.

    Raises:
        OSError: it cannot be written; the path is named, and the file is as it was.
    """
    part = path.with_name(f"{path.name}.part-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error  # a write itself names no file
