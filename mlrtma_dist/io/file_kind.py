"""Which kind of file some bytes are, told from the bytes themselves and never from the name."""

import gzip
import zlib
from pathlib import Path

from mlrtma_dist.errors import InputError

LARGEST = 2**31  # bytes, as read and as unpacked; the largest GDAS PrepBUFR is below 200 MB
_SEARCHED = 256  # bytes at the start in which a mark may stand behind a bulletin's heading

# What stands at the start of kinds that are often at hand but hold no reports this project reads.
_OTHERS = {
    b"\x89HDF": "HDF5 or netCDF-4",
    b"CDF\x01": "netCDF",
    b"CDF\x02": "netCDF",
    b"CDF\x05": "netCDF",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"\x1f\x9d": "compress (.Z)",
    b"\x1f\x8b": "gzip",
    b"%PDF": "PDF",
    b"\x89PNG": "PNG",
    b"<!DOCTYPE": "HTML (a failed download?)",
    b"<html": "HTML (a failed download?)",
}


class FileKindError(InputError):
    """A file of a kind that cannot be used; the message says what it looks like."""


def read_unpacked(path: str | Path) -> bytes:
    """Read a file, unpacked where it is gzip.

    Raises:
        FileKindError: there is no such file, it is empty or too large, or its gzip stream is damaged.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise FileKindError(f"{path}: {path.stat().st_size} bytes; at most {LARGEST} are read")
        data = path.read_bytes()
    except OSError as error:
        raise FileKindError(f"{path}: cannot be read: {error.strerror}") from error
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as stream:
                data = stream.read(LARGEST + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise FileKindError(f"{path}: its gzip stream is damaged or cut off: {error}") from error
        if len(data) > LARGEST:
            raise FileKindError(f"{path}: unpacks to more than {LARGEST} bytes")
    if not data:
        raise FileKindError(f"{path}: the file is empty")
    return data


def kind_of(data: bytes) -> str:
    """ "BUFR", "GRIB", "text", the name of another kind, or "unknown binary"."""
    start = data[:_SEARCHED]
    for mark, kind in _OTHERS.items():
        if start.lstrip()[: len(mark)].lower() == mark.lower():
            return kind
    for kind in ("BUFR", "GRIB"):
        # A heading is short and printable; a text in which the word BUFR occurs has no edition byte behind a length.
        at = start.find(kind.encode())
        if at >= 0 and data[at + 7 : at + 8] in (b"\x00", b"\x01", b"\x02", b"\x03", b"\x04"):
            return kind
    return "unknown binary" if b"\0" in data[:4096] else "text"
