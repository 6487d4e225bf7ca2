"""Ensemble forecasts by a denoiser (Diffusion-LAM, Larsson, Oskarsson, Landelius and Lindsten 2025, arXiv 2502.07532).

The change d of one step in units of sigma_d is what is noised; the condition is what `methods.lam` shows its network:
two states, the ground, the sun and the coming boundary. The denoiser is that of `methods.diffusion` and minimises

    (1 + sigma^2) / sigma^2  (D(d + sigma n, sigma, c) - d)^2         (`methods.denoising`)

over one step; a sampler of `diffusion.samplers` draws d from noise alone in every step of a forecast.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mlrtma_dist.diffusion import samplers
from mlrtma_dist.diffusion.schedule import karras_sigmas
from mlrtma_dist.methods.denoising import denoising_loss
from mlrtma_dist.methods.lam_draws import Draw
from mlrtma_dist.methods.lam_members import LamMembers
from mlrtma_dist.methods.lam_network import lam_network
from mlrtma_dist.methods.lam_settings import LamSettings
from mlrtma_dist.methods.learned import build_method
from mlrtma_dist.methods.noise_levels import NoiseLevels
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.nn.denoiser import EMBEDDING, Denoiser
from mlrtma_dist.nn.neighbourhood import Neighbourhood

LEVEL = 2  # step of the noise of training; those before it are `methods.lam_states`'


@dataclass(frozen=True)
class LamDiffusionSettings(LamSettings, NoiseLevels):
    """What the denoiser of changes is made of and trained with: `LamSettings`, one step, and its noise levels."""

    def __post_init__(self):
        super().__post_init__()
        self.check_levels()
        if self.steps != 1:
            raise ValueError(f"steps: expected 1, as a denoiser learns the change of one step, got {self.steps}")
        if self.network != "unet":
            raise ValueError(f"network: expected unet, which takes noise levels, got {self.network!r}")


class LamDiffusion(LamMembers):
    """The method (`methods.learned.LearnedMethod`)."""

    name = "lam_diffusion"
    settings: LamDiffusionSettings

    def untrained(self) -> nn.Module:
        """See `LamMethod.untrained`."""
        channels = self.settings.channels_in + self.settings.variables
        return Denoiser(lam_network(self.settings, channels, EMBEDDING))

    def weight(self, sample: Sample) -> float:
        """Known target points of a sample on this tile, all channels, at all its noise levels."""
        return self.settings.levels * super().weight(sample)

    def loss(self, sample: Sample, neighbourhood: Neighbourhood) -> tuple[Tensor, float]:
        """Sum over this tile's interior points of the weighed squared error, a scalar, and its `weight`."""
        before, now, ground, sun = self._parts(sample, neighbourhood)
        bounded, fixed = self._bounded(sample.key), torch.cat([ground, sun], 1)
        condition, *_ = self._shown(before, now, fixed, sample.target.to(now.dtype), neighbourhood, bounded)
        change = (sample.target - now) / self._change(sample.target)
        key, mask, levels = sample.key, sample.mask, self.settings
        total = denoising_loss(self.network, change, condition, key, mask, levels, neighbourhood, LEVEL)
        return total, self.weight(sample)

    def change(self, channels: Tensor, neighbourhood: Neighbourhood, draw: Draw | None) -> Tensor:
        """A change drawn by the sampler; see `LamMethod.change`."""
        drawing, settings, box = self.drawing, self.settings, neighbourhood.box

        def denoiser(noised: Tensor, sigma: float) -> Tensor:
            return self.network(noised, noised.new_full((len(noised),), sigma), channels, neighbourhood)

        def noise(step: int) -> Tensor:
            return draw.normal(box, settings.variables, 1 + step).to(channels.dtype)

        start = settings.sigma_max * draw.normal(box, settings.variables).to(channels.dtype)
        sigmas = karras_sigmas(settings.sigma_max, settings.sigma_min, drawing.levels)
        return samplers.sample(drawing.sampler, denoiser, start, sigmas, noise)


def build_lam_diffusion(settings: Mapping[str, object], where: str) -> LamDiffusion:
    """A denoiser of changes with its first weights.

    Args:
        settings: by key; where: for messages.

    Raises:
        ConfigError: settings that do not suit the method.
    """
    return build_method(LamDiffusion, LamDiffusionSettings, settings, where)
