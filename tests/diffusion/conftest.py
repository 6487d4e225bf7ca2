"""A Gaussian prior on a small periodic plane, with observations at grid points, and its posterior by dense algebra."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from mlrtma_dist.diffusion.gaussian import GaussianDenoiser, GaussianIncrement
from mlrtma_dist.diffusion.observed import Observed
from mlrtma_dist.linalg.spectral import SpectralCovariance

SHAPE = (8, 12)


@dataclass
class Plane:
    """The prior of one channel, and observations of it.

    Attributes:
        denoiser: exact; increment: with the true covariance; observed: the observations.
        operator: H as a matrix, shape (n, y x); prior: B as a matrix.
    """

    denoiser: GaussianDenoiser
    increment: GaussianIncrement
    observed: Observed
    operator: np.ndarray
    prior: np.ndarray

    def posterior_mean(self, noised: torch.Tensor, sigma: float) -> torch.Tensor:
        """E[x | x_t, y], shape of ``noised``: the noised field is one more observation of every point."""
        whole = np.vstack([np.eye(len(self.prior)), self.operator])
        errors = np.concatenate([np.full(len(self.prior), sigma**2), self.observed.variance.numpy()])
        values = noised.reshape(len(noised), -1).numpy()
        values = np.hstack([values, np.tile(self.observed.value.numpy(), (len(noised), 1))])
        gain = self.prior @ whole.T @ np.linalg.inv(whole @ self.prior @ whole.T + np.diag(errors))
        return torch.from_numpy(values @ gain.T).reshape(noised.shape)


@pytest.fixture
def plane() -> Plane:
    """Seven observations with errors that differ."""
    generator = np.random.default_rng(3)
    covariance = SpectralCovariance.gaussian(SHAPE, 5.0, 1.3)
    chosen = generator.choice(SHAPE[0] * SHAPE[1], 7, replace=False)
    places = np.stack(np.divmod(chosen, SHAPE[1]), 1)
    variance = generator.uniform(0.02, 0.4, len(chosen))
    denoiser = GaussianDenoiser(covariance)
    observed = Observed(
        torch.from_numpy(generator.normal(size=len(chosen))),
        torch.from_numpy(variance),
        lambda field: field[:, 0, places[:, 0], places[:, 1]],
        lambda tensor: tensor,
    )
    points = np.argwhere(np.ones(SHAPE, bool))
    operator = np.eye(len(points))[chosen]
    increment = GaussianIncrement(denoiser, places, variance)
    return Plane(denoiser, increment, observed, operator, covariance.between(points, points))


@pytest.fixture
def nothing() -> Observed:
    """No observation."""
    empty = torch.empty(0, dtype=torch.float64)
    return Observed(empty, empty, lambda field: field[:, 0, 0, :0], lambda tensor: tensor)


@pytest.fixture
def draw():
    """Standard normal fields of a step: (step, members) -> (member, 1, y, x) of the plane."""

    def make(step: int, members: int = 3, channels: int = 1) -> torch.Tensor:
        generator = torch.Generator().manual_seed(100 + step)
        return torch.randn(members, channels, *SHAPE, generator=generator, dtype=torch.float64)

    return make
