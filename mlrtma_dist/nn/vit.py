"""A vision transformer for fields: patches, shifted windows, coarse global mixing, a convolutional decoder.

Windows after Liu et al. 2021; the global path is attention on window averages, gathered from all tiles. Attention sees
the patches, the decoder interpolates the tokens back and convolves them together with the input. Any size of domain:
patches and windows are completed at its far edge, and what completes a window is masked. Tiles begin on multiples of
`alignment`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mlrtma_dist.nn.attention import GlobalMixing, PointwiseNetwork, WindowAttention
from mlrtma_dist.nn.layers import (
    ChannelNorm,
    Convolution,
    GroupNorm,
    PatchEmbedding,
    in_precision_of,
    recompute,
    upsample,
)
from mlrtma_dist.nn.neighbourhood import Neighbourhood


@dataclass(frozen=True)
class VisionTransformerConfig:
    """What the transformer is made of.

    Attributes:
        channels_in, channels_out: of the fields.
        patch: points on a side of a patch; window: patches on a side of a window.
        width: channels of a token, a multiple of 4 and of ``heads``.
        depth: blocks; every second one has its windows shifted and mixes globally.
        decoder_width: channels of the decoder, a multiple of 4.
        edge: beyond a domain that does not wrap, "zeros" or "replicate".
        recompute: forget activations in the forward pass, compute them again in the backward pass.
        placed: whether the global mixing knows the places of its squares in the domain.
    """

    channels_in: int = 3
    channels_out: int = 1
    patch: int = 3
    window: int = 5
    width: int = 96
    heads: int = 4
    depth: int = 4
    decoder_width: int = 32
    edge: str = "replicate"
    recompute: bool = False
    placed: bool = True


class Block(nn.Module):
    """Attention in windows, over the domain where asked, then a network at every token; norms before, sums after."""

    def __init__(self, config: VisionTransformerConfig, *, shift: bool):
        super().__init__()
        self.norm_windows = ChannelNorm(config.width)
        self.windows = WindowAttention(config.width, config.heads, config.window, shift)
        self.mixing = GlobalMixing(config.width, config.heads, config.window, config.placed) if shift else None
        self.norm_pointwise = ChannelNorm(config.width)
        self.pointwise = PointwiseNetwork(config.width, ratio=2)

    def forward(self, field: Tensor, neighbourhood: Neighbourhood) -> Tensor:
        """Map tokens (batch, width, y, x) to the same shape."""
        field = field + self.windows(self.norm_windows(field), neighbourhood)
        if self.mixing is not None:
            field = field + self.mixing(field, neighbourhood)
        return field + self.pointwise(self.norm_pointwise(field))


class VisionTransformer(nn.Module):
    """See the module's description."""

    def __init__(self, config: VisionTransformerConfig):
        super().__init__()
        self.config = config
        self.embedding = PatchEmbedding(config.channels_in, config.width, config.patch)
        self.blocks = nn.ModuleList(Block(config, shift=bool(number % 2)) for number in range(config.depth))
        self.norm = ChannelNorm(config.width)
        self.narrow = Convolution(config.width, config.decoder_width, edge=config.edge)
        self.join = Convolution(config.decoder_width + config.channels_in, config.decoder_width, edge=config.edge)
        self.norm_decoder = GroupNorm(4, config.decoder_width)
        self.head = Convolution(config.decoder_width, config.channels_out, edge=config.edge)

    @property
    def alignment(self) -> int:
        """Tiles begin on multiples of it: a window of patches."""
        return self.config.patch * self.config.window

    def forward(self, field: Tensor, neighbourhood: Neighbourhood) -> Tensor:
        """Map (batch, channels_in, y, x) to (batch, channels_out, y, x).

        Raises:
            NeighbourhoodError: the field is not of the neighbourhood's box, or a periodic size does not divide.
            TileError: tiles begin off the alignment, or are smaller than a kernel's reach.
        """
        neighbourhood.check(field)
        field = in_precision_of(self, field)
        tokens, grid = self.embedding(field, neighbourhood)
        for block in self.blocks:
            again = self.config.recompute and torch.is_grad_enabled()
            tokens = recompute(block, tokens, grid) if again else block(tokens, grid)
        tokens = F.silu(self.narrow(self.norm(tokens), grid))
        fine = upsample(tokens, grid, neighbourhood, self.config.patch)
        fine = self.join(torch.cat([fine, field], 1), neighbourhood)
        return self.head(F.silu(self.norm_decoder(fine, neighbourhood)), neighbourhood)
