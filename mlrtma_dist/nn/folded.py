"""A U-net on folded fields: squares of points become channels, and channels become points again.

Where fields are smooth on the scale of a few grid points most of a U-net's work is done at full resolution, to little
use. Folding loses nothing (every point is still a number that the network sees and says) and divides that work by
fold^2. The result is added to the first channels of the input: the network says what to change. Where there is nothing
to change it may be the answer itself.
"""

from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor, nn

from mlrtma_dist.nn.neighbourhood import Neighbourhood
from mlrtma_dist.nn.unet import UNet, UNetConfig


@dataclass(frozen=True)
class FoldedUNetConfig:
    """What the network is made of.

    Attributes:
        channels_in: of the input; channels_out: of the output, which is added to so many first channels of the input;
            adds: whether it is added.
        fold: points on a side of a square.
        widths, groups, recompute, embedding: of the U-net, see `UNetConfig`.
        scale: size of the changes in the input's unit. Input channels are divided by ``scales_in``.
        scales_in: one number a channel; empty: 1 for all.
    """

    channels_in: int = 3
    channels_out: int = 1
    fold: int = 2
    widths: tuple[int, ...] = (64, 64, 64)
    groups: int = 8
    recompute: bool = False
    scale: float = 1.0
    scales_in: tuple[float, ...] = field(default=())
    adds: bool = True
    embedding: int = 0

    def __post_init__(self):
        if self.scales_in and len(self.scales_in) != self.channels_in:
            raise ValueError(f"scales_in: expected {self.channels_in} numbers, got {len(self.scales_in)}")
        if self.fold < 1 or (self.adds and self.channels_out > self.channels_in):
            raise ValueError(
                f"expected a fold from 1 on and at most {self.channels_in} channels out, got {self.fold} and"
                f" {self.channels_out}"
            )


class FoldedUNet(nn.Module):
    """See the module's description."""

    def __init__(self, config: FoldedUNetConfig):
        super().__init__()
        self.config = config
        inner = UNetConfig(
            channels_in=config.channels_in * config.fold**2,
            channels_out=config.channels_out * config.fold**2,
            widths=config.widths,
            groups=config.groups,
            recompute=config.recompute,
            embedding=config.embedding,
        )
        self.unet = UNet(inner)
        # Small, so that training starts near the background; not zero, which would hide the rest from the first step.
        nn.init.normal_(self.unet.head.weight, std=1e-3)
        nn.init.zeros_(self.unet.head.bias)

    @property
    def alignment(self) -> int:
        """Tiles begin on multiples of it."""
        return self.config.fold * self.unet.alignment

    def forward(self, inputs: Tensor, neighbourhood: Neighbourhood, embedding: Tensor | None = None) -> Tensor:
        """Map (batch, channels_in, y, x) to (batch, channels_out, y, x), in the input's precision.

        Args:
            embedding: of each field of the batch, shape (batch, ``config.embedding``), where the network takes one.

        Raises:
            NeighbourhoodError: the field is not of the neighbourhood's box, or a periodic size does not divide.
        """
        neighbourhood.check(inputs)
        fold, shape = self.config.fold, inputs.shape[-2:]
        seen = inputs
        if self.config.scales_in:
            seen = inputs / inputs.new_tensor(self.config.scales_in)[:, None, None]
        change = self.unet(folded(seen, fold), neighbourhood.coarsen(fold), embedding)
        change = unfolded(change, fold, shape)
        output = self.config.scale * change.to(inputs.dtype)
        return inputs[:, : self.config.channels_out] + output if self.config.adds else output


def folded(field: Tensor, fold: int) -> Tensor:
    """Squares of points to channels: (batch, c, y, x) to (batch, c fold^2, ceil(y / fold), ceil(x / fold)).

    An incomplete square at the domain's far edge is completed by repeating the outermost points.
    """
    missing = [-size % fold for size in field.shape[-2:]]
    if any(missing):
        field = F.pad(field, (0, missing[1], 0, missing[0]), mode="replicate")
    return F.pixel_unshuffle(field, fold)


def unfolded(field: Tensor, fold: int, shape: tuple[int, int]) -> Tensor:
    """Channels to squares of points, cut to a ``shape`` (y, x); undoes `folded`."""
    return F.pixel_shuffle(field, fold)[..., : shape[0], : shape[1]]
