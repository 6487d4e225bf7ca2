"""The local ensemble filter against the Kalman filter's equations, and its blocks against single targets."""

import numpy as np
import pytest
from members import drawn, join, waves

from mlrtma_dist.linalg.localisation import Localisation
from mlrtma_dist.methods.letkf import LETKF

N = 8


@pytest.fixture
def problem(places, generator):
    """Members, 120 stations, 90 targets, departures and errors."""
    stations, targets = places(generator, 120, 8.0), places(generator, 90, 8.0)
    return waves(generator, N), stations, targets, generator.normal(0.0, 2.0, 120), generator.uniform(0.5, 1.5, 120)


def kalman(x, y, d, r_squared):
    """Increment and covariance of the Kalman filter with P = XX'/(N - 1), in the space of the state."""
    p, ph, hph = (a.T @ b / (len(x) - 1) for a, b in ((x, x), (x, y), (y, y)))
    gain = np.linalg.solve(hph + np.diag(r_squared), ph.T).T
    return gain @ d, p - gain @ ph.T


@pytest.mark.parametrize("inflation", [1.0, 1.7])
def test_without_localisation_it_is_the_kalman_filter(problem, inflation):
    perturbations, stations, targets, d, r = problem
    fit = LETKF(perturbations, None, inflation).fit(stations, d, r)
    root = np.sqrt(inflation)
    increment, covariance = kalman(root * perturbations(targets), root * perturbations(stations), d, r**2)
    members = fit.members(targets)
    scale = np.abs(increment).max()
    assert fit.increment(targets) == pytest.approx(increment, abs=1e-10 * scale)
    assert members.T @ members / (N - 1) == pytest.approx(covariance, abs=1e-10)
    assert fit.error(targets) ** 2 == pytest.approx(np.diag(covariance), abs=1e-10)
    assert members.sum(axis=0) == pytest.approx(np.zeros(90), abs=1e-10)


def test_a_localised_analysis_is_the_kalman_filter_of_each_target_with_its_own_errors(problem):
    """R-localisation: at a target the station's error variance is r^2 / rho."""
    perturbations, stations, targets, d, r = problem
    localisation = Localisation(250e3, 2500.0)
    fit = LETKF(perturbations, localisation, 1.3).fit(stations, d, r)
    got, error, members = fit.increment(targets), fit.error(targets), fit.members(targets)
    x, y = (np.sqrt(1.3) * perturbations(p) for p in (targets, stations))
    rho = localisation.matrix(targets, stations)
    for i in range(90):
        near = rho[i] > 0
        one, variance = kalman(x[:, [i]], y[:, near], d[near], r[near] ** 2 / rho[i, near])
        assert got[i] == pytest.approx(one[0], abs=1e-9)
        assert error[i] == pytest.approx(np.sqrt(variance[0, 0]), abs=1e-9)
    assert np.sqrt((members**2).sum(axis=0) / (N - 1)) == pytest.approx(error, abs=1e-9)


def test_a_huge_ensemble_tends_to_the_analysis_of_the_true_covariance(places, covariance, generator):
    """Members drawn from B: what they miss falls as one over the root of their number, here to a quarter."""
    stations, targets = places(generator, 15, 6.0), places(generator, 20, 6.0)
    whole = join(stations, targets)
    b = covariance.matrix(whole, whole).astype(np.float64)
    d, r = generator.normal(0.0, 2.0, 15), np.full(15, 1.0)
    expected = b[15:, :15] @ np.linalg.solve(b[:15, :15] + np.eye(15), d)
    missed = []
    for number in (40, 640):
        values = (np.linalg.cholesky(b + 1e-9 * np.eye(35)) @ generator.standard_normal((35, number))).T
        got = LETKF(drawn(whole, values - values.mean(axis=0)), None).fit(stations, d, r).increment(targets)
        missed.append(np.sqrt(np.mean((got - expected) ** 2)))
    print(f"rms difference of 40 and 640 members: {missed}")
    assert missed[1] < 0.5 and missed[1] < 0.7 * missed[0]


def test_no_spread_no_station_and_no_station_in_reach_leave_the_background(problem, line):
    perturbations, stations, targets, d, r = problem
    still = LETKF(lambda points: np.zeros((N, len(points))), Localisation(300e3)).fit(stations, d, r)
    assert (still.increment(targets) == 0).all() and (still.error(targets) == 0).all()
    spread = perturbations(targets).std(axis=0, ddof=1)
    alone = LETKF(perturbations, Localisation(300e3), huber=1.5).fit(stations[:0], d[:0], r[:0])
    assert (alone.increment(targets) == 0).all() and alone.error(targets) == pytest.approx(spread)
    far = LETKF(perturbations, Localisation(1.0)).fit(stations, d, r)
    assert (far.increment(targets) == 0).all() and far.error(targets) == pytest.approx(spread)


def test_what_blocks_and_chunks_a_target_falls_into_does_not_matter(problem, monkeypatch):
    perturbations, stations, targets, d, r = problem
    fit = LETKF(perturbations, Localisation(400e3, 1500.0)).fit(stations, d, r)
    together = fit.increment(targets)
    monkeypatch.setattr("mlrtma_dist.methods.letkf.ELEMENTS", 500)
    assert fit.increment(targets) == pytest.approx(together, abs=1e-10)
    alone = np.concatenate([fit.increment(targets[i : i + 1]) for i in range(len(targets))])
    assert alone == pytest.approx(together, abs=1e-10)


def test_relaxation_draws_the_spread_back_and_leaves_the_mean(problem):
    perturbations, stations, targets, d, r = problem
    fits = [LETKF(perturbations, Localisation(400e3), 1.5, a).fit(stations, d, r) for a in (0.0, 0.4, 1.0)]
    none, some, full = (fit.error(targets) for fit in fits)
    assert full == pytest.approx(np.sqrt(1.5) * perturbations(targets).std(axis=0, ddof=1))
    assert some == pytest.approx(0.6 * none + 0.4 * full)
    assert (fits[1].increment(targets) == fits[0].increment(targets)).all()
    assert fits[1].members(targets).std(axis=0, ddof=1) == pytest.approx(some)


def test_a_gross_error_is_weighted_down_and_the_rest_believed(problem, generator):
    perturbations, stations, targets, _, _ = problem
    truth = generator.normal(0.0, 0.8, N)
    d, r = truth @ perturbations(stations) + generator.normal(0.0, 0.3, 120), np.full(120, 0.3)
    d[7] += 15.0
    robust, linear = (LETKF(perturbations, None, huber=h).fit(stations, d, r) for h in (1.5, None))
    assert robust.weight[7] < 0.1 and np.median(robust.weight) > 0.9 and linear.weight.min() == 1.0
    expected = truth @ perturbations(targets)
    wrong = [np.sqrt(np.mean((fit.increment(targets) - expected) ** 2)) for fit in (robust, linear)]
    assert wrong[0] < wrong[1]


@pytest.mark.parametrize("bad", [{"inflation": 0.0}, {"relaxation": 1.1}, {"error_factor": -1.0}])
def test_settings_that_no_filter_can_use_are_refused(bad):
    with pytest.raises(ValueError, match="expected inflation > 0, error_factor > 0 and relaxation from 0 to 1"):
        LETKF(lambda points: None, None, **bad)
