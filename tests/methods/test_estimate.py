"""Estimation of a covariance from departures of which it is known, and its score by brute force."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from mlrtma_dist.errors import InputError
from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.linalg.kernels import KERNELS
from mlrtma_dist.methods import estimate as module
from mlrtma_dist.methods.estimate import Departures, estimate
from mlrtma_dist.methods.settings import VariableSettings

TRUTH = VariableSettings(0.5, 1.5, (Component(4.0, "askey", 600e3, 1500.0),))
START = VariableSettings(1.2, 1.5, (Component(1.0, "askey", 250e3, 4000.0),))


def hour(truth: VariableSettings, points, generator) -> Departures:
    a = Covariance(truth.covariance).matrix(points, points).astype(np.float64)
    a += truth.observation_error**2 * np.eye(len(points))
    return Departures(points, np.linalg.cholesky(a) @ generator.standard_normal(len(points)))


@pytest.fixture
def generator():
    """A fixed seed: how near an estimate comes depends on the draw."""
    return np.random.default_rng(5)


@pytest.fixture
def hours(places, generator):
    """Four of 120 stations, some of them close enough to tell their errors from the first guess's."""
    stations = [places(generator, 120, 4.0) for _ in range(4)]
    return [hour(TRUTH, replace(points, elevation=0.4 * points.elevation), generator) for points in stations]


@pytest.fixture(autouse=True)
def one_thread():
    """The matrices are small: threads cost more than they give."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


def test_scales_variance_and_error_are_recovered_from_other_ones(hours):
    """Within a factor of 1.4 for the observation error and 2.5 for the rest, from starts off by 2.4 to 4."""
    settings, score = estimate(START, hours, steps=60)
    (component,), (true,) = settings.covariance, TRUTH.covariance
    print(settings, score)
    assert settings.observation_error == pytest.approx(0.5, rel=0.4)
    for name in ("variance", "length", "height"):
        assert 0.4 < getattr(component, name) / getattr(true, name) < 2.5, name
    assert component.land is None and component.relief is None and component.kernel == "askey"


def test_the_score_found_is_no_worse_than_that_of_the_truth_and_of_the_start(hours):
    start, truth = (estimate(s, hours, steps=1)[1] for s in (START, TRUTH))
    scores = [estimate(START, hours, steps=steps)[1] for steps in (1, 5, 40)]
    assert scores[0] == start
    assert scores[0] >= scores[1] >= scores[2]
    assert scores[2] < truth + 0.02 < start


def test_settings_and_score_belong_together(hours):
    settings, score = estimate(START, hours, steps=5)
    assert estimate(settings, hours, steps=1)[1] == pytest.approx(score, rel=1e-9)


def test_steps_that_make_it_worse_are_not_kept(hours, monkeypatch):
    monkeypatch.setattr(module, "LEARNING_RATE", 3.0)  # a step of exp(3)
    start = estimate(TRUTH, hours, steps=1)
    assert estimate(TRUTH, hours, steps=4)[1] <= start[1]


@pytest.mark.parametrize("huber", [None, 1.5])
def test_the_score_is_the_density_of_each_report_left_out_in_turn(huber, places, generator):
    """By leaving them out; Gaussian, or Student's t of five degrees of freedom without its constant."""
    points = places(generator, 14, 5.0)
    components = Component(2.0, "matern32", 300e3, 1500.0, 2.0, 500.0), Component(1.0, "askey", 200e3)
    settings = VariableSettings(0.6, huber, components)
    d = generator.standard_normal(14) * 2.0
    a = Covariance(settings.covariance).matrix(points, points).astype(np.float64) + 0.36 * np.eye(14)
    parts = []
    for i in range(14):
        rest = np.arange(14) != i
        gain = np.linalg.solve(a[np.ix_(rest, rest)], a[rest, i])
        variance, e = a[i, i] - gain @ a[rest, i], d[i] - gain @ d[rest]
        miss = 0.5 * e**2 / variance if huber is None else 3.0 * np.log(1 + e**2 / (5.0 * variance))
        parts.append(miss + 0.5 * np.log(variance))
    assert estimate(settings, [Departures(points, d)], steps=1)[1] == pytest.approx(np.mean(parts), rel=1e-4)


def test_gross_errors_are_not_taken_for_variance(hours):
    """One report in 40 wrong by 20 deviations adds 2.4 K^2 to the 4.25 K^2 of the others."""
    wrong = []
    for h in hours:
        value = h.value.copy()
        value[::40] += 10.0
        wrong.append(Departures(h.points, value))
    robust, _ = estimate(TRUTH, wrong, steps=25)
    gaussian, _ = estimate(VariableSettings(0.5, None, TRUTH.covariance), wrong, steps=25)
    total = [s.observation_error**2 + s.covariance[0].variance for s in (robust, gaussian)]
    print(total)
    assert total[0] < 4.5 < 5.5 < total[1]


def test_compact_components_stay_within_the_longest_length(hours):
    settings, _ = estimate(START, hours, steps=30, most_length=300e3)
    assert settings.covariance[0].length <= 300e3 * (1 + 1e-9)


def test_more_reports_than_wanted_are_left_out_the_same_way_each_time(hours):
    scores = {estimate(START, hours, steps=1, most_reports=50)[1] for _ in range(2)}
    assert len(scores) == 1 and scores != {estimate(START, hours, steps=1)[1]}


def test_hours_of_few_departures_take_no_part_and_are_refused_when_there_are_no_others(hours, places, generator):
    few, none = (hour(TRUTH, places(generator, count, 5.0), generator) for count in (10, 0))
    assert estimate(START, [*hours, few, none], steps=3) == estimate(START, hours, steps=3)
    with pytest.raises(InputError, match="at least one hour with more than 10 departures"):
        estimate(START, [few], steps=1)


@pytest.mark.parametrize("name", KERNELS)
def test_its_kernels_are_those_of_the_analysis(name):
    r = np.linspace(0.0, 3.0, 50)
    assert module.KERNELS[name](torch.tensor(r)).numpy() == pytest.approx(KERNELS[name](r**2), abs=1e-12)
