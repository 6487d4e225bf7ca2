"""What a tile sends, counted without sending it: a transport that writes letters and sums down and carries nothing.

A network that runs on PyTorch's meta device under a `Counting` transport asks its neighbourhood the very questions of
a real run, so the numbers of messages and bytes come from the code. `tests/parallel/test_traffic.py` holds them against
what four real ranks handed to torch.distributed.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from mlrtma_dist.parallel.transport import Pending, Transport


@dataclass(frozen=True)
class Round:
    """Letters that leave together: (tile they go to, bytes) of each."""

    letters: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Collective:
    """What all ranks of a group do at once.

    Attributes:
        kind: "sum": everyone gets the sum of everyone's tensor; "collect": everyone gets everyone's part; "divide":
            everyone gets its part of the sum; "scatter" and "assemble": parts from and to the first rank.
        size: bytes of what this rank hands in (scatter: of what it gets).
    """

    kind: str
    size: int


@dataclass(frozen=True)
class Counting(Transport):
    """A transport that nobody answers: what arrives has the right shape and no meaning.

    Attributes:
        log: filled with a `Round` or `Collective` each time.
    """

    log: list = field(default_factory=list)

    @classmethod
    def among(cls, size: int, rank: int) -> "Counting":
        """The transport of one of ``size`` tiles."""
        return cls(None, tuple(range(size)), rank)

    def post(self, letters: list[tuple], like: Tensor) -> Pending:
        """Write down what is sent; what is received is empty."""
        pending, sent = Pending(), []
        for kind, tile, _, *rest in letters:
            if kind == "send":
                sent.append((tile, rest[0].nbytes))
            else:
                pending.arrivals[rest[0]] = like.new_empty(rest[1])
        if letters:
            self.log.append(Round(tuple(sent)))
        return pending

    def sum(self, tensor: Tensor) -> Tensor:
        """Write down a sum; the tensor is returned as it is, copied."""
        if self.size > 1:
            self.log.append(Collective("sum", tensor.nbytes))
        return tensor.clone()

    def collect(self, tensor: Tensor) -> list[Tensor]:
        """Write down a collection; everyone's part is the same one."""
        if self.size > 1:
            self.log.append(Collective("collect", tensor.nbytes))
        return [tensor.contiguous()] * self.size

    def scatter(self, parts: list[Tensor], like: Tensor) -> Tensor:
        """Write down that parts are dealt out."""
        if self.size > 1:
            self.log.append(Collective("scatter", like.nbytes))
        return torch.empty_like(like)

    def assemble(self, tensor: Tensor) -> list[Tensor]:
        """Write down that parts are brought to tile 0."""
        if self.size > 1:
            self.log.append(Collective("assemble", tensor.nbytes))
        return [tensor] * self.size if self.rank == 0 else []
