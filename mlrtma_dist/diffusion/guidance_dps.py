"""DPS: guidance by the gradient of the departures' norm, for comparison (Chung et al. 2023, ICLR, Algorithm 1).

    D_y = D + zeta (1 + sigma^2) J^T H'^T R^-1 d / |R^-1/2 d|,      d = y - H D

The original moves its sample by -zeta times the gradient of |R^-1/2 d| in each of its steps. That sample is alpha x_t
with alpha^2 = 1 / (1 + sigma^2), for fields of about unit variance: in terms of x_t gradient and step both grow by
1 / alpha. Here the denoised field moves, so that any sampler takes it, and zeta counts per unit of log sigma instead of
per step. The size of the departures decides nothing: zeta has to be tuned.
"""

from torch import Tensor

from mlrtma_dist.diffusion.denoiser import Denoiser
from mlrtma_dist.diffusion.linearised import Linearised
from mlrtma_dist.diffusion.observed import Observed


def dps(denoiser: Denoiser, observed: Observed, *, zeta: float = 0.6) -> Denoiser:
    """The guided denoiser, 1 forward and 1 backward pass; without observations it is ``denoiser``.

    Args:
        denoiser: of the prior.
        observed: the observations.
        zeta: length of the step.
    """
    if observed.is_empty():
        return denoiser

    def guided(noised: Tensor, sigma: float) -> Tensor:
        about = Linearised(denoiser, observed, noised, sigma)
        norm = observed.dot(about.departure, about.departure).sqrt().clamp(min=1e-12)
        return about.field + zeta * (1.0 + sigma**2) * about.pull(about.departure / norm[:, None])

    return guided
