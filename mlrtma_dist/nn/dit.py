"""A transformer as the denoiser: the blocks of the vision transformer, modulated by what holds for a whole field.

Peebles and Xie 2023 (DiT, section 3.2, "adaLN-Zero"): an embedding of the noise level shifts and scales the channels
after every norm and gates what every branch adds. The gates are zero at first, so that training begins with a shallow
network. Squares of points become tokens and tokens become points again by 3 x 3 convolutions over tokens, so that
neighbouring squares fit each other. Any size of domain; tiles begin on multiples of `alignment`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mlrtma_dist.nn.folded import folded, unfolded
from mlrtma_dist.nn.layers import ChannelNorm, Convolution, in_precision_of, recompute
from mlrtma_dist.nn.neighbourhood import Neighbourhood
from mlrtma_dist.nn.vit import Block, VisionTransformerConfig


@dataclass(frozen=True)
class DiffusionTransformerConfig:
    """What the transformer is made of.

    Attributes:
        channels_in, channels_out: of the fields.
        embedding: numbers that describe a whole field and modulate every block; 0: none.
        fold: points on a side of the squares that are tokens.
        block: of every block, of which every second one has its windows shifted and mixes globally.
        depth: blocks.
        edge: beyond a domain that does not wrap, "zeros" or "replicate".
        recompute: forget activations in the forward pass, compute them again in the backward pass.
    """

    channels_in: int
    channels_out: int
    embedding: int
    block: VisionTransformerConfig
    fold: int = 2
    depth: int = 6
    edge: str = "replicate"
    recompute: bool = False


class Modulation(nn.Linear):
    """From an embedding to so many numbers of each channel, all zero at first."""

    def __init__(self, embedding: int, width: int, parts: int):
        super().__init__(embedding, parts * width)
        self.parts = parts
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, embedding: Tensor) -> tuple[Tensor, ...]:
        """From (batch, embedding) to ``parts`` tensors (batch, width, 1, 1)."""
        return super().forward(embedding)[:, :, None, None].chunk(self.parts, 1)


class ModulatedBlock(Block):
    """`vit.Block` whose norms are shifted and scaled, and whose branches are gated, by an embedding."""

    def __init__(self, config: VisionTransformerConfig, *, shift: bool, embedding: int):
        super().__init__(config, shift=shift)
        self.modulation = Modulation(embedding, config.width, 7 if shift else 6)

    def forward(self, field: Tensor, neighbourhood: Neighbourhood, embedding: Tensor | None = None) -> Tensor:
        """Map tokens (batch, width, y, x) to the same shape.

        Args:
            embedding: of each field of the batch, shape (batch, embedding); always needed.
        """
        shift, scale, gate, shift_pointwise, scale_pointwise, gate_pointwise, *gate_mixing = self.modulation(embedding)
        seen = self.norm_windows(field) * (1.0 + scale) + shift
        field = field + gate * self.windows(seen, neighbourhood)
        if self.mixing is not None:
            field = field + gate_mixing[0] * self.mixing(field, neighbourhood)
        seen = self.norm_pointwise(field) * (1.0 + scale_pointwise) + shift_pointwise
        return field + gate_pointwise * self.pointwise(seen)


class DiffusionTransformer(nn.Module):
    """See the module's description."""

    def __init__(self, config: DiffusionTransformerConfig):
        super().__init__()
        self.config = config
        width, square = config.block.width, config.fold**2
        self.stem = Convolution(config.channels_in * square, width, edge=config.edge)
        self.blocks = nn.ModuleList(self._block(shift=bool(number % 2)) for number in range(config.depth))
        self.norm = ChannelNorm(width)
        self.modulation = Modulation(config.embedding, width, 2) if config.embedding else None
        self.head = Convolution(width, config.channels_out * square, edge=config.edge)
        # Small, so that training starts near no change; not zero, which would hide the rest from the first step.
        nn.init.normal_(self.head.weight, std=1e-3)
        nn.init.zeros_(self.head.bias)

    def _block(self, shift: bool) -> Block:
        if self.config.embedding:
            return ModulatedBlock(self.config.block, shift=shift, embedding=self.config.embedding)
        return Block(self.config.block, shift=shift)

    @property
    def alignment(self) -> int:
        """Tiles begin on multiples of it: a window of tokens."""
        return self.config.fold * self.config.block.window

    def forward(self, field: Tensor, neighbourhood: Neighbourhood, embedding: Tensor | None = None) -> Tensor:
        """Map (batch, channels_in, y, x) to (batch, channels_out, y, x).

        Args:
            embedding: of each field of the batch, shape (batch, ``config.embedding``), where the network takes one.

        Raises:
            NeighbourhoodError: the field is not of the neighbourhood's box, or a periodic size does not divide.
            TileError: tiles begin off the alignment, or are smaller than a kernel's reach.
        """
        neighbourhood.check(field)
        grid, again = neighbourhood.coarsen(self.config.fold), self.config.recompute and torch.is_grad_enabled()
        tokens = self.stem(folded(in_precision_of(self, field), self.config.fold), grid)
        for block in self.blocks:
            arguments = (tokens, grid) if embedding is None else (tokens, grid, embedding)
            tokens = recompute(block, *arguments) if again else block(*arguments)
        tokens = self.norm(tokens)
        if self.modulation is not None:
            shift, scale = self.modulation(embedding)
            tokens = tokens * (1.0 + scale) + shift
        return unfolded(self.head(F.silu(tokens), grid), self.config.fold, field.shape[-2:])
