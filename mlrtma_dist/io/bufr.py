"""Decoding BUFR files that bring their own tables, as all of NCEP's do (DX tables).

The format is WMO-No. 306 volume I.2 (FM 94 BUFR, editions 2 to 4) and, for the tables in the first messages,
"NCEP BUFR File Structure" of the Environmental Modeling Center.

Nothing in BUFR protects a value against a flipped bit. What can be checked is checked: the lengths of all
sections, the end mark, edition, master table, date, the byte count that NCEP writes before each subset, that no
subset ends outside its section, that nothing but padding is left, and that nothing but padding lies between messages.
A file cut off exactly between two messages cannot be told from a whole one.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from mlrtma_dist.io.bufr_subsets import Column, Reports, Walk, expand_compressed
from mlrtma_dist.io.bufr_template import BufrError, Element, Run, Tables

__all__ = ["BufrError", "Column", "Reports", "decode"]

DX_CATEGORY = 11  # table messages
EDITIONS = (2, 3, 4)
NEWEST_MASTER_TABLE = 63  # WMO is at 43 in 2025 and adds up to two a year
PADDING_BITS = 16  # section 4 is filled up to an even byte
LONGEST_RECORD_MARK = 16  # bytes between messages that are not zero: Fortran's record lengths
UNCOUNTED = 65535  # in place of the byte count of a subset too long for 16 bits
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


def decode(data: bytes, name: str, wanted: frozenset[str] | None = None) -> list[Reports]:
    """Decode the messages of a file.

    Args:
        data: the file's bytes.
        name: the file's name, for errors.
        wanted: mnemonics of the message types to decode, e.g. "ADPSFC"; of others only the frame is checked. None: all.

    Returns:
        The subsets, grouped by template and set of tables, in the order in which these first occur.

    Raises:
        BufrError: the bytes are not a whole BUFR file with its own tables; names file and byte.
    """
    buffer = bytearray(data)
    tables, generation, in_tables = Tables(), 0, False
    categories: dict[int, str] = {}
    walks: dict[tuple, Walk] = {}
    seen: set[str] = set()
    for message in _messages(data, name):
        try:
            if message.category == DX_CATEGORY:
                if not in_tables:
                    generation, in_tables = generation + 1, True
                    tables = Tables(dict(tables.elements), dict(tables.sequences), dict(tables.names))
                _learn_tables(message, buffer, tables, categories)
                continue
            in_tables = False
            seen.add(categories.get(message.category, str(message.category)))
            if wanted is not None and categories.get(message.category) not in wanted:
                continue
            key = (generation, message.category, message.descriptors)
            if key not in walks:
                category = categories.get(message.category, str(message.category))
                walks[key] = Walk(*tables.compile(message.descriptors), category, generation)
            _follow_subsets(message, buffer, walks[key])
        except BufrError as error:
            raise BufrError(f"{name}: message at byte {message.start}: {error}") from None
    if not walks:
        raise BufrError(f"{name}: {len(data)} bytes hold no reports of type {sorted(wanted or ())}; found types {sorted(seen)}")
    bits = np.frombuffer(bytes(buffer) + b"\0" * 16, dtype=np.uint8)  # windows reach over the end
    return [walk.reports(bits) for walk in walks.values()]


def _messages(data: bytes, name: str):
    """Yield the messages one after the other; see ``decode`` for errors."""
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
    length, edition = int.from_bytes(data[start + 4 : start + 7], "big"), data[start + 7] if start + 7 < len(data) else -1
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
        raise BufrError(f"master table {first[3]} version {master}; expected table 0, version up to {NEWEST_MASTER_TABLE}")
    pairs = zip(third[7::2], third[8::2])
    descriptors = tuple(f"{a >> 6}{a & 63:02d}{b:03d}" for a, b in pairs)
    subsets = int.from_bytes(third[4:6], "big")
    return Message(start, category, time, subsets, bool(third[6] & 64), descriptors, body + 4, end - 4), end


def _section(data: bytes, at: int, end: int, least: int) -> tuple[bytes, int]:
    size = int.from_bytes(data[at : at + 3], "big")
    if size < least or at + size > end:
        raise BufrError(f"a section at byte {at} has length {size}; expected at least {least} and to end before byte {end}")
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


def _follow_subsets(message: Message, buffer: bytearray, walk: Walk) -> None:
    """Note where the elements of a message's subsets lie; compressed data are expanded behind the end of ``buffer``."""
    at, end = message.data * 8, message.end * 8
    if message.subsets * walk.root.least > end - at and not message.compressed:
        raise BufrError(f"{message.subsets} subsets need at least {message.subsets * walk.root.least} bits, section 4 has {end - at}")
    if message.compressed:
        _follow_compressed(message, buffer, walk)
        return
    head = walk.root.steps[0]
    counted = isinstance(head, Run) and head.elements[0].name == "BYTCNT"
    for number in range(message.subsets):
        begin = at
        at = walk.follow(walk.root, begin, len(walk.times), buffer, end)
        if at > end:
            raise BufrError(f"subset {number + 1} of {message.subsets} reaches {at - end} bits over the end of section 4")
        if counted:
            size = int.from_bytes(buffer[begin >> 3 : (begin >> 3) + 3], "big") >> (8 - (begin & 7)) & 65535
            if size != UNCOUNTED and size * 8 != at - begin:
                raise BufrError(f"subset {number + 1} at byte {begin // 8} is {(at - begin) / 8:g} bytes long, its count says {size}")
        walk.times.append(message.time)
        walk.starts.append(message.start)
    _check_rest(at, end)


