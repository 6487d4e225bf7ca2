"""The benchmark of posterior samplers, small: each sampler is as calibrated as its guidance lets it be."""

import numpy as np
import pytest
from benchmark_module import benchmark_module

# Ratios to the exact posterior: spread, spread at the observed points, largest CRPS. Sampling error is about 0.03.
CALIBRATED = {
    "exact posterior": ((0.95, 1.05), (0.95, 1.05), 1.02),
    "MMPS, Heun 16": ((0.97, 1.06), (0.97, 1.07), 1.03),
    "MMPS, DPM-Solver++ 16": ((0.97, 1.06), (0.97, 1.07), 1.03),
    "MMPS, DPM-Solver++ 32": ((0.96, 1.04), (0.95, 1.05), 1.03),
    "MMPS, stochastic, first order 32": ((0.86, 0.95), (0.83, 0.92), 1.03),
    "MMPS, warm, DPM-Solver++ 4": ((0.93, 1.02), (0.95, 1.05), 1.03),
    "JFPS, Heun 16": ((0.97, 1.06), (0.97, 1.07), 1.03),
    "JFPS, warm, DPM-Solver++ 8": ((0.95, 1.04), (0.96, 1.07), 1.03),
    "SDA, gamma 0.001, DPM-Solver++ 64": ((0.7, 0.85), (0.3, 0.5), 1.25),
    "RePaint, 1 time 64": ((1.2, 1.5), (0.0, 1e-9), 1.6),
    "RePaint, 10 times 64": ((0.9, 1.0), (0.0, 1e-9), 1.3),
}
LEAST_CRPS = {"SDA, gamma 0.001, DPM-Solver++ 64": 1.1, "RePaint, 1 time 64": 1.3, "RePaint, 10 times 64": 1.1}


@pytest.fixture(scope="module")
def samplers():
    return benchmark_module("posterior_samplers")


@pytest.mark.parametrize("name", CALIBRATED)
def test_a_sampler_has_the_spread_and_crps_that_its_guidance_gives(samplers, name):
    spread, at_observations, most = CALIBRATED[name]
    (whole, observed, _, crps), _ = samplers.ratios(samplers.RUNS[name], cases=3, members=96)
    assert spread[0] <= whole <= spread[1]
    assert at_observations[0] <= observed <= at_observations[1]
    assert LEAST_CRPS.get(name, 0.97) <= crps <= most


def test_a_deadline_must_not_cut_the_steps_of_sda(samplers):
    few = samplers.ratios(samplers.RUNS["SDA, gamma 0.001, DPM-Solver++ 16"], cases=1, members=16)[0]
    assert few[0] > 100.0  # too small a variance of the departures diverges in large steps


def test_the_posterior_that_ratios_are_taken_of_is_that_of_its_draws(samplers):
    line = samplers.Line(0, 1)
    draws = line.draws(4000)
    assert np.abs(np.cov(draws.T) - line.covariance).max() < 0.1 * line.covariance.max()
    assert np.abs(draws.mean(0) - line.mean).max() < 0.1
