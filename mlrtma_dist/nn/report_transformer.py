"""A vision transformer from station reports to the analysis at any points.

    stations: state_j = network of a station's reports, then attention among near stations, each by the others
    tokens:   squares of the grid; fields, set convolutions of reports (Gordon et al. 2020), attention to stations
    blocks:   attention in shifted windows and a coarse global path (`nn.vit.Block`)
    points:   tokens interpolated to the point, attention to the stations nearest to it, and a network

Positions enter as fields and as offsets alone, so that one set of weights serves any domain. Tokens are divided among
tiles; the narrow field that is left of them is gathered, and what happens at points needs no neighbour.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mlrtma_dist.nn.layers import ChannelNorm, Convolution, in_precision_of, recompute
from mlrtma_dist.nn.neighbourhood import Neighbourhood
from mlrtma_dist.nn.report_points import NearestAttention, PointSet, Stations, means
from mlrtma_dist.nn.vit import Block, VisionTransformerConfig


@dataclass(frozen=True)
class ReportTransformerConfig:
    """What the network is made of.

    Attributes:
        fields: channels of the tokens' input; features: of a point.
        channels: of the stations' reported values, of which the first ``smooth`` are departures.
        outputs: numbers that are given at a point, beside the means of the heads.
        width: channels of tokens and states, a multiple of 4 and of ``heads``; heads: of every attention.
        rounds: of attention among stations; depth: blocks; window: tokens on a side of a window.
        latent: channels of what is left of a token; hidden: channels at a point.
        recompute: forget activations of the blocks in the forward pass, compute them again in the backward pass.
    """

    fields: int
    features: int
    channels: int
    smooth: int
    outputs: int
    width: int
    heads: int
    rounds: int
    depth: int
    window: int
    latent: int
    hidden: int
    recompute: bool


@dataclass(frozen=True)
class Encoded:
    """A case encoded: tokens of the whole domain (b, latent, y, x), states of the stations (b, s, width).

    ``stations`` are the stations with what every round leaves of their departures as further channels.
    """

    tokens: Tensor
    states: Tensor
    stations: Stations


@dataclass(frozen=True)
class Decoded:
    """At m points: the outputs (b, m, outputs), and the heads' means and densities of every channel (b, m, h, c)."""

    outputs: Tensor
    means: Tensor
    density: Tensor


class StationRound(nn.Module):
    """Attention among near stations, then a network at every station; norms before, sums after.

    The heads' means of what is left of the others' departures predict what is left of a station's own; the difference
    is left after this round. Averaged at a point, the differences correct the means of the departures themselves, as
    successive corrections do, which tend to optimal interpolation (Bratseth 1986).
    """

    def __init__(self, width: int, heads: int, smooth: int):
        super().__init__()
        # without smooth variables there are no departures, and no weights of no elements, which DeepSpeed loses
        self.share = nn.Parameter(torch.full((heads, smooth), 1.0 / heads)) if smooth else None
        self.difference = nn.Linear(2 * smooth, width) if smooth else None
        self.norm_attention, self.norm_pointwise = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = NearestAttention(width, heads)
        self.pointwise = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, states: Tensor, left: Stations) -> tuple[Tensor, Stations]:
        """Map states (b, s, width) and what is left of the departures (b, s, smooth) to the same shapes."""
        normal = self.norm_attention(states)
        mixed, weights = self.attention(normal, left.points, normal, left)
        if self.difference is None:
            states = states + mixed
            return states + self.pointwise(self.norm_pointwise(states)), left
        estimate = (means(weights, left.points.near, left)[0] * self.share).sum(2)
        difference = (left.values.to(estimate.dtype) - estimate) * left.present.to(estimate.dtype)
        states = states + mixed + self.difference(torch.cat([estimate, difference], -1))
        return states + self.pointwise(self.norm_pointwise(states)), replace(left, values=difference)


