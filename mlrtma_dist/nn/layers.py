"""Layers that ask their neighbourhood: exact on tiles, PyTorch's own alone.

All fields are (batch, channel, y, x), y northward. A layer that changes the grid says on which neighbourhood its
output lies.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from mlrtma_dist.nn.neighbourhood import Neighbourhood, NeighbourhoodError, Rim, torch_mode


class Convolution(nn.Conv2d):
    """A convolution with an odd kernel, centred: output point i stands on input point ``stride`` * i.

    The kernel has as many points in y as in x, or those of a pair (y, x).

    Attributes:
        edge: what lies beyond a domain that does not wrap, "zeros" or "replicate".
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int | tuple[int, int] = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        edge: str = "zeros",
        bias: bool = True,
    ):
        for size in (kernel,) if isinstance(kernel, int) else kernel:
            if size % 2 == 0:
                raise NeighbourhoodError(f"a centred kernel has an odd number of points, got {size}. Use {size + 1}.")
        torch_mode(edge)
        super().__init__(channels_in, channels_out, kernel, stride, dilation=dilation, bias=bias)
        self.edge = edge

    def forward(self, field: Tensor, neighbourhood: Neighbourhood) -> Tensor:
        """Convolve (batch, channel_in, y, x); the output lies on ``neighbourhood.coarsen(stride)``."""
        if self.kernel_size == (1, 1) and self.stride == (1, 1):
            return F.conv2d(field, self.weight, self.bias)
        return neighbourhood.convolve(field, self.weight, self.bias, self.stride[0], self.dilation[0], self.edge)


