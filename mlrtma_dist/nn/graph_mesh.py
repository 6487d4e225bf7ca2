"""Meshes of graph networks on a domain's own lines: which nodes there are, and which edges a tile's receivers have.

Node k of the finest mesh stands in the middle of grid points k * spacing to (k + 1) * spacing - 1, in y and in x; node
k of the next level in the middle of nodes 3 k to 3 k + 2. So every domain has its mesh, and a tile that begins on a
multiple owns the nodes of its points. An edge belongs to the tile of its receiver, with its state: only senders are
fetched from neighbours.

All edges are products of what holds in y and what holds in x (`Links`). What distinguishes them is the offset from
receiver to sender, never a place in the domain: attributes are the offset (y, x) in spacings of the edge's level and
log(1 + length / spacing of the finest level).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from mlrtma_dist.grid.box import Box
from mlrtma_dist.nn.graph_layers import Edges
from mlrtma_dist.nn.neighbourhood import Neighbourhood

BRANCH = 3  # nodes of a level, in y and in x, below one of the next level
REACH = 0.67  # spacings from a node within which grid points send to it (Oskarsson et al. 2024)
ATTRIBUTES = 3


@dataclass(frozen=True)
class Part:
    """Nodes, or grid points, of a regular grid that a tile holds.

    Attributes:
        domain: nodes of the whole grid in y and x.
        box: those held.
        periodic: whether y, x wrap.
    """

    domain: tuple[int, int]
    box: Box
    periodic: tuple[bool, bool]

    @classmethod
    def of(cls, neighbourhood: Neighbourhood) -> "Part":
        """What a neighbourhood holds."""
        return cls(neighbourhood.domain, neighbourhood.box, neighbourhood.periodic)

    def around(self, width: int) -> Box:
        """The box with a rim of ``width``, as `Neighbourhood.rim` gives it: also beyond the domain."""
        box = self.box
        return Box(box.y0 - width, box.y1 + width, box.x0 - width, box.x1 + width)

    def every(self, step: int) -> "Part":
        """The nodes whose both indices are multiples of ``step``."""
        box = Box(*(-(-bound // step) for bound in (self.box.y0, self.box.y1, self.box.x0, self.box.x1)))
        rows, columns = (-(-size // step) for size in self.domain)
        return Part((rows, columns), box, self.periodic)

    def axes(self) -> list[tuple[int, int, int, bool]]:
        """For y and x: first index held, index after the last, size of the domain, whether it wraps."""
        box = self.box
        bounds = ((box.y0, box.y1), (box.x0, box.x1))
        return [(*bound, size, wraps) for bound, size, wraps in zip(bounds, self.domain, self.periodic, strict=True)]


@dataclass(frozen=True)
class Links:
    """Which indices of one axis are linked: receiver, sender, and the offset from receiver to sender, each (link,)."""

    receiver: np.ndarray
    sender: np.ndarray
    offset: np.ndarray

    @classmethod
    def stencil(cls, low: int, high: int, size: int, wraps: bool, step: int, reach: range, centre: float) -> "Links":
        """Receiver r of [low, high) and senders step * r + o of [0, size) for o of ``reach``, offset by o - centre."""
        receiver = np.repeat(np.arange(low, high), len(reach))
        steps = np.tile(np.arange(reach.start, reach.stop), high - low)
        sender = step * receiver + steps
        present = np.full(len(sender), True) if wraps else (sender >= 0) & (sender < size)
        return cls(receiver[present], sender[present], (steps - centre)[present])


def product(links: list[Links], receivers: Box, senders: Box, keep=None) -> tuple[np.ndarray, ...]:
    """Edges of all pairs of links, ordered by receiver.

    Args:
        links: in y and in x; receivers, senders: the boxes whose nodes are counted row by row.
        keep: tells from offsets in y and x which pairs are edges; all, where it is left out.

    Returns:
        sender, receiver: indices of shape (edge,); offset in y, in x: float64 of shape (edge,).
    """
    in_y, in_x = links
    y, x = (index.ravel() for index in np.indices((len(in_y.sender), len(in_x.sender))))
    if keep is not None:
        kept = keep(in_y.offset[y], in_x.offset[x])
        y, x = y[kept], x[kept]
    receiver = (in_y.receiver[y] - receivers.y0) * receivers.shape[1] + in_x.receiver[x] - receivers.x0
    sender = (in_y.sender[y] - senders.y0) * senders.shape[1] + in_x.sender[x] - senders.x0
    order = np.argsort(receiver, kind="stable")
    return sender[order], receiver[order], in_y.offset[y][order], in_x.offset[x][order]


def edges_of(table, receivers: Box, spacing: float, finest: float, device: torch.device) -> Edges:
    """Edges of `product` as tensors.

    Args:
        table: what `product` gives; receivers: the box of all nodes that may receive.
        spacing: of the edges' level in the unit of the offsets; finest: spacing of the finest level in that unit.
    """
    sender, receiver, *offsets = table
    (in_y, y), (in_x, x) = (np.unique(offset, return_inverse=True) for offset in offsets)
    across, along = (each.ravel() for each in np.meshgrid(in_y, in_x, indexing="ij"))
    length = np.log1p(np.hypot(across, along) / finest)
    attributes = np.stack([across / spacing, along / spacing, length], 1)
    tensors = [torch.from_numpy(each).to(device) for each in (sender, receiver, y * len(in_x) + x, attributes)]
    return Edges(tensors[0], tensors[1], tensors[2], tensors[3], receivers.shape[0] * receivers.shape[1])


@lru_cache(maxsize=64)
def grid_to_mesh(points: Part, nodes: Part, spacing: int, device: torch.device) -> Edges:
    """Edges to own nodes from the points of their cells and others within `REACH`; senders have `rim_of_points`."""
    middle = (spacing - 1) / 2
    width = rim_of_points(spacing)
    reach = range(-width, spacing + width)
    axes = zip(nodes.axes(), points.domain, strict=True)
    links = [Links.stencil(low, high, size, wraps, spacing, reach, middle) for (low, high, _, wraps), size in axes]

    def near(across: np.ndarray, along: np.ndarray) -> np.ndarray:
        own_cell = np.maximum(np.abs(across), np.abs(along)) <= middle
        return own_cell | (np.hypot(across, along) <= REACH * spacing)

    return edges_of(product(links, nodes.box, points.around(width), near), nodes.box, spacing, spacing, device)


def rim_of_points(spacing: int) -> int:
    """How many points beyond its outermost cells a tile's nodes reach."""
    middle = (spacing - 1) / 2
    return max(0, int(np.floor(middle + REACH * spacing)) - (spacing - 1))


