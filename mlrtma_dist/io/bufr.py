"""Decoding BUFR files that bring their own tables, as all of NCEP's do (DX tables).

The format is WMO-No. 306 volume I.2 (FM 94 BUFR, editions 2 to 4) and, for the tables in the first messages,
"NCEP BUFR File Structure" of the Environmental Modeling Center.

Nothing in BUFR protects a value against a flipped bit. What can be checked is checked: the lengths of all
sections, the end mark, edition, master table, date, the byte count that NCEP writes before each subset, that no
subset ends outside its section, that nothing but padding is left, and that nothing but padding lies between messages.
A file cut off exactly between two messages cannot be told from a whole one.

Libraries tried (RAP PrepBUFR, 16,751 reports, one core): ecCodes 2.50 reads no embedded tables ("no match for sequences
348109"); ncepbufr is not on PyPI; pdbufr rests on ecCodes; pybufrkit 0.2.25 needs 44 s below its renderer. This one
and the PrepBUFR reader above it together take 1.3 s (benchmarks/read_prepbufr.py).
"""

import re

import numpy as np

from mlrtma_dist.io.bufr_compressed import expand
from mlrtma_dist.io.bufr_message import DX_CATEGORY, Message, messages
from mlrtma_dist.io.bufr_subsets import Column, Reports, Walk
from mlrtma_dist.io.bufr_template import BufrError, Element, Run, Tables

__all__ = ["BufrError", "Column", "Reports", "decode"]

PADDING_BITS = 16  # section 4 is filled up to an even byte
UNCOUNTED = 65535  # in place of the byte count of a subset too long for 16 bits


def decode(data: bytes, name: str, message_types: frozenset[str] | None = None) -> list[Reports]:
    """Decode the messages of a file.

    Args:
        data: the file's bytes.
        name: the file's name, for errors.
        message_types: mnemonics of those to decode, e.g. "ADPSFC"; of others only the frame is checked. None: all.

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
    for message in messages(data, name):
        try:
            if message.category == DX_CATEGORY:
                if not in_tables:
                    generation, in_tables = generation + 1, True
                    tables = Tables(dict(tables.elements), dict(tables.sequences), dict(tables.names))
                _learn_tables(message, buffer, tables, categories)
                continue
            in_tables = False
            seen.add(categories.get(message.category, str(message.category)))
            if message_types is not None and categories.get(message.category) not in message_types:
                continue
            key = (generation, message.category, message.descriptors)
            if key not in walks:
                category = categories.get(message.category, str(message.category))
                walks[key] = Walk(*tables.compile(message.descriptors), category, generation)
            _follow_subsets(message, buffer, walks[key])
        except BufrError as error:
            raise BufrError(f"{name}: message at byte {message.start}: {error}") from None
    if not walks:
        raise BufrError(
            f"{name}: {len(data)} bytes hold no reports of type {sorted(message_types or ())}; "
            f"found types {sorted(seen)}"
        )
    bits = np.frombuffer(bytes(buffer) + b"\0" * 16, dtype=np.uint8)  # windows reach over the end
    return [walk.reports(bits) for walk in walks.values()]


def _follow_subsets(message: Message, buffer: bytearray, walk: Walk) -> None:
    """Note where the elements of a message's subsets lie; compressed data are expanded behind the end of ``buffer``."""
    at, end = message.data * 8, message.end * 8
    if not message.subsets:  # NCEP marks times and ends by messages without reports
        return
    if message.subsets * walk.root.least > end - at and not message.compressed:
        raise BufrError(
            f"{message.subsets} subsets need at least {message.subsets * walk.root.least} bits,"
            f" section 4 has {end - at}"
        )
    if message.compressed:
        _follow_compressed(message, buffer, walk)
        return
    head = walk.root.steps[0]
    counted = isinstance(head, Run) and head.elements[0].name == "BYTCNT"
    for number in range(message.subsets):
        begin = at
        at = walk.follow(walk.root, begin, len(walk.times), buffer, end)
        if at > end:
            raise BufrError(
                f"subset {number + 1} of {message.subsets} reaches {at - end} bits over the end of section 4"
            )
        if counted:
            size = int.from_bytes(buffer[begin >> 3 : (begin >> 3) + 3], "big") >> (8 - (begin & 7)) & 65535
            if size != UNCOUNTED and size * 8 != at - begin:
                raise BufrError(
                    f"subset {number + 1} at byte {begin // 8} is {(at - begin) / 8:g} bytes long,"
                    f" its count says {size}"
                )
        walk.times.append(message.time)
        walk.starts.append(message.start)
    _check_rest(at, end)


