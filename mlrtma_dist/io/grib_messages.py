"""Cut a GRIB file into messages of one field each, by the lengths that the format states.

WMO Manual on Codes, FM 92 GRIB: edition 1 gives the message's length in octets 5-7, edition 2 in
octets 9-16; both end in "7777". An edition-2 message may repeat its sections 2-7, 3-7 or 4-7 for
further fields (NCEP writes u and v so); every repetition becomes a message of its own here.
A length that leads outside the file or a missing end is an error with its byte, never a guess.
"""

import mmap
from collections.abc import Iterator

from mlrtma_dist.io.grid_field import GriddedFileError

END = b"7777"
LONGEST_GAP = 1000  # bytes between messages: bulletin headings take under 100; more is damage
NO_LIST = 255
LARGE_EDITION_1 = 0x800000  # the length of an edition-1 message beyond 8 MiB is coded otherwise


class GribError(GriddedFileError):
    """A GRIB file that cannot be read; names file, message and byte."""


def split_messages(path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (number of the field, counted from 1; byte of its message; bytes of a one-field message).

    Raises:
        GribError: the file cannot be opened, is empty, holds no message, or is truncated or damaged.
    """
    try:
        with open(path, "rb") as file:
            if not file.seek(0, 2):
                raise GribError(f"{path}: the file is empty (0 bytes); expected GRIB messages")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield from _split(data, path)
    except OSError as error:
        raise GribError(f"{path}: cannot be read: {error}") from error


def _split(data, path) -> Iterator[tuple[int, int, bytes]]:
    number, position = 0, 0
    while True:
        start = data.find(b"GRIB", position)
        gap = (len(data) if start < 0 else start) - position
        if gap > LONGEST_GAP or (start < 0 and not number):
            raise GribError(f"{path}: byte {position}: expected a GRIB message, found {gap} bytes of something else")
        if start < 0:
            return
        where = f"{path}: message {number + 1} at byte {start}"
        length = _length(data, start, where)
        message = data[start : start + length]
        if len(message) < length:
            raise GribError(f"{where}: truncated: it states {length} bytes, the file holds {len(message)} of them")
        if not message.endswith(END):
            raise GribError(f"{where}: damaged: its {length} bytes do not end in 7777")
        if message[7] == 1:
            _check_edition_1(message, where)
        for field in [message] if message[7] == 1 else _fields(message, where):
            number += 1
            yield number, start, field
        position = start + length


def _length(data, start: int, where: str) -> int:
    head = data[start : start + 16]
    if len(head) < 16:
        raise GribError(f"{where}: truncated: the file ends inside the first 16 bytes of the message")
    if head[7] == 1:
        length = int.from_bytes(head[4:7])
        if length & LARGE_EDITION_1:
            raise GribError(f"{where}: an edition-1 message beyond 8 MiB; convert it to edition 2")
    elif head[7] == 2:
        length = int.from_bytes(head[8:16])
    else:
        raise GribError(f"{where}: expected GRIB edition 1 or 2, got {head[7]}")
    if length < 40:
        raise GribError(f"{where}: damaged: it states a length of {length} bytes, too short for any field")
    return length


def _check_edition_1(message: bytes, where: str) -> None:
    """The sections' lengths lead from one to the next and end before 7777; octet 8 of the first says which follow."""
    flags, position = message[15], 8
    for number, present, shortest in ((1, True, 28), (2, flags & 0x80, 28), (3, flags & 0x40, 6), (4, True, 11)):
        if present:
            length = int.from_bytes(message[position : position + 3])
            if length < shortest or position + length > len(message) - len(END):
                raise GribError(
                    f"{where}: damaged: section {number} of {length} bytes at byte {position} of the message"
                )
            vertical, place = message[
                position + 3 : position + 5
            ]  # octets 4 and 5 of section 2: how many numbers, and where
            if number == 2 and place != NO_LIST and place - 1 + 4 * vertical > length:
                raise GribError(
                    f"{where}: damaged: section 2 of {length} bytes puts a list of {vertical} numbers at {place}"
                )
            position += length


def _fields(message: bytes, where: str) -> Iterator[bytes]:
    """The one-field messages of an edition-2 message; itself when it holds one field."""
    sections: dict[int, bytes] = {}
    bitmap, position, fields = b"", 16, []
    while position < len(message) - len(END):
        length, number = int.from_bytes(message[position : position + 4]), message[position + 4]
        if length < 5 or position + length > len(message) - len(END) or not 1 <= number <= 7:
            raise GribError(f"{where}: damaged: section {number} of {length} bytes at byte {position} of the message")
        section = message[position : position + length]
        if number == 6:  # indicator 254: the bitmap of an earlier field holds for this one too
            bitmap = section if section[5] != 254 else bitmap
            section = bitmap or section
        sections[number] = section
        if number == 7:
            missing = [n for n in (1, 3, 4, 5, 6) if n not in sections]
            if missing:
                raise GribError(f"{where}: damaged: the field has no section {missing[0]}")
            fields.append(b"".join(sections[n] for n in sorted(sections)))
        position += length
    if not fields:
        raise GribError(f"{where}: damaged: it holds no data section")
    for body in fields:
        yield message[:8] + (16 + len(body) + len(END)).to_bytes(8) + body + END


def cut_sections(message: bytes) -> dict[int, bytes]:
    """Sections 1 to 7 of a one-field edition-2 message that ``split_messages`` has yielded, by number."""
    sections, position = {}, 16
    while position < len(message) - len(END):
        length = int.from_bytes(message[position : position + 4])
        sections[message[position + 4]] = message[position : position + length]
        position += length
    return sections
