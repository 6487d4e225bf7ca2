"""Scores against closed forms, intervals against theory and scipy, and the written table."""

import csv

import numpy as np
import pytest
from scipy import stats

from mlrtma_dist.verification.bootstrap import LEAST_CLUSTERS
from mlrtma_dist.verification.match import MatchError, Matches
from mlrtma_dist.verification.regions import ALL, regions
from mlrtma_dist.verification.scores import (
    bias,
    mae,
    median_absolute_error,
    paired_difference,
    rmse,
    rmse98,
    score_table,
    write_scores,
)


def of_errors(error, *, method="oi", variable="t2m", station=None, **columns) -> Matches:
    station = [f"S{index}" for index in range(len(error))] if station is None else station
    observation = np.linspace(270.0, 300.0, len(error))
    return Matches.build(
        method=method,
        variable=variable,
        station=station,
        observation=observation,
        prediction=observation + error,
        **columns,
    )


def test_scores_of_three_and_four_are_those_by_hand():
    error = np.array([3.0, -4.0])
    assert bias(error) == -0.5
    assert rmse(error) == pytest.approx(np.sqrt(12.5))
    assert mae(error) == 3.5
    assert median_absolute_error(error) == 3.5


@pytest.mark.parametrize(("size", "dropped"), [(49, 0), (50, 1), (100, 2), (149, 2), (2635, 52)])
def test_the_98_percent_rmse_leaves_out_two_in_a_hundred_of_the_largest(size, dropped):
    error = np.ones(size)
    error[:dropped] = -1e6
    assert rmse98(error) == 1.0
    error[dropped] = 1e6
    assert rmse98(error) > 1e4


def test_scores_of_no_errors_are_not_numbers():
    assert np.isnan([score(np.array([])) for score in (bias, rmse, mae, rmse98, median_absolute_error)]).all()


def test_the_interval_of_independent_errors_is_that_of_scipy():
    error = np.random.default_rng(5).standard_t(4, size=400)
    row = score_table(of_errors(error), draws=4000)[0]
    peer = stats.bootstrap(
        (error,),
        lambda e, axis: np.sqrt(np.mean(e**2, axis=axis)),
        method="percentile",
        n_resamples=4000,
        rng=np.random.default_rng(6),
    ).confidence_interval
    width = peer.high - peer.low
    assert row.lower == pytest.approx(peer.low, abs=0.06 * width)
    assert row.upper == pytest.approx(peer.high, abs=0.06 * width)


def test_the_interval_holds_the_truth_in_95_of_100_cases():
    generator = np.random.default_rng(11)
    inside = 0
    for _ in range(300):
        row = score_table(of_errors(generator.normal(0.0, 2.0, 150)), draws=400)[0]
        inside += row.lower <= 2.0 <= row.upper
    # 300 cases scatter by 1.3 %, and the percentile interval is a little narrow at 150 stations
    assert 0.90 <= inside / 300 <= 0.98


def test_a_station_repeated_ten_times_has_the_interval_of_one():
    generator = np.random.default_rng(2)
    once = generator.normal(size=80)
    names = np.array([f"S{index}" for index in range(80)])
    single = score_table(of_errors(once, station=names))[0]
    tenfold = score_table(of_errors(np.tile(once, 10), station=np.tile(names, 10)))[0]
    assert (tenfold.lower, tenfold.upper) == pytest.approx((single.lower, single.upper))
    independent = score_table(of_errors(np.tile(once, 10)))[0]
    assert independent.upper - independent.lower < 0.5 * (single.upper - single.lower)


def test_blocks_that_err_together_widen_the_interval():
    generator = np.random.default_rng(3)
    blocks = np.repeat(np.arange(40), 25)
    matches = of_errors(np.repeat(generator.normal(size=40), 25) + 0.1 * generator.normal(size=1000))
    by_station, by_block = score_table(matches)[0], score_table(matches, clusters=blocks)[0]
    assert by_block.upper - by_block.lower > 3.0 * (by_station.upper - by_station.lower)


