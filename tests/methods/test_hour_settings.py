"""The settings of an hour: what is scaled with a background, without one, and for methods of ensembles."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from mlrtma_dist.fields.fallback import Fallback
from mlrtma_dist.fields.first_guess import FirstGuess
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.amplitude import scale_to_hour
from mlrtma_dist.methods.background_error import fit_to_hour
from mlrtma_dist.methods.hour_settings import HourSettings

NAMES = ("t2m", "u10", "v10")


@pytest.fixture(scope="module")
def settings(toy):
    return toy.settings(*NAMES)


def test_with_a_regression_only_variances_are_scaled(toy, settings):
    case = toy.case(settings, background=False)
    for name, own in HourSettings(settings).of(case, NAMES).items():
        usual = settings.variables[name]
        assert own.observation_error == usual.observation_error and own.huber == usual.huber
        for scaled, component in zip(own.covariance, usual.covariance, strict=True):
            assert scaled == replace(component, variance=scaled.variance)
    rows = case.used & (case.observations.variable == "t2m")
    covariance = Covariance(settings.variables["t2m"].covariance)
    error = np.full(rows.sum(), settings.variables["t2m"].observation_error)
    expected = scale_to_hour(covariance, case.points[rows], case.departure[rows], error)
    assert HourSettings(settings).of(case, ("t2m",))["t2m"].covariance == expected.components


def test_with_a_background_all_that_is_assumed_is_fitted_and_both_components_of_the_wind_share_it(toy, settings):
    case = toy.case(settings)
    hour = HourSettings(settings).of(case, NAMES)
    rows = case.used & (case.observations.variable == "t2m")
    assert hour["t2m"] == fit_to_hour(settings.variables["t2m"], case.points[rows], case.departure[rows])
    assert hour["t2m"].observation_error > 1.2 * settings.variables["t2m"].observation_error  # simulated: 0.5 to 0.9 K
    assert hour["u10"] == hour["v10"] != settings.variables["u10"]
    assert toy.answer(case, "threedvar", settings).assumed == hour


@dataclass(frozen=True)
class Western:
    """A first guess that has no value east of a longitude."""

    whole: FirstGuess
    longitude: float
    name = "western"
    variables = frozenset(NAMES)

    def mean(self, variable, points):
        return np.where(points.longitude < self.longitude, self.whole.mean(variable, points), np.nan)

    def spread(self, variable, points):
        return np.zeros(len(points))


@pytest.mark.parametrize("members", [False, True])
def test_reports_beyond_the_background_do_not_tell_of_its_errors(toy, settings, members):
    case = toy.case(settings)
    middle = float(np.median(case.observations.longitude))
    beyond = toy.case(settings, background=False).first_guess
    both = replace(case, first_guess=Fallback(Western(case.first_guess, middle), beyond))
    inside = replace(case, used=case.used & (case.observations.longitude < middle))
    expected = HourSettings(settings).of(inside, NAMES, members)
    assert HourSettings(settings).of(both, NAMES, members) == expected
    nowhere = replace(case, first_guess=Fallback(Western(case.first_guess, -999.0), beyond))
    assert HourSettings(settings).of(nowhere, NAMES, members)  # a regression everywhere: its departures tell of it


def test_methods_of_ensembles_keep_error_and_scales_and_one_asks_after_the_other(toy, settings):
    case, hours = toy.case(settings), HourSettings(settings)
    fitted = hours.of(case, NAMES)
    for name, own in hours.of(case, NAMES, members=True).items():
        assert own.observation_error == settings.variables[name].observation_error
        lengths = [[component.length for component in each.covariance] for each in (own, settings.variables[name])]
        assert lengths[0] == lengths[1]
    assert hours.of(case, NAMES) == fitted


def test_settings_that_are_not_to_be_scaled_stay(toy, settings):
    fixed = replace(settings, amplitude=False)
    assert HourSettings(fixed).of(toy.case(settings), NAMES) == fixed.variables
