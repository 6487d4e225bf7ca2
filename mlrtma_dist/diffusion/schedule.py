"""The noise levels of a sampler, and the evaluations that it costs.

    sigma_i = (sigma_max^(1/rho) + i / (n - 1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho,   sigma_n = 0

(Karras et al. 2022, arXiv:2206.00364, eq. 5). A cold start begins where the noise covers the prior; a warm start begins
at a smaller sigma_0 from a field that is already near the posterior.
"""

from mlrtma_dist.errors import InputError

RHO = 7.0


def karras_sigmas(largest: float, smallest: float, steps: int, rho: float = RHO) -> tuple[float, ...]:
    """Noise levels from ``largest`` down to 0, ``steps`` + 1 of them.

    Args:
        largest: sigma_max of a cold start or sigma_0 of a warm one, the field's unit.
        smallest: the last level above 0, from which one step leads to 0, same unit; of one step it is not used.
        steps: n.
        rho: the greater, the more levels lie near ``smallest``.

    Raises:
        InputError: no step, or levels that do not descend to one above 0.
    """
    if steps < 1 or not 0.0 < smallest < largest:
        raise InputError(
            f"noise levels: expected at least 1 step and 0 < smallest < largest, got {steps} steps from {largest:g} to"
            f" {smallest:g}. Choose other steps, sigma_min or sigma_max."
        )
    first, last = largest ** (1.0 / rho), smallest ** (1.0 / rho)
    levels = ((first + step / max(1, steps - 1) * (last - first)) ** rho for step in range(steps))
    return (*levels, 0.0)


def evaluations(steps: int, order: int) -> int:
    """Evaluations of the denoiser that a sampler of ``order`` 1 or 2 takes: the step to 0 takes one in any case."""
    return order * (steps - 1) + 1