def test_the_table_is_the_same_in_any_order_of_rows():
    generator = np.random.default_rng(4)
    place = {"domain": "conus", "longitude": generator.uniform(-125, -70, 300), "elevation": 100.0}
    matches = of_errors(generator.normal(size=300), **place)
    shuffled = matches.select(generator.permutation(300))
    for one, other in zip(score_table(matches), score_table(shuffled), strict=True):
        assert (one.region, one.n) == (other.region, other.n)
        assert (one.rmse, one.lower, one.upper) == pytest.approx((other.rmse, other.lower, other.upper), rel=1e-12)


def test_too_few_stations_have_scores_but_no_interval():
    for size in range(1, LEAST_CLUSTERS + 1):
        row = score_table(of_errors(np.arange(1.0, size + 1.0)))[0]
        assert row.n == size and row.rmse > 0.0
        assert np.isfinite([row.lower, row.upper]).all() == (size >= LEAST_CLUSTERS)


def test_rows_without_a_prediction_do_not_count_and_a_method_without_rows_has_no_score():
    matches = Matches.concatenate([of_errors([1.0, np.nan, -1.0]), of_errors([np.nan] * 3, method="lost")])
    scored, lost = (row for row in score_table(matches) if row.region == ALL)
    assert (scored.method, scored.n, scored.rmse) == ("oi", 2, 1.0)
    assert (lost.method, lost.n) == ("lost", 0) and np.isnan([lost.rmse, lost.bias, lost.lower, lost.upper]).all()


def test_regions_divide_conus_and_bands_divide_elevation_without_gap_or_overlap():
    generator = np.random.default_rng(8)
    longitude = np.append(generator.uniform(-130, -60, 500), [-105.0, -90.0])
    elevation = np.append(generator.uniform(-80, 4000, 500), [500.0, np.nan])
    masks = regions(np.full(502, "conus"), longitude, elevation)
    assert (masks["west of 105W"].astype(int) + masks["105W to 90W"] + masks["east of 90W"] == 1).all()
    np.testing.assert_array_equal(masks["east of 105W"], ~masks["west of 105W"])
    assert sum(masks[label].astype(int) for label in masks if label.startswith("elevation")).tolist() == [1] * 502
    assert masks["elevation 500-1000 m"][500] and masks["elevation unknown"][501]
    assert not any("W" in label for label in regions(np.full(502, "guam"), longitude, elevation))
    both = np.where(np.arange(502) < 200, "conus", "guam")
    masks = regions(both, longitude, elevation)
    assert masks["domain conus"].sum() == 200 and masks["domain guam"].sum() == 302
    parts = masks["west of 105W"].astype(int) + masks["105W to 90W"] + masks["east of 90W"]
    np.testing.assert_array_equal(parts, masks["domain conus"])


def test_scores_by_region_are_those_of_its_stations():
    error = np.array([1.0, 1.0, 3.0, 3.0, 3.0])
    place = {"longitude": [-120, -110, -100, -95, -80], "elevation": [2500, 1500, 400, 300, 10]}
    table = {row.region: row for row in score_table(of_errors(error, domain="conus", **place))}
    assert (table["west of 105W"].n, table["west of 105W"].rmse) == (2, 1.0)
    assert (table["elevation below 500 m"].n, table["elevation below 500 m"].rmse) == (3, 3.0)
    assert "elevation 500-1000 m" not in table and table[ALL].rmse == pytest.approx(np.sqrt(29 / 5))


