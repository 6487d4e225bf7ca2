"""Attention in shifted windows, and over the whole domain on a coarse field.

Liu et al. 2021 (Swin, section 3.2) with two differences: windows cut by the domain's edge are completed by masked
tokens instead of tokens from the far side, and tiles move strips of half a window to the neighbour and back, so a
window is computed by one rank.

Shapes: b batch, c channel, n windows, t tokens of a window, h heads, d channels of a head.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mlrtma_dist.grid.box import Box
from mlrtma_dist.nn.layers import ChannelNorm, pool, repeat
from mlrtma_dist.nn.neighbourhood import Neighbourhood, NeighbourhoodError


class WindowAttention(nn.Module):
    """Multi-head attention among the tokens of a window, with a learnt bias an offset (Liu et al. 2021, eq. 4)."""

    def __init__(self, width: int, heads: int, window: int, shift: bool):
        super().__init__()
        if width % heads:
            raise NeighbourhoodError(f"{width} channels cannot be divided among {heads} heads; choose a divisor.")
        self.heads, self.window, self.shift = heads, window, window // 2 if shift else 0
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.offset_bias = nn.Parameter(torch.randn(heads, (2 * window - 1) ** 2) * 0.02)
        place = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        offset = place[:, :, None] - place[:, None, :] + window - 1
        self.register_buffer("offset", offset[0] * (2 * window - 1) + offset[1], persistent=False)

    def forward(self, field: Tensor, neighbourhood: Neighbourhood) -> Tensor:
        """Attend within windows that begin on multiples of ``window`` less the shift; (batch, channel, y, x) both ways.

        Raises:
            NeighbourhoodError: a periodic domain is no multiple of the window; TileError: tiles cut windows.
        """
        neighbourhood.coarsen(self.window)  # only to refuse lines that cut windows
        if not self.shift:
            return self._attend(field, neighbourhood)
        moved, there = neighbourhood.move(field, (-self.shift, -self.shift))
        back, _ = there.move(self._attend(moved, there), (self.shift, self.shift))
        return back

    def _attend(self, field: Tensor, neighbourhood: Neighbourhood) -> Tensor:
        (south, north), (west, east) = missing(neighbourhood.box, self.window, self.shift)
        batch, width, rows, columns = field.shape
        padded = F.pad(field, (west, east, south, north))
        windows = self._cut(padded)
        q, k, v = self.qkv(windows).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        bias = self.offset_bias[:, self.offset]
        if south or north or west or east:
            present = F.pad(field.new_ones(1, 1, rows, columns), (west, east, south, north))
            absent = self._cut(present).squeeze(-1) == 0
            hidden = torch.zeros_like(absent, dtype=field.dtype).masked_fill_(absent, -math.inf)
            bias = bias + hidden.repeat(batch, 1)[:, None, None, :]
        else:
            bias = bias[None]
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        joined = self._join(self.out(mixed.transpose(1, 2).flatten(2)), padded.shape)
        return joined[..., south : south + rows, west : west + columns]

    def _cut(self, field: Tensor) -> Tensor:
        """(b, c, y, x) to (b n, t, c)."""
        blocks = field.unflatten(-2, (-1, self.window)).unflatten(-1, (-1, self.window))
        return blocks.permute(0, 2, 4, 3, 5, 1).flatten(3, 4).flatten(0, 2)

    def _join(self, windows: Tensor, shape: torch.Size) -> Tensor:
        """(b n, t, c) to (b, c, y, x)."""
        rows, columns = shape[-2] // self.window, shape[-1] // self.window
        blocks = windows.unflatten(0, (-1, rows, columns)).unflatten(3, (self.window, self.window))
        return blocks.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def missing(box: Box, window: int, shift: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Tokens wanting before and after the box in y, in x, to complete windows beginning at multiples less ``shift``."""
    rows, columns = (
        ((low + shift) % window, -(high + shift) % window) for low, high in ((box.y0, box.y1), (box.x0, box.x1))
    )
    return rows, columns


class GlobalMixing(nn.Module):
    """Every point attends to the whole domain through averages over squares of ``factor`` x ``factor`` points.

    Keys and values are gathered from all tiles; queries are the tile's own. Where asked, queries and keys carry the
    place of their square in the domain (Vaswani et al. 2017, section 3.5, in y and in x).
    """

    def __init__(self, width: int, heads: int, factor: int, placed: bool = True):
        super().__init__()
        if width % heads or width % 4:
            raise NeighbourhoodError(f"{width} channels must be a multiple of 4 and of the {heads} heads.")
        self.heads, self.factor, self.placed = heads, factor, placed
        self.norm = ChannelNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)  # softmax does not see one
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, field: Tensor, neighbourhood: Neighbourhood) -> Tensor:
        """The coarse mixture, repeated on the points, shape of ``field`` (batch, channel, y, x)."""
        squares, coarse = pool(field, neighbourhood, self.factor)
        normal = self.norm(squares)
        placed = normal + place_waves(coarse, normal) if self.placed else normal
        placed = placed.flatten(2).transpose(1, 2)
        both = torch.cat([self.key(placed), self.value(normal.flatten(2).transpose(1, 2))], -1)
        both = both.transpose(1, 2).unflatten(-1, squares.shape[-2:])
        k, v = coarse.whole(both).flatten(2).transpose(1, 2).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q = self.query(placed).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        mixed = self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return repeat(mixed.transpose(1, 2).unflatten(-1, squares.shape[-2:]), neighbourhood, self.factor)


def place_waves(neighbourhood: Neighbourhood, like: Tensor) -> Tensor:
    """Sines and cosines of the points' place in the domain, half for y, half for x.

    The n-th of the width / 4 waves of an axis is two domains / n long (one / n where it wraps, so that the ends meet).
    Made where they are used: copied to a GPU they would make the processor wait for all work before them.

    Args:
        like: a field on the neighbourhood, shape (batch, width, y, x).

    Returns:
        Shape (1, width, y, x), dtype and device of ``like``.
    """
    box, width = neighbourhood.box, like.shape[1]
    waves = []
    for low, high, size, wraps in (
        (box.y0, box.y1, neighbourhood.domain[0], neighbourhood.periodic[0]),
        (box.x0, box.x1, neighbourhood.domain[1], neighbourhood.periodic[1]),
    ):
        place = torch.arange(low, high, dtype=torch.float64, device=like.device) / size
        number = torch.arange(1, width // 4 + 1, dtype=torch.float64, device=like.device)
        angle = (2 if wraps else 1) * math.pi * number[:, None] * place
        waves.append(torch.cat([angle.sin(), angle.cos()]).to(like.dtype))
    in_y, in_x = waves
    rows, columns = box.shape
    return torch.cat([in_y[:, :, None].expand(-1, rows, columns), in_x[:, None, :].expand(-1, rows, columns)])[None]


class PointwiseNetwork(nn.Sequential):
    """Two linear layers at every token with a GELU between (Vaswani et al. 2017, eq. 2)."""

    def __init__(self, width: int, ratio: int):
        super().__init__(nn.Conv2d(width, ratio * width, 1), nn.GELU(), nn.Conv2d(ratio * width, width, 1))
