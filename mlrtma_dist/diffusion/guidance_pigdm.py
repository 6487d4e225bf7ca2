"""PiGDM: guidance with the variance of an uncorrelated prior, for comparison (Song et al. 2023, ICLR).

    D_y = D + sigma^2 J^T H'^T (R + c H' H'^T)^-1 (y - H D),      c = V sigma^2 / (V + sigma^2)

c is the variance of x given x_t at a point of a prior of variance V without correlations. Neighbouring points tell of
one another, so that it is too large at small sigma, and samples spread too widely.
"""

from torch import Tensor

from mlrtma_dist.diffusion.denoiser import Denoiser
from mlrtma_dist.diffusion.guarded import solve
from mlrtma_dist.diffusion.linearised import Linearised
from mlrtma_dist.diffusion.observed import Observed

ITERATIONS, TOLERANCE = 30, 1e-6  # none evaluates the denoiser


def pigdm(denoiser: Denoiser, observed: Observed, *, variance: float | Tensor = 1.0) -> Denoiser:
    """The guided denoiser, 1 forward and 1 backward pass; without observations it is ``denoiser``.

    Args:
        denoiser: of the prior.
        observed: the observations.
        variance: V, a number or of shape (channel, 1, 1), squared unit of the field.
    """
    if observed.is_empty():
        return denoiser

    def guided(noised: Tensor, sigma: float) -> Tensor:
        about = Linearised(denoiser, observed, noised, sigma)
        share = variance * sigma**2 / (variance + sigma**2)

        def pull(weights: Tensor) -> Tensor:
            return share * about.pull_to_denoised(weights)

        weights, _ = solve(pull, about.push, about.departure, observed.total, ITERATIONS, TOLERANCE)
        return about.field + sigma**2 * about.pull(weights)

    return guided
