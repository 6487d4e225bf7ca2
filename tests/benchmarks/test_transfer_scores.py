"""Scores of flight categories and their baselines: closed forms of weights, ranks and intervals."""

from dataclasses import replace

import numpy as np
import pytest
from benchmark_module import benchmark_module
from report_cases import hour

from mlrtma_dist.observations.table import Observations


@pytest.fixture(scope="module")
def scores():
    return benchmark_module("transfer_scores")


@pytest.fixture(scope="module")
def case():
    """An hour whose fog has low ceilings, which every station reports, and elsewhere none."""
    plain = hour()
    table = plain.observations
    fog = table.variable == "visibility"
    ceiling = np.where(table.value < 5000.0, 100.0, 20000.0)
    columns = {name: each for name, each in vars(table).items() if isinstance(each, np.ndarray)}
    above = {name: each[fog] for name, each in columns.items()} | {"variable": np.full(fog.sum(), "ceiling")}
    above |= {"value": ceiling[fog]}
    both = Observations(**{name: np.concatenate([columns[name], above[name]]) for name in columns})
    masks = {
        name: np.concatenate([mask, mask[fog]]) for name, mask in (("used", plain.used), ("withheld", plain.withheld))
    }
    return replace(plain, observations=both, variables=(), **masks)


def test_reports_of_both_variables_are_paired_by_station_and_have_the_category_of_both(scores, case):
    rows, category = scores.pairs(case, case.used)
    table = case.observations
    assert rows.shape == (2, 48) and np.array_equal(table.station[rows[0]], table.station[rows[1]])
    assert set(table.variable[rows[0]]) == {"visibility"} and set(category) == {0.0, 3.0}
    assert np.array_equal(category == 0.0, table.value[rows[0]] < 5000.0)
    np.testing.assert_array_equal(scores.events(np.array([0.0, 2.0, 3.0])), [[1, 0, 0], [1, 0, 0], [1, 1, 0]])


def test_gaussian_weights_are_the_report_itself_where_they_are_narrow_and_the_hours_frequency_where_they_are_wide(
    scores, case
):
    rows, category = scores.pairs(case, case.used)
    truth, points = scores.events(category), case.points[rows[0]]
    narrow = scores.gaussian_weights(100.0)(case, points, rows[0])
    hours = (truth.sum(1) + 1.0) / (truth.shape[1] + 20.0)
    np.testing.assert_allclose(narrow, (truth + scores.BESIDE * hours[:, None]) / (1.0 + scores.BESIDE), atol=1e-6)
    wide = scores.gaussian_weights(1e9)(case, points, rows[0])
    np.testing.assert_allclose(wide, np.broadcast_to(truth.mean(1)[:, None], wide.shape), atol=2e-3)


def test_a_ratio_of_equal_scores_is_one_for_any_stations_and_of_others_lies_in_its_interval(scores):
    random = np.random.default_rng(1)
    value, station = random.exponential(size=400), np.repeat(np.arange(100), 4)
    assert scores.interval(value, value, station) == (1.0, 1.0, 1.0)
    assert scores.interval(3.0 * value, value, station) == pytest.approx((3.0, 3.0, 3.0))
    ratio, low, high = scores.interval(value, np.ones(400), station)
    assert ratio == pytest.approx(value.mean()) and low < ratio < high
    of_means = np.std(value.reshape(100, 4).mean(1)) / 10.0  # the error of a mean of 100 stations
    assert high - low == pytest.approx(2 * 1.96 * of_means, rel=0.15)


def test_of_a_certain_and_true_prediction_the_score_is_zero_and_of_a_false_one_three(scores, case):
    class One:
        time = np.zeros(1)
        layout = type("Layout", (), {"shape": (120, 160)})

        def case(self, number, box):
            return case

    def of_truth(case, points, rows):
        chosen, category = scores.pairs(case, case.withheld)
        assert np.array_equal(chosen[0], rows)
        return scores.events(category).astype(float)

    good = scores.score([One()], of_truth)
    assert len(good.brier) == 60 and good.brier.sum() == 0.0 and 0 < good.event.sum() < 60
    bad = scores.score([One()], lambda *case: 1.0 - of_truth(*case))
    assert np.all(bad.brier == 3.0)
