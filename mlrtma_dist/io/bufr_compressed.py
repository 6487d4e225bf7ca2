"""Undoing the compression of BUFR messages (FM 94 regulation 94.6.3.2).

Compressed data hold for each element its least value over all subsets, the width of the increments in 6 bits, and each
subset's increment. The reader of subsets knows only uncompressed data, so they are written out again.
"""

from mlrtma_dist.io.bufr_template import Block, BufrError, Run

EXPANDED_BITS = 2**28  # a compressed message may grow to 32 MiB; NCEP's are below 50 kB


def expand(
    block: Block, data: bytes | bytearray, at: int, end: int, subsets: int
) -> tuple[list[list[tuple[int, int]]], int]:
    """Undo the compression of a message.

    Args:
        block: the root of the template.
        data: the file.
        at: first bit of section 4's data; ``end`` is the bit after it.
        subsets: number of subsets in the message.

    Returns:
        For each subset its (value, width) pairs, as they would stand uncompressed, and the bit after the last.

    Raises:
        BufrError: the data end within an element, contradict the template, or would grow without measure.
    """
    expansion = _Expansion(data, at, end, subsets)
    expansion.follow(block)
    return expansion.fields, expansion.at


class _Expansion:
    """A place in compressed data, and what was read so far."""

    def __init__(self, data: bytes | bytearray, at: int, end: int, subsets: int):
        self.data, self.at, self.end, self.subsets, self.spent = data, at, end, subsets, 0
        self.fields: list[list[tuple[int, int]]] = [[] for _ in range(subsets)]

    def follow(self, block: Block) -> None:
        """Read one repetition of a block in all subsets."""
        for step in block.steps:
            if isinstance(step, Run):
                for entry in step.elements:
                    self.add(self.element(entry.width, entry.text), entry.width)
                continue
            count = step.count
            if count is None:
                counts = self.element(step.width, False)
                if len(set(counts)) > 1:
                    raise BufrError(f"the replication count at byte {self.at // 8} differs between compressed subsets")
                count = counts[0]
                self.add(counts, step.width)
            self.spend(count * step.body.least)  # before the repetitions cost time
            for _ in range(count):
                self.follow(step.body)

    def add(self, values: list[int], width: int) -> None:
        for row, value in zip(self.fields, values, strict=False):
            row.append((value, width))

    def spend(self, bits: int) -> None:
        self.spent += bits * self.subsets
        if self.spent > EXPANDED_BITS:
            raise BufrError(f"compressed data at byte {self.at // 8} would grow beyond {EXPANDED_BITS // 8} bytes")

    def take(self, width: int) -> int:
        if self.at + width > self.end:
            raise BufrError(f"compressed data end at byte {self.end // 8}, within an element")
        last = self.at + width + 7 >> 3
        value = int.from_bytes(self.data[self.at >> 3 : last], "big") >> (last * 8 - self.at - width) & (
            (1 << width) - 1
        )
        self.at += width
        return value

    def element(self, width: int, text: bool) -> list[int]:
        """One element of all subsets as unsigned numbers of ``width`` bits."""
        self.spend(width)
        base, size = self.take(width), self.take(6)
        if not size:
            return [base] * self.subsets
        if text:  # the increments are whole texts, perhaps shorter than the element and padded with blanks
            bits = 8 * size
            if bits > width:
                raise BufrError(
                    f"an increment of {bits} bits at byte {self.at // 8} is wider than its element of {width}"
                )
            blank = int.from_bytes(b" " * ((width - bits) // 8), "big")
            return [self.take(bits) << (width - bits) | blank for _ in range(self.subsets)]
        missing, full = (1 << size) - 1, (1 << width) - 1
        values = [full if step == missing else base + step for step in (self.take(size) for _ in range(self.subsets))]
        if max(values) > full:
            raise BufrError(f"base and increment at byte {self.at // 8} exceed the element's {width} bits")
        return values
