"""3D-Var against optimal interpolation, the textbook's formula, and the function that it minimises."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.methods import threedvar
from mlrtma_dist.methods.oi import OptimalInterpolation
from mlrtma_dist.methods.threedvar import ThreeDVar


@pytest.fixture
def stations(places, generator):
    return places(generator, 250, 12.0)


def drawn(covariance, stations, r, generator) -> np.ndarray:
    """Departures as B and R would have them."""
    a = covariance.matrix(stations, stations).astype(np.float64) + np.diag(r**2)
    return np.linalg.cholesky(a) @ generator.standard_normal(len(stations))


@pytest.fixture
def departures(stations, covariance, generator):
    """Departures as B and R would have them, a twentieth of them with gross errors, and their errors."""
    n = len(stations)
    r = generator.uniform(0.3, 0.8, n)
    d = drawn(covariance, stations, r, generator)
    d[::20] += generator.choice([-8.0, 8.0], len(d[::20]))
    return d, r


def test_linear_and_global_it_is_optimal_interpolation(stations, departures, covariance, places, generator):
    targets = places(generator, 2500, 1.0)
    variational = ThreeDVar(covariance, None).fit(stations, *departures)
    interpolated = OptimalInterpolation(covariance, None, len(stations)).fit(stations, *departures)
    expected = interpolated.increment(targets)
    assert np.abs(variational.increment(targets) - expected).max() < 1e-5 * np.abs(expected).max()


def test_robust_and_global_it_is_optimal_interpolation_too(stations, departures, covariance, places, generator):
    targets = places(generator, 300, 12.0)
    variational = ThreeDVar(covariance, 1.5).fit(stations, *departures)
    interpolated = OptimalInterpolation(covariance, 1.5, len(stations)).fit(stations, *departures)
    assert variational.weight == pytest.approx(interpolated.weight, rel=1e-6)
    assert variational.increment(targets) == pytest.approx(interpolated.increment(targets), abs=2e-4)


def test_on_a_small_grid_it_is_the_formula_of_the_textbook(stations, departures, covariance, places, generator):
    """BH'(HBH' + R)^-1 d in double precision; evaluated on a block with nodes, so within their error."""
    d, r = departures
    targets = places(generator, 2500, 1.0)
    hbh = covariance.matrix(stations, stations).astype(np.float64)
    expected = covariance.matrix(targets, stations) @ np.linalg.solve(hbh + np.diag(r**2), d)
    got = ThreeDVar(covariance, None).fit(stations, d, r).increment(targets)
    print(f"largest difference {np.abs(got - expected).max():.1e} of {np.abs(expected).max():.1f}")
    assert np.abs(got - expected).max() < 5e-3


def test_the_gradient_of_its_function_vanishes_at_the_solution(stations, departures, covariance):
    """J = 1/2 dx'B^-1 dx + sum rho((d - H dx) / r); with dx = BH'w its gradient is w - rho'((d - HBH'w) / r) / r."""
    d, r = departures
    w = ThreeDVar(covariance, 1.5).fit(stations, d, r).sources.parts[0].weight
    residual = (d - covariance.matrix(stations, stations).astype(np.float64) @ w) / r
    gradient = w - np.clip(residual, -1.5, 1.5) / r
    assert (np.abs(residual) > 1.5).any()  # Huber's part takes part
    assert np.abs(gradient).max() < 5e-3 * np.abs(w).max()


def test_contradicting_stations_side_by_side_are_solved_to_the_end(line):
    """Reweighting is slowest here. By symmetry the analysis is 0, both residuals 5 r and both weights 1.5 / 5."""
    covariance = Covariance((Component(4.0, "matern32", 100e3),))
    fit = ThreeDVar(covariance, 1.5).fit(line(0.0, 0.0), np.array([2.0, -2.0]), np.full(2, 0.4))
    assert fit.weight == pytest.approx([0.3, 0.3], rel=1e-3)
    assert fit.increment(line(0.0)) == pytest.approx([0.0], abs=1e-5)


def test_many_observations_take_another_way_to_the_same_analysis(
    stations, departures, covariance, places, generator, monkeypatch
):
    """Reweighted as often, it is the same; as often as many observations allow, to a tenth (0.06 to 0.2 K seen)."""
    targets = places(generator, 200, 12.0)
    monkeypatch.setattr(threedvar, "BLOCK", 60)
    for huber, most, near in ((None, 1, 1e-4), (1.5, 200, 1e-3), (1.5, threedvar.MOST_ITERATIONS, 0.1)):
        monkeypatch.setattr(threedvar, "MOST_FACTORED", 9000)
        factored = ThreeDVar(covariance, huber).fit(stations, *departures)
        monkeypatch.setattr(threedvar, "MOST_FACTORED", 100)
        monkeypatch.setattr(threedvar, "MOST_ITERATIONS", most)
        monkeypatch.setattr(threedvar, "SETTLED", 1e-4)
        iterated = ThreeDVar(covariance, huber).fit(stations, *departures)
        assert iterated.weight == pytest.approx(factored.weight, abs=1e-2 if most == 200 else 0.3)
        difference = np.abs(iterated.increment(targets) - factored.increment(targets)).max()
        print(f"huber {huber}, {most} iterations: largest difference {difference:.1e}")
        assert difference < near * np.abs(factored.increment(targets)).max()


def test_a_gross_error_moves_the_analysis_less_and_leaves_its_neighbours_alone(places, covariance, generator):
    stations, r = places(generator, 250, 1.5), np.full(250, 0.5)
    stations = replace(stations, elevation=0.1 * stations.elevation, relief=0.1 * stations.relief)
    clean = drawn(covariance, stations, r, generator)
    wrong = clean.copy()
    wrong[40] += 20 * r[40]
    moved = {}
    for huber in (None, 1.5):
        before, after = (ThreeDVar(covariance, huber).fit(stations, d, r) for d in (clean, wrong))
        moved[huber] = np.abs(after.increment(stations) - before.increment(stations))
    assert moved[1.5][40] < 0.7 * moved[None][40]
    assert after.weight[40] < 0.3
    others = np.arange(250) != 40
    assert np.abs(after.weight - before.weight)[others].max() < 0.5 and np.mean(after.weight[others]) > 0.9
    assert moved[1.5][others].mean() < 0.7 * moved[None][others].mean()


def test_no_observation_leaves_the_first_guess_and_its_whole_error(line, places, covariance, generator):
    fit = ThreeDVar(covariance).fit(line(), np.zeros(0), np.zeros(0))
    targets = places(generator, 9, 5.0)
    assert (fit.increment(targets) == 0.0).all() and fit.weight.shape == (0,)
    assert fit.error(targets) == pytest.approx(np.full(9, 2.5))


def test_its_error_is_that_of_all_observations_within_a_hundredth(stations, covariance, places, generator):
    """64 of 250 observations decide it."""
    targets = places(generator, 60, 12.0)
    r = np.full(250, 0.5)
    fit = ThreeDVar(covariance, None).fit(stations, np.zeros(250), r)
    hbh, bh = (covariance.matrix(p, stations).astype(np.float64) for p in (stations, targets))
    exact = np.sqrt(covariance.variance - (bh * np.linalg.solve(hbh + np.diag(r**2), bh.T).T).sum(axis=1))
    ratio = fit.error(targets) / exact
    print(f"error of 64 observations over that of all: {ratio.min():.4f} to {ratio.max():.4f}")
    assert ratio.min() > 0.9999 and np.median(ratio) < 1.01 and ratio.max() < 1.05


def test_an_observation_weighted_down_explains_less_of_the_error(line):
    covariance = Covariance((Component(4.0, "matern32", 100e3),))
    fits = [ThreeDVar(covariance, 1.5).fit(line(0.0, 50e3), np.array([0.0, d]), np.ones(2)) for d in (0.0, 30.0)]
    assert fits[1].error(line(50e3))[0] > fits[0].error(line(50e3))[0] + 0.1
