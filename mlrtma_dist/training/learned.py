"""What training asks of a method and of its samples.

A method in `mlrtma_dist.methods` need not import this: it is enough to have these names.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from mlrtma_dist.nn.neighbourhood import Neighbourhood
from mlrtma_dist.samples.sample import Sample


class Learned(Protocol):
    """A network that is trained, and its loss.

    Attributes:
        network: all that is learnt. Has ``alignment`` (tiles begin on multiples of it) and is called with
            (inputs, neighbourhood).
    """

    network: nn.Module

    def weight(self, sample: Sample) -> float:
        """The weight of ``sample`` on this tile, without running the network.

        An accumulated step divides by the sum of the weights of all its samples on all ranks, so it must be known
        before the first backward pass.
        """
        ...

    def loss(self, sample: Sample, neighbourhood: Neighbourhood) -> tuple[Tensor, float]:
        """The sum of the loss over this tile's points, a scalar, and `weight` of the sample.

        Never a mean: a mean of tiles' means is another loss for every number of ranks. ``sample.inputs`` may be of a
        lower precision (bf16) than ``sample.target``; the sum is to be of the target's.
        """
        ...


class Cases(Protocol):
    """The samples to train on, on this rank's tile.

    Attributes:
        time: UTC of every case, datetime64[s], shape (n,).
    """

    time: np.ndarray

    def stream(self, batches: Iterable[Sequence[int]]) -> Iterator[Sample]:
        """Read batches of cases, by their indices, in this order; may read ahead."""
        ...
