"""Processors of graph networks: messages among mesh nodes, between tiles and between levels.

`Flat` passes messages along the edges of one mesh of the finest nodes; with several levels it is multi-scale: nodes at
multiples of 3^level are joined, too. `Hierarchy` has nodes of its own on every level and passes messages within levels,
up and down (Oskarsson et al. 2024, section 3). The coarsest levels may be held as a whole by every tile, which then
computes them again for itself instead of fetching a rim in every layer.

Node states are (node, batch, channel), rows of the tile from the south, columns from the west.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from mlrtma_dist.grid.box import Box
from mlrtma_dist.nn import graph_mesh
from mlrtma_dist.nn.graph_layers import LAYERS, Edges, InteractionNet, Perceptron, embed
from mlrtma_dist.nn.graph_mesh import ATTRIBUTES, BRANCH, Part
from mlrtma_dist.nn.layers import recompute
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood, Rim


def as_field(nodes: Tensor, shape: tuple[int, int]) -> Tensor:
    """From (node, batch, channel) to (batch, channel, y, x)."""
    return nodes.unflatten(0, shape).permute(2, 3, 0, 1)


def as_nodes(field: Tensor) -> Tensor:
    """From (batch, channel, y, x) to (node, batch, channel)."""
    return field.permute(2, 3, 0, 1).flatten(0, 1).contiguous()


def surrounded(nodes: Tensor, grid: Neighbourhood) -> Tensor:
    """The nodes of a tile and one row and column of nodes around it, shape ((y + 2) (x + 2), batch, channel)."""
    return as_nodes(grid.rim(as_field(nodes, grid.box.shape), Rim.around(1, 1)))


@dataclass(frozen=True)
class Level:
    """A level of a hierarchy on a tile.

    Attributes:
        grid: the level's nodes that are processed here, all of them where every tile holds the level as a whole.
        divided: the nodes that belong to this tile, where they are not the same: on the first of the whole levels.
    """

    grid: Neighbourhood
    divided: Neighbourhood | None = None

    @property
    def own(self) -> Part:
        """The nodes that take part in messages between this level and the one below."""
        return Part.of(self.divided or self.grid)

    def take(self, nodes: Tensor) -> Tensor:
        """Own nodes out of those processed here."""
        if self.divided is None:
            return nodes
        rows, columns = self.divided.box.slices
        field = nodes.unflatten(0, self.grid.box.shape)
        return field[rows, columns].flatten(0, 1)

    def fetch(self, nodes: Tensor) -> Tensor:
        """Those processed here, from own nodes."""
        if self.divided is None:
            return nodes
        return as_nodes(self.divided.whole(as_field(nodes, self.divided.box.shape)))


def levels_of(finest: Neighbourhood, count: int, whole: int) -> list[Level]:
    """The levels of a hierarchy on a tile, from the finest.

    Args:
        count: how many; whole: how many of the coarsest are held as a whole.
    """
    levels = [Level(finest)]
    for number in range(1, count):
        grid = levels[-1].grid.coarsen(BRANCH)
        first_whole = number == count - whole and grid.tiles > 1
        levels.append(Level(Alone(grid.domain, grid.periodic), grid) if first_whole else Level(grid))
    return levels


class Flat(nn.Module):
    """``depth`` InteractionNets on the finest nodes, joined on ``levels`` scales; one scale: a plain mesh."""

    def __init__(self, width: int, depth: int, levels: int, whole: int, recompute: bool):
        super().__init__()
        self.levels, self.whole, self.recompute = levels, whole, recompute
        self.start = nn.Parameter(torch.randn(1, width))
        self.edge = Perceptron(ATTRIBUTES, width, width)
        self.layers = nn.ModuleList(InteractionNet(width) for _ in range(depth))

    def forward(self, nodes: Tensor, finest: Neighbourhood) -> Tensor:
        """Map the finest nodes (node, batch, width) to the same shape."""
        grids, lists, senders = [finest], [], []
        for level in range(self.levels):
            if 0 < level <= self.levels - max(1, self.whole):
                grids.append(grids[-1].coarsen(BRANCH))
            nodes_of_level, box = self._part(level, grids)
            into = Part.of(finest) if level else None
            lists.append(graph_mesh.within(nodes_of_level, box, level, nodes.device, into))
            senders.append(box.shape[0] * box.shape[1])
        graph = graph_mesh.joined(lists, senders)
        edges, by_kind = embed(graph.attributes, self.edge), True
        for layer in self.layers:
            arguments = layer, nodes, edges, graph, grids, by_kind
            again = self.recompute and torch.is_grad_enabled()
            nodes, edges = recompute(self._step, *arguments) if again else self._step(*arguments)
            by_kind = False
        return nodes

    def _part(self, level: int, grids: list[Neighbourhood]) -> tuple[Part, Box]:
        """A level's own nodes, and the box of its nodes that send."""
        own = Part.of(grids[0]).every(BRANCH**level)
        whole = Part(own.domain, Box.whole(own.domain), own.periodic)
        return own, (whole if level >= self.levels - self.whole else own).around(1)

    def _step(self, layer, nodes, edges, graph, grids, by_kind) -> tuple[Tensor, Tensor]:
        return layer(self._senders(nodes, grids), nodes, edges, graph, by_kind)

    def _senders(self, nodes: Tensor, grids: list[Neighbourhood]) -> Tensor:
        """The nodes of all levels that send, one level after another."""
        field, parts = as_field(nodes, grids[0].box.shape), []
        for level in range(self.levels):
            step = BRANCH if level > 0 else 1
            field = field[..., ::step, ::step]
            if level < self.levels - self.whole:
                parts.append(as_nodes(grids[level].rim(field, Rim.around(1, 1))))
                continue
            if level == self.levels - self.whole:
                field = grids[level].whole(field)
            whole = Alone((field.shape[-2], field.shape[-1]), grids[0].periodic)
            parts.append(as_nodes(whole.rim(field, Rim.around(1, 1))))
        return parts[0] if len(parts) == 1 else torch.cat(parts)


