"""BUFR tables B and D and the templates made from them (WMO-No. 306, volume I.2, FM 94 BUFR).

A template is a tree: a ``Block`` is the body of a replication (the root is the subset itself) and holds
``Run``s, elements that always stand side by side, and ``Replication``s. Sequences that are not replicated
are melted into the block that names them, so that a block has as few runs as possible: the reader notes
where a run begins and reads its elements only when somebody asks for them.
"""

from dataclasses import dataclass, field

from mlrtma_dist.errors import InputError

MAXIMUM_ELEMENTS = 20_000  # of one template; PrepBUFR's longest has about 700, a damaged table may ask for 10^9
MAXIMUM_DEPTH = 30  # of sequences within sequences; PrepBUFR uses 6, a damaged table may call itself
LARGEST_REFERENCE = 2**62  # added to the number in 64 bits
MAXIMUM_NUMBER_BITS = 56  # a number is read through a window of 8 bytes at any bit, 7 bits of which may be skipped


class BufrError(InputError):
    """A file that cannot be decoded as BUFR; the message names the file and the byte."""


@dataclass(frozen=True)
class Element:
    """One entry of Table B: a number ``(raw + reference) / 10^scale`` in ``unit``, or a text."""

    descriptor: str
    name: str
    unit: str
    scale: int
    reference: int
    width: int

    @property
    def text(self) -> bool:
        """True for characters."""
        return self.unit == "CCITT IA5"


@dataclass(frozen=True)
class Run:
    """Elements side by side; ``offsets`` are bits from the run's start."""

    elements: tuple[Element, ...]
    offsets: tuple[int, ...]
    width: int


@dataclass(frozen=True)
class Replication:
    """``body`` repeated ``count`` times, or, where ``count`` is None, as often as the next ``width`` bits say."""

    body: "Block"
    count: int | None
    width: int


@dataclass(frozen=True)
class Block:
    """The body of a replication. ``least`` is the smallest number of bits one repetition takes."""

    name: str
    index: int
    steps: tuple[Run | Replication, ...]
    least: int


def _builtin() -> tuple[dict[str, Element], dict[str, list[str]]]:
    """What every NCEP file takes for granted: the entries that describe tables (class 0) and NCEP's two own."""
    text = {
        "000001": 3,
        "000002": 32,
        "000003": 32,
        "000010": 1,
        "000011": 2,
        "000012": 3,
        "000013": 32,
        "000014": 32,
        "000015": 24,
        "000016": 1,
        "000017": 3,
        "000018": 1,
        "000019": 10,
        "000020": 3,
        "000030": 6,
    }
    number = {"031000": 1, "031001": 8, "031002": 16}
    elements = {k: Element(k, k, "CCITT IA5", 0, 0, 8 * n) for k, n in text.items()}
    elements |= {k: Element(k, k, "NUMERIC", 0, 0, n) for k, n in number.items()}
    elements["063000"] = Element("063000", "BYTCNT", "BYTES", 0, 0, 16)  # first in every NCEP subset: its length
    elements["063255"] = Element("063255", "BITPAD", "NONE", 0, 0, 1)  # last in every NCEP subset: up to the next byte
    head = ["000010", "000011", "000012"]
    return elements, {"300003": head, "300004": ["300003", *(f"0000{n}" for n in range(13, 21))]}


@dataclass
class Tables:
    """Table B and Table D as far as known; ``names`` gives the mnemonic of each sequence."""

    elements: dict[str, Element] = field(default_factory=lambda: _builtin()[0])
    sequences: dict[str, list[str]] = field(default_factory=lambda: _builtin()[1])
    names: dict[str, str] = field(default_factory=dict)

    def compile(self, descriptors: tuple[str, ...]) -> tuple[Block, list[Block]]:
        """Make the template of a subset.

        Args:
            descriptors: section 3, each "FXXYYY".

        Returns:
            The root block and all blocks by index.

        Raises:
            BufrError: an unknown descriptor, an operator that is not supported, a table that calls itself.
        """
        return _Compiler(self).compile(descriptors)


def _is_class_31(descriptor: str) -> bool:
    return descriptor.startswith("031")


