"""Ensemble forecasts by one evaluation per step, trained by CRPS (CRPS-LAM, Larsson et al. 2025; Lang et al. 2024).

    d_m = f(state, last change, ground, F, B, z_m),      z_m ~ N(0, 1)

One channel of the noise z is white at points, one each is the same over squares of a size of ``settings.smoothed``, and
one is the same everywhere: few layers make no pattern of a large scale of white noise. Two members of each case are
carried through all steps, and what is minimised is their fair CRPS (Ferro 2014) in units of sigma_d at points and of
averages over the squares, summed over the steps; it is the loss of `methods.one_pass`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mlrtma_dist.grid.box import Box
from mlrtma_dist.linalg.noise import WORD
from mlrtma_dist.methods.lam_draws import Draw
from mlrtma_dist.methods.lam_members import LamMembers
from mlrtma_dist.methods.lam_network import lam_network
from mlrtma_dist.methods.lam_settings import LamSettings
from mlrtma_dist.methods.learned import build_method
from mlrtma_dist.methods.pair_scores import PAIR, PairScored, pair_scores
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.nn.layers import pool, repeat
from mlrtma_dist.nn.neighbourhood import Neighbourhood

POINT = Box(0, 1, 0, 1)  # whose noise is the whole domain's


@dataclass(frozen=True)
class LamOnePassSettings(LamSettings):
    """What the network is made of and trained with, beside `LamSettings`.

    Attributes:
        smoothed: sides of squares, in points, over which members and truth are averaged for further scores, and over
            which channels of the noise are the same.
    """

    smoothed: tuple[int, ...] = (4, 16)

    def __post_init__(self):
        super().__post_init__()
        if any(side < 2 for side in self.smoothed):
            raise ValueError(f"smoothed: expected squares of at least 2 points on a side, got {self.smoothed}")

    @property
    def noises(self) -> int:
        """Channels of noise: at points, over squares, and over the domain."""
        return 2 + len(self.smoothed)


class LamOnePass(PairScored, LamMembers):
    """The method (`methods.learned.LearnedMethod`)."""

    name = "lam_one_pass"
    without_effect = ("sampler", "levels")
    settings: LamOnePassSettings

    def untrained(self) -> nn.Module:
        """See `LamMethod.untrained`."""
        return lam_network(self.settings, self.settings.channels_in + self.settings.noises)

    def loss(self, sample: Sample, neighbourhood: Neighbourhood) -> tuple[Tensor, float]:
        """Sum over this tile's interior points of the CRPS at points and of averages, and its `weight`."""
        pairs = sample.each(lambda tensor: tensor.repeat_interleave(PAIR, 0))
        member = torch.arange(len(pairs.key), device=pairs.key.device) % PAIR
        keys = torch.stack([pairs.key[:, 0], (pairs.key[:, 1] * PAIR + member) % WORD], 1)
        forecast = self._roll(pairs, neighbourhood, lambda step: Draw(keys, 1 + step)).to(sample.target.dtype)
        unit = self._change(sample.target).repeat(1, self.settings.steps, 1, 1)
        members = (forecast / unit).unflatten(0, (-1, PAIR))
        sides = self.settings.smoothed
        return pair_scores(members, sample.target / unit, sample.mask, sides, neighbourhood), self.weight(sample)

    def change(self, channels: Tensor, neighbourhood: Neighbourhood, draw: Draw | None) -> Tensor:
        """The change that belongs to the noise of a draw; see `LamMethod.change`."""
        return self.network(torch.cat([channels, self.noise(draw, neighbourhood).to(channels.dtype)], 1), neighbourhood)

    def noise(self, draw: Draw, neighbourhood: Neighbourhood) -> Tensor:
        """The channels of the noise, each of unit variance, float64, shape (batch, channel, y, x)."""
        count, box = self.settings.noises, neighbourhood.box
        white = draw.normal(box, count - 1)
        channels = [white[:, :1]]
        for number, side in enumerate(self.settings.smoothed, 1):
            coarse = pool(white[:, number : number + 1], neighbourhood, side)[0]
            rows, columns = (_points_along(size, side).to(coarse) for size in box.shape)
            channels.append(repeat((rows[:, None] * columns).sqrt() * coarse, neighbourhood, side))
        whole = draw.normal(POINT, count)[:, -1:]
        return torch.cat([*channels, whole.expand(-1, -1, *box.shape)], 1)


def _points_along(size: int, side: int) -> Tensor:
    """Points in each square along an axis of so many points, shape (ceil(size / side),); the last may have fewer."""
    return (size - torch.arange(0, size, side)).clamp(max=side)


def build_lam_one_pass(settings: Mapping[str, object], where: str) -> LamOnePass:
    """A network with injected noise, with its first weights.

    Args:
        settings: by key; where: for messages.

    Raises:
        ConfigError: settings that do not suit the method.
    """
    return build_method(LamOnePass, LamOnePassSettings, settings, where)
