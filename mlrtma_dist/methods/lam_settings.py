"""Settings of the forecast emulator `methods.lam`."""

from dataclasses import dataclass

NETWORKS = ("unet", "graph")
GROUND = 3  # channels of `methods.ground_channels`


@dataclass(frozen=True)
class GraphSizes:
    """Sizes of a graph network (`nn.graph.GraphConfig`).

    Attributes:
        mesh: "flat", "multiscale" or "hierarchical".
        spacing: grid points from one node of the finest level to the next.
        levels: of the mesh; 1 for a flat one.
        width: channels of nodes and edges.
        depth: layers of the processor; of a hierarchy, ways down and up.
    """

    mesh: str = "hierarchical"
    spacing: int = 3
    levels: int = 2
    width: int = 32
    depth: int = 2


@dataclass(frozen=True)
class LamSettings:
    """What the method is made of.

    Attributes:
        variables: fields that are forecast.
        step_minutes: from one state to the next, minutes.
        steps: of the forecast, one after the other, whose errors the loss adds up.
        rim: width in grid points of the outer cells, which are set to the boundary's values after each step and are no
            part of the loss; 0: no cell is, as on a periodic plane.
        rim_missing: share of the times that a case is shown, from 0 to below 1, in which the network is shown no
            boundary and forecasts the outer cells, too; 0: it cannot, and without a boundary they stay as they are.
        ground: whether terrain, relief and the land's share are channels of the network.
        sun: whether the sine of the sun's elevation at the beginning and at the end of the step are channels; false on
            a plane.
        noise: standard deviation of noise that is added to the last state in training, in units of each variable's
            change in one step; cases may then be shown many times. 0: none.
        network: "unet", a U-net on squares of points, or "graph", a graph network on a mesh.
        graph: sizes of the graph network.
        fold: points on a side of the squares that become channels.
        widths: channels of the network's levels; groups: of its norms.
        recompute: forget activations in the forward pass, compute them again in the backward pass.
        seed: of the first weights.
    """

    variables: int = 1
    step_minutes: int = 60
    steps: int = 1
    rim: int = 4
    rim_missing: float = 0.0
    ground: bool = True
    sun: bool = True
    noise: float = 0.0
    network: str = "unet"
    graph: GraphSizes = GraphSizes()
    fold: int = 2
    widths: tuple[int, ...] = (64, 64, 64)
    groups: int = 8
    recompute: bool = False
    seed: int = 0

    def __post_init__(self):
        for name in ("variables", "step_minutes", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected >= 1, got {getattr(self, name)}")
        if self.rim < 0:
            raise ValueError(f"rim: expected >= 0, got {self.rim}")
        if not 0.0 <= self.rim_missing < 1.0 or (self.rim_missing and not self.rim):
            raise ValueError(f"rim_missing: expected from 0 to below 1, and 0 with rim 0, got {self.rim_missing:g}")
        if self.noise < 0.0:
            raise ValueError(f"noise: expected >= 0, got {self.noise:g}")
        if self.network not in NETWORKS:
            raise ValueError(f"network: expected one of {', '.join(NETWORKS)}, got {self.network!r}")

    backgrounds = 0  # the method reads none, and no reports
    types = 0

    @property
    def fixed(self) -> int:
        """Channels that are the same in every step."""
        return GROUND * self.ground

    @property
    def forcings(self) -> int:
        """Channels of each step, which are known of the future."""
        return 2 * self.sun

    @property
    def channels_in(self) -> int:
        """Of the network: state and its last change, ground, forcing and, of a domain with a rim, the boundary."""
        of_boundary = self.variables + 1 if self.rim else 0
        return 2 * self.variables + self.fixed + self.forcings + of_boundary
