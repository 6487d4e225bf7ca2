"""Points and stations as tensors, and attention from points to their nearest stations.

Every station is known to every tile: a few thousand rows are small beside a field, and what is computed at a point then
needs no neighbour. Shapes: b batch, m points, s stations, k neighbours of a point, f features, c channels of reported
values, h heads.
"""

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn

PAIR_FEATURES = 8
NEAR, FAR = 10e3, 100e3  # m, units of distance between a point and a station
LENGTHS, DEPTH = (25e3, 400e3), 0.5  # m, from the first head to the last, and km, before any training
AT_ONCE = 2.0  # logit of a station at the point itself, before any training
EDGE = 1e-3  # share of a weight: where all stations with a value are unlikely, a weighted mean tends to zero
STEEPNESS, LEAST = 4, 1e-6  # of the fall of weights towards the farthest of the near stations, and where it ends


@dataclass(frozen=True)
class PointSet:
    """Points, their features, and which stations are near them.

    Attributes:
        place: coordinates on the sphere in m, shape (b, m, 3); features: shape (b, m, f).
        ground: elevation and relief in km, and land fraction, shape (b, m, 3).
        near: numbers of the nearest stations, -1 where there are fewer, shape (b, m, k).
    """

    place: Tensor
    features: Tensor
    ground: Tensor
    near: Tensor

    def each(self, change) -> "PointSet":
        """The same with every tensor changed."""
        return replace(self, **{part.name: change(getattr(self, part.name)) for part in fields(self)})

    def part(self, rows: slice) -> "PointSet":
        """Some of the points."""
        return self.each(lambda tensor: tensor[:, rows])


@dataclass(frozen=True)
class Stations:
    """Stations and what they report.

    Attributes:
        points: where they are; ``near`` are the nearest others.
        values: what is averaged of their reports, 0 where there is none, shape (b, s, c).
        present: 1 where the channel is reported, else 0, shape (b, s, c).
    """

    points: PointSet
    values: Tensor
    present: Tensor

    def each(self, change) -> "Stations":
        """The same with every tensor changed."""
        return Stations(self.points.each(change), change(self.values), change(self.present))


def pair_features(points: PointSet, stations: PointSet) -> tuple[Tensor, Tensor]:
    """Where the nearest stations lie as seen from each point.

    Returns:
        Offsets to the east and north, distance on two scales, and differences of elevation, relief and land, shape
        (b, m, k, PAIR_FEATURES); distance in units of 100 km, and difference of elevation in km, shape (b, m, k, 2).
    """
    at, there = points.place[:, :, None, :], gather(stations.place, points.near)
    offset = there - at
    x, y, z = (at / at.norm(dim=-1, keepdim=True)).unbind(-1)
    level = torch.hypot(x, y).clamp(min=1e-6)
    east = (offset[..., 1] * x - offset[..., 0] * y) / level
    north = (offset[..., 2] - (offset * at).sum(-1) / at.square().sum(-1) * at[..., 2]) / level
    distance = offset.norm(dim=-1)
    horizontal = [torch.asinh(east / FAR), torch.asinh(north / FAR), torch.asinh(distance / FAR)]
    rise = gather(stations.ground, points.near) - points.ground[:, :, None, :]
    height = rise[..., 0].abs()
    shape = [*horizontal, torch.log1p(distance / NEAR) - 1.0, torch.asinh(3.0 * height), *rise.unbind(-1)]
    return torch.stack(shape, -1), torch.stack([distance / FAR, height], -1)


def gather(rows: Tensor, near: Tensor) -> Tensor:
    """The rows (b, s, c) of the stations ``near`` (b, m, k), shape (b, m, k, c); row 0 where there is none."""
    batch, count, width = rows.shape
    first = torch.arange(batch, device=near.device)[:, None, None] * count
    index = (near.clamp(min=0) + first).flatten()  # whole rows are copied sooner than numbers are gathered
    return rows.reshape(batch * count, width).index_select(0, index).reshape(*near.shape, width)