class GroupNorm(nn.GroupNorm):
    """Group normalisation over the whole domain (Wu and He 2018); one group is LayerNorm over channel, y and x."""

    def forward(self, field: Tensor, neighbourhood: Neighbourhood) -> Tensor:
        """Normalise (batch, channel, y, x)."""
        return neighbourhood.normalise(field, self.weight, self.bias, self.num_groups, self.eps)


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of every point (Ba et al. 2016); needs nobody."""

    def forward(self, field: Tensor) -> Tensor:
        """Normalise (batch, channel, y, x)."""
        return super().forward(field.movedim(1, -1)).movedim(-1, 1)


class PatchEmbedding(nn.Conv2d):
    """Squares of ``patch`` x ``patch`` points to tokens (Dosovitskiy et al. 2021, eq. 1).

    An incomplete patch at the domain's far edge is completed by repeating the outermost points.
    """

    def __init__(self, channels: int, width: int, patch: int):
        super().__init__(channels, width, patch, stride=patch)
        self.patch = patch

    def forward(self, field: Tensor, neighbourhood: Neighbourhood) -> tuple[Tensor, Neighbourhood]:
        """Embed (batch, channel, y, x); the tokens (batch, width, ceil(y / patch), ceil(x / patch)) and their grid."""
        tokens = neighbourhood.coarsen(self.patch)
        missing = [-size % self.patch for size in field.shape[-2:]]
        if any(missing):
            field = F.pad(field, (0, missing[1], 0, missing[0]), mode="replicate")
        return F.conv2d(field, self.weight, self.bias, self.patch), tokens


def in_precision_of(network: nn.Module, field: Tensor) -> Tensor:
    """A field, or numbers, rounded to the precision of a network's weights: each network does so with its own input.

    So that arithmetic outside of the network, such as the change from one state to the next, is not in bf16.
    """
    return field.to(next(network.parameters()).dtype)


def pool(field: Tensor, neighbourhood: Neighbourhood, factor: int) -> tuple[Tensor, Neighbourhood]:
    """Average squares of ``factor`` x ``factor`` points; incomplete ones at the far edge over the points they have.

    Returns:
        Shape (batch, channel, ceil(y / factor), ceil(x / factor)), and the coarse neighbourhood.
    """
    coarse = neighbourhood.coarsen(factor)
    return F.avg_pool2d(field, factor, ceil_mode=True, count_include_pad=False), coarse


def upsample(field: Tensor, coarse: Neighbourhood, fine: Neighbourhood, factor: int) -> Tensor:
    """Bilinear interpolation to a grid ``factor`` times finer, cells on cells (torch's align_corners=False).

    Args:
        field: on ``coarse``, shape (batch, channel, y, x).

    Returns:
        On ``fine``, cut at its far edge.
    """
    around = coarse.rim(field, Rim.around(1, 1), "replicate")
    rows, columns = fine.box.shape
    finer = F.interpolate(around, scale_factor=factor, mode="bilinear", align_corners=False)
    return finer[..., factor : factor + rows, factor : factor + columns]


def repeat(field: Tensor, fine: Neighbourhood, factor: int) -> Tensor:
    """Repeat every point ``factor`` x ``factor`` times on ``fine``, cut at its far edge; needs nobody."""
    rows, columns = fine.box.shape
    return field.repeat_interleave(factor, -2).repeat_interleave(factor, -1)[..., :rows, :columns]


def recompute(layer, *arguments):
    """Call ``layer(*arguments)``, keep nothing of it, and call it again in the backward pass.

    The second call repeats the exchanges between tiles. It must not stop as soon as a rank has what it needs (PyTorch's
    early stop): tiles at an edge need less, and the others would wait for them.
    """
    with set_checkpoint_early_stop(False):
        return checkpoint(layer, *arguments, use_reentrant=False, preserve_rng_state=False)


class ResidualBlock(nn.Module):
    """Two convolutions beside a short cut (He et al. 2016, pre-activation): x + C(s(N(C(s(N(x)))))).

    An embedding of what holds for the whole field, such as its noise level, scales and shifts every channel after the
    second norm (Perez et al. 2018; Dhariwal and Nichol 2021).
    """

    def __init__(self, channels_in: int, channels_out: int, *, groups: int, edge: str, embedding: int = 0):
        super().__init__()
        self.modulation = nn.Linear(embedding, 2 * channels_out) if embedding else None
        self.norm_in = GroupNorm(groups, channels_in) if groups else None
        self.convolution_in = Convolution(channels_in, channels_out, edge=edge)
        self.norm_out = GroupNorm(groups, channels_out) if groups else None
        self.convolution_out = Convolution(channels_out, channels_out, edge=edge)
        self.short_cut = Convolution(channels_in, channels_out, 1) if channels_in != channels_out else None

    def forward(self, field: Tensor, neighbourhood: Neighbourhood, embedding: Tensor | None = None) -> Tensor:
        """Map (batch, channels_in, y, x) to (batch, channels_out, y, x).

        Args:
            embedding: of each field of the batch, shape (batch, ``embedding``), where the block takes one.
        """
        inner = self.convolution_in(self._activate(field, self.norm_in, neighbourhood), neighbourhood)
        inner = F.silu(self._modulated(inner, neighbourhood, embedding))
        straight = field if self.short_cut is None else self.short_cut(field, neighbourhood)
        return straight + self.convolution_out(inner, neighbourhood)

    def _modulated(self, field: Tensor, neighbourhood: Neighbourhood, embedding: Tensor | None) -> Tensor:
        field = field if self.norm_out is None else self.norm_out(field, neighbourhood)
        if self.modulation is None:
            return field
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, 1)
        return field * (1.0 + scale) + shift

    @staticmethod
    def _activate(field: Tensor, norm: GroupNorm | None, neighbourhood: Neighbourhood) -> Tensor:
        return F.silu(field if norm is None else norm(field, neighbourhood))


def randomise(network: nn.Module, seed: int) -> None:
    """Give every weight a random, non-zero value; a network with zeros in it proves nothing about the rest.

    Weights are scaled by the square root of their inputs; norms lie about one.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, weight in network.named_parameters():
        noise = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        centre = 1.0 if weight.dim() == 1 and "norm" in name and name.endswith("weight") else 0.0
        scale = 0.1 if weight.dim() == 1 else weight[0].numel() ** -0.5
        weight.data.copy_(centre + scale * noise)
