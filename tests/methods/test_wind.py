"""Wind as a vector: nothing depends on where the pole is, and on a plane the components are as if alone."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mlrtma_dist.grid.domain import EARTH_RADIUS
from mlrtma_dist.grid.points import Points, cartesian
from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.methods.amplitude import scale_to_hour
from mlrtma_dist.methods.oi import OptimalInterpolation
from mlrtma_dist.methods.threedvar import ThreeDVar
from mlrtma_dist.methods.wind import MEASURED, fit_wind, in_space, on_earth

SMOOTH = Covariance((Component(9.0, "rounded", 800e3, 2000.0), Component(1.0, "askey", 300e3)))


def turned(points: Points, rotation: Rotation) -> Points:
    """The same places on an earth whose pole lies elsewhere."""
    x, y, z = position = rotation.apply(points.position).T
    latitude, longitude = np.rad2deg(np.arcsin(z / EARTH_RADIUS)), np.rad2deg(np.arctan2(y, x))
    return replace(points, latitude=latitude, longitude=longitude, position=position.T)


def at(latitude, longitude) -> Points:
    zero = np.zeros(len(latitude))
    return Points(latitude, longitude, cartesian(latitude, longitude), zero, zero, zero)


def test_to_space_and_back_is_the_wind_itself_anywhere(generator):
    points = at(generator.uniform(-90, 90, 500), generator.uniform(-180, 180, 500))
    wind = generator.normal(0.0, 10.0, (500, 2))
    vector = in_space(points, wind)
    assert on_earth(points, vector) == pytest.approx(wind, abs=1e-12)
    assert (vector * points.position).sum(axis=1) / EARTH_RADIUS == pytest.approx(0.0, abs=1e-9)  # tangent
    assert in_space(at([0.0], [0.0]), np.array([[3.0, 4.0]])) == pytest.approx(np.array([[0.0, 3.0, 4.0]]))


@pytest.mark.parametrize("method", [ThreeDVar(SMOOTH, 2.1), OptimalInterpolation(SMOOTH, 2.1, 400)])
def test_the_analysis_turns_with_the_earth(method, places, generator):
    """Places and winds turned about a random axis: the analysed winds turn with them, weights stay."""
    stations, targets = places(generator, 200, 12.0), places(generator, 300, 12.0)
    wind = generator.normal(0.0, 3.0, (200, 2))
    wind[::20] += 12.0
    error = generator.uniform(0.5, 1.5, 200)
    rotation = Rotation.random(random_state=np.random.RandomState(generator.integers(2**31)))
    turned_wind = on_earth(turned(stations, rotation), rotation.apply(in_space(stations, wind)))
    one = fit_wind(method, stations, wind, error)
    other = fit_wind(method, turned(stations, rotation), turned_wind, error)
    expected = rotation.apply(in_space(targets, one.increment(targets)))
    got = in_space(turned(targets, rotation), other.increment(turned(targets, rotation)))
    assert other.weight == pytest.approx(one.weight, rel=1e-4)
    assert got == pytest.approx(expected, abs=1e-3)


def test_a_flow_across_the_pole_is_found_there_which_components_alone_miss():
    """Stations on a ring at 87N measure one vector, 10 m/s; at the pole it is about that, by components none."""
    longitude = np.arange(0.0, 360.0, 20.0)
    stations, flow = at(np.full(18, 87.0), longitude), np.array([10.0, 0.0, 0.0])
    wind = on_earth(stations, np.tile(flow, (18, 1)))
    method, error, pole = ThreeDVar(SMOOTH, None), np.full(18, 0.1), at(np.array([89.9999]), np.array([0.0]))
    vector = in_space(pole, fit_wind(method, stations, wind, error).increment(pole))
    assert vector[0] == pytest.approx(flow, abs=1.0)  # B lets the middle of a ring be a little more than the ring
    alone = [method.fit(stations, column, error).increment(pole)[0] for column in wind.T]
    assert np.abs(alone).max() < 0.05


def test_on_a_plane_the_components_are_as_if_alone(line, generator):
    stations, targets = line(*generator.uniform(0, 1e6, 50)), line(*generator.uniform(0, 1e6, 70))
    wind, error = generator.normal(0.0, 3.0, (50, 2)), generator.uniform(0.5, 1.5, 50)
    method = ThreeDVar(SMOOTH, None)
    fit = fit_wind(method, stations, wind, error)
    alone = [method.fit(stations, column, error) for column in wind.T]
    expected = np.stack([one.increment(targets) for one in alone], axis=1)
    assert fit.increment(targets) == pytest.approx(expected, abs=1e-4 * np.abs(expected).max())  # single precision
    assert fit.error(targets) == pytest.approx(alone[0].error(targets))


def test_the_iteration_for_many_observations_solves_every_column(places, generator, monkeypatch):
    stations, targets = places(generator, 250, 12.0), places(generator, 100, 12.0)
    wind, error = generator.normal(0.0, 3.0, (250, 2)), np.full(250, 1.0)
    direct = fit_wind(ThreeDVar(SMOOTH, None), stations, wind, error).increment(targets)
    monkeypatch.setattr("mlrtma_dist.methods.threedvar.MOST_FACTORED", 100)
    iterated = fit_wind(ThreeDVar(SMOOTH, None), stations, wind, error).increment(targets)
    assert iterated == pytest.approx(direct, abs=1e-3 * np.abs(direct).max())


def test_one_factor_of_the_covariance_is_recovered_from_winds(places, generator):
    stations = places(generator, 1200, 25.0)
    a = 4.0 * SMOOTH.matrix(stations, stations).astype(np.float64) + np.eye(1200)
    wind = np.linalg.cholesky(a) @ generator.standard_normal((1200, 2))
    covariance = scale_to_hour(SMOOTH, stations, in_space(stations, wind), np.ones(1200), MEASURED)
    assert 0.6 < covariance.components[1].variance / 4.0 < 1.6
