"""The classical methods' settings, and the departure methods that are made from them."""

import numpy as np
import pytest
from members import waves

from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.linalg.hybrid import HybridCovariance
from mlrtma_dist.linalg.localisation import Localisation
from mlrtma_dist.methods.departure_kind import Prior
from mlrtma_dist.methods.envar import EnVar
from mlrtma_dist.methods.letkf import LETKF
from mlrtma_dist.methods.oi import OptimalInterpolation
from mlrtma_dist.methods.registry import METHODS, OF_ENSEMBLES
from mlrtma_dist.methods.settings import (
    Classical,
    EnsembleSettings,
    Members,
    VariableSettings,
)
from mlrtma_dist.methods.threedvar import ThreeDVar
from mlrtma_dist.names import VARIABLES

COMPONENT = Component(2.0, "askey", 300e3)
VARIABLE = {"t2m": VariableSettings(0.4, 2.5, (COMPONENT,)), "ceiling": VariableSettings(0.5, None, (COMPONENT,))}
NEAR = Localisation(500e3, 1000.0)
ENSEMBLE = EnsembleSettings(Members(NEAR, 1.2), Members(NEAR, 1.5, 0.0, 1.1), Members(NEAR, 0.5, 0.6), 0.3)
SETTINGS = Classical(70, True, VARIABLE, ENSEMBLE)
DEPARTURE_METHODS = [name for name, entry in METHODS.items() if entry.kind]


def make(name, variable, *prior, settings=SETTINGS):
    """The departure method of a name for a variable, from covariance and members."""
    return METHODS[name].kind.method(Prior(variable, settings, *prior))


def test_a_method_gets_the_variables_limit_and_the_covariance_of_the_hour():
    hour = Covariance((COMPONENT,)).scaled(3.0)
    assert make("threedvar", "t2m", hour) == ThreeDVar(hour, 2.5)
    assert make("oi", "t2m", hour) == OptimalInterpolation(hour, 2.5, 70)
    assert make("threedvar", "ceiling", hour).huber is None


@pytest.mark.parametrize("name", DEPARTURE_METHODS)
def test_every_method_gives_finite_increments_and_keeps_the_interface(name, places, generator):
    stations, targets = places(generator, 30, 3.0), places(generator, 11, 3.0)
    method = make(name, "t2m", Covariance((COMPONENT,)), waves(generator, 8))
    fit = method.fit(stations, np.ones(30), np.full(30, 0.4))
    assert np.isfinite(fit.increment(targets)).all()
    assert fit.increment(targets).shape == fit.error(targets).shape == (11,)
    assert fit.weight.shape == (30,) and (fit.weight > 0).all() and (fit.weight <= 1).all()


def test_a_method_of_ensembles_gets_its_own_settings():
    hour, members = Covariance((COMPONENT,)), waves(np.random.default_rng(0), 8)
    assert make("letkf", "t2m", hour, members) == LETKF(members, NEAR, 1.2, 0.3, 2.5)
    envar = HybridCovariance(hour, members, NEAR, 0.0, 1.5)
    assert make("envar", "ceiling", hour, members) == EnVar(envar, None, 1.1)
    hybrid = HybridCovariance(hour, members, NEAR, 0.6, 0.5)
    assert make("hybrid", "t2m", hour, members) == EnVar(hybrid, 2.5)


@pytest.mark.parametrize("name", OF_ENSEMBLES)
def test_a_method_of_ensembles_without_one_says_how_to_give_it(name):
    with pytest.raises(InputError, match=f"{name} needs an ensemble .* --ensemble FILE"):
        make(name, "t2m", Covariance((COMPONENT,)))
    bare = Classical(70, True, VARIABLE)
    with pytest.raises(InputError, match="no key 'ensemble'"):
        make(name, "t2m", Covariance((COMPONENT,)), waves(np.random.default_rng(0), 8), settings=bare)


@pytest.mark.parametrize(
    "members, message",
    [
        (lambda: Members(NEAR, -1.0), "weight and static: expected >= 0"),
        (lambda: Members(NEAR, 0.0), "not both 0"),
        (lambda: Members(NEAR, 1.0, error_factor=0.0), "error_factor: expected a positive"),
        (lambda: EnsembleSettings(Members(NEAR, 1.0, 0.5), *[Members(NEAR, 1.0)] * 2), "letkf: static"),
        (lambda: EnsembleSettings(*[Members(NEAR, 1.0)] * 3, 2.0), "relaxation: expected 0 to 1"),
    ],
)
def test_settings_of_members_that_no_analysis_can_use_are_refused(members, message):
    with pytest.raises(ValueError, match=message):
        members()


def test_the_shipped_settings_know_every_variable():
    shipped = config.load(Classical, config.find("methods", "classical"))
    assert set(shipped.variables) == set(VARIABLES)
    assert shipped.variables["u10"] == shipped.variables["v10"]


@pytest.mark.parametrize(
    "bad, message",
    [
        ({"observation_error": 0.0}, "observation_error: expected a positive"),
        ({"observation_error": float("nan")}, "observation_error: expected a positive"),
        ({"huber": 0.0}, "huber: expected a positive limit, or null"),
        ({"covariance": ()}, "covariance: expected at least one component"),
    ],
)
def test_settings_that_no_analysis_can_use_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        VariableSettings(**{"observation_error": 1.0, "huber": 1.5, "covariance": (COMPONENT,), **bad})


def test_interpolation_from_no_neighbour_is_refused():
    with pytest.raises(ValueError, match="neighbours: expected at least 1, got 0"):
        Classical(0, True, {})
