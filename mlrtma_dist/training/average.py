"""The exponential moving average of the weights (Polyak and Juditsky 1992; in this form Tarvainen and Valpola 2017)."""

import contextlib
from collections.abc import Sequence

import torch
from torch import Tensor


class Average:
    """Averages of tensors, which may be one rank's share of the weights: it needs nobody else.

    The decay begins lower, min(decay, (1 + n) / (10 + n)) at the n-th update, so that the first weights are soon
    forgotten; ``from_start``: it does not, and they keep the part decay^n. So a network that learns more from other
    data forgets less of what it knew (Wortsman et al. 2022, Robust fine-tuning of zero-shot models).
    """

    def __init__(self, tensors: Sequence[Tensor], decay: float, from_start: bool = False):
        self.decay, self.from_start, self.updates = decay, from_start, 0
        self.tensors = [tensor.detach().clone() for tensor in tensors]

    def update(self, tensors: Sequence[Tensor]) -> None:
        """Move the averages towards ``tensors``: a <- d a + (1 - d) w."""
        self.updates += 1
        decay = self.decay if self.from_start else min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.tensors, [tensor.detach() for tensor in tensors], 1.0 - decay)

    @contextlib.contextmanager
    def in_place_of(self, tensors: Sequence[Tensor]):
        """Within the block ``tensors`` hold the averages; afterwards their own values again."""
        self._exchange(tensors)
        try:
            yield
        finally:
            self._exchange(tensors)

    def _exchange(self, tensors: Sequence[Tensor]) -> None:
        for mine, tensor in zip(self.tensors, tensors, strict=True):
            kept = tensor.detach().clone()
            tensor.data.copy_(mine)
            mine.copy_(kept)
