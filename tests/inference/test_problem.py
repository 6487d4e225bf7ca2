"""Problem: who may tell of what. A withheld station tells nothing; a rejected report makes no first guess."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.fields import climatology
from mlrtma_dist.fields.static import grid_points, load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.inference.analyse import analyse, solve
from mlrtma_dist.inference.problem import pose
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.observations.readers import read_observations
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.observations.withhold import withhold

SEED = 4


def shaken(observations: Observations, rows: np.ndarray) -> Observations:
    """The table with absurd values in some rows."""
    wild = np.random.default_rng(SEED).choice([-1e4, -30.0, 25.0, 3e5], len(observations))
    return replace(observations, value=np.where(rows, observations.value + wild, observations.value))


@pytest.mark.parametrize("background", [True, False], ids=["gridded", "regression"])
def test_withheld_stations_influence_nothing(toy, background):
    settings, o = toy.settings("t2m", "u10", "v10", "visibility"), toy.world.observations
    held = withhold(o, fraction=0.3, seed=SEED)
    kept = np.isin(o.variable, list(settings.variables))
    one, other = (toy.pose(settings, table, background=background, withheld=held) for table in (o, shaken(o, held)))
    stay = ~held[kept]
    np.testing.assert_array_equal(one.withheld, ~stay)
    assert not (one.used & one.withheld).any() and one.used.sum() > 0.6 * stay.sum()
    for name in ("value", "departure", "spread", "used"):
        np.testing.assert_array_equal(getattr(one, name)[stay], getattr(other, name)[stay], err_msg=name)
    np.testing.assert_array_equal(one.observations.flags[stay], other.observations.flags[stay])
    assert one.covariance == other.covariance and one.notes == other.notes
    points = grid_points(toy.static, slice(20, 90, 9), slice(10, 150, 9))
    first, second = solve(one, "threedvar", settings), solve(other, "threedvar", settings)
    for name in settings.variables:
        np.testing.assert_array_equal(one.first_guess.mean(name, points), other.first_guess.mean(name, points))
        np.testing.assert_array_equal(first[name].increment(points), second[name].increment(points))
    # and the shaking is felt where it may be
    assert not np.array_equal(one.departure[~stay], other.departure[~stay])
    assert (
        toy.pose(settings, shaken(o, held), background=background).covariance
        != toy.pose(settings, background=background).covariance
    )


def test_withheld_stations_are_judged_and_have_departures(toy):
    settings, o = toy.settings("t2m"), toy.world.observations
    held = withhold(o, fraction=0.3, seed=SEED)
    rows = np.flatnonzero(held[o.variable == "t2m"])
    value = o.value.copy()
    value[np.flatnonzero(o.variable == "t2m")[rows[0]]] += 40.0
    problem = toy.pose(settings, replace(o, value=value), withheld=held)
    assert problem.observations.flags[rows[0]] & (Flag.GROSS | Flag.RANGE)
    assert np.isfinite(problem.departure[rows]).all()
    guess = problem.first_guess.mean("t2m", problem.points[rows])
    np.testing.assert_allclose(problem.departure[rows], problem.value[rows] - guess)


@pytest.mark.parametrize("first", [True, False], ids=["the twin stands below", "the twin stands above"])
def test_a_withheld_station_is_not_judged_by_its_twin_under_another_name(toy, first):
    settings, o = toy.settings("t2m"), toy.world.observations.of("t2m")
    whole = toy.pose(settings, o)
    row = int(np.argmin(np.abs(whole.departure)))  # no report that its neighbours doubt
    name, twin = o.station[row], replace(o[row : row + 1], station=np.array(["TWIN"]))
    both = Observations.concatenate([o, twin] if first else [twin, o])
    problem = toy.pose(settings, both, withheld=both.station == name)
    told, judged = problem.used[both.station == "TWIN"][0], problem.observations.good[both.station == name][0]
    assert judged and not told
    leaking = toy.pose(settings, both, withheld=both.station == name, twins_tell=True)
    assert leaking.used[both.station == "TWIN"][0]


def test_what_is_thought_of_a_report_does_not_depend_on_what_else_is_analysed(toy):
    """A second station beside one, half a kelvin warmer, in another wind: only the wind tells that they are two."""
    o = toy.world.observations
    beside = o[(o.station == o.of("u10").station[5]) & np.isin(o.variable, ["t2m", "u10", "v10"])]
    change = np.where(beside.variable == "t2m", 0.5, 9.0)
    second = replace(beside, station=np.full(3, "SECOND"), network=np.full(3, "other"), value=beside.value + change)
    o = Observations.concatenate([o, second])
    alone, together = (toy.pose(toy.settings(*names), o) for names in (["t2m"], ["t2m", "d2m", "u10", "v10"]))
    rows = together.observations.variable == "t2m"
    assert not (alone.observations.flags[alone.observations.station == "SECOND"] & Flag.DUPLICATE).any()
    np.testing.assert_array_equal(alone.observations.flags, together.observations.flags[rows])
    np.testing.assert_array_equal(alone.used, together.used[rows])


@pytest.mark.parametrize("method", ["threedvar", "oi"])
def test_the_order_of_the_reports_does_not_matter(toy, method):
    settings, o = toy.settings("t2m"), toy.world.observations
    order = np.random.default_rng(SEED).permutation(len(o))
    one, other = toy.pose(settings, background=False), toy.pose(settings, o[order], background=False)
    back = np.argsort(order[np.isin(o.variable[order], list(settings.variables))])
    np.testing.assert_array_equal(one.observations.flags, other.observations.flags[back])
    np.testing.assert_allclose(one.departure, other.departure[back], atol=1e-6)
    points = grid_points(toy.static, slice(0, 120, 10), slice(0, 160, 10))
    for name in settings.variables:
        increments = (solve(p, method, settings)[name].increment(points) for p in (one, other))
        np.testing.assert_allclose(*increments, atol=0.01)  # K: float32 in the covariances


def test_reports_rejected_against_the_first_guess_do_not_shape_it(toy):
    settings, o = toy.settings("t2m"), toy.world.observations.of("t2m")
    bad = np.isin(np.arange(len(o)), np.random.default_rng(SEED).choice(len(o), 20, replace=False))
    spoilt = toy.pose(settings, replace(o, value=o.value + np.where(bad, 25.0, 0.0)), background=False)
    without = toy.pose(settings, o[~bad], background=False)
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
    problem = toy.pose(settings, damaged)
    assert problem.observations.flags[3] & Flag.POSITION and problem.observations.flags[4] & Flag.POSITION
    assert problem.observations.flags[6] & Flag.RANGE and not problem.used[[3, 4, 6]].any()
    intact = toy.pose(settings, o)
    assert problem.points.elevation[5] == pytest.approx(intact.points.elevation[5], abs=5.0)  # the terrain there
    assert np.isfinite(problem.departure[problem.used]).all() and problem.used.sum() > 45


def test_what_the_background_lacks_is_made_of_the_reports_and_said(toy, tmp_path):
    settings = toy.settings("t2m", "psfc", "gust")
    state = toy.world.background
    write_state(tmp_path / "part.nc", replace(state, values={"psfc": state.values["psfc"]}))
    files = {"time": toy.time, "window": np.timedelta64(30, "m"), "background": (str(tmp_path / "part.nc"),)}
    o = toy.world.observations
    problem = pose(toy.static, o[o.variable != "gust"], settings, **files)
    said = "; ".join(problem.notes)
    assert "the background has no t2m: its first guess is a regression on its reports" in said
    assert "the background has no gust: its first guess is climatology, as no report is usable" in said
    assert "no psfc" not in said
    points = grid_points(toy.static, slice(0, 120, 20), slice(0, 160, 20))
    expected = climatology.mean("gust", points.latitude, points.elevation, toy.time)
    np.testing.assert_array_equal(problem.first_guess.mean("gust", points), expected)
    regression = pose(toy.static, o, settings, **(files | {"background": ()})).first_guess
    np.testing.assert_array_equal(problem.first_guess.mean("t2m", points), regression.mean("t2m", points))


def test_guam_without_a_report_is_climatology_with_its_error_and_says_so(real_data):
    from jobs.inputs import load_settings

    observations = read_observations(real_data / "prepbufr" / "rap.20220824.t06z.adpsfc.prepbufr")
    settings, static = load_settings("classical", ("t2m",)), load_static(load_domain("guam"))
    time = np.datetime64("2022-08-24T06:00:00")
    problem = pose(static, observations, settings, time=time, window=np.timedelta64(30, "m"))
    assert "no usable report of t2m: first guess and analysis are climatology" in problem.notes
    made = analyse(problem, solve(problem, "threedvar", settings), settings, "threedvar")
    points = grid_points(static)
    expected = climatology.mean("t2m", points.latitude, points.elevation, time).reshape(static.domain.shape)
    np.testing.assert_allclose(made.values["t2m"], expected, atol=1e-4)
    np.testing.assert_array_equal(made.values["t2m"], made.first_guess["t2m"])
    assert 273.15 + 25 < made.values["t2m"][static.land > 0.5].mean() < 273.15 + 29
    assert (made.error["t2m"] >= climatology.deviation("t2m", np.array([13.0]))[0]).all()
