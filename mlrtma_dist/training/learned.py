"""Learned: a method that is a network and a loss; what training asks of it.

A method in `mlrtma_dist.methods` need not import this: it is enough to have these names.
"""

from typing import Protocol

from torch import Tensor, nn

from mlrtma_dist.nn.neighbourhood import Neighbourhood
from mlrtma_dist.samples.sample import Sample


class Learned(Protocol):
    """A network that is trained.

    Attributes:
        network: all that is learnt; has ``alignment`` (tiles begin on multiples of it), is called with
            (inputs, neighbourhood).
    """

    network: nn.Module

    def weight(self, sample: Sample) -> float:
        """The weight of ``sample`` on this tile, without running the network.

        An accumulated step divides by the sum of the weights of all its samples on all ranks, so it must be known before
        the first backward pass.
        """
        ...

    def loss(self, sample: Sample, neighbourhood: Neighbourhood) -> tuple[Tensor, float]:
        """The sum of the loss over this tile's points, a scalar, and `weight` of the sample.

        Never a mean: a mean of tiles' means is another loss for every number of ranks. ``sample.inputs`` may be of a
        lower precision (bf16) than ``sample.target``; the sum is to be of the target's.
        """
        ...
