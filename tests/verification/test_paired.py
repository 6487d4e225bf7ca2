"""Paired errors: ratios in closed form, intervals that hold the truth, and clusters of stations and of dates."""

import numpy as np
import pytest

from mlrtma_dist.verification.match import Matches, named
from mlrtma_dist.verification.paired import CRPS, DATES, RMSE, STATIONS, PairedErrors, spread_over_error


def matches(error, variable="t2m", stations=20, spread=np.nan):
    """Rows with these errors, of so many stations; each date has all stations once."""
    dates = len(error) // stations
    return Matches.build(
        method="any",
        variable=variable,
        time=np.datetime64("2026-03-01T06:00", "s")
        + np.repeat(np.arange(dates), stations) * np.timedelta64(86400, "s"),
        station=np.tile([f"S{number}" for number in range(stations)], dates),
        observation=np.zeros(len(error)),
        prediction=error,
        spread=spread,
        observation_error=0.0,
    )


def test_a_method_whose_errors_are_a_multiple_has_that_ratio_and_an_interval_without_width(generator):
    error = generator.normal(size=200)
    ratio = PairedErrors(matches(0.8 * error), matches(error)).ratio(RMSE, ["t2m"])
    assert (ratio.value, ratio.lower, ratio.upper) == pytest.approx((0.8, 0.8, 0.8))
    absolute = PairedErrors(matches(0.8 * error), matches(error)).ratio(CRPS, ["t2m"])  # no error of its own: |e|
    assert absolute.value == pytest.approx(0.8)


def test_of_several_variables_the_ratio_is_the_geometric_mean_and_absent_ones_do_not_count(generator):
    error = generator.normal(size=200)
    parts = [(0.5, "t2m", 1.0), (2.0, "u10", 50.0)]
    one, two = (
        Matches.concatenate([matches((factor if own else 1.0) * unit * error, name) for factor, name, unit in parts])
        for own in (True, False)
    )
    both = PairedErrors(one, two)
    assert both.ratio(RMSE, ["t2m", "u10"]).value == pytest.approx(1.0)
    assert both.ratio(RMSE, ["t2m", "v10"]).value == pytest.approx(0.5)
    assert np.isnan(both.ratio(RMSE, ["v10"]).value) and np.isnan(both.ratio(RMSE, ["v10"]).upper)


def test_crps_of_gaussians_is_that_of_their_deviations(generator):
    # Errors as expected: the mean CRPS of N(0, s) is s / sqrt(pi) (Gneiting et al. 2005, eq. 5, averaged over N(0, s)).
    wide, narrow = (matches(s * generator.normal(size=20000), spread=s) for s in (2.0, 1.0))
    assert PairedErrors(wide, narrow).ratio(CRPS, ["t2m"]).value == pytest.approx(2.0, rel=0.03)
    assert spread_over_error(wide) == pytest.approx(1.0, rel=0.03)
    assert np.isnan(spread_over_error(Matches.empty()))


def test_the_interval_of_equal_methods_holds_one_about_as_often_as_it_promises():
    generator, hits = np.random.default_rng(3), 0
    for _ in range(60):
        one, two = (matches(generator.normal(size=50 * 40), stations=50) for _ in range(2))
        ratio = PairedErrors(one, two).ratio(RMSE, ["t2m"])
        hits += ratio.lower <= 1.0 <= ratio.upper
    assert 0.88 <= hits / 60 <= 1.0  # 95 % of each alone; the wider of both more


def test_errors_that_a_date_has_in_common_widen_the_interval_only_where_dates_are_drawn(generator):
    factor = np.repeat(
        np.exp(0.3 * generator.normal(size=12)), 100
    )  # the candidate is better on some dates than on others
    error = generator.normal(size=1200)
    widths = {}
    for draw in ((STATIONS,), (DATES,), (STATIONS, DATES)):
        ratio = PairedErrors(matches(factor * error, stations=100), matches(error, stations=100), draw).ratio(
            RMSE, ["t2m"]
        )
        widths[draw] = ratio.upper - ratio.lower
    assert widths[STATIONS,] < 0.5 * widths[DATES,] <= widths[STATIONS, DATES]


def test_too_few_dates_give_no_interval_at_all(generator):
    error = generator.normal(size=80)  # four dates
    ratio = PairedErrors(matches(error), named(matches(error), "other")).ratio(RMSE, ["t2m"])
    assert ratio.value == 1.0 and np.isnan(ratio.upper)
