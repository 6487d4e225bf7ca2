"""An encode-process-decode graph network for limited-area models (Oskarsson et al. 2024), on any domain.

Grid points send to the nodes of a mesh, these to each other, and these to grid points:

    encode:    points to the nodes within 0.67 spacings of them          (`graph_mesh.grid_to_mesh`)
    process:   among nodes of a flat, multi-scale or hierarchical mesh   (`graph_process`)
    decode:    the four nodes around a point to the point                (`graph_mesh.mesh_to_grid`)

The mesh lies on the grid's own lines and edges carry offsets only, so that one set of weights serves every domain. A
tile owns the nodes of its points and the edges to them; it fetches a rim of points once and a rim of nodes in each
layer. Tiles begin on multiples of `GraphForecaster.alignment`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from mlrtma_dist.nn import graph_mesh
from mlrtma_dist.nn.graph_layers import LAYERS, Perceptron, embed
from mlrtma_dist.nn.graph_mesh import ATTRIBUTES, BRANCH, Part
from mlrtma_dist.nn.graph_process import Flat, Hierarchy, as_field, as_nodes, surrounded
from mlrtma_dist.nn.layers import in_precision_of, recompute
from mlrtma_dist.nn.neighbourhood import Neighbourhood, NeighbourhoodError, Rim

MESHES = ("flat", "multiscale", "hierarchical")


@dataclass(frozen=True)
class GraphConfig:
    """What the network is made of.

    Attributes:
        channels_in, channels_out: of the fields.
        mesh: "flat": one level; "multiscale": one set of nodes with edges of several lengths; "hierarchical": nodes
            of their own on every level.
        spacing: grid points from one node of the finest level to the next.
        levels: of the mesh, each with a third of the nodes of the one below in y and in x; 1 for a flat mesh.
        whole: how many of the coarsest levels every tile holds as a whole; fewer than ``levels``.
        width: channels of nodes and edges.
        depth: layers of the processor; of a hierarchy, ways down and up.
        upward: the layer from points to nodes and from a level to a coarser one, "interaction" or "propagation".
        downward: the layer from a level to a finer one and from nodes to points.
        recompute: forget activations in the forward pass, compute them again in the backward pass.
    """

    channels_in: int = 3
    channels_out: int = 1
    mesh: str = "hierarchical"
    spacing: int = 3
    levels: int = 3
    whole: int = 0
    width: int = 64
    depth: int = 4
    upward: str = "interaction"
    downward: str = "interaction"
    recompute: bool = False

    def __post_init__(self):
        for name, options in (("mesh", MESHES), ("upward", tuple(LAYERS)), ("downward", tuple(LAYERS))):
            if getattr(self, name) not in options:
                raise NeighbourhoodError(
                    f"graph network: unknown {name} {getattr(self, name)!r}; choose one of {', '.join(options)}."
                )
        for name in ("channels_in", "channels_out", "spacing", "levels", "width", "depth"):
            if getattr(self, name) < 1:
                raise NeighbourhoodError(f"graph network: {name} must be at least 1, got {getattr(self, name)}.")
        if (self.mesh == "flat") != (self.levels == 1):
            raise NeighbourhoodError(
                f"graph network: mesh {self.mesh!r} with levels {self.levels}. A flat mesh has 1 level, the others have"
                " at least 2."
            )
        if not 0 <= self.whole < self.levels:
            raise NeighbourhoodError(
                f"graph network: whole must be from 0 to levels - 1 = {self.levels - 1}, got {self.whole}."
            )


class GraphForecaster(nn.Module):
    """See the module's description."""

    def __init__(self, config: GraphConfig):
        super().__init__()
        self.config = config
        width, common = config.width, (config.width, config.depth, config.levels, config.whole, config.recompute)
        self.points = Perceptron(config.channels_in, width, width)
        self.edge_up, self.edge_down = (Perceptron(ATTRIBUTES, width, width) for _ in range(2))
        self.encoder = LAYERS[config.upward](width, keeps_edges=False)
        self.points_update = Perceptron(width, width, width)
        layers = config.upward, config.downward
        self.processor = Hierarchy(*common, layers) if config.mesh == "hierarchical" else Flat(*common)
        self.decoder = LAYERS[config.downward](width, keeps_edges=False)
        self.head = Perceptron(width, width, config.channels_out, normalises=False)

    @property
    def alignment(self) -> int:
        """Tiles begin on multiples of it: a node of the coarsest level that is divided among tiles."""
        config = self.config
        return config.spacing * BRANCH ** (config.levels - max(1, config.whole))

    def forward(self, field: Tensor, neighbourhood: Neighbourhood) -> Tensor:
        """Map (batch, channels_in, y, x) to (batch, channels_out, y, x).

        Raises:
            NeighbourhoodError: the field is not of the neighbourhood's box, or a periodic size does not divide.
            TileError: tiles begin off the alignment.
        """
        neighbourhood.check(field)
        field = in_precision_of(self, field)
        mesh = neighbourhood.coarsen(self.config.spacing)
        again = self.config.recompute and torch.is_grad_enabled()
        encode: Callable[..., tuple[Tensor, Tensor]] = partial(recompute, self._encode) if again else self._encode
        decode: Callable[..., Tensor] = partial(recompute, self._decode) if again else self._decode
        points, nodes = encode(field, neighbourhood, mesh)
        return decode(self.processor(nodes, mesh), points, neighbourhood, mesh)

    def _encode(self, field: Tensor, neighbourhood: Neighbourhood, mesh: Neighbourhood) -> tuple[Tensor, Tensor]:
        """Own points and own nodes, each (node, batch, width)."""
        width, own = graph_mesh.rim_of_points(self.config.spacing), neighbourhood.box.shape
        around = neighbourhood.rim(field, Rim.around(width, width))
        senders = self.points(as_nodes(around))
        points = senders.unflatten(0, tuple(around.shape[-2:]))
        points = points[width : width + own[0], width : width + own[1]].flatten(0, 1)
        parts = Part.of(neighbourhood), Part.of(mesh)
        graph = graph_mesh.grid_to_mesh(*parts, self.config.spacing, field.device)
        count = mesh.box.shape[0] * mesh.box.shape[1]
        nodes = self.processor.start[0].expand(count, len(field), -1)
        nodes, _ = self.encoder(senders, nodes, embed(graph.attributes, self.edge_up), graph, by_kind=True)
        return points + self.points_update(points), nodes

    def _decode(self, nodes: Tensor, points: Tensor, neighbourhood: Neighbourhood, mesh: Neighbourhood) -> Tensor:
        """The field (batch, channels_out, y, x) from own nodes and own points."""
        parts = Part.of(mesh), Part.of(neighbourhood)
        graph = graph_mesh.mesh_to_grid(*parts, self.config.spacing, nodes.device)
        edges = embed(graph.attributes, self.edge_down)
        points, _ = self.decoder(surrounded(nodes, mesh), points, edges, graph, by_kind=True)
        return as_field(self.head(points), neighbourhood.box.shape).contiguous()
