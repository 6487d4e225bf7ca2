"""The loss of methods that draw members by one evaluation: fair CRPS of two members at points and of averages."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.nn.crps import pair_crps
from mlrtma_dist.nn.layers import pool, repeat
from mlrtma_dist.nn.neighbourhood import Neighbourhood

PAIR = 2  # members in training


class PairScored:
    """What the loss `pair_scores` asks of a method, whose ``settings.smoothed`` are the sides of its squares."""

    @property
    def alignment(self) -> int:
        """Tiles begin on multiples of it, which no square to be averaged crosses."""
        return math.lcm(self.network.alignment, *self.settings.smoothed)

    def weight(self, sample: Sample) -> float:
        """Known target points of a sample on this tile, all channels, for points and for every size of square."""
        return (1 + len(self.settings.smoothed)) * super().weight(sample)


def pair_scores(
    members: Tensor, target: Tensor, mask: Tensor | None, sides: Sequence[int], neighbourhood: Neighbourhood
) -> Tensor:
    """Sum over this tile's points of the CRPS at points and of averages over squares, a scalar; never a mean.

    An average counts once for each of its points, unknown points within it as zeros of members and truth alike.

    Args:
        members: shape (batch, 2, channel, y, x); target: shape (batch, channel, y, x), finite where the mask is not 0.
        mask: weight of each point, shape (batch, 1, y, x); None: all weigh 1.
        sides: of the squares, in points; tiles begin on multiples of each.
    """
    fields = torch.cat([members, target[:, None]], 1)
    if mask is not None:
        fields = fields * mask[:, None]
    scores = pair_crps(*fields.unbind(1)).sum()
    for side in sides:
        means = repeat(pool(fields.flatten(0, 1), neighbourhood, side)[0], neighbourhood, side)
        crps = pair_crps(*means.unflatten(0, (-1, PAIR + 1)).unbind(1))
        scores = scores + (crps if mask is None else crps * mask).sum()
    return scores
