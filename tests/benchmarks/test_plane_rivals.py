"""The rivals of the diffusion on planes: where all is Gaussian they are optimal interpolation, and their scores its."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from benchmark_module import benchmark_module
from invented import plane

from mlrtma_dist.linalg.cross_spectral import CrossCovariance
from mlrtma_dist.linalg.spectral import SpectralCovariance
from mlrtma_dist.methods.optimal import OptimalAnalysis
from mlrtma_dist.simulation.gaussian_plane import VARIABLE, Field
from mlrtma_dist.simulation.uncertain_plane import UncertainPlane

WORLD = UncertainPlane(size=16, errors=(Field(5.0, 0.5),), observations=25, seed=3)


@pytest.fixture(scope="module")
def rivals():
    return benchmark_module("plane_rivals")


@pytest.fixture(scope="module")
def case(rivals):
    """A case, the exact mean (y, x) and error of its posterior."""
    covariance = SpectralCovariance.gaussian(WORLD.shape, 5.0, 0.5)
    truth, background, reports = WORLD.draw(2)
    members = np.stack([WORLD.member(2, 1 + member) for member in range(300)])[:, None]
    fields = (each[VARIABLE][None] for each in (truth, background))
    domain = plane(WORLD.shape, periodic=True)
    at = members[:, 0, *reports.place.T]
    problem = rivals.Problem(domain, *fields, reports.place, reports.value, reports.error, members, at)
    exact = OptimalAnalysis.interpolation(covariance, WORLD.observation_error)
    mean = exact.analyse(background[VARIABLE], reports.place, reports.value)
    return (
        problem,
        CrossCovariance(WORLD.shape, np.zeros(1), covariance.power[None, None]),
        mean,
        exact.error(reports.place),
    )


def test_3dvar_with_the_true_covariance_is_optimal_interpolation_and_expects_its_error(rivals, case):
    problem, covariance, mean, error = case
    estimate = rivals.ThreeDVar({"background": covariance}, each_case=False).analyse(problem)
    np.testing.assert_allclose(estimate.mean[0], mean, atol=1e-8)
    np.testing.assert_allclose(estimate.deviation[0], error, atol=1e-8)


def test_letkf_of_many_members_comes_near_it_on_a_plane_that_closes_on_itself(rivals, case):
    problem, _, mean, error = case
    estimate = rivals.Filter(reach=60.0).analyse(problem, thinned=4)
    distance = np.sqrt(np.mean((estimate.mean[0] - mean[::4, ::4]) ** 2))
    assert distance < 0.35 * np.sqrt(np.mean(error**2))
    spread = np.sqrt(estimate.members.var(0, ddof=1).mean() / np.mean(error[::4, ::4] ** 2))
    assert spread == pytest.approx(1.0, abs=0.1)
    problem = problem.first(20)
    few = rivals.Filter().analyse(problem)
    np.testing.assert_allclose(rivals.Filter().analyse(problem, thinned=4).mean, few.mean[:, ::4, ::4], atol=1e-9)
    rolled = np.roll(np.arange(16), 7)  # the same case, elsewhere on the plane
    order = np.argsort(rolled)
    moved = replace(
        problem,
        members=problem.members[..., rolled],
        places=np.stack([problem.places[:, 0], order[problem.places[:, 1]]], 1),
    )
    np.testing.assert_allclose(rivals.Filter().analyse(moved).mean, few.mean[..., rolled], atol=1e-9)


def test_scores_of_many_draws_are_those_of_the_gaussian_that_they_are_drawn_from(rivals, case):
    problem, _, mean, error = case
    drawn = mean + error * np.random.default_rng(1).standard_normal((1000, 1, 16, 16))
    gaussian = rivals.Estimate(mean[None], error[None]).scores(problem.truth)
    np.testing.assert_allclose(rivals.Estimate.of(drawn).scores(problem.truth), gaussian, rtol=0.03)


def test_tuning_finds_the_best_of_settings_that_depend_on_each_other(rivals):
    @dataclass(frozen=True)
    class Method:
        a: int = 0
        b: int = 0

    best = rivals.tuned(
        Method(),
        {"a": (0, 1, 2), "b": (0, 1, 2)},
        lambda tried: (tried.a - 2) ** 2 + (tried.b - 1) ** 2 + 1.5 * (tried.a - 2) * (tried.b - 1),
    )
    assert best == Method(2, 1)


def test_the_factor_of_a_case_is_that_of_its_departures(rivals):
    random = np.random.default_rng(2)
    place = np.arange(200.0)
    matrix = np.exp(-np.abs(place[:, None] - place) / 3.0)
    departure = 2.0 * np.linalg.cholesky(matrix) @ random.standard_normal(200)
    assert rivals.best_factor(matrix, np.full(200, 1e-4), departure) == pytest.approx(2.0, rel=0.15)
