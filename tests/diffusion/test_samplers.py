"""Samplers and their noise levels: without observations they draw from the prior, to the order they state."""

import numpy as np
import pytest
import torch

from mlrtma_dist.diffusion.denoiser import Counted
from mlrtma_dist.diffusion.samplers import ancestral_levels, dpm_solver, heun, stochastic_heun
from mlrtma_dist.diffusion.schedule import evaluations, karras_sigmas
from mlrtma_dist.errors import InputError

LARGEST, SMALLEST = 1000.0, 0.01  # the largest deviation of a wave of the prior is 8
SAMPLERS = {
    "heun": (lambda d, start, sigmas, noise: heun(d, start, sigmas), 2),
    "dpm_solver": (lambda d, start, sigmas, noise: dpm_solver(d, start, sigmas), 1),
    "stochastic": (stochastic_heun, 2),
    "half stochastic": (lambda *arguments: stochastic_heun(*arguments, eta=0.5), 2),
    "stochastic, first order": (lambda *arguments: stochastic_heun(*arguments, order=1), 1),
}


def variance_error(plane, sampler, steps):
    """Largest error of the covariance of samples over the prior's variance, without sampling error.

    Samplers are linear in their noises here, and alike at every point: member k gets one unit of noise k at one point,
    and the spectrum of the samples is the sum of the squares of all members' spectra.
    """
    shape = plane.denoiser.covariance.shape

    def noise(step):
        unit = torch.zeros(steps + 1, 1, *shape, dtype=torch.float64)
        unit[step + 1, 0, 0, 0] = 1.0
        return unit

    samples = sampler(plane.denoiser, LARGEST * noise(-1), karras_sigmas(LARGEST, SMALLEST, steps), noise)
    power = np.abs(np.fft.rfft2(samples[:, 0].numpy())) ** 2
    row = np.fft.irfft2(power.sum(0), shape)
    return np.abs(row - plane.denoiser.covariance.row).max() / plane.denoiser.covariance.variance


@pytest.mark.parametrize("name", SAMPLERS)
def test_samples_without_observations_have_the_covariance_of_the_prior(plane, name):
    coarse, fine = (variance_error(plane, SAMPLERS[name][0], steps) for steps in (64, 128))
    # of second order, halving the steps leaves a quarter of the error
    most, share = (0.2, 0.6) if "first" in name else (0.03, 0.3)
    assert coarse < most and fine < share * coarse


def test_no_new_noise_gives_the_deterministic_sampler(plane, draw):
    sigmas = karras_sigmas(LARGEST, SMALLEST, 8)
    still = stochastic_heun(plane.denoiser, LARGEST * draw(0), sigmas, draw, eta=0.0)
    torch.testing.assert_close(still, heun(plane.denoiser, LARGEST * draw(0), sigmas), rtol=1e-12, atol=1e-12)


def test_new_noise_leads_up_to_the_next_level_again():
    for eta in (0.0, 0.3, 1.0):
        down, up = ancestral_levels(2.0, 1.5, eta)
        assert down**2 + up**2 == pytest.approx(1.5**2)
    assert ancestral_levels(2.0, 1.5, 1.0)[0] == pytest.approx(1.5**2 / 2.0)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_each_sampler_costs_the_evaluations_that_are_foretold(plane, draw, steps):
    sigmas = karras_sigmas(LARGEST, SMALLEST, steps)
    for name, (sampler, order) in SAMPLERS.items():
        counted = Counted(plane.denoiser)
        sampler(counted, draw(0), sigmas, draw)
        assert (name, counted.evaluations) == (name, evaluations(steps, order))


def test_no_gradient_leads_from_one_step_to_the_next(draw):
    weight = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    histories = []

    def denoiser(noised, sigma):
        histories.append(noised.requires_grad)
        with torch.enable_grad():
            return weight * noised

    sigmas = karras_sigmas(LARGEST, SMALLEST, 5)
    samples = [sampler(denoiser, draw(0), sigmas, draw) for sampler, _ in SAMPLERS.values()]
    assert not any(histories) and not any(each.requires_grad for each in samples)


def test_levels_descend_from_the_first_to_the_last_and_end_at_zero():
    sigmas = karras_sigmas(80.0, 0.002, 18)
    assert sigmas[0] == pytest.approx(80.0) and sigmas[-2] == pytest.approx(0.002) and sigmas[-1] == 0.0
    assert len(sigmas) == 19 and all(a > b for a, b in zip(sigmas, sigmas[1:], strict=False))
    assert sigmas[1] == pytest.approx(57.58598861)  # Karras et al. 2022, eq. 5, by hand
    assert karras_sigmas(3.0, 0.1, 1) == (pytest.approx(3.0), 0.0)


@pytest.mark.parametrize(("largest", "smallest", "steps"), [(1.0, 0.1, 0), (0.1, 0.1, 4), (1.0, 0.0, 4)])
def test_levels_that_do_not_descend_are_refused(largest, smallest, steps):
    with pytest.raises(InputError, match="sigma_min"):
        karras_sigmas(largest, smallest, steps)
