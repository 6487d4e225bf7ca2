"""The way from a noised field to the observations, linearised: D = D(x_t), J = dD/dx_t, H' = dH/dx at D.

Products with J^T and H'^T are vector-Jacobian products by reverse mode, products with H' are by forward mode, and no
matrix is stored.
"""

import torch
from torch import Tensor

from mlrtma_dist.diffusion.denoiser import Denoiser
from mlrtma_dist.diffusion.observed import Observed
from mlrtma_dist.nn.forward_mode import push


class Linearised:
    """Denoiser and operator about one noised field.

    Attributes:
        field: D, shape (member, channel, y, x), without gradient.
        departure: (y - H(D)) / r, shape (member, n), float64, r the deviations of the observations' errors.

    All products are per member, and all weights (member, n) are of observations divided by r. Collective.
    """

    def __init__(self, denoiser: Denoiser, observed: Observed, noised: Tensor, sigma: float):
        """Evaluate denoiser and operator once, keeping what their backward passes need until this object goes."""
        self._observed, self._deviation = observed, observed.deviation
        with torch.enable_grad():
            self._noised = noised.detach().requires_grad_()
            self._denoised = denoiser(self._noised, sigma)
            self._equivalent = observed.operator(self._denoised)
        self.field = self._denoised.detach()
        self.departure = (observed.value.double() - self._equivalent.detach().double()) / self._deviation

    def pull(self, weights: Tensor) -> Tensor:
        """J^T H'^T w / r, shape (member, channel, y, x), for w of shape (member, n): one backward pass of both."""
        return self._gradient(self._noised, weights)

    def pull_to_denoised(self, weights: Tensor) -> Tensor:
        """H'^T w / r, shape (member, channel, y, x): the denoiser is not evaluated."""
        return self._gradient(self._denoised, weights)

    def push(self, increment: Tensor) -> Tensor:
        """H' dx / r, shape (member, n), float64, for dx of shape (member, channel, y, x)."""
        tangent = push(self._observed.operator, self.field, increment)
        return tangent.double() / self._deviation

    def _gradient(self, of: Tensor, weights: Tensor) -> Tensor:
        scaled = (weights / self._deviation).to(self._equivalent.dtype)
        return torch.autograd.grad(self._equivalent, of, scaled, retain_graph=True)[0]
