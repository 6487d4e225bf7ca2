"""SDA: guidance with a fixed variance, for comparison (Rozet and Louppe 2023, arXiv:2306.10574, eq. 13).

    D_y = D + sigma^2 J^T H'^T (R + gamma sigma^2)^-1 (y - H D)

gamma stands for H Cov[x | x_t] H^T / sigma^2, which is no constant: at stations samples have about half of the
posterior's spread even with an exact denoiser, and too small a gamma diverges in few steps. `mmps` computes it.
"""

from torch import Tensor

from mlrtma_dist.diffusion.denoiser import Denoiser
from mlrtma_dist.diffusion.linearised import Linearised
from mlrtma_dist.diffusion.observed import Observed


def sda(denoiser: Denoiser, observed: Observed, *, gamma: float = 1e-2) -> Denoiser:
    """The guided denoiser, 1 forward and 1 backward pass; without observations it is ``denoiser``.

    Args:
        denoiser: of the prior.
        observed: the observations.
        gamma: variance added to R per sigma^2, for observations in the unit of the field.
    """
    if observed.is_empty():
        return denoiser

    def guided(noised: Tensor, sigma: float) -> Tensor:
        about = Linearised(denoiser, observed, noised, sigma)
        weights = about.departure / (1.0 + gamma * sigma**2 / observed.variance.double())
        return about.field + sigma**2 * about.pull(weights)

    return guided
