"""The subsets of BUFR messages as columns.

``Walk`` follows the replications of every subset in plain Python and notes at which bit each run of elements
begins. ``Column`` reads one element of all subsets at once with numpy, and only when it is asked for.
"""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from mlrtma_dist.io.bufr_template import Block, BufrError, Element, Replication, Run


@dataclass
class Column:
    """One block of a template in all subsets: a row for each repetition, in the order of the file.

    Attributes:
        name: mnemonic of the replicated sequence, "" for the root.
        subset: the subset that each row belongs to, ascending; shape (rows,).
        parent: row of the enclosing block; for the root, the subset; shape (rows,).
        order: number of this repetition within its parent, from 0; shape (rows,).
    """

    name: str
    subset: np.ndarray
    parent: np.ndarray
    order: np.ndarray
    _fields: dict[str, tuple[Element, np.ndarray]]
    _bits: np.ndarray

    def __contains__(self, mnemonic: str) -> bool:
        return mnemonic in self._fields

    @property
    def mnemonics(self) -> tuple[str, ...]:
        """The elements of the block, in their order."""
        return tuple(self._fields)

    def unit(self, mnemonic: str) -> str:
        """The unit of an element as the file's table B spells it."""
        return self._fields[mnemonic][0].unit

    def values(self, mnemonic: str) -> np.ndarray:
        """One element of every row: float64 with NaN where missing, or str without padding; shape (rows,)."""
        element, position = self._fields[mnemonic]
        if element.text:
            return _texts(self._bits, position, element.width)
        raw = _numbers(self._bits, position, element.width)
        # Division by a power of ten gives the decimal number's nearest double; multiplication by 0.1 does not.
        whole = (raw + element.reference).astype(np.float64)
        value = whole / 10.0**element.scale if element.scale >= 0 else whole * 10.0**-element.scale
        missing = raw == (1 << element.width) - 1
        return np.where(missing & (element.width > 1), np.nan, value)


@dataclass
class Reports:
    """All subsets of the messages that share a template and a set of tables.

    Attributes:
        category: mnemonic of the message type, e.g. "ADPSFC".
        columns: block by mnemonic, "" being the root; where a mnemonic occurs twice, the first.
        time: date and time of each subset's message, datetime64[s], shape (subsets,).
        message: byte in the file at which each subset's message begins, shape (subsets,).
    """

    category: str
    generation: int
    columns: dict[str, Column]
    time: np.ndarray
    message: np.ndarray

    def find(self, mnemonic: str) -> Column | None:
        """The first block that holds an element, None where the tables have no such element."""
        return next((column for column in self.columns.values() if mnemonic in column), None)

    def first(self, mnemonic: str) -> np.ndarray:
        """The first value of an element in each subset, NaN or "" where there is none; shape (subsets,)."""
        column = self.find(mnemonic)
        if column is None:
            return np.full(len(self.time), np.nan)
        values = column.values(mnemonic)
        out = np.full(len(self.time), "" if values.dtype.kind == "U" else np.nan, dtype=values.dtype)
        subset, row = np.unique(column.subset, return_index=True)
        out[subset] = values[row]
        return out


@dataclass
class Walk:
    """The positions noted so far for one template: for each block, the parents and the start of each run."""

    root: Block
    blocks: list[Block]
    category: str
    generation: int
    noted: list[list[list[int]]] = field(default_factory=list)
    times: list[datetime | None] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)

    def __post_init__(self):
        self.noted = [[[], *([] for step in block.steps if isinstance(step, Run))] for block in self.blocks]

    def follow(self, block: Block, at: int, parent: int, data: bytes | bytearray, end: int) -> int:
        """Note one repetition of ``block`` that begins at bit ``at``; return the bit after it."""
        noted = self.noted[block.index]
        row = len(noted[0])
        noted[0].append(parent)
        slot = 1
        for step in block.steps:
            if isinstance(step, Run):
                noted[slot].append(at)
                slot += 1
                at += step.width
                continue
            count, body = step.count, step.body
            if count is None:
                width = step.width
                if at + width > end:
                    raise BufrError(
                        f"a replication count at bit {at % 8} of byte {at // 8} lies behind the end of the data"
                    )
                byte = at >> 3
                if width == 1:
                    count = data[byte] >> (7 - (at & 7)) & 1
                else:
                    count = int.from_bytes(data[byte : byte + 3], "big") >> (24 - (at & 7) - width) & ((1 << width) - 1)
                at += width
            if count:
                if count * body.least > end - at:
                    raise BufrError(
                        f"{count} repetitions of {body.name} at byte {at // 8} do not fit into what is left of the data"
                    )
                for _ in range(count):
                    at = self.follow(body, at, row, data, end)
        return at

    def reports(self, bits: np.ndarray) -> Reports:
        """The noted positions as columns."""
        columns: dict[str, Column] = {}
        self._collect(self.root, None, bits, columns)
        return Reports(
            self.category,
            self.generation,
            columns,
            np.array(self.times, dtype="datetime64[s]"),
            np.array(self.starts, dtype=np.int64),
        )

    def _collect(self, block: Block, above: np.ndarray | None, bits: np.ndarray, columns: dict[str, Column]) -> None:
        noted = self.noted[block.index]
        parent = np.array(noted[0], dtype=np.int64)
        subset = parent if above is None else above[parent]
        row = np.arange(len(parent))
        first = np.append(True, parent[1:] != parent[:-1])[: len(parent)]
        order = row - np.maximum.accumulate(np.where(first, row, 0)) if len(row) else row
        fields: dict[str, tuple[Element, np.ndarray]] = {}
        runs = [step for step in block.steps if isinstance(step, Run)]
        for run, positions in zip(runs, noted[1:], strict=False):
            start = np.array(positions, dtype=np.int64)
            for element, offset in zip(run.elements, run.offsets, strict=True):
                fields.setdefault(element.name, (element, start + offset))
        columns.setdefault(block.name, Column(block.name, subset, parent, order, fields, bits))
        for step in block.steps:
            if isinstance(step, Replication):
                self._collect(step.body, subset, bits, columns)


def _windows(bits: np.ndarray, byte: np.ndarray, size: int) -> np.ndarray:
    return bits[byte[:, None] + np.arange(size)]


def _numbers(bits: np.ndarray, position: np.ndarray, width: int) -> np.ndarray:
    """The unsigned numbers of ``width`` bits at bit ``position``, shape (rows,), int64."""
    window = np.ascontiguousarray(_windows(bits, position >> 3, 8)).view(">u8")[:, 0].astype(np.uint64)
    shift = (64 - width - (position & 7)).astype(np.uint64)
    return (window >> shift & np.uint64((1 << width) - 1)).astype(np.int64)


def _texts(bits: np.ndarray, position: np.ndarray, width: int) -> np.ndarray:
    """Texts of ``width`` bits; all bits set (missing) gives "", and what is not ASCII becomes "?"."""
    size = width // 8
    window = _windows(bits, position >> 3, size + 1).astype(np.uint16)
    shift = (8 - (position & 7)).astype(np.uint16)[:, None]
    character = ((window[:, :-1] << 8 | window[:, 1:]) >> shift & 255).astype(np.uint8)
    missing = (character == 255).all(axis=1)
    character[character > 126] = ord("?")
    character[missing] = 0
    text = np.ascontiguousarray(character).view(f"S{size}")[:, 0] if len(position) else np.zeros(0, f"S{size}")
    return np.char.strip(text.astype(str))
