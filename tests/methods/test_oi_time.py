"""Optimal interpolation in time against the exact Bayes answer, against that without time, and on several ranks."""

from dataclasses import replace

import numpy as np
import pytest
from shares import fields_of_parts

from mlrtma_dist.fields.gridded import load_gridded
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.points import TimedPoints
from mlrtma_dist.inference.analyse import diagnose
from mlrtma_dist.inference.observation_counts import count_observations
from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.methods.oi import OptimalInterpolation
from mlrtma_dist.methods.oi_time import OptimalInterpolationInTime
from mlrtma_dist.methods.settings import InWindow, assumptions
from mlrtma_dist.methods.window import WindowCase
from mlrtma_dist.observations.quality_summary import summarise, total
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.samples.judgement import Judge

IN_TIME = Covariance((Component(4.0, "rounded", 300e3, 2000.0, time=5.0), Component(1.5, "askey", 500e3, time=2.0)))


def without_time(covariance: Covariance) -> Covariance:
    return Covariance(tuple(replace(component, time=None) for component in covariance.components))


@pytest.fixture
def window(places, generator):
    """120 stations of three times, their departures and errors, and 40 targets at times of their own."""
    stations = TimedPoints.at(places(generator, 120, 6.0), generator.choice([-2.0, -0.5, 1.0], 120))
    targets = TimedPoints.at(places(generator, 40, 6.0), generator.choice([-1.0, 0.0, 0.5], 40))
    return stations, generator.normal(0.0, 2.0, 120), generator.uniform(0.3, 0.9, 120), targets


def dense(p: TimedPoints, q: TimedPoints) -> np.ndarray:
    """The covariance written out pair by pair."""
    result = np.zeros((len(p), len(q)))
    for i in range(len(p)):
        for j in range(len(q)):
            distance = np.linalg.norm(p.position[i] - q.position[j])
            age = abs(p.hours[i] - q.hours[j])
            broad = np.hypot(distance / 300e3, (p.elevation[i] - q.elevation[j]) / 2000.0)
            result[i, j] += 4.0 * np.exp(0.2 - np.sqrt(broad**2 + 0.04)) * (1 + age / 5) * np.exp(-age / 5)
            result[i, j] += 1.5 * max(1.0 - distance / 500e3, 0.0) ** 4 * (1 + age / 2) * np.exp(-age / 2)
    return result


def test_it_is_the_exact_posterior_of_a_gaussian_process_in_place_and_time(window):
    stations, departure, error, targets = window
    fit = OptimalInterpolationInTime(IN_TIME, None).fit(stations, departure, error)
    system = dense(stations, stations) + np.diag(error**2)
    towards = dense(targets, stations)
    mean = towards @ np.linalg.solve(system, departure)
    variance = 5.5 - np.einsum("tn,nt->t", towards, np.linalg.solve(system, towards.T))
    assert fit.increment(targets) == pytest.approx(mean, abs=1e-4)
    # The error is decided by the 64 nearest reports in place and time.
    assert fit.error(targets) == pytest.approx(np.sqrt(variance), rel=0.02)
    assert fit.increment(TimedPoints.at(targets, 0.0)) == pytest.approx(
        dense(TimedPoints.at(targets, 0.0), stations) @ np.linalg.solve(system, departure), abs=1e-4
    )


def test_without_times_or_with_an_infinite_time_scale_it_is_optimal_interpolation(window):
    stations, departure, error, targets = window
    now = TimedPoints.at(targets, 0.0)
    expected = OptimalInterpolation(without_time(IN_TIME), 1.5, 120).fit(stations, departure, error)
    endless = Covariance(tuple(replace(component, time=1e9) for component in IN_TIME.components))
    for covariance, points in ((endless, stations), (IN_TIME, TimedPoints.at(stations, 0.0))):
        fit = OptimalInterpolationInTime(covariance, 1.5).fit(points, departure, error)
        assert fit.increment(now) == pytest.approx(expected.increment(now), abs=1e-4)
        assert fit.weight == pytest.approx(expected.weight, abs=1e-5)
    fit = OptimalInterpolationInTime(IN_TIME, 1.5).fit(stations, departure, error)
    assert np.abs(fit.increment(now) - expected.increment(now)).max() > 0.1, "the times do not matter"


def test_far_from_the_reports_times_the_first_guess_remains(window):
    stations, departure, error, targets = window
    fit = OptimalInterpolationInTime(IN_TIME).fit(stations, departure, error)
    late = TimedPoints.at(targets, 200.0)
    assert np.abs(fit.increment(late)).max() < 1e-12
    assert fit.error(late) == pytest.approx(np.full(40, np.sqrt(5.5)))


