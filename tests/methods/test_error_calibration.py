"""Errors of an analysis whose background has used the same stations: the analysis stays, its error has a factor."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from report_cases import hour

from mlrtma_dist.fields.fallback import Fallback
from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.classical import ClassicalMethod
from mlrtma_dist.methods.error_calibration import error_factor, error_factors, influence_of
from mlrtma_dist.methods.hour_settings import HourSettings
from mlrtma_dist.methods.oi import OI
from mlrtma_dist.methods.oi_time import OI_TIME
from mlrtma_dist.methods.regression_guess import on_regression
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.methods.threedvar import THREEDVAR

NAMES = ("t2m", "u10", "v10")


@dataclass(frozen=True)
class Guess:
    """A first guess: numbers, and an earlier analysis less these."""

    earlier: object = None
    name = "test"
    variables = frozenset(NAMES)
    level = {"t2m": 286.0, "u10": 0.0, "v10": 3.0}

    def mean(self, variable: str, points: Points) -> np.ndarray:
        if self.earlier is None or variable not in NAMES:
            return np.full(len(points), self.level.get(variable, 9.0))
        return self.earlier.at(variable, points)[0]

    def spread(self, variable: str, points: Points) -> np.ndarray:
        return np.zeros(len(points))


def settings_of():
    """Of three variables, without quality control and without factors of the hour."""
    settings = load_settings("classical", NAMES)
    plain = {name: replace(own, huber=None) for name, own in settings.variables.items()}
    return replace(settings, variables=plain, amplitude=False)


def method_of(kind=THREEDVAR, settings=None) -> ClassicalMethod:
    settings = settings or settings_of()
    return ClassicalMethod(kind, settings, HourSettings(settings))


def case_of(guess=Guess(), seed=0):
    case = hour(seed=seed)
    return replace(case, first_guess=guess, used=case.used & (case.observations.variable != "visibility"))


def at_reports(case, answer) -> np.ndarray:
    """The analysis at each used report, shape (n,), NaN elsewhere."""
    analysis = np.full(len(case.used), np.nan)
    for name in NAMES:
        rows = case.used & (case.observations.variable == name)
        analysis[rows] = answer.at(name, case.points[rows])[0]
    return analysis


def without(case, station: str):
    return replace(case, used=case.used & (case.observations.station != station))


@pytest.mark.parametrize("station", ["S020", "S041"])
def test_own_influence_is_the_analysis_less_that_without_the_station(station):
    case, method = case_of(), method_of()
    answer = method.analyse(case)
    own = influence_of(case, at_reports(case, answer), answer.others)
    bare = method.analyse(without(case, station))
    for name in NAMES:
        row = np.flatnonzero((case.observations.station == station) & (case.observations.variable == name))
        expected = (answer.at(name, case.points[row])[0] - bare.at(name, case.points[row])[0])[0]
        assert own.of(case.observations)[row[0]] == pytest.approx(expected, rel=1e-3, abs=1e-4)
        assert abs(expected) > 0.01


def test_it_grows_from_hour_to_hour_as_that_of_a_station_that_reports_in_none_of_them():
    """Exact for two hours of the same stations: what the others take back is known from the first."""
    method, cases = method_of(), [case_of(seed=5), case_of(seed=5)]
    first = method.analyse(cases[0])
    own = influence_of(cases[0], at_reports(cases[0], first), first.others)
    second_case = replace(cases[1], first_guess=Guess(first), influence=own.of(cases[1].observations))
    second = method.analyse(second_case)
    both = influence_of(second_case, at_reports(second_case, second), second.others).of(second_case.observations)
    exact = np.full(len(both), np.nan)
    for station in np.unique(second_case.observations.station[second_case.used])[:12]:
        bare = method.analyse(without(cases[0], station))
        later = method.analyse(without(replace(cases[1], first_guess=Guess(bare)), station))
        rows = np.flatnonzero((second_case.observations.station == station) & second_case.used)
        for row in rows:
            name, place = str(second_case.observations.variable[row]), second_case.points[row : row + 1]
            exact[row] = second.at(name, place)[0][0] - later.at(name, place)[0][0]
    rows = np.isfinite(exact)
    assert rows.sum() > 30
    once = own.of(second_case.observations)
    error = np.sqrt(np.mean((both - exact)[rows] ** 2) / np.mean(exact[rows] ** 2))
    assert error < 0.01, error
    assert np.sqrt(np.mean((once - exact)[rows] ** 2) / np.mean(exact[rows] ** 2)) > 0.05


def test_that_of_a_station_without_a_report_now_is_what_the_analysis_still_has_of_it():
    """To within what others take back of it, which is taken as of all stations on the average."""
    method, cases, silent = method_of(), [case_of(seed=5), case_of(seed=5)], ("S020", "S033", "S041")
    first = method.analyse(cases[0])
    own = influence_of(cases[0], at_reports(cases[0], first), first.others)
    case = replace(cases[1], first_guess=Guess(first), influence=own.of(cases[1].observations))
    case = replace(case, used=case.used & ~np.isin(case.observations.station, silent))
    second = method.analyse(case)
    analysis = at_reports(case, second)
    assert not influence_of(case, analysis, second.others).of(case.observations)[~case.used].any()
    later = influence_of(case, analysis, second.others, own).of(case.observations)
    for station in silent:
        bare = method.analyse(replace(case, first_guess=Guess(method.analyse(without(cases[0], station)))))
        for name in NAMES:
            (row,) = np.flatnonzero((case.observations.station == station) & (case.observations.variable == name))
            place = case.points[row : row + 1]
            exact = (second.at(name, place)[0] - bare.at(name, place)[0])[0]
            assert later[row] == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize("kind", [THREEDVAR, OI], ids=["3D-Var", "OI"])
def test_the_analysis_stays_and_its_error_has_one_factor_per_variable(kind):
    case, method = case_of(), method_of(kind)
    plain = method.analyse(case)
    far = replace(case, influence=4.0 * np.sign(case.departure - plain.others.increment))
    answer = method.analyse(far)
    before, after = plain.fields(), answer.fields()
    factors = {}
    for name in NAMES:
        np.testing.assert_array_equal(after.values[name], before.values[name])
        ratio = after.error[name] / before.error[name]
        np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-5)
        factors[name] = ratio.mean()
        everywhere = case.points[case.withheld]
        value, error = answer.at(name, everywhere)
        np.testing.assert_array_equal(value, plain.at(name, everywhere)[0])
        np.testing.assert_allclose(answer.at_all(everywhere)[name][1], error, rtol=1e-6)
        np.testing.assert_allclose(error, ratio.mean() * plain.at(name, everywhere)[1], rtol=1e-5)
    assert factors["u10"] == factors["v10"] and factors["t2m"] > 1.5 and factors["u10"] > 1.5
    np.testing.assert_array_equal(answer.weight, plain.weight)


def others_of(size: int, factor: float, error: float, variable="t2m"):
    """Residuals that are ``factor`` times as large as the others of each expect."""
    random, settings = np.random.default_rng(3), settings_of()
    deviation = random.uniform(0.5, 1.5, size)
    residual = np.hypot(factor * deviation, error) * random.standard_normal(size)
    case = SimpleNamespace(
        used=np.ones(size, bool),
        observations=SimpleNamespace(variable=np.full(size, variable)),
        first_guess=None,
        points=np.zeros((size, 3)),
        departure=0.25 * residual,
        influence=0.75 * residual + 7.0,
    )
    return SimpleNamespace(case=case, deviation=deviation, increment=np.full(size, 7.0), kept=np.ones(size)), settings


@pytest.mark.parametrize("factor", [0.6, 1.0, 2.0])
def test_the_factor_is_that_of_the_residuals_where_stations_are_many_and_near_one_where_they_are_few(factor):
    error = settings_of().variables["t2m"].observation_error
    others, settings = others_of(1500, factor, error)
    assert error_factor(others, ("t2m",), settings) == pytest.approx(factor, rel=0.08)
    few, _ = others_of(1, 1.0, error)
    few.case.departure, few.case.influence = 2.0 * np.hypot(few.deviation, error), few.increment
    assert 1.0 < error_factor(few, ("t2m",), settings) < 1.4
    none, _ = others_of(0, factor, error)
    assert error_factor(none, ("t2m",), settings) == 1.0


def test_reports_where_the_first_guess_is_a_regression_tell_nothing_of_the_error_of_a_background():
    error = settings_of().variables["t2m"].observation_error
    others, settings = others_of(600, 1.0, error)
    expected = error_factor(others, ("t2m",), settings)
    wild, _ = others_of(900, 3.0, error)
    rows = np.arange(900) < 600
    for name in ("departure", "influence"):
        getattr(wild.case, name)[rows] = getattr(others.case, name)
    wild.deviation[rows] = others.deviation
    wild.case.points = rows
    wild.case.first_guess = Fallback(SimpleNamespace(mean=lambda name, rows: np.where(rows, 0.0, np.nan)), None)
    assert error_factor(wild, ("t2m",), settings) == pytest.approx(expected, rel=1e-6)
    wild.case.first_guess = None
    assert error_factor(wild, ("t2m",), settings) > 1.3 * expected


def test_both_components_of_a_wind_tell_of_its_factor():
    error = settings_of().variables["u10"].observation_error
    both, settings = others_of(20, 2.0, error)
    kinds = SimpleNamespace(variable=np.repeat(["u10", "v10"], 10))
    both.case.observations = kinds
    assert settings.variables["u10"].observation_error == settings.variables["v10"].observation_error
    winds = error_factor(both, ("u10", "v10"), settings)
    kinds.variable = np.full(20, "u10")
    assert winds == error_factor(both, ("u10",), settings)


def test_a_method_of_several_reports_of_a_station_keeps_its_fits_as_they_are():
    """What a method reads of a fit, as `pinn` does of the wind's, is then there."""
    case, method = case_of(), method_of(OI_TIME)
    plain, answer = method.analyse(case), method.analyse(replace(case, influence=np.ones(len(case.used))))
    assert not error_factors(answer.fits)
    assert {name: type(fit) for name, fit in answer.fits.items()} == {
        name: type(fit) for name, fit in plain.fits.items()
    }
    assert hasattr(answer.fits["u10"].wind.vector, "tree")


def test_a_case_without_own_influence_is_analysed_as_ever_and_a_regression_in_its_place_has_none():
    case, method = case_of(), method_of()
    assert "CalibratedFit" not in {type(fit).__name__ for fit in method.analyse(case).fits.values()}
    assert on_regression(replace(case, influence=np.ones(len(case.used))), NAMES).influence is None
