"""The factors of an hour, recovered from departures of which they are known."""

import numpy as np
import pytest

from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.methods.amplitude import GROUP, scale_to_hour
from mlrtma_dist.methods.local import groups

ERROR = 0.5
FAR, NEAR = 0, 1


@pytest.fixture
def generator():
    """A fixed seed: how near a factor comes depends on the draw."""
    return np.random.default_rng(3)


@pytest.fixture
def usual():
    return Covariance((Component(2.0, "rounded", 600e3, 1500.0), Component(1.5, "askey", 500e3, 1000.0)))


def drawn(covariance, points, generator) -> np.ndarray:
    """Departures as the covariance and the observation error would have them."""
    a = covariance.matrix(points, points).astype(np.float64) + ERROR**2 * np.eye(len(points))
    return np.linalg.cholesky(a) @ generator.standard_normal(len(points))


def estimated_factors(usual, points, departure) -> np.ndarray:
    scaled = scale_to_hour(usual, points, departure, np.full(len(points), ERROR))
    return np.array([c.variance for c in scaled.components]) / [c.variance for c in usual.components]


@pytest.mark.parametrize("true", [0.25, 1.0, 4.0])
def test_one_factor_on_both_scales_is_recovered_from_two_thousand_departures(true, usual, places, generator):
    """The search has steps of exp(0.4). The near factor has hundreds of independent departures; the far one has tens,
    and can be taken for the near one."""
    points = places(generator, 2000, 30.0)
    factors = estimated_factors(usual, points, drawn(usual.scaled(true), points, generator))
    print(f"true {true}: far {factors[FAR]:.2f}, near {factors[NEAR]:.2f}")
    assert abs(np.log(factors[NEAR] / true)) < 0.65
    assert abs(np.log(factors[FAR] / true)) < 1.0


def test_a_rough_hour_raises_the_near_factor_and_not_the_far_one(usual, places, generator):
    points = places(generator, 1500, 30.0)
    factors = estimated_factors(usual, points, drawn(usual.scaled(np.array([1.0, 5.0])), points, generator))
    assert factors[NEAR] > 2.5 and factors[FAR] < 2.5


def test_three_departures_change_little(usual, places, generator):
    for _ in range(10):
        points = places(generator, 3, 30.0)
        factors = estimated_factors(usual, points, drawn(usual, points, generator))
        assert (np.abs(np.log(factors[NEAR])) < 0.9).all()
        assert factors[FAR] < 2.5


def test_without_departures_the_covariance_stays(usual, places, generator):
    points = places(generator, 3, 1.0)[:0]
    assert scale_to_hour(usual, points, np.zeros(0), np.zeros(0)) == usual


def test_the_far_scale_gets_no_more_variance_than_the_departures_have(usual, places, generator):
    points = places(generator, 300, 5.0)
    departure = 0.6 * generator.standard_normal(300)
    scaled = scale_to_hour(usual, points, departure, np.full(300, 0.1))
    assert scaled.components[FAR].variance <= np.mean(departure**2) * (1 + 1e-9)


def test_gross_errors_do_not_decide(usual, places, generator):
    points = places(generator, 800, 20.0)
    departure = drawn(usual, points, generator)
    before = estimated_factors(usual, points, departure)
    departure[::200] += 500.0
    assert np.abs(np.log(estimated_factors(usual, points, departure) / before)).max() < 0.85  # two steps of the search


def test_a_covariance_of_one_kind_of_component_only_is_scaled_too(places, generator):
    points = places(generator, 600, 20.0)
    for kernel in ("askey", "rounded"):
        alone = Covariance((Component(1.5, kernel, 300e3),))
        (factor,) = estimated_factors(alone, points, drawn(alone.scaled(3.0), points, generator))
        assert 1.5 < factor < 6.0, kernel


def test_groups_hold_every_station_once_and_are_compact(generator):
    position = generator.uniform(0.0, 1.0, (1000, 3))
    leaves = groups(position, GROUP)
    assert np.sort(np.concatenate(leaves)).tolist() == list(range(1000))
    assert max(len(leaf) for leaf in leaves) <= GROUP
    assert np.mean([np.ptp(position[leaf], axis=0).max() for leaf in leaves]) < 0.7
