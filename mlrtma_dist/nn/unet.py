"""A plain convolutional U-net (Ronneberger et al. 2015), on any size of domain.

Sizes need not divide: a level of n points has ceil(n / 2) below it, and what is interpolated back is cut to n. Tiles
must begin on multiples of `UNet.alignment`. Whether the domain wraps is the neighbourhood's affair; one that wraps
must divide.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mlrtma_dist.nn.layers import Convolution, GroupNorm, ResidualBlock, in_precision_of, recompute, upsample
from mlrtma_dist.nn.neighbourhood import Neighbourhood, NeighbourhoodError


@dataclass(frozen=True)
class UNetConfig:
    """What a U-net is made of. The defaults are those of Exercise 1: 0.7 million weights.

    Attributes:
        channels_in, channels_out: of the fields.
        widths: channels of every level, finest first.
        groups: of the group norms; 0 leaves the norms out.
        edge: beyond a domain that does not wrap, "zeros" or "replicate".
        recompute: forget activations in the forward pass, compute them again in the backward pass.
        embedding: numbers that describe a whole field and modulate every block; 0: none.
    """

    channels_in: int = 3
    channels_out: int = 1
    widths: tuple[int, ...] = (32, 64, 72, 72)
    groups: int = 8
    edge: str = "replicate"
    recompute: bool = False
    embedding: int = 0

    def __post_init__(self):
        if not self.widths or min(self.widths) < 1 or self.groups < 0:
            raise NeighbourhoodError(
                f"expected widths from 1 on, one a level, and groups from 0 on, got {self.widths} and {self.groups}."
            )
        if self.groups and any(width % self.groups for width in self.widths):
            raise NeighbourhoodError(f"widths {self.widths} must be multiples of the {self.groups} groups.")


class UNet(nn.Module):
    """Levels of residual blocks, halved by strided convolutions, doubled by bilinear interpolation."""

    def __init__(self, config: UNetConfig):
        super().__init__()
        self.config = config
        widths = config.widths
        block = partial(ResidualBlock, groups=config.groups, edge=config.edge, embedding=config.embedding)
        self.stem = Convolution(config.channels_in, widths[0], edge=config.edge)
        self.descent = nn.ModuleList(block(width, width) for width in widths)
        self.halvings = nn.ModuleList(Convolution(a, b, stride=2, edge=config.edge) for a, b in pairwise(widths))
        self.ascent = nn.ModuleList(block(a + b, a) for a, b in pairwise(widths))
        self.norm = GroupNorm(config.groups, widths[0]) if config.groups else None
        self.head = Convolution(widths[0], config.channels_out, edge=config.edge)

    @property
    def alignment(self) -> int:
        """Tiles begin on multiples of it: a point of the coarsest level."""
        return 2 ** len(self.halvings)

    def forward(self, field: Tensor, neighbourhood: Neighbourhood, embedding: Tensor | None = None) -> Tensor:
        """Map (batch, channels_in, y, x) to (batch, channels_out, y, x).

        Args:
            embedding: of each field of the batch, shape (batch, ``config.embedding``), where the network takes one.

        Raises:
            NeighbourhoodError: the field is not of the neighbourhood's box, or a periodic size does not divide.
            TileError: tiles begin off the alignment, or are smaller than a kernel's reach on some level.
        """
        neighbourhood.check(field)
        field = in_precision_of(self, field)
        levels, kept = [neighbourhood], []
        field = self.stem(field, neighbourhood)
        for block, halving in zip(self.descent, [*self.halvings, None], strict=True):
            field = self._call(block, field, levels[-1], embedding)
            if halving is not None:
                kept.append(field)
                field = halving(field, levels[-1])
                levels.append(levels[-1].coarsen(2))
        for block in reversed(self.ascent):
            coarse, fine = levels.pop(), levels[-1]
            field = self._call(block, torch.cat([kept.pop(), upsample(field, coarse, fine, 2)], 1), fine, embedding)
        field = field if self.norm is None else self.norm(field, neighbourhood)
        return self.head(F.silu(field), neighbourhood)

    def _call(self, block: ResidualBlock, *arguments) -> Tensor:
        if self.config.recompute and torch.is_grad_enabled():
            return recompute(block, *arguments)
        return block(*arguments)
