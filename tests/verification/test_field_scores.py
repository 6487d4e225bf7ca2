"""Field scores: known errors give known scores, and the intervals hold the truth as often as they promise."""

import csv

import numpy as np
import pytest

from mlrtma_dist.verification.field_scores import (
    describe,
    error_units,
    in_analysis_space,
    ratio,
    score_fields,
    sums_of,
    write_field_scores,
)


def normal(shape, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_a_constant_error_is_bias_and_rmse_alike():
    truth = normal((6, 2, 4, 5), 1)
    sums = sums_of(truth + np.array([0.5, -2.0])[None, :, None, None], truth)
    first, second = score_fields({"m": sums}, ("a", "b"))
    assert (first.method, first.variable, first.cases) == ("m", "a", 6)
    assert [first.bias, first.rmse, second.bias, second.rmse] == pytest.approx([0.5, 0.5, -2.0, 2.0])
    assert [first.lower, first.upper] == pytest.approx([0.5, 0.5]) and first.standard_error == pytest.approx(0.0)


def test_the_sums_of_two_tiles_are_those_of_the_whole():
    analysis, truth = normal((3, 1, 8, 6), 2), normal((3, 1, 8, 6), 3)
    parts = [sums_of(analysis[:, :, rows], truth[:, :, rows]) for rows in (slice(0, 3), slice(3, 8))]
    np.testing.assert_allclose(parts[0] + parts[1], sums_of(analysis, truth), rtol=1e-12)
    whole = score_fields({"m": parts[0] + parts[1]}, ("a",))[0]
    assert whole.rmse == pytest.approx(np.sqrt(np.mean((analysis - truth) ** 2)), rel=1e-12)


def test_the_interval_holds_the_true_rmse_as_often_as_it_promises():
    # a case has an error of its own, the same at all its points: of 40 x 9 points only 40 are independent
    hits, errors, within = 0, [], 300
    for seed in range(within):
        error = np.repeat(normal((40, 1, 1, 1), 100 + seed), 9, axis=3)
        score = score_fields({"m": sums_of(error, np.zeros_like(error))}, ("a",), draws=300)[0]
        hits += score.lower <= 1.0 <= score.upper
        errors.append((score.rmse, score.standard_error))
    rmse, standard_error = np.array(errors).T
    assert 0.86 < hits / within < 0.97  # 95 % by name; percentile intervals of 40 cases hold about 92 %
    assert standard_error.mean() == pytest.approx(rmse.std(), rel=0.15)


def test_the_ratio_of_two_methods_is_certain_where_they_err_alike():
    error = normal((30, 1, 4, 4), 5)
    sums = {"one": sums_of(1.2 * error, 0 * error), "other": sums_of(error, 0 * error)}
    value, spread = ratio(sums, "one", "other")
    assert value == pytest.approx(1.2, rel=1e-12) and spread == pytest.approx(0.0, abs=1e-12)


def test_the_standard_error_of_a_ratio_is_the_scatter_over_repetitions():
    ratios = []
    for seed in range(300):
        shared, own = normal((50, 1, 2, 3), seed), normal((50, 1, 2, 3), 1000 + seed)
        sums = {"one": sums_of(shared + 0.5 * own, 0 * own), "other": sums_of(shared, 0 * own)}
        ratios.append(ratio(sums, "one", "other"))
    value, spread = np.array(ratios).T
    assert value.mean() == pytest.approx(np.sqrt(1.25), rel=0.01)
    assert spread.mean() == pytest.approx(value.std(), rel=0.15)


def test_scores_are_written_so_that_they_read_back_and_described_beside_the_limit(tmp_path):
    zero = np.zeros((8, 1, 2, 2))
    rows = score_fields({"m": sums_of(zero + 0.3, zero), "best": sums_of(zero + 0.2, zero)}, ("field",))
    write_field_scores(tmp_path / "fields.csv", rows)
    with open(tmp_path / "fields.csv", newline="", encoding="utf-8") as stream:
        rows_of_file = list(csv.DictReader(stream))
    assert [float(row["rmse"]) for row in rows_of_file] == [row.rmse for row in rows]
    lines = describe(rows, {"m": "a method"}, "best").splitlines()
    assert lines[1].startswith("a method  ") and lines[1].endswith(" 1.500") and lines[2].endswith(" 1.000")
    assert not describe(rows[:1], {}, "best").splitlines()[1].endswith("1.500")


def test_visibility_is_scored_by_its_logarithm_and_an_unknown_variable_as_it_is():
    truth = np.exp(normal((3, 2, 4, 4), 9)) * 1000.0
    factor = 1.25
    analysis, truth = (in_analysis_space(fields, ("visibility", "depth")) for fields in (factor * truth, truth))
    visibility, depth = score_fields({"m": sums_of(analysis, truth)}, ("visibility", "depth"))
    assert visibility.bias == pytest.approx(np.log(factor)) and visibility.rmse == pytest.approx(np.log(factor))
    assert depth.bias == pytest.approx((factor - 1.0) * truth[:, 1].mean())
    assert error_units({"visibility": "m", "t2m": "K", "depth": "m"}) == {"visibility": "ln", "t2m": "K", "depth": "m"}
