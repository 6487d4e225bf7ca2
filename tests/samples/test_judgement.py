"""Judgement: which report may influence what. A withheld station has no influence, a rejected one none on the guess."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.fields import climatology
from mlrtma_dist.fields.gridded import GriddedFirstGuess
from mlrtma_dist.fields.static import grid_points, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.analyse import analyse
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.methods.settings import assumptions
from mlrtma_dist.observations.own_influence import OwnInfluence
from mlrtma_dist.observations.reports import group
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.observations.withhold import withhold
from mlrtma_dist.samples.judgement import Judge
from mlrtma_dist.samples.station_hours import Reports, StationHours

SEED = 4


def shaken(observations: Observations, rows: np.ndarray) -> Observations:
    """The table with absurd values in some rows."""
    wild = np.random.default_rng(SEED).choice([-1e4, -30.0, 25.0, 3e5], len(observations))
    return replace(observations, value=np.where(rows, observations.value + wild, observations.value))


@pytest.mark.parametrize("background", [True, False], ids=["gridded", "regression"])
def test_withheld_stations_influence_nothing(toy, background):
    settings, o = toy.settings("t2m", "u10", "v10", "visibility"), toy.world.observations
    withheld = withhold(o, fraction=0.3, seed=SEED)
    analysed = np.isin(o.variable, list(settings.variables))
    one, other = (
        toy.case(settings, table, background=background, withheld=withheld) for table in (o, shaken(o, withheld))
    )
    stay = ~withheld[analysed]
    np.testing.assert_array_equal(one.withheld, ~stay)
    assert not (one.used & one.withheld).any() and one.used.sum() > 0.6 * stay.sum()
    for name in ("value", "departure", "spread", "used"):
        np.testing.assert_array_equal(getattr(one, name)[stay], getattr(other, name)[stay], err_msg=name)
    np.testing.assert_array_equal(one.observations.flags[stay], other.observations.flags[stay])
    assert toy.covariance(one, settings) == toy.covariance(other, settings) and one.notes == other.notes
    points = grid_points(toy.static, slice(20, 90, 9), slice(10, 150, 9))
    first, second = (toy.answer(case, "threedvar", settings).fits for case in (one, other))
    for name in settings.variables:
        np.testing.assert_array_equal(one.first_guess.mean(name, points), other.first_guess.mean(name, points))
        np.testing.assert_array_equal(first[name].increment(points), second[name].increment(points))
    # and the shaken values have an effect where they may
    assert not np.array_equal(one.departure[~stay], other.departure[~stay])
    spoilt, intact = (toy.case(settings, table, background=background) for table in (shaken(o, withheld), o))
    assert toy.covariance(spoilt, settings) != toy.covariance(intact, settings)


def test_withheld_stations_are_judged_and_have_departures(toy):
    settings, o = toy.settings("t2m"), toy.world.observations
    withheld = withhold(o, fraction=0.3, seed=SEED)
    rows = np.flatnonzero(withheld[o.variable == "t2m"])
    value = o.value.copy()
    value[np.flatnonzero(o.variable == "t2m")[rows[0]]] += 40.0
    case = toy.case(settings, replace(o, value=value), withheld=withheld)
    assert case.observations.flags[rows[0]] & (Flag.GROSS | Flag.RANGE)
    assert np.isfinite(case.departure[rows]).all()
    guess = case.first_guess.mean("t2m", case.points[rows])
    np.testing.assert_allclose(case.departure[rows], case.value[rows] - guess)


@pytest.mark.parametrize("first", [True, False], ids=["the twin stands below", "the twin stands above"])
def test_a_withheld_station_is_not_judged_by_its_twin_under_another_name(toy, first):
    settings, o = toy.settings("t2m"), toy.world.observations.of("t2m")
    whole = toy.case(settings, o)
    row = int(np.argmin(np.abs(whole.departure)))  # no report that its neighbours doubt
    name, twin = o.station[row], replace(o[row : row + 1], station=np.array(["TWIN"]))
    both = Observations.concatenate([o, twin] if first else [twin, o])
    case = toy.case(settings, both, withheld=both.station == name)
    twin_used, is_good = case.used[both.station == "TWIN"][0], case.observations.good[both.station == name][0]
    assert is_good and not twin_used
    leaking = toy.case(settings, both, withheld=both.station == name, twins_tell=True)
    assert leaking.used[both.station == "TWIN"][0]


def test_what_is_thought_of_a_report_does_not_depend_on_what_else_is_analysed(toy):
    """A second station beside one, half a kelvin warmer, in another wind: only the wind shows that they are two."""
    o = toy.world.observations
    beside = o[(o.station == o.of("u10").station[5]) & np.isin(o.variable, ["t2m", "u10", "v10"])]
    change = np.where(beside.variable == "t2m", 0.5, 9.0)
    second = replace(beside, station=np.full(3, "SECOND"), network=np.full(3, "other"), value=beside.value + change)
    o = Observations.concatenate([o, second])
    alone, together = (toy.case(toy.settings(*names), o) for names in (["t2m"], ["t2m", "d2m", "u10", "v10"]))
    rows = together.observations.variable == "t2m"
    assert not (alone.observations.flags[alone.observations.station == "SECOND"] & Flag.DUPLICATE).any()
    np.testing.assert_array_equal(alone.observations.flags, together.observations.flags[rows])
    np.testing.assert_array_equal(alone.used, together.used[rows])


@pytest.mark.parametrize("method", ["threedvar", "oi"])
def test_the_order_of_the_reports_does_not_matter(toy, method):
    settings, o = toy.settings("t2m"), toy.world.observations
    order = np.random.default_rng(SEED).permutation(len(o))
    one, other = toy.case(settings, background=False), toy.case(settings, o[order], background=False)
    back = np.argsort(order[np.isin(o.variable[order], list(settings.variables))])
    np.testing.assert_array_equal(one.observations.flags, other.observations.flags[back])
    np.testing.assert_allclose(one.departure, other.departure[back], atol=1e-6)
    points = grid_points(toy.static, slice(0, 120, 10), slice(0, 160, 10))
    for name in settings.variables:
        increments = (toy.answer(case, method, settings).fits[name].increment(points) for case in (one, other))
        np.testing.assert_allclose(*increments, atol=0.01)  # K: float32 in the covariances


def test_reports_rejected_against_the_first_guess_do_not_shape_it(toy):
    settings, o = toy.settings("t2m"), toy.world.observations.of("t2m")
    bad = np.isin(np.arange(len(o)), np.random.default_rng(SEED).choice(len(o), 20, replace=False))
    spoilt = toy.case(settings, replace(o, value=o.value + np.where(bad, 25.0, 0.0)), background=False)
    without = toy.case(settings, o[~bad], background=False)
    assert (spoilt.observations.flags[bad] != 0).all() and not spoilt.used[bad].any()
    np.testing.assert_array_equal(spoilt.used[~bad], without.used)
    points = grid_points(toy.static, slice(0, 120, 10), slice(0, 160, 10))
    np.testing.assert_array_equal(spoilt.first_guess.mean("t2m", points), without.first_guess.mean("t2m", points))


def test_a_report_without_a_place_or_a_height_is_no_accident(toy):
    settings, o = toy.settings("t2m"), toy.world.observations.of("t2m")[:60]
    index = np.arange(60)
    columns = {"latitude": (3, np.nan), "longitude": (4, 400.0), "elevation": (5, np.nan), "value": (6, np.nan)}
    changed = {name: np.where(index == row, bad, getattr(o, name)) for name, (row, bad) in columns.items()}
    damaged = replace(o, **changed)
    case = toy.case(settings, damaged)
    assert case.observations.flags[3] & Flag.POSITION and case.observations.flags[4] & Flag.POSITION
    assert case.observations.flags[6] & Flag.RANGE and not case.used[[3, 4, 6]].any()
    intact = toy.case(settings, o)
    assert case.points.elevation[5] == pytest.approx(intact.points.elevation[5], abs=5.0)  # the terrain there
    assert np.isfinite(case.departure[case.used]).all() and case.used.sum() > 45


def test_what_the_background_lacks_is_made_of_the_reports_and_noted(toy, tmp_path):
    settings = toy.settings("t2m", "psfc", "gust")
    state = toy.world.background
    write_state(tmp_path / "part.nc", replace(state, values={"psfc": state.values["psfc"]}))
    o = toy.world.observations
    case = toy.case(settings, o[o.variable != "gust"], background=tmp_path / "part.nc")
    notes = "; ".join(case.notes)
    assert "the background has no t2m: its first guess is a regression on its reports" in notes
    assert "the background has no gust: its first guess is climatology, as no report is usable" in notes
    assert "no psfc" not in notes
    points = grid_points(toy.static, slice(0, 120, 20), slice(0, 160, 20))
    expected = climatology.mean("gust", points.latitude, points.elevation, toy.time)
    np.testing.assert_array_equal(case.first_guess.mean("gust", points), expected)
    regression = toy.case(settings, o, background=False).first_guess
    np.testing.assert_array_equal(case.first_guess.mean("t2m", points), regression.mean("t2m", points))


def test_stations_have_influence_where_the_background_has_values_alone(toy):
    settings, state, o = toy.settings("t2m", "psfc"), toy.world.background, toy.world.observations
    field = state.values["t2m"].copy()
    field[:, :80] = np.nan  # the first guess is a regression there, as it is beyond a background's domain
    gridded = GriddedFirstGuess(replace(state, values={"t2m": field}), "previous")
    own = OwnInfluence(o.station, o.variable, o.latitude, o.longitude, np.ones(len(o)))
    judge = Judge(assumptions(settings), np.timedelta64(30, "m"), background_share=0.5, influence=own)
    case = judge.case(toy.static, toy.time, o, gridded, Box.whole(toy.static.domain.shape))
    column = case.grid_place[:, 1]
    reached, clear = (case.observations.variable == "t2m") & (column >= 80), np.abs(column - 79.5) > 1.5
    np.testing.assert_array_equal(case.influence[clear], 0.5 * reached[clear])
    assert judge.case(toy.static, toy.time, o, None, case.box).influence is None


def test_guam_without_a_report_is_climatology_with_its_error_and_a_note_of_it(toy, real_data):
    settings, file = toy.settings("t2m"), real_data / "prepbufr" / "rap.20220824.t06z.adpsfc.prepbufr"
    files = Reports(observations=(str(file),), time=("2022-08-24T06:00:00",))
    hours = StationHours.on("guam", files, assumptions(settings))
    static = hours.static
    case = hours.case(0, Box.whole(static.domain.shape))
    assert "no usable report of t2m: first guess and analysis are climatology" in case.notes
    analysis = analyse(case, toy.answer(case, "threedvar", settings), "threedvar")
    points = grid_points(static)
    expected = climatology.mean("t2m", points.latitude, points.elevation, case.time).reshape(static.domain.shape)
    np.testing.assert_allclose(analysis.values["t2m"], expected, atol=1e-4)
    np.testing.assert_array_equal(analysis.values["t2m"], analysis.first_guess["t2m"])
    assert 273.15 + 25 < analysis.values["t2m"][static.land > 0.5].mean() < 273.15 + 29
    assert (analysis.error["t2m"] >= climatology.deviation("t2m", np.array([13.0]))[0]).all()


def test_a_case_with_a_first_guess_of_its_own_is_judged_as_an_hour_with_that_background_is(toy):
    settings = toy.settings("t2m", "u10", "v10")
    withheld = withhold(toy.world.observations, fraction=0.3, seed=SEED)
    case = toy.case(settings, withheld=withheld)
    first_stage = Flag.GROSS | Flag.BUDDY
    unjudged = replace(case.observations, flags=case.observations.flags & ~np.uint32(first_stage))
    before = replace(case, observations=unjudged, used=unjudged.usable & ~case.withheld)
    again = Judge(assumptions(settings), np.timedelta64(30, "m")).again(before)
    assert (case.observations.flags & np.uint32(first_stage)).any()
    np.testing.assert_array_equal(again.observations.flags, case.observations.flags)
    np.testing.assert_array_equal(again.used, case.used)


def test_a_region_without_terrain_judges_no_height_and_biases_no_dew_point(toy):
    """Truth: every station's height is right, so none is flagged, and analyses at withheld stations have no bias."""
    domain = replace(toy.static.domain, terrain=None, land=None)
    static, settings = load_static(domain), toy.settings("t2m", "d2m")
    table = toy.world.observations
    withheld = withhold(table, fraction=0.3, seed=SEED)
    judge = Judge(assumptions(settings), np.timedelta64(30, "m"))
    case = judge.case(static, toy.time, table, None, Box.whole(domain.shape), withheld=withheld)
    high = case.observations.elevation > 500.0
    assert high.sum() > 100 and not (case.observations.flags & Flag.ELEVATION).any()
    answer = toy.answer(case, "threedvar", settings)
    for name in settings.variables:
        rows = case.withheld & (case.observations.variable == name) & case.observations.good
        error = answer.at(name, case.points[rows])[0] - case.value[rows]
        assert abs(error.mean()) < 0.3, (name, error.mean())
        assert abs(error[high[rows]].mean()) < 0.5, (name, error[high[rows]].mean())


def test_the_reports_of_an_hour_are_grouped_once_for_all_checks(toy, monkeypatch):
    """Once as read and once as analysed, with speeds; each check by itself came to 18 groupings."""
    counts = []

    def counted(*columns):
        counts.append(len(columns[0]))
        return group(*columns)

    monkeypatch.setattr("mlrtma_dist.observations.reports.group", counted)
    fresh = replace(toy.world.observations)  # of which nothing is kept yet
    assert toy.case(toy.settings("t2m", "u10", "v10", "gust", "wind_speed"), fresh).used.any()
    assert 0 < len(counts) <= 6, counts
