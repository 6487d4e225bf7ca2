"""The analysis of distributions by indicators, and the probabilities of events."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.methods.departure_method import Fit
from mlrtma_dist.methods.events import at_limits, gaussian_below
from mlrtma_dist.methods.indicators import Indicators, _logistic, fit_indicators, quantile
from mlrtma_dist.methods.reference import GaussianWeights, NearestStation
from mlrtma_dist.methods.threedvar import ThreeDVar

COVARIANCE = (Component(0.8, "matern32", 300e3), Component(0.4, "askey", 40e3))
SETTINGS = Indicators((500.0, 1600.0, 5000.0), (0.01, 0.05, 0.15), 16000.0, 0.4, COVARIANCE)
EDGES = np.log([20.0, 500.0, 1600.0, 5000.0, 16000.0])


def places(x: np.ndarray) -> Points:
    zero = np.zeros(len(x))
    return Points(zero, zero, np.column_stack([x, zero, zero]), zero, zero, zero)


def fit(value: np.ndarray, points: Points, *, method=None, guess: float = 14000.0, gridded=False, columns=True):
    return fit_indicators(
        method or ThreeDVar(Covariance(COVARIANCE), None),
        SETTINGS,
        points=points,
        value=np.log(value),
        guess=lambda where: np.full(len(where), np.log(guess)),
        least=20.0,
        gridded=gridded,
        columns=columns,
    )


def test_a_quantile_is_linear_within_its_class_and_unlimited_above_the_last():
    below = np.array([[0.2, 0.6, 0.8], [0.0, 0.1, 0.4], [1.0, 1.0, 1.0]])
    half = np.exp(quantile(EDGES, below, 0.5))
    assert half[0] == pytest.approx(np.exp(EDGES[1] + 0.75 * (EDGES[2] - EDGES[1])))
    assert half[1] == pytest.approx(16000.0)
    assert half[2] == pytest.approx(np.sqrt(20.0 * 500.0))


def test_probabilities_between_limits_are_the_inverse_of_quantiles(generator):
    below = np.sort(generator.uniform(0.0, 1.0, (50, 3)), axis=1)
    for level in (0.1, 0.5, 0.9):
        value = quantile(EDGES, below, level)
        for row in np.flatnonzero(value < EDGES[3]):
            assert at_limits(EDGES, below[row : row + 1], value[row : row + 1])[0, 0] == pytest.approx(level)
    np.testing.assert_allclose(at_limits(EDGES, below, EDGES[1:4]), below)


def test_a_gaussian_without_a_deviation_is_certain():
    probability = gaussian_below(np.array([1.0, 1.0, np.nan]), np.array([2.0, np.nan, 1.0]), np.array([0.0, 3.0]))
    np.testing.assert_allclose(probability[0], norm.cdf([0.0, 3.0], 1.0, 2.0))
    assert probability[1].tolist() == [0.0, 1.0] and np.isnan(probability[2]).all()


def test_fog_and_none_stay_apart_instead_of_being_averaged():
    points = places(np.array([0.0, 10e3, 20e3, 500e3, 510e3, 520e3]))
    value = np.array([300.0, 400.0, 350.0, 16000.0, 16000.0, 16000.0])
    analysis = fit(value, points)
    where = places(np.array([10e3, 510e3]))
    visibility = np.exp(np.log(14000.0) + analysis.increment(where))
    assert visibility[0] < 500.0 and visibility[1] == pytest.approx(16000.0)
    below = analysis.below(where)
    assert (np.diff(below, axis=1) >= 0).all() and below[0, 1] > 0.7 and below[1, 2] < 0.3


def test_a_report_of_fog_is_kept_at_its_place_among_clear_neighbours():
    x = np.array([0.0, 60e3, -60e3, 120e3, -120e3])
    analysis = fit(np.array([400.0, 16000.0, 16000.0, 16000.0, 16000.0]), places(x))
    visibility = np.exp(np.log(14000.0) + analysis.increment(places(np.array([0.0, 60e3]))))
    assert visibility[0] < 500.0 and visibility[1] == pytest.approx(16000.0)


def test_far_from_all_reports_the_probability_is_their_frequency(generator):
    value = np.where(generator.uniform(size=400) < 0.25, 1000.0, 16000.0)
    analysis = fit(value, places(generator.uniform(0.0, 1e6, 400)))
    below = analysis.below(places(np.array([9e7])))[0]
    assert below[1] == pytest.approx(np.mean(value < 1600.0), abs=0.03)


def test_a_background_is_believed_as_far_as_the_reports_agree_with_it(generator):
    distance, right = generator.choice([-2.0, 2.0], 1000), generator.uniform(size=1000) < 0.9
    indicator = np.where(right, distance > 0, distance < 0).astype(float)
    a, b = _logistic(distance, indicator, 0.05, True)
    assert expit(a + 2.0 * b) == pytest.approx(indicator[distance > 0].mean(), abs=0.02)
    assert expit(a - 2.0 * b) == pytest.approx(indicator[distance < 0].mean(), abs=0.02)
    no_report = _logistic(np.zeros(0), np.zeros(0), 0.05, True)
    assert expit(no_report[0] + 1.0 * no_report[1]) > 0.8  # a fog that only the background has
    without = _logistic(np.zeros(0), np.zeros(0), 0.05, False)
    assert expit(without[0]) == pytest.approx(0.05) and without[1] == 0.0


def test_columns_together_and_one_by_one_are_the_same_analysis(generator):
    points, value = places(generator.uniform(0.0, 1e6, 60)), generator.choice([300.0, 3000.0, 16000.0], 60)
    where = places(generator.uniform(0.0, 1e6, 20))
    together, each = (fit(value, points, columns=columns).below(where) for columns in (True, False))
    np.testing.assert_allclose(together, each, atol=1e-5)  # single precision


@pytest.mark.parametrize("method", [NearestStation(), GaussianWeights()], ids=["nearest", "gaussian_weights"])
def test_simple_methods_have_distributions_too(method, generator):
    points, value = places(generator.uniform(0.0, 1e6, 60)), generator.choice([300.0, 3000.0, 16000.0], 60)
    below = fit(value, points, method=method, columns=False).below(points)
    if isinstance(method, NearestStation):
        np.testing.assert_allclose(below, value[:, None] < np.array(SETTINGS.limits), atol=1e-9)
    assert ((below >= 0) & (below <= 1)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"limits": (500.0, 400.0, 5000.0)}, "limits: expected positive ascending"),
        ({"frequency": (0.1, 0.2)}, "frequency: expected 3"),
        ({"frequency": (0.0, 0.2, 0.3)}, "between 0 and 1"),
        ({"unlimited": 100.0}, "unlimited: expected at least"),
        ({"observation_error": 0.0}, "observation_error"),
    ],
)
def test_settings_that_make_no_distribution_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SETTINGS, **change)


@dataclass(frozen=True)
class Counted:
    """A fit that counts how often it is evaluated."""

    fit: Fit
    sizes: list[int]

    def increment(self, where: Points) -> np.ndarray:
        """Of the fit."""
        self.sizes.append(len(where))
        return self.fit.increment(where)


def test_value_error_and_probabilities_at_the_same_stations_are_one_evaluation(generator):
    points, where = places(generator.uniform(0.0, 500e3, 40)), places(generator.uniform(0.0, 500e3, 7))
    plain = fit(generator.uniform(300.0, 16000.0, 40), points)
    counted = [Counted(each, []) for each in plain.fits]
    analysis = replace(plain, fits=tuple(counted), last=[])
    same = where[np.arange(7)]  # other arrays of the same places, as each question makes its own
    answers = analysis.increment(where), analysis.error(same), analysis.below(where)
    assert [each.sizes for each in counted] == [[7]]
    for got, expected in zip(answers, (plain.increment(where), plain.error(where), plain.below(where)), strict=True):
        np.testing.assert_array_equal(got, expected)
    higher = replace(where, elevation=where.elevation + 1.0)
    analysis.below(higher)
    analysis.below(where)
    assert [each.sizes for each in counted] == [[7, 7, 7]]  # other places are evaluated
