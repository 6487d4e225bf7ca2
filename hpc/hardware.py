"""What a machine's nodes are made of: the ``hardware:`` section of a profile, with which `mlrtma plan` predicts.

Figures of a data sheet are bounds; measured ones predict. `benchmarks/plan_check.py` measures the machine it runs on
and prints this section.
"""

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Link:
    """A link between ranks.

    Attributes:
        latency: time from a rank to another, s.
        bandwidth: that a rank can send in one direction, bytes/s.
    """

    latency: float
    bandwidth: float

    def __post_init__(self):
        _check_positive(self)


@dataclass(frozen=True)
class Hardware:
    """What a rank computes with, and what connects the ranks.

    Attributes:
        peak_bf16, peak_float32: dense matrix products of a GPU (of a rank, where there is none), 1/s.
        utilisation: share of that peak which a training step's matrix products and convolutions reach.
        memory: of a rank, bytes.
        memory_bandwidth: of a rank's memory, bytes/s.
        call: time that PyTorch needs to call one operator, s.
        within_node, between_nodes: links from a rank to another.
        read_bandwidth: bytes/s that a rank reads from the file system while all others read; null: not known, and
            reading is not counted.
    """

    peak_bf16: float
    peak_float32: float
    utilisation: float
    memory: float
    memory_bandwidth: float
    call: float
    within_node: Link
    between_nodes: Link
    read_bandwidth: float | None = None

    def __post_init__(self):
        if not 0.0 < self.utilisation <= 1.0:
            raise ValueError(f"utilisation: expected a share of the peak up to 1, got {self.utilisation:g}")
        _check_positive(self)


def _check_positive(part) -> None:
    for each in fields(part):
        value = getattr(part, each.name)
        if isinstance(value, float) and not 0.0 < value < math.inf:
            raise ValueError(f"{each.name}: expected a finite number above 0, got {value:g}")
