"""The frame of BUFR messages: sections 0, 1, 2, 3 and 5, and what may lie between messages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mlrtma_dist.io.bufr_template import BufrError

DX_CATEGORY = 11  # table messages
EDITIONS = (2, 3, 4)
NEWEST_MASTER_TABLE = 63  # WMO is at 43 in 2025 and adds up to two a year
LONGEST_RECORD_MARK = 16  # bytes between messages that are not zero: Fortran's record lengths
_HEADING = re.compile(rb"[\x00-\x20]*[A-Z0-9 \r\n\x00-\x03]{1,80}")  # of a WMO bulletin: "ISIE01 KWBC 240600"


@dataclass(frozen=True)
class Message:
    """A message's sections 1 and 3; ``data`` and ``end`` are the first byte of section 4's data and the one after."""

    start: int
    category: int
    time: datetime | None
    subsets: int
    compressed: bool
    descriptors: tuple[str, ...]
    data: int
    end: int


def messages(data: bytes, name: str) -> Iterator[Message]:
    """Yield the messages of a file one after the other.

    Args:
        data: the file's bytes.
        name: the file's name, for errors.

    Raises:
        BufrError: no message, a damaged frame, or bytes between messages that are neither padding nor a heading.
    """
    after = 0
    while True:
        start = data.find(b"BUFR", after)
        gap = data[after : start if start >= 0 else len(data)]
        mark = gap.strip(b"\0 \r\n\x01\x03")
        if len(mark) > LONGEST_RECORD_MARK and not _HEADING.fullmatch(gap):
            raise BufrError(f"{name}: {len(gap)} bytes at byte {after} belong to no BUFR message")
        if start < 0:
            if not after:
                raise BufrError(f"{name}: no BUFR message in {len(data)} bytes")
            return
        try:
            message, after = _read_head(data, start)
        except BufrError as error:
            raise BufrError(f"{name}: message at byte {start}: {error}") from None
        yield message


def _read_head(data: bytes, start: int) -> tuple[Message, int]:
    """Read sections 0 to 3 of the message at ``start`` and check all lengths; also returns the byte after it."""
    length, edition = (
        int.from_bytes(data[start + 4 : start + 7], "big"),
        data[start + 7] if start + 7 < len(data) else -1,
    )
    end = start + length
    if end > len(data):
        raise BufrError(f"it is {length} bytes long, the file ends after {len(data) - start}: the file is cut off")
    if edition not in EDITIONS:
        raise BufrError(f"edition {edition}, expected one of {EDITIONS}")
    if length < 8 + 17 + 7 + 4 + 4 or data[end - 4 : end] != b"7777":
        raise BufrError(f"no end mark 7777 at byte {end - 4}, where its length of {length} bytes says")
    first, at = _section(data, start + 8, end, 17 if edition < 4 else 22)
    if first[9 if edition == 4 else 7] & 128:
        _, at = _section(data, at, end, 4)
    third, at = _section(data, at, end, 9)
    body = at
    _, at = _section(data, at, end, 4)
    if at + 4 != end:
        raise BufrError(f"its sections end at byte {at + 4}, its length says {end}")
    category, master, time = _identify(first, edition)
    if first[3] != 0 or master > NEWEST_MASTER_TABLE:
        raise BufrError(
            f"master table {first[3]} version {master}; expected table 0, version up to {NEWEST_MASTER_TABLE}"
        )
    pairs = zip(third[7::2], third[8::2], strict=False)  # a byte of padding may follow
    descriptors = tuple(f"{a >> 6}{a & 63:02d}{b:03d}" for a, b in pairs)
    subsets = int.from_bytes(third[4:6], "big")
    return Message(start, category, time, subsets, bool(third[6] & 64), descriptors, body + 4, end - 4), end


def _section(data: bytes, at: int, end: int, least: int) -> tuple[bytes, int]:
    size = int.from_bytes(data[at : at + 3], "big")
    if size < least or at + size > end:
        raise BufrError(
            f"a section at byte {at} has length {size}; expected at least {least} and to end before byte {end}"
        )
    return data[at : at + size], at + size


def _identify(first: bytes, edition: int) -> tuple[int, int, datetime | None]:
    """Category, version of the master table, and time of section 1."""
    if edition == 4:
        category, master, year, clock = first[10], first[13], int.from_bytes(first[15:17], "big"), first[17:21]
    else:
        category, master, clock = first[8], first[10], first[13:17]
        century = first[17] if len(first) > 17 else 0  # NCEP writes the century into the byte for local use
        year = first[12] + ((century - 1) * 100 if century else 1900 if first[12] > 40 else 2000)
    if category == DX_CATEGORY:
        return category, master, None  # NCEP leaves their date empty
    try:
        return category, master, datetime(year, *clock)
    except ValueError:
        raise BufrError(f"year {year}, month, day, hour, minute {list(clock)} is no date") from None
