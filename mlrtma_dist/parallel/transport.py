"""How tensors travel between the tiles of one sample: messages, sums and collections, nothing differentiable.

The one place that calls torch.distributed for tiles. A transport without a group serves a tile that is alone.
"""

from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass
class Pending:
    """Messages under way. Holds what was sent until it has left, as NCCL reads it late."""

    works: list = field(default_factory=list)
    arrivals: dict = field(default_factory=dict)
    departures: list = field(default_factory=list)

    def finish(self) -> dict:
        """Wait for all messages; the arrivals by their key."""
        for work in self.works:
            work.wait()
        return self.arrivals


@dataclass(frozen=True)
class Transport:
    """The tiles of one sample as correspondents.

    Attributes:
        group: torch.distributed group of the tiles, None for a tile alone.
        ranks: global rank of every tile, by tile rank.
        rank: the tile here.
    """

    group: object
    ranks: tuple[int, ...]
    rank: int

    @classmethod
    def alone(cls) -> "Transport":
        """The transport of an undivided domain: nobody to write to."""
        return cls(None, (0,), 0)

    @property
    def size(self) -> int:
        """How many tiles."""
        return len(self.ranks)

    def post(self, letters: list[tuple], like: Tensor) -> Pending:
        """Send and receive, without waiting.

        Args:
            letters: in the order agreed by all: ("send", tile, tag, tensor) or ("receive", tile, tag, key, shape).
            like: gives dtype and device of what arrives.
        """
        pending = Pending()
        operations = []
        for kind, tile, tag, *rest in letters:
            if kind == "send":
                tensor = rest[0].contiguous()
                pending.departures.append(tensor)
            else:
                tensor = like.new_empty(rest[1])
                pending.arrivals[rest[0]] = tensor
            action = dist.isend if kind == "send" else dist.irecv
            operations.append(dist.P2POp(action, tensor, self.ranks[tile], self.group, tag))
        if operations:
            pending.works = dist.batch_isend_irecv(operations)
        return pending

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over tiles, a new tensor (or the given one, alone)."""
        if self.size == 1:
            return tensor
        tensor = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(tensor, group=self.group)
        return tensor

    def collect(self, tensor: Tensor) -> list[Tensor]:
        """Every tile's tensor (equal shapes), by tile rank."""
        if self.size == 1:
            return [tensor]
        tensor = tensor.contiguous()
        parts = [torch.empty_like(tensor) for _ in self.ranks]
        dist.all_gather(parts, tensor, group=self.group)
        return parts

    def scatter(self, parts: list[Tensor], like: Tensor) -> Tensor:
        """Tile 0's parts (equal shapes, one a tile), each to its tile; ``like`` has the shape of one part."""
        if self.size == 1:
            return parts[0]
        part = torch.empty_like(like, memory_format=torch.contiguous_format)
        dist.scatter(part, [p.contiguous() for p in parts] if self.rank == 0 else None, self.ranks[0], group=self.group)
        return part

    def assemble(self, tensor: Tensor) -> list[Tensor]:
        """Every tile's tensor (equal shapes) at tile 0, by tile rank; elsewhere an empty list."""
        if self.size == 1:
            return [tensor]
        parts = [torch.empty_like(tensor) for _ in self.ranks] if self.rank == 0 else []
        dist.gather(tensor.contiguous(), parts or None, self.ranks[0], group=self.group)
        return parts
