"""Observations as the samplers use them: y = H(x) + e, e ~ N(0, R) with R diagonal."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mlrtma_dist.errors import InputError


@dataclass(frozen=True)
class Observed:
    """The observations that this tile owns.

    Attributes:
        value: y, shape (n,), each in its own unit.
        variance: the diagonal of R, shape (n,), above 0, squared units of ``value``.
        operator: H, from a field (member, channel, y, x) on this tile to (member, n). It may be nonlinear and may
            exchange points between tiles; it is differentiable in reverse mode, and for MMPS in forward mode too.
        total: sums a small tensor over the tiles of this sample, without gradient; returns it alone.

    Raises:
        InputError: shapes that differ, or a variance that is not above 0.
    """

    value: Tensor
    variance: Tensor
    operator: Callable[[Tensor], Tensor]
    total: Callable[[Tensor], Tensor]

    def __post_init__(self):
        if self.value.dim() != 1 or self.value.shape != self.variance.shape:
            raise InputError(
                f"expected values and variances of one shape (n,), got {tuple(self.value.shape)} and"
                f" {tuple(self.variance.shape)}."
            )
        if not bool((self.variance > 0).all() and self.value.isfinite().all()):
            raise InputError(
                "expected finite observations with error variances above 0, got variances from"
                f" {float(self.variance.min()):g}. Leave out missing reports; give an exact one a small error."
            )

    def is_empty(self) -> bool:
        """Whether no tile has an observation. Collective."""
        return int(self.total(torch.tensor(len(self.value), device=self.value.device))) == 0

    def with_others(self, others: "Observed") -> "Observed":
        """These observations, then others of the same tile, whatever their operator."""

        def operator(field: Tensor) -> Tensor:
            return torch.cat([each.operator(field) for each in (self, others)], 1)

        value, variance = (torch.cat([getattr(self, n), getattr(others, n)]) for n in ("value", "variance"))
        return Observed(value, variance, operator, self.total)

    @property
    def deviation(self) -> Tensor:
        """Standard deviations of the errors, shape (n,), float64."""
        return self.variance.double().sqrt()

    def dot(self, left: Tensor, right: Tensor) -> Tensor:
        """Inner product of each member over the observations of all tiles; (member, n) gives (member,). Collective."""
        return self.total((left * right).sum(-1))