def case_of(toy, settings, table, *, background=True, withheld=None, box=None):
    """A case of the toy hour with a window of 90 minutes on both sides."""
    judge = Judge(assumptions(settings), np.timedelta64(90, "m"))
    gridded = load_gridded(str(toy.background), toy.static, toy.time) if background else None
    box = box or Box.whole(toy.static.domain.shape)
    return judge.case(toy.static, toy.time, table, gridded, box, withheld=withheld)


@pytest.fixture
def earlier(toy):
    """The toy hour with every station's report of an hour before, 2 K colder, and settings with times."""
    settings = toy.settings("t2m")
    own = settings.variables["t2m"]
    timed = InWindow(own.observation_error, tuple(replace(c, time=3.0) for c in own.covariance))
    settings = replace(settings, variables={"t2m": replace(own, window=timed)})
    table = toy.world.observations.of("t2m")
    table = replace(table, time=np.full(len(table), toy.time))
    before = replace(table, time=table.time - np.timedelta64(1, "h"), value=table.value - 2.0)
    return settings, Observations.concatenate([table, before])


def test_reports_of_the_window_are_used_but_none_of_a_withheld_station(toy, earlier):
    settings, table = earlier
    withheld = np.isin(table.station, np.unique(table.station)[:30])
    case = case_of(toy, settings, table, background=False, withheld=withheld)
    window = WindowCase.of(case)
    nearer = (case.observations.flags & np.uint32(Flag.DUPLICATE)) != 0
    assert not (case.used & nearer).any() and (window.used & nearer).sum() > 0.8 * case.used.sum()
    assert not np.isin(case.observations.station[window.used], np.unique(table.station[withheld])).any()
    assert not WindowCase.of(case, ()).used[nearer].any()


def test_a_window_of_its_own_serves_a_method_in_time_and_leaves_the_others_theirs(toy, earlier):
    settings, table = earlier
    wide = case_of(toy, settings, table)
    judge = Judge(assumptions(settings), np.timedelta64(30, "m"), in_time=np.timedelta64(90, "m"))
    gridded, whole = load_gridded(str(toy.background), toy.static, toy.time), Box.whole(toy.static.domain.shape)
    case = judge.case(toy.static, toy.time, table, gridded, whole)
    np.testing.assert_array_equal(case.used, toy.case(settings, table).used)
    np.testing.assert_array_equal(WindowCase.of(case).used, WindowCase.of(wide).used)
    points = case.points[case.used][:50]
    own, expected = (toy.answer(each, "oi_time", settings).at("t2m", points) for each in (case, wide))
    np.testing.assert_array_equal(own, expected)
    narrow = toy.answer(replace(case, in_time=None), "oi_time", settings).at("t2m", points)
    assert np.abs(own[0] - narrow[0]).max() > 0.01
    only = replace(judge, window_only=True).case(toy.static, toy.time, table, gridded, whole)
    np.testing.assert_array_equal(toy.answer(only, "oi_time", settings).at("t2m", points), expected)


@pytest.mark.parametrize("in_time", [None, np.timedelta64(90, "m")])
def test_the_other_reports_of_a_window_are_counted_as_used_at_their_own_time(toy, earlier, in_time):
    settings, table = earlier
    judge = Judge(assumptions(settings), np.timedelta64(30 if in_time else 90, "m"), in_time=in_time)
    case = judge.case(toy.static, toy.time, table, None, Box.whole(toy.static.domain.shape))
    answer = toy.answer(case, "oi_time", settings)
    analysis = diagnose(case, answer, "oi_time")
    counts = count_observations(analysis).by_flag
    used = answer.case.used
    assert counts["t2m", "used"] == used.sum() and counts["t2m", "other_time"] == (used & ~case.used).sum() > 200
    assert counts["t2m", "duplicate"] + counts["t2m", "time"] < 50
    assert counts["t2m", "read"] == total(summarise(analysis.observations, used)).read
    once = count_observations(diagnose(case, toy.answer(case, "threedvar", settings), "threedvar")).by_flag
    assert once["t2m", "other_time"] == 0 and once["t2m", "used"] == case.used.sum()


def test_the_first_guess_follows_the_change_between_the_times(toy, earlier):
    settings, table = earlier
    for background in (False, True):
        case = case_of(toy, settings, table, background=background)
        window = WindowCase.of(case)
        rows = window.used & (window.hours < -0.2)
        now = window.first_guess.mean("t2m", window.points[rows])
        change = now - window.first_guess.mean("t2m", TimedPoints.at(window.points[rows], 0.0))
        assert window.first_guess.hours == pytest.approx([-1.0, 0.0], abs=0.2)
        assert change.mean() == pytest.approx(-2.0, abs=0.1)
        assert np.abs(window.departure[rows].mean()) < 1.0  # 2 K more with the first guess of the analysis time