def _follow_compressed(message: Message, buffer: bytearray, walk: Walk) -> None:
    fields, at = expand_compressed(walk.root, buffer, message.data * 8, message.end * 8, message.subsets)
    _check_rest(at, message.end * 8)
    for row in fields:
        begin = len(buffer) * 8
        text = "".join(f"{value:0{width}b}" for value, width in row)
        text += "0" * (-len(text) % 8)
        buffer += int(text, 2).to_bytes(len(text) // 8, "big")
        walk.follow(walk.root, begin, len(walk.times), buffer, len(buffer) * 8)
        walk.times.append(message.time)
        walk.starts.append(message.start)


def _check_rest(at: int, end: int) -> None:
    if not 0 <= end - at < PADDING_BITS:
        raise BufrError(f"{end - at} bits are left in section 4 after the last subset; expected less than {PADDING_BITS} of padding")


def _learn_tables(message: Message, buffer: bytearray, tables: Tables, categories: dict[int, str]) -> None:
    """Enter the tables of a DX message; ``categories`` gets the mnemonic of each message type."""
    if not message.subsets:  # NCEP ends the tables by an empty message
        return
    walk = Walk(*Tables().compile(message.descriptors), "", 0)
    _follow_subsets(message, buffer, walk)
    columns = walk.reports(np.frombuffer(bytes(buffer[: message.end]) + b"\0" * 300, dtype=np.uint8)).columns
    if not {"000001", "300004", "300003", "000030"} <= set(columns):
        raise BufrError(f"its descriptors {message.descriptors} are not those of a table message")
    kinds, entries, sequences, members = (columns[key] for key in ("000001", "300004", "300003", "000030"))
    for code, text in zip(kinds.values("000001"), kinds.values("000002")):
        if code.isdigit():
            categories[int(code)] = text[:8].strip()
    for element in _elements(entries):
        tables.elements[element.descriptor] = element
    names, lists = sequences.values("TEXT"), [[] for _ in sequences.parent]
    for parent, member in zip(members.parent, members.values("000030")):
        lists[parent].append(_descriptor(member))
    for key, name, sequence in zip(_descriptors(sequences), names, lists):
        tables.sequences[key], tables.names[key] = sequence, name[:8].strip()


def _descriptor(text: str) -> str:
    if not re.fullmatch(r"[0-3]\d{5}", text) or int(text[1:3]) > 63 or int(text[3:]) > 255:
        raise BufrError(f"{text!r} in its tables is no descriptor")
    return text


def _descriptors(column: Column) -> list[str]:
    parts = zip(*(column.values(key) for key in ("000010", "000011", "000012")))
    return [_descriptor("".join(part)) for part in parts]


def _elements(column: Column) -> list[Element]:
    """The entries of Table B in a DX message."""
    made = []
    keys = ("000013", "000015", "000016", "000017", "000018", "000019", "000020")
    for descriptor, name, unit, *numbers in zip(_descriptors(column), *(column.values(key) for key in keys)):
        scale_sign, scale, reference_sign, reference, width = numbers
        try:
            values = int(scale_sign + scale), int(reference_sign + reference), int(width)
        except ValueError:
            raise BufrError(f"element {descriptor} in its tables has scale, reference, width {numbers}") from None
        if abs(values[0]) > 20 or abs(values[1]) >= 2**31 or not 0 < values[2] <= 2048:
            raise BufrError(f"element {descriptor} in its tables has scale, reference, width {values}")
        made.append(Element(descriptor, name[:8].strip(), unit, *values))
    return made


def read(path: str | Path) -> list[Reports]:
    """Decode a file; see ``decode``."""
    path = Path(path)
    return decode(path.read_bytes(), path.name)
