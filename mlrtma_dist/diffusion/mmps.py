"""MMPS: moment matching posterior sampling (Rozet et al. 2024, arXiv:2405.13712).

Given the noised field, x is taken as Gaussian with mean D and covariance C = sigma^2 J, J = dD/dx_t, which are its true
moments for any prior. Then y given x_t is N(H D, R + H C H^T), and

    D_y = D + sigma^2 J^T H^T (R + sigma^2 H J^T H^T)^-1 (y - H D).

The system is solved in observation space by a few iterations that are conjugate gradients where J is exact (`guarded`),
each at the cost of one vector-Jacobian product of the denoiser. A nonlinear H is linearised about D.

At large sigma the Jacobian of a trained network is noisy, while the prior's own covariance is nearly exact: there the
increment of the classical covariance may stand in its place (`jfps`).
"""

import math

from torch import Tensor

from mlrtma_dist.diffusion.denoiser import Denoiser
from mlrtma_dist.diffusion.guarded import solve
from mlrtma_dist.diffusion.jfps import Covariance, jfps
from mlrtma_dist.diffusion.linearised import Linearised
from mlrtma_dist.diffusion.observed import Observed


def mmps(
    denoiser: Denoiser,
    observed: Observed,
    *,
    iterations: int = 5,
    tolerance: float = 1e-2,
    covariance: Covariance | None = None,
    classical_above: float = math.inf,
) -> Denoiser:
    """The denoiser of the posterior, E[x | x_t, y].

    Args:
        denoiser: of the prior.
        observed: the observations; without any the result is ``denoiser``.
        iterations: vector-Jacobian products in one evaluation, at most.
        tolerance: on the residual of the system over its right-hand side, below which no more are taken.
        covariance: the classical covariance for sigma above ``classical_above``; None uses the network's at all.
    """
    if observed.is_empty():
        return denoiser
    classical = denoiser if covariance is None else jfps(denoiser, observed, covariance)

    def posterior(noised: Tensor, sigma: float) -> Tensor:
        if covariance is not None and sigma > classical_above:
            return classical(noised, sigma)
        about = Linearised(denoiser, observed, noised, sigma)

        def pull(weights: Tensor) -> Tensor:
            return sigma**2 * about.pull(weights)

        _, increment = solve(pull, about.push, about.departure, observed.total, iterations, tolerance)
        return about.field + increment

    return posterior
