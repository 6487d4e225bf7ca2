"""The simulated world: the same for the same seed, physical, and measured with the errors that it claims."""

import numpy as np
import pytest

from mlrtma_dist.fields.climatology import standard_pressure_ratio
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.names import UNLIMITED_CEILING, VARIABLES
from mlrtma_dist.simulation.reporting import ERRORS, REPORTED
from mlrtma_dist.simulation.simulated_hour import simulate_hour

TIME = np.datetime64("2022-08-24T06:00:00")
STATIONS = 4000


@pytest.fixture(scope="module")
def static():
    return load_static(load_domain("toy"))


@pytest.fixture(scope="module")
def world(static):
    return simulate_hour(static, TIME, stations=STATIONS, seed=1)


def analysed(state, name) -> np.ndarray:
    return np.asarray(VARIABLES[name].to_analysis(state.values[name]), dtype=np.float64)


def test_a_seed_is_a_world_and_another_seed_another(static, world):
    again, other = (simulate_hour(static, TIME, stations=STATIONS, seed=seed) for seed in (1, 2))
    for name in VARIABLES:
        np.testing.assert_array_equal(again.truth.values[name], world.truth.values[name])
        np.testing.assert_array_equal(again.background.values[name], world.background.values[name])
        assert not np.array_equal(other.truth.values[name], world.truth.values[name])
    np.testing.assert_array_equal(again.observations.value, world.observations.value)


def test_truth_and_background_are_whole_and_within_what_nature_gives(static, world):
    for state in (world.truth, world.background):
        assert set(state.values) == set(VARIABLES) and state.elevation is static.terrain and state.time == TIME
        for name, field in state.values.items():
            low, high = VARIABLES[name].valid
            assert field.shape == static.domain.shape and field.dtype == np.float32
            assert (field >= np.float32(low)).all() and (field <= np.float32(high)).all(), name
        assert (state.values["d2m"] <= state.values["t2m"]).all()


def test_the_truth_is_physical(static, world):
    truth = world.truth.values
    assert (truth["gust"] > np.hypot(truth["u10"], truth["v10"])).all()
    sea_level = truth["psfc"] / standard_pressure_ratio(static.terrain)
    assert np.std(sea_level) < 0.2 * np.std(truth["psfc"])  # terrain makes most of it
    lapse = np.polyfit(static.terrain.ravel(), truth["t2m"].ravel(), 1)[0]
    assert -0.009 < lapse < -0.004
    clear = truth["sky_cover"] <= 0.6
    assert (truth["ceiling"][clear] == UNLIMITED_CEILING).all() and (truth["ceiling"][~clear] < UNLIMITED_CEILING).all()
    moist = truth["t2m"] - truth["d2m"] < 1.0
    assert np.median(truth["visibility"][moist]) < np.median(truth["visibility"][~moist])


@pytest.mark.parametrize("name", VARIABLES)
def test_the_background_is_wrong_by_more_than_a_station_and_less_than_the_weather(world, name):
    error = analysed(world.background, name) - analysed(world.truth, name)
    station = ERRORS[name][0][0]
    assert station < np.sqrt((error**2).mean()) < 1.2 * np.std(analysed(world.truth, name)) + 3 * station


def test_stations_stand_on_land_inside_the_grid_at_the_height_of_the_terrain(static, world):
    o = world.observations
    row, column = static.domain.index(o.latitude, o.longitude)
    assert (row >= -0.01).all() and (row <= static.domain.size.y - 0.99).all()
    assert (column >= -0.01).all() and (column <= static.domain.size.x - 0.99).all()
    nearest = static.land[np.rint(row).clip(0).astype(int), np.rint(column).clip(0).astype(int)]
    assert (nearest > 0.5).mean() > 0.99
    # positions are interpolated between the grid's own, a few metres from the projection's
    assert np.abs(bilinear(static.terrain, row, column) - o.elevation).max() < 5.0
    assert (np.abs(o.time - TIME) <= np.timedelta64(900, "s")).all()


@pytest.mark.parametrize("name", ["t2m", "d2m", "u10", "psfc"])
def test_stations_err_as_their_kind_does_but_for_the_gross_errors(static, world, name):
    o = world.observations.of(name)
    row, column = static.domain.index(o.latitude, o.longitude)
    error = o.value - bilinear(world.truth.values[name], row, column)
    for kind, (deviation, bias) in zip(("airport", "mesonet"), ERRORS[name][:2], strict=True):
        of_kind = error[o.network == kind]
        if not len(of_kind):
            assert kind not in REPORTED[name]
            continue
        gross = np.abs(of_kind - bias) > 10 * deviation
        good = of_kind[~gross]
        assert good.mean() == pytest.approx(bias, abs=4 * deviation / np.sqrt(len(good)) + 0.02 * deviation)
        assert good.std() == pytest.approx(deviation, rel=0.1)
        assert gross.mean() == 0.0 if kind == "airport" else 0.01 < gross.mean() < 0.03


def test_only_airports_see_fog_clouds_and_pressure(world):
    o = world.observations
    for name in REPORTED:
        kinds = set(o.of(name).network)
        assert kinds == set(REPORTED[name]) - {"ship"}, name
    share = len(set(o.station[o.network == "airport"])) / STATIONS
    assert share == pytest.approx(0.3, abs=0.03)