class ReportEncoder(nn.Module):
    """From reports to states of the stations and tokens of the domain."""

    def __init__(self, config: ReportTransformerConfig):
        super().__init__()
        width = config.width
        self.station = nn.Sequential(
            nn.Linear(config.features + 2 * config.channels, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.rounds = nn.ModuleList(StationRound(width, config.heads, config.smooth) for _ in range(config.rounds))
        self.token = nn.Conv2d(config.fields, width, 1)
        self.attention = NearestAttention(width, config.heads)
        block = VisionTransformerConfig(window=config.window, width=width, heads=config.heads, placed=False)
        self.recompute, self.smooth = config.recompute, config.smooth
        self.blocks = nn.ModuleList(Block(block, shift=bool(number % 2)) for number in range(config.depth))
        self.norm = ChannelNorm(width)
        self.narrow = Convolution(width, config.latent, edge="replicate")

    def forward(self, inputs: Tensor, tokens: PointSet, stations: Stations, grid: Neighbourhood) -> Encoded:
        """Encode a case.

        Args:
            inputs: fields of the tokens on this tile, shape (b, fields, y, x).
            tokens: their centres, y x of them, row by row; stations: all of them.
            grid: of the tokens.
        """
        grid.check(inputs)
        inputs = in_precision_of(self, inputs)
        reported = [stations.points.features, stations.values, stations.present]
        states = self.station(torch.cat(reported, -1).to(inputs.dtype))
        smooth = slice(0, self.smooth)
        left = Stations(stations.points, stations.values[..., smooth], stations.present[..., smooth])
        parts = [stations]
        for each in self.rounds:
            states, left = each(states, left)
            parts.append(left)
        values, present = (torch.cat([getattr(part, name) for part in parts], -1) for name in ("values", "present"))
        stations = Stations(stations.points, values, present)
        field = self.token(inputs)
        queries = field.flatten(2).transpose(1, 2)
        mixed, _ = self.attention(queries, tokens, states, stations)
        field = field + mixed.transpose(1, 2).unflatten(-1, inputs.shape[-2:])
        again = self.recompute and torch.is_grad_enabled()
        for block in self.blocks:
            field = recompute(block, field, grid) if again else block(field, grid)
        return Encoded(grid.whole(self.narrow(self.norm(field), grid)), states, stations)


class PointDecoder(nn.Module):
    """From tokens and stations to the analysis at points."""

    def __init__(self, config: ReportTransformerConfig):
        super().__init__()
        self.query = nn.Sequential(
            nn.Linear(config.features + config.latent, config.hidden), nn.SiLU(), nn.Linear(config.hidden, config.width)
        )
        self.attention = NearestAttention(config.width, config.heads)
        collected = (
            2 * config.width + config.latent + 2 * config.heads * (config.channels + config.rounds * config.smooth)
        )
        self.network = nn.Sequential(
            nn.Linear(collected, config.hidden), nn.SiLU(), nn.Linear(config.hidden, config.hidden), nn.SiLU()
        )
        self.head = nn.Linear(config.hidden, config.outputs)
        nn.init.normal_(self.head.weight, std=1e-2)  # small, so that training starts near the heads' means; not zero
        nn.init.zeros_(self.head.bias)

    def forward(self, encoded: Encoded, points: PointSet, cell: Tensor) -> Decoded:
        """Decode at points; ``cell`` (b, m, 2) are their coordinates (y, x) on the grid of the tokens' centres."""
        latent = interpolate(encoded.tokens, cell)
        queries = self.query(torch.cat([points.features.to(latent.dtype), latent], -1))
        mixed, weights = self.attention(queries, points, encoded.states, encoded.stations)
        mean, density = means(weights, points.near, encoded.stations)
        collected = [queries, latent, mixed, mean.flatten(2), density.flatten(2)]
        return Decoded(self.head(self.network(torch.cat(collected, -1))), mean, density)


class ReportTransformer(nn.Module):
    """See the module's description."""

    def __init__(self, config: ReportTransformerConfig):
        super().__init__()
        self.config = config
        self.encoder, self.decoder = ReportEncoder(config), PointDecoder(config)

    def forward(self, inputs, tokens: PointSet, stations: Stations, points: PointSet, cell, grid) -> Decoded:
        """Encode a case and decode it at points; see `ReportEncoder` and `PointDecoder`."""
        return self.decoder(self.encoder(inputs, tokens, stations, grid), points, cell)


def interpolate(field: Tensor, cell: Tensor) -> Tensor:
    """A field (b, c, y, x) at grid coordinates (y, x) (b, m, 2), the edge's values beyond it: shape (b, m, c).

    In float32 at least: in bf16 a place has eight bits, on 37 tokens a tenth of one, and PyTorch 2.13 numbers the
    values of a field in 16 bits on a CPU, so that of more than 32,767, channels last, it reads outside of the field.
    """
    exact = torch.promote_types(field.dtype, torch.float32)
    size = cell.new_tensor(field.shape[-2:]) - 1.0
    scaled = 2.0 * cell.clamp(min=0.0).minimum(size) / size.clamp(min=1.0) - 1.0
    grid = scaled.flip(-1)[:, None].to(exact)  # x before y
    values = F.grid_sample(field.to(exact), grid, mode="bilinear", padding_mode="border", align_corners=True)
    return values[:, :, 0].mT.to(field.dtype)
