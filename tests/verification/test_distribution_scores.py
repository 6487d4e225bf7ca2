"""Scores of distributions: closed forms, and samples whose distribution is right, too narrow or too wide."""

import csv

import numpy as np
import pytest
from scipy.stats import norm

from mlrtma_dist.verification.crps import crps_ensemble, crps_gaussian
from mlrtma_dist.verification.distribution_scores import (
    crps_of_inexact,
    place_of_reports,
    reliability_rows,
    reliability_sums,
    score_matches,
    score_sums,
    sums_of_gaussians,
    sums_of_members,
    write_distributions,
    write_reliability,
)
from mlrtma_dist.verification.field_scores import sums_of
from mlrtma_dist.verification.match import Matches

MEMBERS, SHAPE = 9, (120, 150)


def drawn(spread: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Members of that spread and a truth of spread 1 about the same centre."""
    generator = np.random.default_rng(seed)
    centre, truth = generator.normal(0.0, 5.0, SHAPE), generator.standard_normal(SHAPE)
    return centre + spread * generator.standard_normal((MEMBERS, *SHAPE)), centre + truth


def score(members: np.ndarray, truth: np.ndarray):
    errors = {"m": sums_of(members.mean(0)[None, None], truth[None, None])}
    (row,) = score_sums({"m": sums_of_members(members, truth)[None, None]}, errors, ["field"])
    return row


def test_members_of_the_right_distribution_have_its_score_a_spread_of_their_error_and_even_tenths():
    row = score(*drawn(1.0))
    exact = crps_gaussian(np.zeros(1), 1.0, np.random.default_rng(0).standard_normal(100_000)).mean()
    assert row.crps == pytest.approx(exact, rel=0.02)  # the fair score does not know how many members there are
    assert row.spread_over_error == pytest.approx(1.0, abs=0.02) and row.n == SHAPE[0] * SHAPE[1]
    np.testing.assert_allclose(row.tenths, 0.1, atol=0.01)


@pytest.mark.parametrize(("spread", "ratio"), [(0.5, 0.51), (2.0, 1.74)])
def test_members_too_near_or_too_far_have_their_truths_at_the_ends_or_in_the_middle(spread, ratio):
    row = score(*drawn(spread))
    # spread sqrt(1 + 1/M), error sqrt(1 + spread^2 / M)
    assert row.spread_over_error == pytest.approx(ratio, abs=0.02)
    assert row.spread_over_error == pytest.approx(spread * np.sqrt(10 / 9 / (1 + spread**2 / 9)), rel=0.02)
    ends, middle = row.tenths[0] + row.tenths[-1], row.tenths[4] + row.tenths[5]
    assert (ends > 0.3 and middle < 0.15) if spread < 1.0 else (ends < 0.1 and middle > 0.25)


def test_the_sums_of_parts_are_those_of_the_whole_and_points_without_a_truth_do_not_count():
    members, truth = drawn(1.0)
    truth[3:5, 7:20] = np.nan
    parts = sum(sums_of_members(members[:, rows], truth[rows]) for rows in (slice(0, 50), slice(50, 120)))
    np.testing.assert_allclose(parts, sums_of_members(members, truth), rtol=1e-12)
    assert parts[2] == truth.size - 26 and parts[3:].sum() == pytest.approx(parts[2])


def test_of_gaussians_the_sums_are_those_of_the_closed_form():
    generator = np.random.default_rng(2)
    value, error = generator.normal(280.0, 5.0, SHAPE), generator.uniform(0.5, 2.0, SHAPE)
    truth = value + error * generator.standard_normal(SHAPE)
    sums = sums_of_gaussians(value, error, truth)
    expected = crps_gaussian(value.ravel(), error.ravel(), truth.ravel()).sum(), np.square(error).sum(), truth.size
    np.testing.assert_allclose(sums[:3], expected, rtol=1e-6)
    np.testing.assert_allclose(sums[3:] / truth.size, 0.1, atol=0.01)


def test_members_with_the_errors_of_reports_score_as_their_mixture_does():
    generator = np.random.default_rng(3)
    members, value = generator.normal(0.0, 1.0, (4, 50)), generator.normal(0.0, 2.0, 50)
    exact = crps_ensemble(members, value, fair=True)
    np.testing.assert_allclose(crps_of_inexact(members, value, np.zeros(50)), exact, rtol=1e-12)
    error = generator.uniform(0.2, 1.0, 50)
    noise = generator.standard_normal((4000, 4, 50))
    many = np.mean([crps_ensemble(members + error * each, value, fair=True) for each in noise], axis=0)
    np.testing.assert_allclose(crps_of_inexact(members, value, error), many, atol=0.03)
    large = norm.ppf((np.arange(400) + 0.5) / 400, 1.0, 0.8)[:, None]
    np.testing.assert_allclose(
        crps_of_inexact(large, np.array([2.0]), np.array([0.6])),
        crps_gaussian(np.array([1.0]), 1.0, np.array([2.0])),
        atol=2e-3,
    )


def test_reports_of_calibrated_members_lie_evenly_among_them_and_the_same_key_gives_the_same_place():
    generator, count = np.random.default_rng(4), 10_000
    centre, error = generator.normal(0.0, 3.0, count), generator.uniform(0.1, 3.0, count)
    members = centre + generator.standard_normal((MEMBERS, count))
    value = centre + generator.standard_normal(count) + error * generator.standard_normal(count)
    keys = [str(number) for number in range(count)]
    place = place_of_reports(members, value, error, keys)
    np.testing.assert_allclose(np.histogram(place, 10, (0, 1))[0] / count, 0.1, atol=0.01)
    order = generator.permutation(count)[:100]
    again = place_of_reports(members[:, order], value[order], error[order], [keys[each] for each in order])
    np.testing.assert_array_equal(again, place[order])
    assert place_of_reports(members[:, :0], value[:0], error[:0], []).shape == (0,)


def test_at_stations_gaussians_are_scored_and_what_predicts_no_error_or_no_place_is_not():
    generator, count = np.random.default_rng(5), 20_000
    station = [str(number) for number in range(count)]
    spread = generator.uniform(0.5, 2.0, count)
    observation = np.hypot(spread, 1.0) * generator.standard_normal(count)
    common = {"variable": "t2m", "station": station, "observation": observation, "prediction": np.zeros(count)}
    with_error = Matches.build(method="known", spread=spread, observation_error=1.0, **common)
    without = Matches.build(method="unknown", observation_error=1.0, **common)
    at_limits = Matches.build(method="limits", spread=spread, observation_error=1.0, crps=0.3, **common)
    ensemble = Matches.build(method="members", spread=spread, observation_error=1.0, crps=0.3, place=0.95, **common)
    rows = score_matches(Matches.concatenate([with_error, without, at_limits, ensemble]))
    assert [(row.at, row.method) for row in rows] == [("stations", "known"), ("stations", "members")]
    assert rows[0].spread_over_error == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(rows[0].tenths, 0.1, atol=0.01)
    assert rows[1].crps == pytest.approx(0.3) and rows[1].tenths[-1] == 1.0


def test_a_probability_that_is_right_comes_true_as_often_as_it_says(tmp_path):
    generator = np.random.default_rng(6)
    probability = generator.integers(0, 11, SHAPE) / 10.0
    happened = generator.uniform(size=SHAPE) < probability
    probability[0, 0] = np.nan
    rows = reliability_rows({"m": reliability_sums(probability, happened)[None]}, [("gust", "above", 10.0)])
    assert len(rows) == 10 and sum(row.n for row in rows) == probability.size - 1
    for row in rows:
        assert row.observed == pytest.approx(row.predicted, abs=0.05)
    write_reliability(tmp_path / "reliability.csv", rows)
    with open(tmp_path / "reliability.csv", newline="") as stream:
        assert [float(row["observed"]) for row in csv.DictReader(stream)] == [row.observed for row in rows]
    write_distributions(tmp_path / "distributions.csv", [score(*drawn(1.0))])
    with open(tmp_path / "distributions.csv", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert list(row)[:4] == ["at", "method", "variable", "n"] and len(row) == 18 and row["at"] == "fields"
