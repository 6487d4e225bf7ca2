"""Reference methods by hand."""

import numpy as np
import pytest

from mlrtma_dist.methods.reference import GaussianWeights, NearestStation, NoIncrement

D = np.array([1.0, -2.0, 4.0])


@pytest.fixture
def three(line):
    return line(0.0, 100e3, 300e3)


def test_the_first_guess_is_left_as_it_is(three, line):
    fit = NoIncrement().fit(three, D, np.ones(3))
    assert fit.increment(line(0.0, 5e3)).tolist() == [0.0, 0.0] and fit.weight.tolist() == [1.0, 1.0, 1.0]


def test_the_nearest_station_decides_alone(three, line):
    fit = NearestStation().fit(three, D, np.ones(3))
    assert fit.increment(line(-9e6, 0.0, 49e3, 51e3, 199e3, 201e3)).tolist() == [1.0, 1.0, 1.0, -2.0, -2.0, 4.0]


def test_gaussian_weights_are_a_mean_of_departures_by_hand(three, line):
    fit = GaussianWeights(length=100e3).fit(three, D, np.ones(3))
    weight = np.exp(-0.5 * np.array([0.5, 0.5, 2.5]) ** 2)
    assert fit.increment(line(50e3)) == pytest.approx([(weight * D).sum() / weight.sum()], rel=1e-12)


def test_gaussian_weights_use_as_many_neighbours_as_they_are_told(three, line):
    fit = GaussianWeights(length=1e9, neighbours=2).fit(three, D, np.ones(3))
    assert fit.increment(line(10e3, 290e3)) == pytest.approx([-0.5, 1.0], rel=1e-4)


def test_far_from_all_stations_the_nearest_counts(three, line):
    fit = GaussianWeights(length=60e3).fit(three, D, np.ones(3))
    assert fit.increment(line(1e7)) == pytest.approx([4.0])


@pytest.mark.parametrize("method", [NoIncrement(), NearestStation(), GaussianWeights()])
def test_without_stations_or_targets_there_is_no_increment(method, three, line):
    without = method.fit(line(), np.zeros(0), np.zeros(0))
    assert without.increment(line(0.0, 1.0)).tolist() == [0.0, 0.0]
    assert method.fit(three, D, np.ones(3)).increment(line()).shape == (0,)


@pytest.mark.parametrize("method", [NoIncrement(), NearestStation(), GaussianWeights()])
def test_their_error_is_not_known(method, three, line):
    assert np.isnan(method.fit(three, D, np.ones(3)).error(line(0.0, 1.0))).tolist() == [True, True]
