"""Optimal interpolation of departures on a tile, at any noise level: the classical part of the diffusion assimilation.

    C_sigma H^T (H C_sigma H^T + R)^-1 (y - H d)

for observations of single channels at points, with C_sigma of `gaussian_sum`. With sigma infinite it is optimal
interpolation with B, and Matheron's rule makes members of it (Chiles and Delfiner 2012, section 7.3.2): to a draw of
the prior the analysis of perturbed observations minus that draw is added,

    d = d' + B H^T (H B H^T + R)^-1 (y + e' - H d'),   d' ~ N(m, B),  e' ~ N(0, R).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mlrtma_dist.diffusion.gaussian_sum import GaussianSum
from mlrtma_dist.grid.box import Box


@dataclass(frozen=True)
class Gain:
    """See the module's description.

    Attributes:
        covariance: B.
        places: grid coordinates (y, x) of the observations of the whole domain, shape (n, 2).
        channel: of each, shape (n,); variance: of its error, shape (n,).
        own: numbers of those that this tile owns, shape (m,).
        box: the tile.
        total: sum of a tensor over the tiles.
    """

    covariance: GaussianSum
    places: Tensor
    channel: Tensor
    variance: Tensor
    own: Tensor
    box: Box
    total: Callable[[Tensor], Tensor] = lambda tensor: tensor
    _solvers: dict[float, tuple[GaussianSum, Tensor]] = field(default_factory=dict)

    @torch.no_grad()
    def increment(self, sigma: float, innovation: Tensor) -> Tensor:
        """What the innovations of this tile's observations add, with those of all tiles.

        Args:
            sigma: noise level, infinite for B itself.
            innovation: y - H d of this tile's observations, shape (member, m).

        Returns:
            On the box, shape (member, channel, y, x), the type of ``innovation``.
        """
        whole = torch.zeros(len(innovation), len(self.places), dtype=torch.float64, device=innovation.device)
        whole[:, self.own] = innovation.double()
        whole = self.total(whole)
        covariance, factor = self._solver(sigma)
        weights = torch.cholesky_solve(whole.T, factor).T
        return covariance.field(self.places, self.channel, weights, self.box).to(innovation.dtype)

    def _solver(self, sigma: float) -> tuple[GaussianSum, Tensor]:
        """C_sigma and the factor of H C_sigma H^T + R; kept, as all members ask at the same levels."""
        if sigma not in self._solvers:
            covariance = self.covariance.below_noise(sigma)
            matrix = covariance.between(self.places, self.channel)
            matrix.diagonal().add_(self.variance.double())
            self._solvers[sigma] = covariance, torch.linalg.cholesky(matrix)
        return self._solvers[sigma]

    @torch.no_grad()
    def posterior(self, mean: Tensor, observed, keys: Tensor, noise: Tensor, step: int) -> Tensor:
        """Members of the posterior of N(mean, B), shape (key, channel, y, x), the type of ``mean``.

        Args:
            mean: m on the box, shape (1 or key, channel, y, x).
            observed: this tile's observations (`observed.Observed`).
            keys: seed and member, shape (key, 2); step: of the noise.
            noise: normal, of this tile's observations, shape (key, m).
        """
        prior = mean + self.covariance.draw(keys, self.box, step).to(mean.dtype)
        perturbed = observed.value + noise.to(mean.dtype) * observed.variance.sqrt()
        return prior + self.increment(math.inf, perturbed - observed.operator(prior))
