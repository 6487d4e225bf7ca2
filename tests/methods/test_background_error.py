"""What is assumed of a background's errors, recovered from departures of which it is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.methods.amplitude import GROUP
from mlrtma_dist.methods.background_error import PRIOR, fit_to_hour
from mlrtma_dist.methods.settings import VariableSettings
from mlrtma_dist.methods.wind import MEASURED

FAR = Component(2.0, "rounded", 900e3, 1500.0)
NEAR = Component(1.5, "askey", 800e3, 1000.0, land=2.0, relief=800.0)
USUAL = VariableSettings(0.5, 1.5, (FAR, NEAR))


@pytest.fixture
def generator():
    """A fixed seed: how near a factor comes depends on the draw."""
    return np.random.default_rng(5)


def times(far=1.0, near=1.0, length=1.0, terrain=1.0, error=1.0) -> VariableSettings:
    """The usual settings times factors."""
    scales = {name: getattr(NEAR, name) * terrain for name in ("height", "land", "relief")}
    components = (
        replace(FAR, variance=FAR.variance * far),
        replace(NEAR, variance=NEAR.variance * near, length=NEAR.length * length, **scales),
    )
    return VariableSettings(USUAL.observation_error * error, 1.5, components)


def drawn(settings, points, generator, columns: int | None = None) -> np.ndarray:
    """Departures as the settings would have them."""
    a = Covariance(settings.covariance).matrix(points, points).astype(np.float64)
    a[np.diag_indices(len(points))] += settings.observation_error**2
    shape = len(points) if columns is None else (len(points), columns)
    return np.linalg.cholesky(a) @ generator.standard_normal(shape)


def factors(settings) -> np.ndarray:
    """Length of the near component and observation error over those of the usual settings.

    Variance and dependence on terrain can stand for each other.
    """
    return np.array([settings.covariance[1].length / NEAR.length, settings.observation_error / USUAL.observation_error])


def log_likelihood(settings, points, departure) -> float:
    """Of departures of one group: a Gaussian's."""
    a = Covariance(settings.covariance).matrix(points, points).astype(np.float64)
    a[np.diag_indices(len(points))] += settings.observation_error**2
    return float(multivariate_normal(cov=a).logpdf(departure))


@pytest.mark.parametrize(
    "true",
    [
        {"near": 0.5, "length": 0.4, "error": 2.0},
        {"far": 0.2, "near": 2.0, "length": 0.3, "terrain": 4.0},
        {"far": 0.1, "near": 0.3, "length": 0.5, "terrain": 3.0, "error": 1.8},
    ],
)
def test_reach_and_error_are_recovered(true, places, generator):
    points = places(generator, 900, 8.0)
    fitted = fit_to_hour(USUAL, points, drawn(times(**true), points, generator))
    print(factors(fitted) / factors(times(**true)))
    assert (np.abs(np.log(factors(fitted) / factors(times(**true)))) < (0.5, 0.35)).all()


def test_what_is_found_is_as_likely_as_the_truth(places, generator):
    points, truth = places(generator, GROUP, 4.0), times(far=0.2, near=0.6, length=0.4, terrain=3.0, error=2.0)
    departure = drawn(truth, points, generator)
    fitted = fit_to_hour(USUAL, points, departure)
    likely = [log_likelihood(each, points, departure) for each in (USUAL, truth, fitted)]
    print(likely)
    prior = 0.5 * np.sum((np.log([0.2, 0.6, 0.4, 3.0, 2.0]) / PRIOR) ** 2)
    assert likely[2] > likely[1] - prior and likely[2] > likely[0]


def test_predictions_by_others_are_nearly_as_good_as_with_the_truth_and_better_than_as_usual(places, generator):
    points, truth = places(generator, 700, 8.0), times(far=0.2, near=0.6, length=0.25, terrain=5.0, error=2.0)
    departure = drawn(truth, points, generator)
    seen, unseen = np.arange(700) < 400, np.arange(700) >= 400

    def error(settings) -> float:
        covariance = Covariance(settings.covariance)
        a = covariance.matrix(points[seen], points[seen]) + settings.observation_error**2 * np.eye(400)
        predicted = covariance.matrix(points[unseen], points[seen]) @ np.linalg.solve(a, departure[seen])
        return float(np.sqrt(np.mean((departure[unseen] - predicted) ** 2)))

    fitted = error(fit_to_hour(USUAL, points[seen], departure[seen]))
    print(error(truth), fitted, error(USUAL))
    assert fitted < 1.04 * error(truth)
    assert fitted < error(USUAL) - 0.5 * (error(USUAL) - error(truth))


def test_a_wind_has_the_factors_of_its_components(places, generator):
    true = times(near=0.5, length=0.4, error=2.0)
    points = places(generator, 900, 8.0)
    fitted = fit_to_hour(USUAL, points, drawn(true, points, generator, MEASURED), MEASURED)
    assert (np.abs(np.log(factors(fitted) / factors(true))) < (0.6, 0.2)).all()


def test_few_departures_change_little_and_none_nothing(places, generator):
    assert fit_to_hour(USUAL, places(generator, 3, 1.0)[:0], np.zeros(0)) == USUAL
    changes = []
    for _ in range(20):
        points = places(generator, 3, 8.0)
        fitted = fit_to_hour(USUAL, points, drawn(USUAL, points, generator))
        changes.append(np.abs(np.log(factors(fitted))))
    assert np.median(changes) < 0.3 and np.max(changes) < 1.5  # the prior's deviation is 1


def test_no_length_grows_and_the_far_scale_gets_no_more_variance_than_the_departures_have(places, generator):
    points = places(generator, 400, 20.0)
    departure = np.full(400, 0.6) + 0.05 * generator.standard_normal(400)
    fitted = fit_to_hour(USUAL, points, departure)
    assert fitted.covariance[1].length <= NEAR.length * (1 + 1e-9)
    assert fitted.covariance[0].variance <= np.mean(departure**2) * (1 + 1e-9)
    assert fitted.huber == USUAL.huber


def test_gross_errors_do_not_decide(places, generator):
    points = places(generator, 600, 8.0)
    departure = drawn(times(length=0.4), points, generator)
    before = factors(fit_to_hour(USUAL, points, departure))
    departure[::150] += 500.0
    after = factors(fit_to_hour(USUAL, points, departure))
    assert np.abs(np.log(after / before)).max() < 0.5