def test_its_first_guess_has_the_hours_of_the_clock_at_a_half_hour_too(toy, earlier):
    settings, table = earlier
    whole = Box.whole(toy.static.domain.shape)
    for minutes, expected in ((-30, [-0.5, 0.5]), (15, [-1.25, -0.25]), (30, [-1.5, -0.5])):
        time = toy.time + np.timedelta64(minutes, "m")
        judge = Judge(assumptions(settings), np.timedelta64(120, "m"))
        window = WindowCase.of(judge.case(toy.static, time, table, None, whole))
        assert window.first_guess.hours == pytest.approx(expected, abs=1e-6)


def test_at_a_half_hour_an_hour_of_fewer_reports_keeps_its_own_regression(toy, earlier):
    settings, table = earlier
    fewer = np.unique(table.station)[::3]  # stations that did not report the hour before
    table = table[(table.time == toy.time) | ~np.isin(table.station, fewer)]
    time = toy.time - np.timedelta64(30, "m")  # both hours are half an hour away
    judge = Judge(assumptions(settings), np.timedelta64(120, "m"))
    guess = WindowCase.of(judge.case(toy.static, time, table, None, Box.whole(toy.static.domain.shape))).first_guess
    alone = judge.case(toy.static, time, table[table.time < toy.time], None, Box.whole(toy.static.domain.shape))
    points = alone.points[alone.used]
    before = guess.mean("t2m", TimedPoints.at(points, -0.5))
    assert before == pytest.approx(alone.first_guess.mean("t2m", points), abs=0.05)
    assert (guess.mean("t2m", TimedPoints.at(points, 0.5)) - before).mean() == pytest.approx(2.0, abs=0.1)


def test_its_first_guess_says_of_how_many_hours_it_is_made(toy, earlier):
    settings, table = earlier
    now = table[table.time == toy.time]
    for background, words in ((True, "with the change of a regression"), (False, "a regression on place and terrain")):
        whole = WindowCase.of(case_of(toy, settings, table, background=background)).first_guess.name
        assert words in whole and whole.endswith("for each of 2 hours")
        case = case_of(toy, settings, now, background=background)
        one = WindowCase.of(case).first_guess.name
        assert one == case.first_guess.name if background else one == "a regression on place and terrain"


def test_an_hour_in_which_few_report_a_variable_has_the_regression_of_the_window(toy):
    settings = toy.settings("t2m", "d2m")
    table = toy.world.observations
    table = table[np.isin(table.variable, ("t2m", "d2m"))]
    table = replace(table, time=np.full(len(table), toy.time))
    before = replace(table, time=table.time - np.timedelta64(1, "h"))
    cases = [table, before[before.variable == "t2m"]]  # no dew point an hour before
    window = WindowCase.of(case_of(toy, settings, Observations.concatenate(cases), background=False))
    rows = window.used & (window.observations.variable == "d2m")
    earlier, now = (window.first_guess.mean("d2m", TimedPoints.at(window.points[rows], t)) for t in (-1.0, 0.0))
    np.testing.assert_allclose(earlier, now, atol=1e-6)


def test_tiles_of_four_ranks_equal_the_whole_domain_to_the_last_bit(toy, earlier):
    settings, table = earlier
    whole = toy.answer(case_of(toy, settings, table), "oi_time", settings).fields()
    tiles = [Box(0, 48, 0, 96), Box(0, 48, 96, 160), Box(48, 120, 0, 96), Box(48, 120, 96, 160)]
    parts = fields_of_parts([toy.answer(case_of(toy, settings, table, box=box), "oi_time", settings) for box in tiles])
    for box, part in zip(tiles, parts, strict=True):
        for group in ("values", "first_guess", "error"):
            np.testing.assert_array_equal(getattr(part, group)["t2m"], getattr(whole, group)["t2m"][box.slices])
    alone = toy.answer(case_of(toy, settings, table), "threedvar", settings).fields()
    assert np.abs(alone.values["t2m"] - whole.values["t2m"]).max() > 0.1


def test_without_a_report_it_adds_nothing(window):
    stations, _, _, targets = window
    fit = OptimalInterpolationInTime(IN_TIME, None).fit(stations[:0], np.zeros(0), np.zeros(0))
    assert fit.increment(targets).tolist() == [0.0] * len(targets)
    assert fit.error(targets) == pytest.approx(np.full(len(targets), 5.5**0.5), rel=1e-3)