class NearestAttention(nn.Module):
    """Attention of points to the stations nearest to them (Vaswani et al. 2017), with exact offsets.

    The logits are q . k / sqrt(d) + a network of the pair's features - distance / length - height / depth, with a
    length and a depth of each head, which begin as kernels of several widths. A pair beyond all stations, with the
    logit 0, takes the rest of the weight, so that a point without a station near it learns that. Before the softmax's
    sum every pair is multiplied by `fading`: where a point moves and another station becomes one of the nearest,
    nothing jumps.
    """

    def __init__(self, width: int, heads: int, pair_width: int = 32):
        super().__init__()
        self.heads = heads
        self.pair = nn.Sequential(nn.Linear(PAIR_FEATURES, pair_width), nn.SiLU())
        self.pair_logits = nn.Linear(pair_width, heads)
        nn.init.constant_(self.pair_logits.bias, AT_ONCE)
        lengths = torch.logspace(*(math.log10(each / FAR) for each in LENGTHS), heads)
        self.rates = nn.Parameter(torch.stack([-lengths.log(), torch.full((heads,), -math.log(DEPTH))]))
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width + heads * pair_width, width)

    def forward(self, queries: Tensor, points: PointSet, states: Tensor, stations: Stations) -> tuple[Tensor, Tensor]:
        """Attend from ``queries`` (b, m, width) at ``points`` to ``states`` (b, s, width) of the stations.

        Returns:
            Weighted sum of the stations' states and of the pairs' features, shape (b, m, width), and the weights of the
            near stations, shape (b, m, k, h).
        """
        near = points.near
        shape, distance = (part.to(queries.dtype) for part in pair_features(points, stations.points))
        pair = self.pair(shape)
        query = self.query(queries).unflatten(-1, (self.heads, -1))
        key = gather(self.key(states), near).unflatten(-1, (self.heads, -1))
        logits = torch.einsum("bmhd,bmkhd->bmkh", query, key) * query.shape[-1] ** -0.5 + self.pair_logits(pair)
        logits = logits - distance @ self.rates.exp() + fading(distance[..., 0], near).log()[..., None]
        logits = logits.masked_fill((near < 0)[..., None], -torch.inf)
        rest = torch.zeros_like(logits[:, :, :1])
        weights = torch.softmax(torch.cat([rest, logits], 2), 2)[:, :, 1:]
        value = gather(self.value(states), near).unflatten(-1, (self.heads, -1))
        mixed = torch.einsum("bmkh,bmkhd->bmhd", weights, value).flatten(2)
        seen = torch.einsum("bmkh,bmkp->bmhp", weights, pair).flatten(2)
        return self.out(torch.cat([mixed, seen], -1)), weights


def fading(distance: Tensor, near: Tensor) -> Tensor:
    """1 - (r / r_k)^4 of near stations at distances r of which r_k is the largest, 1 where they are all there are.

    Args:
        distance: any unit, shape (b, m, k); near: numbers of the stations, -1 where there are fewer than k.

    Returns:
        Shape (b, m, k), in [`LEAST`, 1].
    """
    farthest = distance.amax(-1, keepdim=True).clamp(min=1e-6)
    fade = (1.0 - (distance / farthest) ** STEEPNESS).clamp(min=LEAST)
    return torch.where((near < 0).any(-1, keepdim=True), 1.0, fade)


def means(weights: Tensor, near: Tensor, stations: Stations) -> tuple[Tensor, Tensor]:
    """Weighted means of what near stations report by each head, and the sum of the weights of those that report it.

    Args:
        weights: of the near stations, shape (b, m, k, h); near: their numbers.

    Returns:
        Shape (b, m, h, c) each.
    """
    both = gather(torch.cat([stations.values * stations.present, stations.present], -1), near).to(weights.dtype)
    total, density = torch.einsum("bmkh,bmkc->bmhc", weights, both).chunk(2, -1)
    return total / (density + EDGE), density