class _Compiler:
    """Expands descriptors; holds the operators of Table C that are in force."""

    def __init__(self, tables: Tables):
        self.tables, self.count = tables, 0
        self.blocks: list[Block] = []
        self.extra_width = self.extra_scale = self.associated = self.increase = self.text_width = 0
        self.local_width: int | None = None

    def compile(self, descriptors):
        root = self.block("", list(descriptors), 0)
        return root, self.blocks

    def block(self, name: str, descriptors: list[str], depth: int) -> Block:
        index = len(self.blocks)
        self.blocks.append(Block(name, index, (), 0))  # its place, before those of the blocks within it
        steps: list = []
        self.expand(descriptors, steps, depth)
        parts: list[Run | Replication] = []
        run: list[Element] = []
        for step in [*steps, None]:
            if isinstance(step, Element):
                run.append(step)
                continue
            if run:
                ends = [0]
                for element in run:
                    ends.append(ends[-1] + element.width)
                parts.append(Run(tuple(run), tuple(ends[:-1]), ends[-1]))
                run = []
            if step is not None:
                parts.append(step)
        least = sum(
            s.width + (s.body.least * s.count if s.count else 0) if isinstance(s, Replication) else s.width
            for s in parts
        )
        self.blocks[index] = Block(name, index, tuple(parts), least)
        return self.blocks[index]

    def expand(self, descriptors: list[str], steps: list, depth: int) -> None:
        if depth > MAXIMUM_DEPTH:
            raise BufrError(f"sequences are nested deeper than {MAXIMUM_DEPTH}: table D calls itself")
        queue = list(descriptors)
        while queue:
            descriptor = queue.pop(0)
            self.count += 1
            if self.count > MAXIMUM_ELEMENTS:
                raise BufrError(f"the template has more than {MAXIMUM_ELEMENTS} descriptors")
            kind = descriptor[0]
            if kind == "0":
                steps.extend(self.element(descriptor))
            elif kind == "1":
                self.replicate(descriptor, queue, steps, depth)
            elif kind == "2":
                steps.extend(self.operate(int(descriptor[1:3]), int(descriptor[3:]), descriptor))
            elif self.tables.sequences.get(descriptor, [""])[0].startswith("1"):
                # NCEP's 360001..360004 stand for "replicate the next descriptor by a count of so many bits"
                queue = self.tables.sequences[descriptor] + queue
            elif descriptor in self.tables.sequences:
                self.expand(self.tables.sequences[descriptor], steps, depth + 1)
            else:
                raise BufrError(f"descriptor {descriptor} is in no table D that the file brings along")

    def replicate(self, descriptor: str, queue: list[str], steps: list, depth: int) -> None:
        size, count = int(descriptor[1:3]), int(descriptor[3:]) or None
        width = 0
        if count is None:
            if not queue or not _is_class_31(queue[0]) or queue[0] not in self.tables.elements:
                raise BufrError(f"replication {descriptor} is followed by {queue[:1]} instead of a count of class 031")
            width = self.tables.elements[queue.pop(0)].width
        body, queue[:] = queue[:size], queue[size:]
        if len(body) != size or not size:
            raise BufrError(f"replication {descriptor} reaches over the end of its sequence")
        block = self.block(self.tables.names.get(body[0], body[0]), body, depth + 1)
        if not block.least:
            raise BufrError(f"replication {descriptor} repeats nothing")
        steps.append(Replication(block, count, width))

    def element(self, descriptor: str) -> list[Element]:
        if self.local_width is not None:
            width, self.local_width = self.local_width, None
            return [Element(descriptor, descriptor, "NONE", 0, 0, width)]
        entry = self.tables.elements.get(descriptor)
        if entry is None:
            raise BufrError(f"descriptor {descriptor} is in no table B that the file brings along")
        scale, reference, width = entry.scale, entry.reference, entry.width
        if entry.text:
            width = self.text_width or width
        elif "TABLE" not in entry.unit and not _is_class_31(descriptor):
            scale += self.extra_scale + self.increase
            reference *= 10**self.increase
            width += self.extra_width + (10 * self.increase + 2) // 3  # operator 2 07 YYY
        if width < 1 or (width > MAXIMUM_NUMBER_BITS and not entry.text) or (entry.text and width % 8):
            raise BufrError(f"element {descriptor} {entry.name} would be {width} bits wide")
        if abs(reference) >= LARGEST_REFERENCE:
            raise BufrError(f"element {descriptor} {entry.name} would have the reference value {reference}")
        element = Element(descriptor, entry.name, entry.unit, scale, reference, width)
        if self.associated and not _is_class_31(descriptor):
            return [Element("999999", "ASSOCIATED", "NONE", 0, 0, self.associated), element]
        return [element]

    def operate(self, operator: int, operand: int, descriptor: str) -> list[Element]:
        """Table C. New reference values (2 03) and bit maps (2 22 and above) are used by no surface PrepBUFR."""
        if operator == 1:
            self.extra_width = operand - 128 if operand else 0
        elif operator == 2:
            self.extra_scale = operand - 128 if operand else 0
        elif operator == 4:
            self.associated = operand
        elif operator == 5 and operand:
            return [Element(descriptor, "TEXT", "CCITT IA5", 0, 0, 8 * operand)]
        elif operator == 6 and 0 < operand <= MAXIMUM_NUMBER_BITS:
            self.local_width = operand
        elif operator == 7:
            self.increase = operand
        elif operator == 8:
            self.text_width = 8 * operand
        else:
            raise BufrError(
                f"operator {descriptor} is not supported; supported are 2 01, 2 02, 2 04, 2 05, 2 06, 2 07, 2 08"
            )
        return []