def _follow_compressed(message: Message, buffer: bytearray, walk: Walk) -> None:
    fields, at = expand(walk.root, buffer, message.data * 8, message.end * 8, message.subsets)
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
        raise BufrError(
            f"{end - at} bits are left in section 4 after the last subset; expected less than {PADDING_BITS} of padding"
        )


def _learn_tables(message: Message, buffer: bytearray, tables: Tables, categories: dict[int, str]) -> None:
    """Enter the tables of a DX message; ``categories`` gets the mnemonic of each message type."""
    if not message.subsets:  # NCEP ends the tables so
        return
    walk = Walk(*Tables().compile(message.descriptors), "", 0)
    _follow_subsets(message, buffer, walk)
    columns = walk.reports(np.frombuffer(bytes(buffer[: message.end]) + b"\0" * 300, dtype=np.uint8)).columns
    if not {"000001", "300004", "300003", "000030"} <= set(columns):
        raise BufrError(f"its descriptors {message.descriptors} are not those of a table message")
    kinds, entries, sequences, members = (columns[key] for key in ("000001", "300004", "300003", "000030"))
    for code, text in zip(kinds.values("000001").tolist(), kinds.values("000002").tolist(), strict=True):
        if code.isdigit():
            categories[int(code)] = text[:8].strip()
    for element in _elements(entries):
        tables.elements[element.descriptor] = element
    names = sequences.values("TEXT").tolist()
    lists: list[list[str]] = [[] for _ in sequences.parent]
    for parent, member in zip(members.parent, members.values("000030").tolist(), strict=True):
        lists[parent].append(_descriptor(member))
    for key, name, sequence in zip(_descriptors(sequences), names, lists, strict=True):
        tables.sequences[key], tables.names[key] = sequence, name[:8].strip()


def _descriptor(text: str) -> str:
    if not re.fullmatch(r"[0-3]\d{5}", text) or int(text[1:3]) > 63 or int(text[3:]) > 255:
        raise BufrError(f"{text!r} in its tables is no descriptor")
    return text


def _descriptors(column: Column) -> list[str]:
    parts = zip(*(column.values(key).tolist() for key in ("000010", "000011", "000012")), strict=True)
    return [_descriptor("".join(part)) for part in parts]


def _elements(column: Column) -> list[Element]:
    """The entries of Table B in a DX message."""
    elements = []
    keys = ("000013", "000015", "000016", "000017", "000018", "000019", "000020")
    columns = (column.values(key).tolist() for key in keys)
    for descriptor, name, unit, *numbers in zip(_descriptors(column), *columns, strict=True):
        scale_sign, scale, reference_sign, reference, width = numbers
        try:
            values = int(scale_sign + scale), int(reference_sign + reference), int(width)
        except ValueError:
            raise BufrError(f"element {descriptor} in its tables has scale, reference, width {numbers}") from None
        if abs(values[0]) > 20 or abs(values[1]) >= 2**31 or not 0 < values[2] <= 2048:
            raise BufrError(f"element {descriptor} in its tables has scale, reference, width {values}")
        elements.append(Element(descriptor, name[:8].strip(), unit, *values))
    return elements
