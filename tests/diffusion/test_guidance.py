"""Guidance for comparison, and the soft mask: their equations by dense algebra, and what their samples lack."""

import dataclasses

import numpy as np
import pytest
import torch

from mlrtma_dist.diffusion.denoiser import Counted
from mlrtma_dist.diffusion.guidance_dps import dps
from mlrtma_dist.diffusion.guidance_pigdm import pigdm
from mlrtma_dist.diffusion.guidance_sda import sda
from mlrtma_dist.diffusion.samplers import dpm_solver, stochastic_heun
from mlrtma_dist.diffusion.schedule import karras_sigmas
from mlrtma_dist.diffusion.soft_mask import kernels, soft_mask
from mlrtma_dist.errors import InputError
from mlrtma_dist.nn.neighbourhood import Alone

SIGMA, GAMMA, VARIANCE, ZETA = 0.6, 0.03, 1.69, 0.4
GUIDANCE = {
    "sda": lambda denoiser, observed: sda(denoiser, observed, gamma=GAMMA),
    "pigdm": lambda denoiser, observed: pigdm(denoiser, observed, variance=VARIANCE),
    "dps": lambda denoiser, observed: dps(denoiser, observed, zeta=ZETA),
}


def weights(name, plane, departure):
    """What J^T H^T is applied to, from departures of shape (member, n), by the methods' equations."""
    errors = plane.observed.variance.numpy()
    if name == "dps":
        norm = np.sqrt((departure**2 / errors).sum(1, keepdims=True))
        return ZETA * (1 + SIGMA**2) * departure / errors / norm
    share = VARIANCE * SIGMA**2 / (VARIANCE + SIGMA**2)
    added = {"sda": GAMMA * SIGMA**2 * np.eye(len(errors)), "pigdm": share * plane.operator @ plane.operator.T}[name]
    return SIGMA**2 * np.linalg.solve(np.diag(errors) + added, departure.T).T


@pytest.mark.parametrize("name", GUIDANCE)
def test_guidance_follows_its_equation_at_the_cost_of_one_backward_pass(plane, draw, name):
    counted, noised = Counted(plane.denoiser), draw(0)
    guided = GUIDANCE[name](counted, plane.observed)(noised, SIGMA)
    field = plane.denoiser(noised, SIGMA)
    departure = (plane.observed.value - plane.observed.operator(field)).numpy()
    jacobian = np.linalg.solve(plane.prior + SIGMA**2 * np.eye(len(plane.prior)), plane.prior)
    increment = weights(name, plane, departure) @ plane.operator @ jacobian
    torch.testing.assert_close(guided - field, torch.from_numpy(increment).reshape(field.shape), rtol=0, atol=1e-6)
    assert (counted.forward, counted.products) == (1, 1)


@pytest.mark.parametrize("name", GUIDANCE)
def test_guidance_without_observations_samples_the_prior(plane, nothing, draw, name):
    sigmas = karras_sigmas(10.0, 0.01, 4)
    samples = dpm_solver(GUIDANCE[name](plane.denoiser, nothing), draw(0), sigmas)
    assert torch.equal(samples, dpm_solver(plane.denoiser, draw(0), sigmas))


@pytest.mark.parametrize("name", GUIDANCE)
def test_guidance_takes_a_nonlinear_operator_at_the_denoised_field(plane, draw, name):
    """The square of a field is observed as its tangent is: twice the field times the increment."""
    chosen, noised = plane.operator.argmax(1), draw(0, members=1)
    field = plane.denoiser(noised, SIGMA)
    at_stations = field.flatten(1)[:, chosen]
    square = dataclasses.replace(plane.observed, operator=lambda f: f.flatten(1)[:, chosen].square())
    tangent = dataclasses.replace(
        plane.observed,
        value=plane.observed.value + at_stations[0] ** 2,
        operator=lambda f: 2.0 * at_stations * f.flatten(1)[:, chosen],
    )
    guided = [GUIDANCE[name](plane.denoiser, observed)(noised, SIGMA) for observed in (square, tangent)]
    torch.testing.assert_close(*guided, rtol=0, atol=1e-9)


