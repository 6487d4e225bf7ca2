"""Denoiser: the interface of every sampler, and a count of what a sampler asks of it.

A field x is noised as x_t = x + sigma n, n standard normal ("variance exploding", Karras et al. 2022,
arXiv:2206.00364). A denoiser gives the mean D(x_t, sigma) = E[x | x_t], from which follow the score
(D - x_t) / sigma^2 of the noised field (Tweedie 1956) and the covariance Cov[x | x_t] = sigma^2 dD/dx_t.
A guided denoiser gives E[x | x_t, y] and is used by the same samplers.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

PRODUCT = 2  # evaluations that a vector-Jacobian product costs


class Denoiser(Protocol):
    """The mean of a field given the noised field."""

    def __call__(self, noised: Tensor, sigma: float) -> Tensor:
        """E[x | x_t], differentiable.

        Args:
            noised: x_t, shape (member, channel, y, x) on this tile, any unit.
            sigma: standard deviation of the noise, the same for all members and tiles, same unit.

        Returns:
            Shape and unit of ``noised``.
        """


@dataclass
class Counted:
    """A denoiser that counts how often it is evaluated, all members of one call together.

    Attributes:
        denoiser: what is counted.
        forward: forward passes so far.
        products: vector-Jacobian products (backward passes) so far.
    """

    denoiser: Denoiser
    forward: int = 0
    products: int = 0

    @property
    def evaluations(self) -> int:
        """Forward passes, and vector-Jacobian products at the cost of two of them."""
        return self.forward + PRODUCT * self.products

    def __call__(self, noised: Tensor, sigma: float) -> Tensor:
        """What the denoiser gives; see `Denoiser`."""
        self.forward += 1
        field = self.denoiser(noised, sigma)
        if field.requires_grad:
            field.register_hook(self._count_product)
        return field.view_as(field)  # so that a gradient that ends here, and not at the input, is not counted

    def _count_product(self, _: Tensor) -> None:
        self.products += 1
