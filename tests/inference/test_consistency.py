"""What belongs together is analysed together: the components of a wind, a dew point and its temperature."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.fields.static import grid_points
from mlrtma_dist.inference.analyse import analyse, at_reports
from mlrtma_dist.methods.wind import WindComponent
from mlrtma_dist.names import UNLIMITED_CEILING, VARIABLES

WIND = ("u10", "v10")


@pytest.mark.parametrize("method", ["threedvar", "oi"])
def test_one_fit_serves_both_components_on_the_grid_and_at_reports(toy, method):
    settings = toy.settings("t2m", *WIND)
    case = toy.case(settings)
    answer = toy.answer(case, method, settings)
    fits = answer.fits
    assert list(fits) == ["t2m", *WIND] and isinstance(fits["u10"], WindComponent)
    analysis = analyse(case, answer, method)
    box = slice(0, 48), slice(0, 48)  # a block of the evaluation, so both choose the same neighbours
    tolerance = 5e-3 if method == "threedvar" else 1e-4  # m/s; the field is that of a mesh, the fit's own is exact
    points = grid_points(toy.static, *box)
    for name in WIND:
        expected = case.first_guess.mean(name, points) + fits[name].increment(points)
        np.testing.assert_allclose(analysis.values[name][box].ravel(), expected, atol=tolerance)
        rows = case.used & (case.observations.variable == name)
        assert fits[name].weight.shape == (rows.sum(),)


def test_a_bad_direction_takes_weight_from_both_components_of_its_wind_only(toy):
    settings, o = toy.settings(*WIND), toy.world.observations
    before = toy.case(settings)
    row = np.flatnonzero(before.used & (before.observations.variable == "v10"))[7]
    station = before.observations.station[row]
    wrong = before.observations.value.copy()
    wrong[row] += 25.0  # after quality control: what variational quality control is for
    case = replace(before, observations=replace(before.observations, value=wrong))
    assert case.departure[row] == pytest.approx(before.departure[row] + 25.0)
    fits, whole = (toy.answer(each, "threedvar", settings).fits for each in (case, before))
    for name in WIND:
        own = case.observations.station[case.used & (case.observations.variable == name)] == station
        assert fits[name].weight[own].max() < 0.6 < whole[name].weight[own].min()
    assert (o.variable == "v10").sum() > 200  # of many


def test_half_a_wind_is_not_used_where_winds_are_whole_and_used_where_none_is(toy):
    settings, o = toy.settings(*WIND), toy.world.observations
    eastward, northward = o.of("u10"), o.of("v10")
    lonely = northward.station[0]
    some = toy.case(settings, o[~((o.variable == "v10") & (o.station == lonely))])
    assert not some.used[some.observations.station == lonely].any() and some.used.sum() > 300
    alone = toy.case(settings, eastward)
    assert alone.used.sum() > 0.8 * len(eastward)
    fits = toy.answer(alone, "threedvar", settings).fits
    assert np.abs(fits["u10"].increment(alone.points[:50])).max() > 0.1
    assert not np.any(fits["v10"].increment(alone.points[:50]))


def test_methods_that_know_no_isotropic_covariance_take_each_component_by_itself(toy):
    settings = toy.settings(*WIND)
    case = toy.case(settings)
    for method in ("nearest", "gaussian_weights"):
        assert not any(isinstance(fit, WindComponent) for fit in toy.answer(case, method, settings).fits.values())


def test_an_analysed_dew_point_is_never_above_the_analysed_temperature_also_where_reports_are_judged(toy):
    """A dew point reported 3 K above the truth everywhere: the air is saturated, not more."""
    o = toy.world.observations
    wet = replace(o, value=np.where(o.variable == "d2m", o.value + 3.0, o.value))
    settings = toy.settings("t2m", "d2m")
    case = toy.case(settings, wet)
    answer = toy.answer(case, "threedvar", settings)
    rows = np.isfinite(case.departure)
    value, _ = at_reports(case, answer, rows)
    dew = rows & (case.observations.variable == "d2m")
    temperature, free = (
        case.first_guess.mean(name, case.points[dew]) + answer.fits[name].increment(case.points[dew])
        for name in ("t2m", "d2m")
    )
    assert (free > temperature).sum() > 10  # without the limit
    np.testing.assert_allclose(value[dew], np.minimum(free, temperature), atol=1e-9)


def test_reported_dew_points_are_not_held_below_a_temperature_that_no_station_reports(toy):
    settings, o = toy.settings("t2m", "d2m"), toy.world.observations
    moist = replace(o, value=np.where(o.variable == "d2m", o.value + 12.0, o.value))[o.variable == "d2m"]
    case = toy.case(settings, moist)
    answer = toy.answer(case, "threedvar", settings)
    points = case.points[case.used]
    climatology = case.first_guess.mean("t2m", points)
    (t2m, _), (d2m, _) = (answer.at(name, points) for name in ("t2m", "d2m"))
    free = case.first_guess.mean("d2m", points) + answer.fits["d2m"].increment(points)
    assert (free > climatology + 1.0).sum() > 10
    np.testing.assert_allclose(d2m, free, atol=1e-9)
    np.testing.assert_allclose(t2m, np.maximum(climatology, free), atol=1e-9)
    fields = analyse(case, answer, "threedvar").values
    assert (fields["t2m"] >= fields["d2m"]).all() and (fields["d2m"] > 1.0 + climatology.min()).any()


def test_an_analysed_gust_is_never_below_the_analysed_wind_where_reports_are_judged(toy):
    """A gust reported as calm everywhere: it is not less than the wind."""
    o = toy.world.observations
    weak = replace(o, value=np.where(o.variable == "gust", 0.5, o.value))
    settings = toy.settings("gust", *WIND)
    case = toy.case(settings, weak)
    answer = toy.answer(case, "threedvar", settings)
    value, _ = at_reports(case, answer, np.isfinite(case.departure))
    gust = np.isfinite(case.departure) & (case.observations.variable == "gust")
    free, u, v = (
        case.first_guess.mean(name, case.points[gust]) + answer.fits[name].increment(case.points[gust])
        for name in ("gust", *WIND)
    )
    assert (free < np.hypot(u, v)).sum() > 10  # without the limit
    np.testing.assert_allclose(value[gust], np.maximum(free, np.hypot(u, v)), atol=1e-9)


def test_a_ceiling_between_the_highest_reported_and_none_is_one_or_the_other():
    """No report says 16 km: the analysis says unlimited from half way (of the logarithm) to the highest cloud base."""
    ceiling = VARIABLES["ceiling"]
    analysed = np.log([300.0, 9_000.0, 12_000.0, 15_000.0, 19_999.0, 25_000.0])
    natural = ceiling.from_analysis(analysed)
    np.testing.assert_allclose(natural[:3], [300.0, 9_000.0, 12_000.0])
    np.testing.assert_array_equal(natural[3:], UNLIMITED_CEILING)
    assert ceiling.to_analysis(np.array([UNLIMITED_CEILING]))[0] == pytest.approx(np.log(UNLIMITED_CEILING))


def test_all_variables_at_once_are_those_one_by_one_in_any_order_of_points(toy):
    settings = toy.settings("t2m", "d2m", "u10", "v10", "gust", "psfc", "visibility")
    answer = toy.answer(toy.case(settings, background=False), "threedvar", settings)
    points = grid_points(toy.static)[np.random.default_rng(0).permutation(toy.static.terrain.size)[:1500]]
    every = answer.at_all(points)
    assert set(every) == set(settings.variables)
    for name, (value, error) in every.items():
        expected, deviation = answer.at(name, points)
        np.testing.assert_allclose(value, expected, atol=1e-3 * np.ptp(expected), err_msg=name)
        np.testing.assert_allclose(error, deviation, rtol=1e-9, err_msg=name)
    assert all(len(value) == 0 for value, _ in answer.at_all(points[:0]).values())
