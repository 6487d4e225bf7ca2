"""The exact denoiser of a homogeneous Gaussian prior on a periodic plane, for truths that samplers are measured by.

With x ~ N(0, B), B diagonal in Fourier space (`linalg.spectral`), and x_t = x + sigma n:

    D = B (B + sigma^2)^-1 x_t,     C = Cov[x | x_t] = sigma^2 B (B + sigma^2)^-1
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.linalg import cho_factor, cho_solve
from torch import Tensor

from mlrtma_dist.linalg.spectral import SpectralCovariance


@dataclass(frozen=True)
class GaussianDenoiser:
    """A denoiser (`denoiser.Denoiser`) of the prior N(0, B) of every channel, independent of one another."""

    covariance: SpectralCovariance

    def __call__(self, noised: Tensor, sigma: float | Tensor) -> Tensor:
        """D on the whole plane, shape (member, channel, y, x); sigma may be one for each member, (member, 1, 1, 1)."""
        power = self._power.to(noised)
        spectrum = torch.fft.rfft2(noised) * (power / (power + sigma**2))
        return torch.fft.irfft2(spectrum, s=self.covariance.shape)

    def conditional(self, sigma: float) -> SpectralCovariance:
        """C, B where sigma is infinite."""
        power = self.covariance.power
        return SpectralCovariance(self.covariance.shape, power / (1.0 + power / sigma**2))

    @cached_property
    def _power(self) -> Tensor:
        return torch.from_numpy(self.covariance.power)


@dataclass(frozen=True)
class GaussianIncrement:
    """The increment of `jfps.Covariance` of that prior with its true C, for observations of one channel at grid points.

    Attributes:
        denoiser: of the prior.
        places: grid points (y, x), integers of shape (n, 2).
        variance: of the observations' errors, shape (n,).
    """

    denoiser: GaussianDenoiser
    places: np.ndarray
    variance: np.ndarray

    def increment(self, sigma: float, innovation: Tensor) -> Tensor:
        """C H^T (R + H C H^T)^-1 d of shape (member, 1, y, x) for d of shape (member, n)."""
        covariance = self.denoiser.conditional(sigma)
        weights = cho_solve(self._factor(covariance), innovation.double().numpy().T)
        increment = covariance.between(_points(covariance), self.places) @ weights
        return torch.from_numpy(increment.T.reshape(-1, 1, *covariance.shape))

    def _factor(self, covariance: SpectralCovariance) -> tuple[np.ndarray, bool]:
        return cho_factor(covariance.between(self.places, self.places) + np.diag(self.variance))

    def posterior(self, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of the field given values of shape (n,): (y, x) and (y x, y x)."""
        prior = self.denoiser.covariance
        points = _points(prior)
        across = prior.between(points, self.places)
        gain = cho_solve(self._factor(prior), across.T).T
        return (gain @ value).reshape(prior.shape), prior.between(points, points) - gain @ across.T


def _points(covariance: SpectralCovariance) -> np.ndarray:
    """All grid points (y, x) of the plane, shape (y x, 2)."""
    return np.argwhere(np.ones(covariance.shape, bool))
