"""Lines of JSON that are only ever appended (`io.appended`); a torn line is passed over by readers."""

import json
import pathlib
from collections.abc import Mapping

from mlrtma_dist.io.appended import append_text


def append_line(path, entry: Mapping[str, object]) -> None:
    """Append an entry as one line, and bring it to disk; the file and its folder are made where they are missing.

    Raises:
        OSError: the line cannot be written; the path is named.
    """
    append_text(path, json.dumps(entry, separators=(",", ":")) + "\n")


def read_lines(path) -> list[dict]:
    """The entries of a file, oldest first, without lines that are not whole; none where there is no file.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        text = pathlib.Path(path).read_bytes()
    except FileNotFoundError:
        return []
    lines = text.split(b"\n")[:-1]
    try:  # all at once is four times as fast as line by line
        entries = json.loads(b"[" + b",".join(lines) + b"]")
    except ValueError:
        entries = [_entry(line) for line in text.split(b"\n")]
    return [entry for entry in entries if isinstance(entry, dict)]


def _entry(line: bytes) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None
