"""EnVar: its exact limits -- 3D-Var, the ensemble filter, the textbook's formula with the sampled covariance."""

import numpy as np
import pytest
from members import drawn, join, waves

from mlrtma_dist.linalg.hybrid import HybridCovariance
from mlrtma_dist.linalg.localisation import Localisation
from mlrtma_dist.methods.envar import EnVar
from mlrtma_dist.methods.letkf import LETKF
from mlrtma_dist.methods.oi import OptimalInterpolation
from mlrtma_dist.methods.threedvar import ThreeDVar

N = 8


@pytest.fixture
def problem(places, generator):
    """Members, 150 stations, 200 targets, departures and errors."""
    stations, targets = places(generator, 150, 8.0), places(generator, 200, 8.0)
    return waves(generator, N), stations, targets, generator.normal(0.0, 2.0, 150), generator.uniform(0.5, 1.5, 150)


def test_without_ensemble_weight_it_is_threedvar_to_the_last_bit(problem, covariance):
    perturbations, stations, targets, d, r = problem
    mixed = HybridCovariance(covariance, perturbations, Localisation(300e3), 1.0, 0.0)
    one, other = EnVar(mixed, 1.5).fit(stations, d, r), ThreeDVar(covariance, 1.5).fit(stations, d, r)
    assert (one.increment(targets) == other.increment(targets)).all()
    assert (one.error(targets) == other.error(targets)).all() and (one.weight == other.weight).all()


def test_without_static_weight_and_localisation_it_is_the_ensemble_filter(problem):
    perturbations, stations, targets, d, r = problem
    mixed = HybridCovariance(None, perturbations, None, 0.0, 1.4)
    one, other = EnVar(mixed, None).fit(stations, d, r), LETKF(perturbations, None, 1.4).fit(stations, d, r)
    expected = other.increment(targets)
    assert one.increment(targets) == pytest.approx(expected, abs=1e-8 * np.abs(expected).max())


def test_hybrid_and_localised_it_is_the_formula_of_the_textbook(problem, covariance):
    perturbations, stations, targets, d, r = problem
    localisation = Localisation(400e3, 2000.0)

    def b(p, q):
        x, y = perturbations(p), perturbations(q)
        return 0.3 * covariance.matrix(p, q) + 0.8 * localisation.matrix(p, q) * (x.T @ y) / (N - 1)

    fit = EnVar(HybridCovariance(covariance, perturbations, localisation, 0.3, 0.8), None, 1.2).fit(stations, d, r)
    a = b(stations, stations) + np.diag((1.2 * r) ** 2)
    expected = b(targets, stations) @ np.linalg.solve(a, d)
    assert fit.increment(targets) == pytest.approx(expected, abs=2e-3 * np.abs(expected).max())  # static: single
    pure = EnVar(HybridCovariance(None, perturbations, localisation, 0.0, 0.8), None).fit(stations, d, r)
    hbh, bh = (
        localisation.matrix(p, stations) * (perturbations(p).T @ perturbations(stations)) * 0.8 / (N - 1)
        for p in (stations, targets)
    )
    expected = bh @ np.linalg.solve(hbh + np.diag(r**2), d)
    assert pure.increment(targets) == pytest.approx(expected, abs=1e-9 * np.abs(expected).max())


def test_its_error_is_the_posterior_of_its_own_covariance(places, covariance, generator):
    """Fewer stations than decide the error, so that all of them do."""
    stations, targets, perturbations = places(generator, 40, 4.0), places(generator, 30, 4.0), waves(generator, N)
    mixed, r = HybridCovariance(covariance, perturbations, Localisation(300e3), 0.5, 1.2), np.full(40, 0.7)
    fit = EnVar(mixed, None).fit(stations, np.zeros(40), r)
    bh = mixed.matrix(targets, stations)
    explained = (bh * np.linalg.solve(mixed.matrix(stations, stations) + np.diag(r**2), bh.T).T).sum(axis=1)
    whole = 0.5 * covariance.variance + 1.2 * perturbations(targets).var(axis=0, ddof=1)
    assert fit.error(targets) ** 2 == pytest.approx(whole - explained, rel=1e-6)


def test_a_huge_ensemble_without_localisation_tends_to_optimal_interpolation(places, covariance, generator):
    """The difference falls as one over the root of the number of members."""
    stations, targets = places(generator, 30, 6.0), places(generator, 20, 6.0)
    whole = join(stations, targets)
    b = covariance.matrix(whole, whole).astype(np.float64)
    d, r = generator.normal(0.0, 2.0, 30), np.full(30, 1.0)
    expected = OptimalInterpolation(covariance, None, 30).fit(stations, d, r).increment(targets)
    missed = []
    for number in (200, 60_000):
        values = (np.linalg.cholesky(b + 1e-9 * np.eye(50)) @ generator.standard_normal((50, number))).T
        members = drawn(whole, values - values.mean(axis=0))
        got = EnVar(HybridCovariance(None, members, None, 0.0, 1.0), None).fit(stations, d, r).increment(targets)
        missed.append(np.sqrt(np.mean((got - expected) ** 2)))
    print(f"rms difference of 200 and 60,000 members: {missed}")
    # 0.06 times that of 200 is expected; the spread between seeds is wide where few stations matter
    assert missed[1] < 0.1 * np.abs(expected).max() and missed[1] < 0.3 * missed[0]


def test_no_spread_and_no_station_leave_the_background(problem):
    perturbations, stations, targets, d, r = problem
    still = HybridCovariance(None, lambda points: np.zeros((N, len(points))), Localisation(300e3), 0.0, 1.0)
    assert (EnVar(still).fit(stations, d, r).increment(targets) == 0).all()
    pure = HybridCovariance(None, perturbations, Localisation(300e3), 0.0, 1.0)
    alone = EnVar(pure).fit(stations[:0], d[:0], r[:0])
    assert (alone.increment(targets) == 0).all()
    assert alone.error(targets) == pytest.approx(perturbations(targets).std(axis=0, ddof=1))


@pytest.mark.parametrize(
    "static, ensemble, message",
    [
        (-0.1, 1.0, "expected weights >= 0"),
        (0.0, 0.0, "not both 0"),
        (1.0, 1.0, "needs a static covariance, got none"),
    ],
)
def test_weights_that_make_no_covariance_are_refused(static, ensemble, message):
    with pytest.raises(ValueError, match=message):
        HybridCovariance(None, lambda points: None, None, static, ensemble)