def test_the_mask_is_the_nearest_kernel_and_the_target_their_mean():
    places, value = torch.tensor([[2.0, 3.0], [2.0, 5.0], [7.0, 0.4]]).double(), torch.tensor([1.0, 3.0, 7.0]).double()
    target, mask = kernels(places, value, 1.5, Alone((9, 12), (False, True)))
    points = torch.cartesian_prod(torch.arange(9.0), torch.arange(12.0)).double()
    offset = points[:, None] - places
    offset[..., 1] = (offset[..., 1] + 6) % 12 - 6  # the domain wraps in x
    kernel = torch.exp(-0.5 * offset.square().sum(-1) / 1.5**2)
    torch.testing.assert_close(mask, kernel.amax(1).reshape(9, 12), rtol=0, atol=1e-5)
    mean = ((kernel @ value) / kernel.sum(1)).reshape(9, 12)
    near = mask > 1e-3
    torch.testing.assert_close(target[near], mean[near], rtol=0, atol=1e-2)
    assert mask[2, 3] == 1.0 and target[2, 4] == pytest.approx(2.0, abs=1e-3)


def test_samples_with_a_soft_mask_have_no_spread_where_it_is_one(plane, draw):
    mask, target = torch.zeros(1, 8, 12, dtype=torch.float64), torch.zeros(1, 8, 12, dtype=torch.float64)
    mask[0, 3, 4], target[0, 3, 4] = 1.0, 1.7
    members, sigmas = 64, karras_sigmas(300.0, 0.01, 24)
    samples = soft_mask(
        plane.denoiser, 300.0 * draw(-1, members), sigmas, lambda step: draw(step, members), target, mask, resamplings=4
    )
    spread = samples.std(0)[0]
    assert (samples[:, 0, 3, 4] == 1.7).all() and spread[3, 4] == 0.0
    assert spread.mean() > 0.8
    # the point beside follows, as B has it
    expected = 1.7 * plane.denoiser.covariance.row[0, 1] / plane.denoiser.covariance.variance
    assert samples[:, 0, 3, 5].mean() == pytest.approx(expected, abs=0.35)


def test_a_mask_of_zeros_gives_samples_of_the_prior(plane, draw):
    zeros, sigmas = torch.zeros(1, 8, 12, dtype=torch.float64), karras_sigmas(300.0, 0.01, 6)
    # new noise has even numbers, pasted noise odd ones
    expected = stochastic_heun(plane.denoiser, draw(0), sigmas, lambda step: draw(2 * step), order=1)
    assert torch.equal(soft_mask(plane.denoiser, draw(0), sigmas, draw, zeros, zeros), expected)


@pytest.mark.parametrize("jump", [1, 3, 10])
def test_resampling_multiplies_the_evaluations_and_repeats_no_noise(plane, draw, jump):
    zeros, counted, steps = torch.zeros(1, 8, 12, dtype=torch.float64), Counted(plane.denoiser), []
    noise = lambda step: steps.append(step) or draw(step)  # noqa: E731
    sigmas = karras_sigmas(20.0, 0.01, 8)
    soft_mask(counted, draw(0), sigmas, noise, zeros, zeros, resamplings=3, jump=jump)
    assert counted.evaluations == 24 and len(set(steps)) == len(steps)


def test_settings_of_a_soft_mask_that_do_nothing_are_refused(plane, draw):
    zeros, sigmas = torch.zeros(1, 8, 12), karras_sigmas(20.0, 0.01, 8)
    for wrong in ({"resamplings": 0}, {"jump": 0}):
        with pytest.raises(InputError, match="at least 1"):
            soft_mask(plane.denoiser, draw(0), sigmas, draw, zeros, zeros, **wrong)
    with pytest.raises(InputError, match="width"):
        kernels(torch.zeros(1, 2), torch.zeros(1), 0.0, Alone((8, 12)))
