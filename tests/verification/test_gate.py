"""The gate: each rule refuses what breaks it, and what is empty or not a number passes none."""

import json

import numpy as np
import pytest
from released import table

from mlrtma_dist.errors import InputError
from mlrtma_dist.verification.gate import Limit, Rules, compare, decision, read_decision
from mlrtma_dist.verification.match import Matches

WIDE = {"rmse": Limit(1.0), "reports": 100}
BOTH = table({"new": 1.0, "old": 1.3})
NEW, OLD = BOTH.select(method="new"), BOTH.select(method="old")


def failed(candidate, reference, **rules):
    """The rules that were broken, and by what."""
    return {
        (check.rule, check.of)
        for check in compare(candidate, reference, Rules(**{**WIDE, **rules})).checks
        if check.passed is False
    }


def test_a_better_method_passes_all_rules_and_the_worse_one_none_of_the_ratios():
    ratios = {"each_variable": Limit(1.05), "each_region": Limit(1.05), "crps": Limit(1.0), "region_stations": 10}
    assert failed(NEW, OLD, **ratios) == set()
    worse = failed(OLD, NEW, **ratios)
    assert {rule for rule, _ in worse} == {"rmse", "crps", "each_variable", "each_region"}
    result = compare(NEW, OLD, Rules(**WIDE))
    assert result.passed and (result.reports, result.stations, result.dates) == (800, 40, 10)
    assert result.checks[0].value == pytest.approx(1.0 / 1.3, rel=0.08)


def test_one_variable_or_one_region_that_is_worse_is_refused_though_the_whole_is_better():
    worse = NEW.variable == "d2m"
    spoilt = table_with(NEW, NEW.prediction + worse * 0.6 * np.sign(NEW.error))
    assert failed(spoilt, OLD, each_variable=Limit(1.0)) == {("each_variable", "d2m")}
    high = NEW.elevation >= 500.0
    spoilt = table_with(NEW, NEW.prediction + high * 0.4 * np.sign(NEW.error))
    rules = {"each_region": Limit(1.0), "region_stations": 10}
    assert failed(spoilt, OLD, **rules) == {("each_region", "elevation 500-1000 m")}
    assert failed(spoilt, OLD, **{**rules, "region_stations": 30}) == set()  # listed, but of too few stations


def table_with(matches, prediction):
    return Matches(**{**matches.__dict__, "prediction": prediction})


def test_the_end_of_the_interval_says_whether_a_limit_must_be_shown_to_hold_or_shown_to_be_broken():
    equal = table({"new": 1.0, "old": 1.0})
    pair = equal.select(method="new"), equal.select(method="old")
    assert failed(*pair, rmse=Limit(1.0, "upper")) == {("rmse", "t2m, d2m")}
    assert failed(*pair, rmse=Limit(1.0, "lower")) == set()
    value = compare(*pair, Rules(rmse=Limit(1.0, "value"))).checks[0]
    assert value.passed == (value.value <= 1.0) and value.lower < value.value < value.upper


def test_a_spread_that_is_not_the_error_is_refused():
    assert failed(NEW, OLD, spread=(0.9, 1.1)) == set()
    assert failed(table_with(NEW, 2.0 * NEW.prediction - NEW.observation), OLD, rmse=Limit(9.0), spread=(0.9, 1.1)) == {
        ("spread", "t2m"),
        ("spread", "d2m"),
    }


def test_reports_that_a_method_does_not_analyse_do_not_flatter_it():
    hard = np.abs(NEW.error) > 1.0
    silent = table_with(NEW, np.where(hard, np.nan, NEW.prediction))
    assert failed(silent, OLD) == {("share", "t2m"), ("share", "d2m")}
    assert failed(NEW.select(~hard), OLD) == {("share", "t2m"), ("share", "d2m")}  # no row at all


def test_a_variable_that_one_of_them_lacks_or_of_few_reports_is_refused():
    lacks = NEW.select(NEW.variable == "t2m")
    assert failed(lacks, OLD) == {("reports", "d2m"), ("share", "d2m")}
    assert failed(lacks, OLD, variables=("t2m",)) == set()
    assert failed(NEW, OLD, reports=401) == {("reports", "t2m"), ("reports", "d2m")}


def test_nothing_that_is_empty_or_not_a_number_passes():
    assert not compare(NEW.select(slice(0, 0)), OLD, Rules(**WIDE)).passed
    assert not compare(Matches.empty(), Matches.empty(), Rules(**WIDE)).passed
    assert not compare(NEW, OLD, Rules(**WIDE, variables=("u10",))).passed
    nothing = table_with(NEW, np.full(len(NEW), np.nan))
    assert not compare(nothing, OLD, Rules(rmse=Limit(9.0, "lower"))).passed
    exact = table_with(OLD, OLD.observation)  # the reference has no error: the ratio is infinite
    assert not compare(NEW, exact, Rules(rmse=Limit(9.0, "lower"))).passed
    few = NEW.select(NEW.time < np.datetime64("2026-03-04"))  # three dates: no interval
    assert not compare(few, OLD.select(OLD.time < np.datetime64("2026-03-04")), Rules(**WIDE)).passed
    assert failed(few, OLD.select(OLD.time < np.datetime64("2026-03-04")), draw=("stations",)) == set()


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"draw": ()}, "draw: expected stations, dates or both, got none"),
        ({"share": 0.0}, "expected share above 0"),
        ({"spread": (1.2, 0.8)}, "spread: expected least and largest value"),
    ],
)
def test_rules_that_say_nothing_are_refused(rules, message):
    with pytest.raises(ValueError, match=message):
        Rules(**WIDE, **rules)
    with pytest.raises(ValueError, match="one of lower, value, upper, got 1 and 'middle'"):
        Limit(1.0, "middle")


def test_a_decision_is_json_without_words_for_what_does_not_exist(tmp_path):
    facts = {"candidate": {"sha256": "1"}, "reference": {"sha256": None}, "matches": []}
    verdict = decision(compare(NEW.select(slice(0, 0)), OLD, Rules(**WIDE)), facts)
    (tmp_path / "d.json").write_text(json.dumps(verdict, allow_nan=False))
    assert read_decision(tmp_path / "d.json") == verdict
    assert verdict["passed"] is False and verdict["checks"][0]["value"] is None
    for text in ("{", "[]", '{"passed": true}'):
        (tmp_path / "d.json").write_text(text)
        with pytest.raises(InputError, match=r"gate: .*d.json: expected a decision of `mlrtma gate`"):
            read_decision(tmp_path / "d.json")