def test_a_paired_difference_sees_what_two_intervals_hide():
    generator = np.random.default_rng(9)
    hard = generator.normal(0.0, 2.0, 500)  # what both methods miss alike
    better, worse = of_errors(hard, method="a"), of_errors(hard * 1.03 + generator.normal(0.0, 0.1, 500), method="b")
    matches = Matches.concatenate([better, worse.select(generator.permutation(500))])
    one, other = score_table(matches)[0], next(row for row in score_table(matches) if row.method == "b")
    assert one.upper > other.lower  # the intervals overlap
    difference = paired_difference(matches, "a", "b")
    assert difference.n == 500 and difference.difference == pytest.approx(one.rmse - other.rmse)
    assert difference.significant and difference.upper < 0.0
    reverse = paired_difference(matches, "b", "a")
    assert (reverse.difference, reverse.lower, reverse.upper) == pytest.approx(
        (-difference.difference, -difference.upper, -difference.lower)
    )


def test_a_method_does_not_differ_from_itself_and_noise_is_not_significant():
    generator = np.random.default_rng(10)
    error = generator.normal(size=300)
    same = Matches.concatenate([of_errors(error, method="a"), of_errors(error, method="b")])
    difference = paired_difference(same, "a", "b")
    assert (difference.difference, difference.lower, difference.upper, difference.significant) == (0.0, 0.0, 0.0, False)
    clear = 0
    for _ in range(100):
        pair = [of_errors(generator.normal(size=100), method=method) for method in "ab"]
        clear += paired_difference(Matches.concatenate(pair), "a", "b", draws=300).significant
    assert clear <= 14  # 5 expected of 100 by chance, with 2.2 standard deviation


def test_only_observations_that_both_predict_are_paired():
    a = of_errors(np.array([1.0, 2.0, 3.0]), method="a")
    b = of_errors(np.array([np.nan, 5.0, 6.0]), method="b").select([2, 1, 0])
    difference = paired_difference(Matches.concatenate([b, a]), "a", "b")
    assert difference.n == 2 and difference.difference == pytest.approx(np.sqrt(13 / 2) - np.sqrt(61 / 2))


def test_a_station_that_reports_one_value_twice_is_paired_twice_and_not_four_times():
    a = Matches.build(method="a", variable="t2m", station=["S", "S"], observation=[5.0, 5.0], prediction=[6.0, 8.0])
    b = Matches.build(method="b", variable="t2m", station=["S", "S"], observation=[5.0, 5.0], prediction=[6.0, 6.0])
    assert paired_difference(Matches.concatenate([a, b]), "a", "b").n == 2


def test_one_value_at_two_times_is_paired_within_each_time():
    """Method a has no analysis at the first time; its error of 3 at the second pairs with b's error of 1 there."""
    times = np.array(["2022-08-24T06", "2022-08-24T07"], dtype="datetime64[s]")
    same = {"variable": "t2m", "station": ["S", "S"], "time": times, "observation": [5.0, 5.0]}
    a = Matches.build(method="a", prediction=[np.nan, 8.0], **same)
    b = Matches.build(method="b", prediction=[9.0, 6.0], **same)
    difference = paired_difference(Matches.concatenate([a, b]), "a", "b")
    assert (difference.n, difference.difference) == (1, 2.0)


def test_mixed_variables_and_wrong_clusters_are_errors():
    mixed = Matches.concatenate([of_errors([1.0]), of_errors([1.0], variable="psfc")])
    with pytest.raises(MatchError, match="rows of one variable, got t2m, psfc"):
        paired_difference(mixed, "oi", "oi")
    with pytest.raises(MatchError, match="one cluster for each row"):
        score_table(mixed, clusters=np.array([1]))


def test_scores_are_written_in_the_documented_order_of_columns(tmp_path):
    write_scores(tmp_path / "scores.csv", score_table(of_errors(np.array([3.0, -4.0]))))
    with open(tmp_path / "scores.csv", newline="") as file:
        header, first, *_ = csv.reader(file)
    assert header == ["method", "variable", "region", "n", "bias", "rmse", "rmse98", "mae", "lower", "upper"]
    assert first[:4] == ["oi", "t2m", "all", "2"] and float(first[5]) == pytest.approx(np.sqrt(12.5))
    assert first[8:] == ["nan", "nan"]