@lru_cache(maxsize=64)
def mesh_to_grid(nodes: Part, points: Part, spacing: int, device: torch.device) -> Edges:
    """Edges to own points from the four nodes around them, at the domain's edge the nearest two in y and in x.

    Senders have a rim of one node.
    """
    links = []
    for (low, high, _, wraps), size in zip(points.axes(), nodes.domain, strict=True):
        point = np.repeat(np.arange(low, high), 2)
        first = np.floor((point - (spacing - 1) / 2) / spacing).astype(np.int64)
        if not wraps:
            first = np.clip(first, 0, max(0, size - 2))
        sender = first + np.tile([0, 1], high - low)
        present = np.full(len(sender), True) if wraps else sender < size
        links.append(Links(point[present], sender[present], (sender * spacing + (spacing - 1) / 2 - point)[present]))
    return edges_of(product(links, points.box, nodes.around(1)), points.box, spacing, spacing, device)


@lru_cache(maxsize=64)
def upwards(below: Part, above: Part, level: int, device: torch.device) -> Edges:
    """Edges from the nodes of ``level`` to the one above them on the next level; both ends are own nodes."""
    axes = zip(above.axes(), below.domain, strict=True)
    links = [
        Links.stencil(low, high, size, wraps, BRANCH, range(BRANCH), BRANCH // 2)
        for (low, high, _, wraps), size in axes
    ]
    return edges_of(product(links, above.box, below.box), above.box, BRANCH, BRANCH**-level, device)


@lru_cache(maxsize=64)
def downwards(above: Part, below: Part, level: int, device: torch.device) -> Edges:
    """Edges to the nodes of ``level`` from the one above each; both ends are own nodes."""
    links = []
    for low, high, _, _ in below.axes():
        node = np.arange(low, high)
        links.append(Links(node, node // BRANCH, BRANCH // 2 - node % BRANCH))
    return edges_of(product(links, below.box, above.box), below.box, BRANCH, BRANCH**-level, device)


@lru_cache(maxsize=64)
def within(nodes: Part, senders: Box, level: int, device: torch.device, into: Part | None = None) -> Edges:
    """Edges to own nodes from the eight around them.

    Args:
        nodes: own nodes of ``level``; senders: the box of nodes that may send, counted row by row.
        into: the finest mesh, where receivers are its nodes at multiples of 3^level, counted row by row.
    """
    ring = range(-1, 2)
    links = [Links.stencil(low, high, size, wraps, 1, ring, 0) for low, high, size, wraps in nodes.axes()]
    table = product(links, nodes.box, senders, lambda across, along: (across != 0) | (along != 0))
    if into is not None:
        step, (row, column) = BRANCH**level, np.divmod(table[1], max(1, nodes.box.shape[1]))
        row, column = (row + nodes.box.y0) * step - into.box.y0, (column + nodes.box.x0) * step - into.box.x0
        table = (table[0], row * into.box.shape[1] + column, *table[2:])
    return edges_of(table, nodes.box if into is None else into.box, 1.0, BRANCH**-level, device)


def joined(lists: list[Edges], senders: list[int]) -> Edges:
    """Edge lists to the same receivers as one, whose senders are all lists' senders one after another.

    Args:
        senders: number of senders of each list.
    """
    if len(lists) == 1:
        return lists[0]
    first = np.cumsum([0, *senders[:-1]]).tolist()
    kinds = np.cumsum([0, *(len(each.attributes) for each in lists[:-1])]).tolist()
    return Edges(
        torch.cat([each.sender + begin for each, begin in zip(lists, first, strict=True)]),
        torch.cat([each.receiver for each in lists]),
        torch.cat([each.kind + begin for each, begin in zip(lists, kinds, strict=True)]),
        torch.cat([each.attributes for each in lists]),
        lists[0].receivers,
    )
