"""Departures on every k-th point of a domain, interpolated between them: for grids finer than a network's own.

What two neighbouring points of the coarse grid have in common is known (a sum of Gaussians of distance), so that the
interpolated departures are given the deviation of those on the points: interpolation alone makes them smaller between.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mlrtma_dist.grid.box import Box
from mlrtma_dist.nn.neighbourhood import Neighbourhood


@dataclass(frozen=True)
class CoarseGrid:
    """Every ``factor``-th point of a domain; in y and x one more where the last one would lie before the edge.

    Attributes:
        domain: points of the domain in y and x; factor: k, from 1.
    """

    domain: tuple[int, int]
    factor: int

    @property
    def shape(self) -> tuple[int, int]:
        """Points of the coarse grid in y and x."""
        return tuple(-(-(size - 1) // self.factor) + 1 for size in self.domain)

    def gathered(self, fields: Tensor, neighbourhood: Neighbourhood) -> Tensor:
        """The values at the coarse points of fields (channel, y, x) on tiles, the whole grid on each. Collective.

        A coarse point beyond the edge has the value of the edge.
        """
        whole, places, box = fields.new_zeros(len(fields), *self.shape), [], neighbourhood.box
        for axis, (first, last) in enumerate(((box.y0, box.y1), (box.x0, box.x1))):
            fine = (torch.arange(self.shape[axis]) * self.factor).clamp(max=self.domain[axis] - 1)
            own = ((fine >= first) & (fine < last)).nonzero()[:, 0]
            places.append((own, fine[own] - first))
        (own_y, y), (own_x, x) = places
        whole[:, own_y[:, None], own_x] = fields[:, y[:, None], x]
        return neighbourhood.total(whole)

    def interpolated(self, fields: Tensor, box: Box, scales: Sequence[tuple[float, float]]) -> Tensor:
        """Fields (..., y, x) of the coarse grid on a box of the domain, by two straight lines.

        Args:
            scales: their covariance, pairs of variance and length in coarse points; empty: it is not known, and
                fields are smaller between the points.
        """
        (in_y, share_y), (in_x, share_x) = (
            self._weights(axis, span, fields) for axis, span in enumerate(((box.y0, box.y1), (box.x0, box.x1)))
        )
        values = torch.einsum("ya,...ab,xb->...yx", in_y, fields, in_x)
        if not scales:
            return values
        variance, total = torch.zeros(len(share_y), len(share_x), dtype=fields.dtype, device=fields.device), 0.0
        for own, length in scales:  # of a w + b v with the shares a = 1 - b: a^2 + b^2 + 2 a b C(1), on each axis
            next_one = torch.exp(torch.tensor(-0.5 / length**2, dtype=fields.dtype, device=fields.device))
            on_y, on_x = (1.0 - 2.0 * each * (1.0 - each) * (1.0 - next_one) for each in (share_y, share_x))
            variance, total = variance + own * on_y[:, None] * on_x, total + own
        return values / (variance / total).sqrt()

    def _weights(self, axis: int, span: tuple[int, int], like: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (point, coarse point) of the points of a span, and the share of the later one of two, (point,)."""
        place = torch.arange(*span, device=like.device).to(like.dtype) / self.factor
        cell = place.floor().clamp(max=max(self.shape[axis] - 2, 0)).long()
        share, rows = place - cell, torch.arange(len(place), device=like.device)
        weights = torch.zeros(len(place), self.shape[axis], dtype=like.dtype, device=like.device)
        weights[rows, cell] = 1.0 - share
        weights[rows, (cell + 1).clamp(max=self.shape[axis] - 1)] += share
        return weights, share
