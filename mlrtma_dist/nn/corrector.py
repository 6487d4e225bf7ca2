"""A corrector: a network that changes fields by what it sees beside them, x + F(x, c)."""

import torch
from torch import Tensor, nn

from mlrtma_dist.nn.neighbourhood import Neighbourhood


class Corrector(nn.Module):
    """See the module's description.

    Attributes:
        network: F, called with x and c as channels and the neighbourhood.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    @property
    def alignment(self) -> int:
        """Tiles begin on multiples of it."""
        return self.network.alignment

    def forward(self, fields: Tensor, condition: Tensor, neighbourhood: Neighbourhood) -> Tensor:
        """The changed fields, shape and type of ``fields``.

        Args:
            fields: x, shape (batch, channel, y, x); condition: c, shape (batch, condition, y, x).
        """
        seen = torch.cat([fields, condition.to(fields.dtype)], 1)
        return fields + self.network(seen, neighbourhood).to(fields.dtype)
