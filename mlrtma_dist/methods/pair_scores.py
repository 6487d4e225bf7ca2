"""The loss of methods that draw members by one evaluation: fair CRPS of two members at points and of averages."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mlrtma_dist.nn.crps import pair_crps
from mlrtma_dist.nn.layers import pool, repeat
from mlrtma_dist.nn.neighbourhood import Neighbourhood

PAIR = 2  # members in training


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
