"""Settings of the forecast emulator `methods.lam`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LamSettings:
    """What the method is made of.

    Attributes:
        variables: fields that are forecast.
        step_minutes: from one state to the next, minutes.
        steps: of the forecast, one after the other, whose errors the loss adds up.
        rim: width in grid points of the outer cells, which are set to the boundary's values after each step and are no
            part of the loss; 0: no cell is, as on a periodic plane.
        ground: whether terrain, relief and the land's share are channels of the network.
        sun: whether the sine of the sun's elevation at the beginning and at the end of the step are channels; false on
            a plane.
        noise: standard deviation of noise that is added to the last state in training, in units of each variable's
            change in one step; cases may then be shown many times. 0: none.
        network: "unet", a U-net on squares of points.
        fold: points on a side of the squares that become channels.
        widths: channels of the network's levels; groups: of its norms.
        recompute: forget activations in the forward pass, compute them again in the backward pass.
        seed: of the first weights.
    """

    variables: int = 1
    step_minutes: int = 60
    steps: int = 1
    rim: int = 4
    ground: bool = True
    sun: bool = True
    noise: float = 0.0
    network: str = "unet"
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


NETWORKS = ("unet",)
GROUND = 3  # channels of `methods.ground_channels`
