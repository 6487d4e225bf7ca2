"""DPS: guidance by the gradient of the departures' norm, for comparison (Chung et al. 2023, ICLR, Algorithm 1).

    D_y = D - zeta d|R^-1/2 (y - H D)| / dx_t = D + zeta J^T H'^T R^-1 (y - H D) / |R^-1/2 (y - H D)|

The original moves the sample by zeta times the gradient in each of its steps, which all have about the same ratio of
noise levels; here it moves the denoised field, so that any sampler takes it, and zeta is the original's divided by that
ratio's logarithm. Errors of observations decide nothing but their weights: zeta has to be tuned.
"""

from torch import Tensor

from mlrtma_dist.diffusion.denoiser import Denoiser
from mlrtma_dist.diffusion.linearised import Linearised
from mlrtma_dist.diffusion.observed import Observed


def dps(denoiser: Denoiser, observed: Observed, *, zeta: float = 1.0) -> Denoiser:
    """The guided denoiser, 1 forward and 1 backward pass; without observations it is ``denoiser``.

    Args:
        denoiser: of the prior.
        observed: the observations.
        zeta: length of the step, squared unit of the field.
    """
    if observed.is_empty():
        return denoiser

    def guided(noised: Tensor, sigma: float) -> Tensor:
        about = Linearised(denoiser, observed, noised, sigma)
        norm = observed.dot(about.departure, about.departure).sqrt().clamp(min=1e-12)
        return about.field + zeta * about.pull(about.departure / norm[:, None])

    return guided
