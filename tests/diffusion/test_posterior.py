"""Posterior denoisers with an exact prior: MMPS and JFPS equal the posterior mean in closed form."""

import dataclasses
import math
import weakref

import numpy as np
import pytest
import torch

from mlrtma_dist.diffusion.denoiser import Counted
from mlrtma_dist.diffusion.jfps import jfps
from mlrtma_dist.diffusion.mmps import mmps
from mlrtma_dist.diffusion.observed import Observed
from mlrtma_dist.diffusion.samplers import dpm_solver, heun
from mlrtma_dist.diffusion.schedule import karras_sigmas
from mlrtma_dist.errors import InputError

SHAPE, LEVELS = (8, 12), (0.05, 0.4, 3.0, 40.0)


@pytest.mark.parametrize("sigma", LEVELS)
def test_mmps_with_enough_iterations_gives_the_posterior_mean(plane, draw, sigma):
    noised = sigma * draw(0)
    field = mmps(plane.denoiser, plane.observed, iterations=20, tolerance=0.0)(noised, sigma)
    torch.testing.assert_close(field, plane.posterior_mean(noised, sigma), rtol=0, atol=1e-9)


@pytest.mark.parametrize("sigma", LEVELS)
def test_jfps_with_the_true_covariance_gives_the_posterior_mean(plane, draw, sigma):
    noised = sigma * draw(0)
    field = jfps(plane.denoiser, plane.observed, plane.increment)(noised, sigma)
    torch.testing.assert_close(field, plane.posterior_mean(noised, sigma), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["mmps", "jfps"])
@pytest.mark.parametrize("sampler", [heun, dpm_solver])
def test_samples_have_the_mean_and_the_whole_covariance_of_the_posterior(plane, name, sampler):
    """Exact: the samplers are affine in their noise here, and each point's unit of noise is a member of its own."""
    posterior = {
        "mmps": mmps(plane.denoiser, plane.observed, iterations=20, tolerance=0.0),
        "jfps": jfps(plane.denoiser, plane.observed, plane.increment),
    }[name]
    points, largest = len(plane.prior), 300.0
    starts = torch.cat([torch.zeros(1, points), torch.eye(points)]).double().reshape(-1, 1, *SHAPE)
    samples = sampler(posterior, largest * starts, karras_sigmas(largest, 0.01, 48)).reshape(-1, points).numpy()
    mean, covariance = plane.increment.posterior(plane.observed.value.numpy())
    root = samples[1:] - samples[0]
    assert np.abs(samples[0] - mean.reshape(-1)).max() < 0.02
    assert np.abs(root.T @ root - covariance).max() < 0.02 * covariance.max()


def test_memory_does_not_grow_with_the_steps(plane, draw):
    alive, outputs = [], []

    def denoiser(noised, sigma):
        field = plane.denoiser(noised, sigma)
        outputs.append(weakref.ref(field))
        alive.append(sum(output() is not None for output in outputs))
        return field

    dpm_solver(mmps(denoiser, plane.observed), draw(0), karras_sigmas(20.0, 0.02, 12))
    assert len(alive) == 12 and max(alive) <= 2


def test_mmps_in_single_precision_solves_in_double(plane, draw):
    noised = draw(0).float()
    field = mmps(plane.denoiser, plane.observed, iterations=20, tolerance=0.0)(noised, 1.0)
    assert field.dtype == torch.float32
    torch.testing.assert_close(field.double(), plane.posterior_mean(noised.double(), 1.0), rtol=0, atol=1e-5)


def test_an_iteration_costs_one_backward_pass_and_the_increment_none(plane, draw):
    counted = Counted(plane.denoiser)
    mmps(counted, plane.observed, iterations=4, tolerance=0.0)(draw(0), 1.0)
    assert (counted.forward, counted.products, counted.evaluations) == (1, 4, 9)
    counted = Counted(plane.denoiser)
    jfps(counted, plane.observed, plane.increment)(draw(0), 1.0)
    assert (counted.forward, counted.products) == (1, 0)


def test_fewer_products_are_taken_where_there_is_less_to_solve(plane, draw):
    costs = []
    for sigma in (3.0, 0.02):
        counted = Counted(plane.denoiser)
        field = mmps(counted, plane.observed, iterations=7)(sigma * draw(0), sigma)
        torch.testing.assert_close(field, plane.posterior_mean(sigma * draw(0), sigma), rtol=0, atol=0.02)
        costs.append(counted.products)
    assert costs == [6, 1]


def test_members_do_not_know_of_one_another(plane, draw):
    noised = draw(0)
    for posterior in (mmps(plane.denoiser, plane.observed), jfps(plane.denoiser, plane.observed, plane.increment)):
        together = posterior(noised, 0.7)
        alone = torch.cat([posterior(noised[k : k + 1], 0.7) for k in range(len(noised))])
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)


def test_without_observations_the_samples_are_those_of_the_prior(plane, nothing, draw):
    sigmas = karras_sigmas(10.0, 0.01, 6)
    prior = dpm_solver(plane.denoiser, draw(0), sigmas)
    for posterior in (mmps(plane.denoiser, nothing), jfps(plane.denoiser, nothing, plane.increment)):
        assert torch.equal(dpm_solver(posterior, draw(0), sigmas), prior)


