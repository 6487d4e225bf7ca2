"""Division: which elements an array has, of a verb that divides its own work into pieces.

The verb's dry run prints ``# array elements: 3,7,9 of 40``: the pieces in which something remains, of all 40.
Where 40 are more than the machine's arrays may have, element e of N takes the pieces e, e + N, ... .
"""

import re

from hpc import slurm
from hpc.machine import Machine

DEFAULT_ARRAY_SIZE = 1001  # Slurm's MaxArraySize where nobody set it
PIECES = re.compile(r"^# array elements: (none|[\d,]+) of (\d+)$", re.MULTILINE)


def array_limit(machine: Machine) -> int:
    """The most elements of an array on a machine."""
    return machine.array_limit or slurm.max_array_size() or DEFAULT_ARRAY_SIZE


def pieces_of(text: str) -> tuple[list[int], int] | None:
    """The pieces that a dry run prints and the number of all; None: the verb does not divide its work."""
    match = PIECES.search(text)
    if match is None:
        return None
    return [] if match[1] == "none" else [int(piece) for piece in match[1].split(",")], int(match[2])


def elements_of(pieces: list[int], total: int, limit: int) -> tuple[list[int], int]:
    """The indices of the elements that have something to do, and the number of elements that share all pieces."""
    elements = max(1, min(total, limit))
    return sorted({piece % elements for piece in pieces}), elements


def as_ranges(indices: list[int]) -> str:
    """Indices as Slurm writes them.

    >>> as_ranges([0, 1, 2, 5, 7, 8])
    '0-2,5,7-8'
    """
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
