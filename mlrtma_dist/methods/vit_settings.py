"""The settings of the vision transformer on reports."""

from dataclasses import dataclass, field

import numpy as np

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.methods.image_encoding import ImageryChannel
from mlrtma_dist.methods.predictands import PREDICTANDS


@dataclass(frozen=True)
class TransformerSettings:
    """What the method is made of.

    Attributes:
        variables: that are analysed; reports of them are the input.
        token_spacing: of the tokens, m: the power of two of grid points that is nearest to it.
        neighbours: stations to which a point attends.
        rise: deviation of the heights by which points are moved off their stations in training, m.
        classical: whether the analysis of 3D-Var is one more source (`methods.classical_source`).
        width, heads, rounds, depth, window, latent, hidden, recompute: of `ReportTransformerConfig`.
        seed: of the first weights.
        imagery: channel of the imagery -> its unit, typical mean and scale; empty: imagery is not an input.
        imagery_dropped: share of the draws of a training in which all imagery is treated as missing; with several
            channels one of them is in as many other draws.
        reports_per_station: of each variable at most; beside the nearest in time others of the window, at their ages.
    """

    variables: tuple[str, ...] = tuple(PREDICTANDS)
    token_spacing: float = 160e3
    neighbours: int = 32
    rise: float = 100.0
    classical: bool = False
    width: int = 64
    heads: int = 4
    rounds: int = 2
    depth: int = 4
    window: int = 5
    latent: int = 48
    hidden: int = 128
    recompute: bool = False
    seed: int = 0
    imagery: dict[str, ImageryChannel] = field(default_factory=dict)
    imagery_dropped: float = 0.3
    reports_per_station: int = 1

    def __post_init__(self):
        unknown = [name for name in self.variables if name not in PREDICTANDS]
        if unknown or not self.variables:
            raise ValueError(
                f"variables: expected some of {', '.join(PREDICTANDS)}, got {', '.join(unknown) or 'none'}"
            )
        counts = "neighbours", "width", "heads", "window", "latent", "hidden", "reports_per_station"
        for name in ("token_spacing", *counts):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected more than 0, got {getattr(self, name)}")
        if not 0.0 <= self.imagery_dropped <= 0.5:
            raise ValueError(f"imagery_dropped: expected from 0 to 0.5, got {self.imagery_dropped:g}")
        if self.rounds < 0 or self.depth < 0 or self.rise < 0:
            raise ValueError(f"expected rounds, depth and rise >= 0, got {self.rounds}, {self.depth} and {self.rise:g}")

    def patch(self, domain: Domain) -> int:
        """Grid points on a side of a token."""
        return 2 ** max(0, round(np.log2(self.token_spacing / domain.spacing_metres)))