def test_the_classical_covariance_takes_over_at_large_noise(plane, draw):
    counted = Counted(plane.denoiser)
    posterior = mmps(
        counted, plane.observed, iterations=20, tolerance=0.0, covariance=plane.increment, classical_above=5.0
    )
    for sigma, products in ((5.5, False), (4.5, True)):
        counted.products = 0
        torch.testing.assert_close(posterior(draw(0), sigma), plane.posterior_mean(draw(0), sigma), rtol=0, atol=1e-9)
        assert (counted.products > 0) == products


def test_a_jacobian_with_negative_curvature_leaves_the_denoised_field(plane, draw):
    sigma = 1.0
    variance = torch.full_like(plane.observed.variance, 0.25)
    observed = dataclasses.replace(plane.observed, variance=variance)

    def denoiser(noised, _):  # R + sigma^2 H J H^T = 1e-9 R in every direction: unguarded, an increment of 1e9
        return -0.25 * (1 - 1e-9) * noised

    assert torch.equal(mmps(denoiser, observed)(draw(0), sigma), denoiser(draw(0), sigma))


def test_a_member_of_negative_curvature_does_not_stop_the_others(plane, draw):
    noised = draw(0)
    sign = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)[:, None, None, None]

    def denoiser(field, sigma):
        return sign[: len(field)] * plane.denoiser(field, sigma)

    field = mmps(denoiser, plane.observed, iterations=20, tolerance=0.0)(noised, 1.0)
    expected = plane.posterior_mean(noised, 1.0)
    torch.testing.assert_close(field[[0, 2]], expected[[0, 2]], rtol=0, atol=1e-9)
    assert field.isfinite().all()


@pytest.mark.parametrize("sampler", [heun, dpm_solver])
def test_samples_stay_of_the_size_of_the_prior_with_a_jacobian_that_is_no_covariance(plane, draw, sampler):
    points = len(plane.prior)
    disturbance = torch.from_numpy(np.random.default_rng(1).normal(size=(points, points)) / math.sqrt(points))

    def denoiser(
        noised, sigma
    ):  # at small sigma the disturbance is twice the true Jacobian, neither symmetric nor >= 0
        change = 2.0 * (noised.flatten(1) @ disturbance).reshape(noised.shape) / (1 + sigma**2)
        return plane.denoiser(noised, sigma) + change

    sigmas, start = karras_sigmas(20.0, 0.02, 16), 20.0 * draw(0)
    prior, samples = (sampler(each, start, sigmas) for each in (denoiser, mmps(denoiser, plane.observed)))
    assert samples.abs().max() < 3.0 * prior.abs().max()  # by plain conjugate gradients 7 times


def test_a_nonlinear_operator_is_linearised_about_the_denoised_field(plane, draw):
    """The product of two channels: the posterior mean of its tangent in closed form."""
    sigma, noised = 0.5, draw(0, channels=2)
    field = plane.denoiser(noised, sigma)
    chosen = plane.operator.argmax(1)
    observed = dataclasses.replace(plane.observed, operator=lambda f: (f[:, 0] * f[:, 1]).flatten(1)[:, chosen])
    points = np.argwhere(np.ones(noised.shape[-2:], bool))
    covariance = plane.denoiser.conditional(sigma).between(points, points)
    expected = field.clone()
    for member in range(len(noised)):
        first, second = field[member].flatten(1).numpy()
        tangent = np.hstack([plane.operator * second, plane.operator * first])
        both = np.kron(np.eye(2), covariance)
        departure = observed.value.numpy() - (first * second)[chosen]
        system = np.diag(observed.variance.numpy()) + tangent @ both @ tangent.T
        increment = both @ tangent.T @ np.linalg.solve(system, departure)
        expected[member] += torch.from_numpy(increment.reshape(field[member].shape))
    result = mmps(plane.denoiser, observed, iterations=30, tolerance=0.0)(noised, sigma)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-8)


def test_an_observed_wind_speed_draws_the_speed_of_samples_to_it(plane, draw):
    chosen = plane.operator.argmax(1)
    speeds = dataclasses.replace(
        plane.observed,
        value=plane.observed.value.abs() + 0.5,
        variance=torch.full_like(plane.observed.variance, 0.01),
        operator=lambda f: f.flatten(2)[:, :, chosen].square().sum(1).add(1e-12).sqrt(),
    )
    sigmas, start = karras_sigmas(20.0, 0.02, 24), 20.0 * draw(0, members=8, channels=2)
    prior = dpm_solver(plane.denoiser, start, sigmas)
    samples = dpm_solver(mmps(plane.denoiser, speeds), start, sigmas)
    before, after = ((speeds.operator(each) - speeds.value).square().mean().sqrt() for each in (prior, samples))
    assert after < 0.15 < 0.7 < before  # the error's deviation is 0.1


def test_observations_without_error_or_value_are_refused():
    one = torch.ones(1)
    for value, variance in ((one, 0 * one), (math.nan * one, one), (one, torch.ones(2))):
        with pytest.raises(InputError, match="expected"):
            Observed(value, variance, lambda field: field, lambda tensor: tensor)
