"""A denoiser: what a field was before noise was added to it, as a network learns it (Karras et al. 2022, section 5).

    x_t = x + sigma n,  n ~ N(0, 1)           D(x_t, sigma, c) = E[x | x_t, c]

    D = x_t / (1 + sigma^2) + sigma / sqrt(1 + sigma^2) F(x_t / sqrt(1 + sigma^2), c, ln sigma)

for fields x of unit variance: the network F sees and says numbers of size one at every noise level. c are conditions on
the same grid, such as the background. The squared error of D times (1 + sigma^2) / sigma^2 is that of F.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mlrtma_dist.nn.layers import in_precision_of
from mlrtma_dist.nn.neighbourhood import Neighbourhood

FREQUENCIES = 4  # waves of ln sigma, whose longest period is twice the usual range of ln(0.02) to ln(80)
PERIOD = 16.0
EMBEDDING = 64


class Denoiser(nn.Module):
    """See the module's description.

    Attributes:
        network: F, whose blocks are modulated by an embedding of the noise level of `EMBEDDING` numbers: called with
            x_t and c as channels, the neighbourhood and the embedding.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.level = nn.Sequential(nn.Linear(2 * FREQUENCIES, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING))

    @property
    def alignment(self) -> int:
        """Tiles begin on multiples of it."""
        return self.network.alignment

    def forward(self, noised: Tensor, sigma: Tensor, condition: Tensor, neighbourhood: Neighbourhood) -> Tensor:
        """E[x | x_t, c], shape and type of ``noised``.

        Args:
            noised: x_t, shape (batch, channel, y, x).
            sigma: of each field of the batch, above 0, shape (batch,).
            condition: c, shape (batch, condition, y, x).
        """
        embedding = F.silu(self.level(in_precision_of(self.level, _waves(sigma.log()))))
        variance = 1.0 + sigma.square()[:, None, None, None]
        seen = torch.cat([noised / variance.sqrt(), condition], 1)
        output = self.network(seen, neighbourhood, embedding).to(noised.dtype)
        deviation = sigma[:, None, None, None] / variance.sqrt()
        return (noised / variance + deviation * output).to(noised.dtype)


def _waves(level: Tensor) -> Tensor:
    """Sines and cosines of numbers (batch,) in octaves, shape (batch, 2 * ``FREQUENCIES``)."""
    rates = 2.0 * math.pi / PERIOD * 2.0 ** torch.arange(FREQUENCIES, device=level.device, dtype=level.dtype)
    angle = level[:, None] * rates
    return torch.cat([angle.sin(), angle.cos()], 1)
