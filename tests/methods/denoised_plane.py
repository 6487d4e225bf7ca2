"""The plane of Exercise 1 in small, its exact denoiser, and a diffusion method of random weights, for tests."""

import torch
from invented import plane

from mlrtma_dist.diffusion.gaussian import GaussianDenoiser
from mlrtma_dist.grid.box import Box
from mlrtma_dist.linalg.spectral import SpectralCovariance
from mlrtma_dist.methods.diffusion import DiffusionMethod
from mlrtma_dist.methods.diffusion_settings import DiffusionSettings
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane

PLANE = GaussianPlane(size=32, observations=40, seed=6)
HERE = Alone(PLANE.shape, (True, True))
UNITS = Statistics(("background_field", "truth_field"), (0.0, 0.0), (1.0, 1.0), 4, "", "")
CASES = PLANE.on(plane(PLANE.shape, periodic=True), count=40)
WHOLE = Box.whole(PLANE.shape)
SMALL = DiffusionSettings(
    widths=(8, 16), groups=4, levels=3, scales=((1.0, 3.0),), field_scales=((6.25, 6.0),), sigma_max=40.0
)


def method_of(settings: DiffusionSettings = SMALL) -> DiffusionMethod:
    method = DiffusionMethod(settings, UNITS)
    randomise(method.network, 3)
    return method


class GaussianNetwork(torch.nn.Module):
    """The exact denoiser of the plane's departures from the background, whole planes only."""

    alignment = 1

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        truth, error = (each.power / 0.16 for each in PLANE.covariances)
        self.share, self.left = torch.from_numpy(error / (truth + error)), truth * error / (truth + error)
        self.denoiser = GaussianDenoiser(SpectralCovariance(PLANE.shape, self.left))

    def forward(self, noised, sigma, condition, neighbourhood):
        """E[d | d_t, x_b]: the mean given the background is -B (S + B)^-1 x_b."""
        mean = torch.fft.irfft2(-self.share * torch.fft.rfft2(condition.double() / 0.4), s=PLANE.shape)
        departure = self.denoiser(noised.double() - mean, sigma.double()[:, None, None, None])
        return (mean + departure).to(noised.dtype)