class Sweep(nn.Module):
    """Layers from one end of a hierarchy to the other: within each level, and to the next one between them."""

    def __init__(self, width: int, levels: int, between: str):
        super().__init__()
        self.within = nn.ModuleList(InteractionNet(width) for _ in range(levels))
        self.between = nn.ModuleList(LAYERS[between](width) for _ in range(levels - 1))


@dataclass
class Hierarchical:
    """States of a hierarchy on a tile: nodes of each level, edges within it, up from it and down to it."""

    nodes: list[Tensor]
    within: list[Tensor]
    up: list[Tensor]
    down: list[Tensor]


class Hierarchy(nn.Module):
    """A way up, ``depth`` times down and up, and a way down, over ``levels`` levels."""

    def __init__(self, width: int, depth: int, levels: int, whole: int, recompute: bool, layers: tuple[str, str]):
        super().__init__()
        self.levels, self.whole, self.recompute = levels, whole, recompute
        upward, downward = layers
        self.start = nn.Parameter(torch.randn(levels, width))
        kinds = {"within": levels, "up": levels - 1, "down": levels - 1}
        self.edges = nn.ModuleDict(
            {kind: nn.ModuleList(Perceptron(ATTRIBUTES, width, width) for _ in range(n)) for kind, n in kinds.items()}
        )
        ways = [upward, *[downward, upward] * depth, downward]
        self.sweeps = nn.ModuleList(Sweep(width, levels, way) for way in ways)

    def forward(self, nodes: Tensor, finest: Neighbourhood) -> Tensor:
        """Map the finest nodes (node, batch, width) to the same shape."""
        levels = levels_of(finest, self.levels, self.whole)
        graphs, device = {}, nodes.device
        parts = [Part.of(each.grid) for each in levels]
        graphs["within"] = [graph_mesh.within(p, p.around(1), n, device) for n, p in enumerate(parts)]
        pairs = [(below, above.own, n) for n, (below, above) in enumerate(zip(parts, levels[1:], strict=False))]
        graphs["up"] = [graph_mesh.upwards(below, above, n, device) for below, above, n in pairs]
        graphs["down"] = [graph_mesh.downwards(above, below, n, device) for below, above, n in pairs]
        state = self._start(nodes, parts, graphs)
        for number, sweep in enumerate(self.sweeps):
            upward = number % 2 == 0
            arguments = sweep, upward, state, levels, graphs
            again = self.recompute and torch.is_grad_enabled()
            state = recompute(self._sweep, *arguments) if again else self._sweep(*arguments)
        return state.nodes[0]

    def _start(self, nodes: Tensor, parts: list[Part], graphs: dict[str, list[Edges]]) -> Hierarchical:
        """The coarser nodes begin alike, edges as their attributes say."""
        coarse = [
            self.start[n].expand(part.box.shape[0] * part.box.shape[1], nodes.shape[1], -1)
            for n, part in enumerate(parts[1:], 1)
        ]
        edges = {
            kind: [
                embed(graph.attributes, network)[graph.kind]
                for graph, network in zip(graphs[kind], self.edges[kind], strict=True)
            ]
            for kind in graphs
        }
        return Hierarchical([nodes, *coarse], **edges)

    def _sweep(self, sweep: Sweep, upward: bool, state: Hierarchical, levels: list[Level], graphs) -> Hierarchical:
        new = Hierarchical(list(state.nodes), list(state.within), list(state.up), list(state.down))
        order = range(len(levels)) if upward else range(len(levels))[::-1]
        self._within(sweep, order[0], new, levels, graphs)
        for one, other in pairwise(order):
            below, above = min(one, other), levels[max(one, other)]
            edges = new.up if upward else new.down
            senders, receivers = new.nodes[below], above.take(new.nodes[below + 1])
            if not upward:
                senders, receivers = receivers, senders
            graph = graphs["up" if upward else "down"][below]
            nodes, edges[below] = sweep.between[below](senders, receivers, edges[below], graph)
            new.nodes[other] = above.fetch(nodes) if upward else nodes
            self._within(sweep, other, new, levels, graphs)
        return new

    @staticmethod
    def _within(sweep: Sweep, level: int, state: Hierarchical, levels: list[Level], graphs) -> None:
        nodes = state.nodes[level]
        arguments = surrounded(nodes, levels[level].grid), nodes, state.within[level], graphs["within"][level]
        state.nodes[level], state.within[level] = sweep.within[level](*arguments)
