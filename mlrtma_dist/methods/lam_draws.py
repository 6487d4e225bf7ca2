"""The noise of one step of the members of a forecast, the same on any tiles."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.diffusion.noise import normal
from mlrtma_dist.grid.box import Box
from mlrtma_dist.linalg.noise import WORD
from mlrtma_dist.methods.lam_drawing import USES


@dataclass(frozen=True)
class Draw:
    """The noise of one step.

    Attributes:
        keys: of each field of the batch, such as seed and member, int64, shape (batch, 2).
        number: of the step: its valid time in minutes since 1970, or in training its place in the forecast.
    """

    keys: Tensor
    number: int

    @classmethod
    def of(cls, seed: int, numbers: range, time: np.datetime64) -> "Draw":
        """The noise of the step to a time of members of these numbers: each step of a forecast has its own."""
        minutes = int(time.astype("datetime64[m]").astype(np.int64))
        return cls(torch.tensor([[seed, number] for number in numbers]), minutes)

    def normal(self, box: Box, channels: int, use: int = 0) -> Tensor:
        """Gaussian noise of unit variance, float64, shape (batch, channel, y, x); other noise for every use."""
        return normal(self.keys, box, channels, (self.number * USES + use) % WORD)

    def to(self, device: torch.device) -> "Draw":
        """The same on a device."""
        return Draw(self.keys.to(device), self.number)
