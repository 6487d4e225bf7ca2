"""JFPS: posterior sampling without a Jacobian, optimal interpolation inside the sampler.

With a classical covariance B of the prior, x given the noised field has the covariance
C = (B^-1 + sigma^-2)^-1, and

    D_y = D + C H^T (R + H C H^T)^-1 (y - H D).

Only forward passes of the denoiser are needed: no gradient, no halo exchange backward, the memory of inference. It is
exact for a Gaussian prior of covariance B. The observed departures y - H D are of the nonlinear H; the H of the gain
is that of the covariance.
"""

from typing import Protocol

import torch
from torch import Tensor

from mlrtma_dist.diffusion.denoiser import Denoiser
from mlrtma_dist.diffusion.observed import Observed


class Covariance(Protocol):
    """A classical covariance of the prior with the operator and the errors of the observations."""

    def increment(self, sigma: float, innovation: Tensor) -> Tensor:
        """C H^T (R + H C H^T)^-1 d with C = (B^-1 + sigma^-2)^-1. Collective.

        Args:
            sigma: standard deviation of the noise.
            innovation: d, shape (member, n), of the observations that this tile owns, float64.

        Returns:
            Shape (member, channel, y, x).
        """


def jfps(denoiser: Denoiser, observed: Observed, covariance: Covariance) -> Denoiser:
    """The denoiser of the posterior, E[x | x_t, y]; without observations it is ``denoiser``.

    Args:
        denoiser: of the prior.
        observed: the observations.
        covariance: the classical covariance with the same observations.
    """
    if observed.is_empty():
        return denoiser

    @torch.no_grad()
    def posterior(noised: Tensor, sigma: float) -> Tensor:
        field = denoiser(noised, sigma)
        innovation = observed.value.double() - observed.operator(field).double()
        return field + covariance.increment(sigma, innovation).to(field.dtype)

    return posterior
