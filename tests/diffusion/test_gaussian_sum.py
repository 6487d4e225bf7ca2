"""A covariance as a sum of Gaussians: beside the spectrum on a periodic plane, below noise, drawn, and on boxes."""

import math

import numpy as np
import pytest
import torch

from mlrtma_dist.diffusion.gain import Gain
from mlrtma_dist.diffusion.gaussian_sum import GaussianSum, gaussian_power
from mlrtma_dist.diffusion.observed import Observed
from mlrtma_dist.grid.box import Box
from mlrtma_dist.linalg.spectral import SpectralCovariance
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane

SHAPE = (64, 64)
WORLD = GaussianPlane()
ERRORS, FIELDS = gaussian_power([1.0], [3.0]), gaussian_power([6.25], [6.0])
LEFT = GaussianSum((ERRORS * FIELDS / (ERRORS + FIELDS))[None], 6.0, SHAPE, (True, True))
ONE = torch.zeros(12, dtype=torch.long)
ROW = torch.tensor([[0.0, float(column)] for column in range(12)])


def exact(sigma: float) -> SpectralCovariance:
    """S B / (S + B) in units of the background's variance, below noise."""
    truth, background = (each.power / 0.16 for each in WORLD.covariances)
    power = truth * background / (truth + background)
    return SpectralCovariance(SHAPE, power if math.isinf(sigma) else power * sigma**2 / (power + sigma**2))


@pytest.mark.parametrize("sigma", [math.inf, 10.0, 3.0, 1.0, 0.3, 0.1])
def test_covariances_below_noise_are_those_of_the_spectrum(sigma):
    row = exact(sigma).row[0, :12]
    np.testing.assert_allclose(LEFT.below_noise(sigma).between(ROW, ONE)[0], row, atol=0.03 * row[0])


def test_a_sum_of_two_gaussians_is_that_sum():
    own = GaussianSum(gaussian_power([0.7, 0.3], [2.0, 9.0])[None], 9.0, (200, 300), (False, False))
    places = torch.tensor([[10.2, 5.0], [11.0, 7.7], [40.0, 5.0]], dtype=torch.float64)
    square = (places[:, None] - places).square().sum(-1)
    expected = 0.7 * (-square / 8.0).exp() + 0.3 * (-square / 162.0).exp()
    torch.testing.assert_close(own.between(places, ONE[:3]), expected, atol=2e-3, rtol=0.0)


@pytest.mark.parametrize("periodic", [True, False])
def test_fields_that_are_drawn_have_the_covariance_and_boxes_are_parts_of_the_domain(periodic):
    own = GaussianSum(np.tile(LEFT.power, (2, 1)), 6.0, SHAPE, (periodic, periodic))
    keys = torch.stack([torch.full((150,), 3), torch.arange(150)], 1)
    fields = own.draw(keys, Box.whole(SHAPE), step=2)
    row = exact(math.inf).row[0]
    for distance in (0, 2, 5, 8):
        product = (fields * fields)[..., :-8] if not distance else fields[..., :-distance] * fields[..., distance:]
        assert float(product.mean()) == pytest.approx(row[distance], abs=0.03 * row[0])
    assert abs(float((fields[:, 0] * fields[:, 1]).mean())) < 0.03 * row[0]  # channels are independent
    part = own.draw(keys[:2], Box(10, 30, 20, 60), step=2)
    torch.testing.assert_close(part, fields[:2, :, 10:30, 20:60], atol=1e-10, rtol=0.0)


def gain_on(box: Box, own: torch.Tensor, places, channel, covariance) -> Gain:
    return Gain(covariance, places, channel, torch.full((len(places),), 0.0625, dtype=torch.float64), own, box)


def test_the_increment_is_that_of_optimal_interpolation_by_the_spectrum():
    rng = np.random.default_rng(0)
    cells = np.unique(rng.integers(0, 64, (120, 2)), axis=0)
    innovation = rng.normal(size=(2, len(cells)))
    places, channel = torch.from_numpy(cells).double(), torch.zeros(len(cells), dtype=torch.long)
    gain = gain_on(Box.whole(SHAPE), torch.arange(len(cells)), places, channel, LEFT)
    for sigma, near in ((math.inf, 0.02), (1.0, 0.1)):
        covariance = exact(sigma)
        weights = np.linalg.solve(covariance.between(cells, cells) + 0.0625 * np.eye(len(cells)), innovation.T).T
        sources = np.zeros((2, *SHAPE))
        np.add.at(sources, (slice(None), *cells.T), weights)
        expected = covariance.apply(sources)
        increment = gain.increment(sigma, torch.from_numpy(innovation))[:, 0].numpy()
        assert np.abs(increment - expected).max() < near * np.abs(expected).max()
    part = gain_on(Box(5, 20, 30, 64), torch.arange(len(cells)), places, channel, LEFT)
    whole = gain.increment(1.0, torch.from_numpy(innovation))
    torch.testing.assert_close(part.increment(1.0, torch.from_numpy(innovation)), whole[..., 5:20, 30:64])


def test_members_have_the_mean_and_spread_of_the_exact_posterior():
    cells = np.array([[10, 10], [12, 15], [30, 40], [31, 40]])
    places, channel = torch.from_numpy(cells).double(), torch.zeros(4, dtype=torch.long)
    gain = gain_on(Box.whole(SHAPE), torch.arange(4), places, channel, LEFT)
    value = torch.tensor([1.0, -0.5, 2.0, 1.5])
    observed = Observed(
        value, torch.full((4,), 0.0625), lambda field: field[:, 0][:, cells[:, 0], cells[:, 1]], gain.total
    )
    keys = torch.stack([torch.full((1000,), 5), torch.arange(1000)], 1)
    noise = torch.from_numpy(np.random.default_rng(2).normal(size=(1000, 4)))
    members = gain.posterior(torch.zeros(1, 1, *SHAPE), observed, keys, noise, 0)[:, 0].numpy()
    covariance = exact(math.inf)
    matrix = covariance.between(cells, cells)
    kalman = matrix @ np.linalg.inv(matrix + 0.0625 * np.eye(4))
    at = members[:, cells[:, 0], cells[:, 1]]
    np.testing.assert_allclose(at.mean(0), kalman @ value.numpy(), atol=0.04)
    np.testing.assert_allclose(np.cov(at.T), matrix - kalman @ matrix, atol=0.012)
    assert members[:, 50, 10].std() == pytest.approx(np.sqrt(covariance.variance), rel=0.08)  # far from all reports
