"""Tables as text, for terminals and logs."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of one length as lines, each column as wide as its longest cell.

    >>> aligned([("step", "state"), ("a", "done")])
    ['step  state', 'a     done']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
