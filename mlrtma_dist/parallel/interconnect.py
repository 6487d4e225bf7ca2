"""How long letters and collectives take: latency and bandwidth of links within a node and between nodes.

Hockney's model (1994), t = latency + bytes / bandwidth, for letters; for collectives the costs of Thakur, Rabenseifner
and Gropp (2005, section 4): trees for the latency, rings for the bytes. With n ranks, S bytes a rank, a the latency of
all levels of the tree, b the bandwidth of the slowest link used:

    sum         2 a + 2 (n - 1) / n S / b        collect, scatter, assemble   a + (n - 1) S / b
    divide        a +   (n - 1) / n S / b        letters of one round         the slower of both kinds of link

Nothing is assumed to hide behind computation.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mlrtma_dist.parallel.traffic import Collective, Round


@dataclass(frozen=True)
class Link:
    """latency: s from one rank to another; bandwidth: bytes/s that a rank can send, one direction."""

    latency: float
    bandwidth: float


@dataclass(frozen=True)
class Interconnect:
    """The links of a machine; rank r lives on node r // per_node."""

    within_node: Link
    between_nodes: Link
    per_node: int

    def seconds(self, items: Iterable[Round | Collective], rank: int, ranks: int) -> float:
        """Time for what one rank sends, one after the other, s.

        Args:
            rank: of the sender; ranks: in the group, from rank 0 on. A letter's tile is a rank.
        """
        return sum(
            self._round(item, rank) if isinstance(item, Round) else self._collective(item, ranks) for item in items
        )

    def _round(self, item: Round, rank: int) -> float:
        near, far = 0, 0
        for tile, size in item.letters:
            same = tile // self.per_node == rank // self.per_node
            near, far = near + size * same, far + size * (not same)
        sent = (self.within_node, near), (self.between_nodes, far)
        return max(link.latency + size / link.bandwidth if size else 0.0 for link, size in sent)

    def _collective(self, item: Collective, ranks: int) -> float:
        if ranks == 1:
            return 0.0
        nodes = math.ceil(ranks / self.per_node)
        inner = math.ceil(math.log2(min(ranks, self.per_node))) * self.within_node.latency
        outer = math.ceil(math.log2(nodes)) * self.between_nodes.latency
        used = [self.within_node.bandwidth] + [self.between_nodes.bandwidth] * (nodes > 1)
        trips = {"sum": 2, "divide": 1}.get(item.kind)
        share = trips * (ranks - 1) / ranks if trips else ranks - 1
        return (2 if item.kind == "sum" else 1) * (inner + outer) + share * item.size / min(used)
