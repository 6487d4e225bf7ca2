"""The classical methods' settings, and the dictionary in which a method is chosen."""

import numpy as np
import pytest

from mlrtma_dist import config
from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.methods.oi import OptimalInterpolation
from mlrtma_dist.methods.settings import METHODS, Classical, VariableSettings, build_method
from mlrtma_dist.methods.threedvar import ThreeDVar
from mlrtma_dist.names import VARIABLES

COMPONENT = Component(2.0, "askey", 300e3)
VARIABLE = {"t2m": VariableSettings(0.4, 2.5, (COMPONENT,)), "ceiling": VariableSettings(0.5, None, (COMPONENT,))}
SETTINGS = Classical(70, True, VARIABLE)


def test_a_method_gets_the_variables_limit_and_the_covariance_of_the_hour():
    hour = Covariance((COMPONENT,)).scaled(3.0)
    assert build_method("threedvar", SETTINGS, "t2m", hour) == ThreeDVar(hour, 2.5)
    assert build_method("oi", SETTINGS, "t2m", hour) == OptimalInterpolation(hour, 2.5, 70)
    assert build_method("threedvar", SETTINGS, "ceiling", hour).huber is None


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_finite_increments_and_keeps_the_interface(name, places, generator):
    stations, targets = places(generator, 30, 3.0), places(generator, 11, 3.0)
    fit = build_method(name, SETTINGS, "t2m", Covariance((COMPONENT,))).fit(stations, np.ones(30), np.full(30, 0.4))
    assert np.isfinite(fit.increment(targets)).all()
    assert fit.increment(targets).shape == fit.error(targets).shape == (11,)
    assert fit.weight.shape == (30,) and (fit.weight > 0).all() and (fit.weight <= 1).all()


def test_an_unknown_method_is_refused_with_the_known_ones_named():
    with pytest.raises(ValueError, match="'4dvar'.*threedvar, oi, gaussian_weights, nearest, first_guess"):
        build_method("4dvar", SETTINGS, "t2m", Covariance((COMPONENT,)))


def test_the_shipped_settings_know_every_variable():
    shipped = config.load(Classical, config.find("methods", "classical"))
    assert set(shipped.variables) == set(VARIABLES)
    assert shipped.variables["u10"] == shipped.variables["v10"]


@pytest.mark.parametrize("bad, message", [
    ({"observation_error": 0.0}, "observation_error: expected a positive"),
    ({"observation_error": float("nan")}, "observation_error: expected a positive"),
    ({"huber": 0.0}, "huber: expected a positive limit, or null"),
    ({"covariance": ()}, "covariance: expected at least one component"),
])  # fmt: skip
def test_settings_that_no_analysis_can_use_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        VariableSettings(**{"observation_error": 1.0, "huber": 1.5, "covariance": (COMPONENT,), **bad})


def test_interpolation_from_no_neighbour_is_refused():
    with pytest.raises(ValueError, match="neighbours: expected at least 1, got 0"):
        Classical(0, True, {})
