"""Simulated weather: variables that belong together, the sun's day, the valleys' nights, and tiles that fit."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from mlrtma_dist.fields import adjustment
from mlrtma_dist.fields.static import load_static, make_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Corner, load_domain
from mlrtma_dist.names import UNLIMITED_CEILING, VARIABLES
from mlrtma_dist.simulation.fronts import Fronts
from mlrtma_dist.simulation.ground import Ground
from mlrtma_dist.simulation.weather import Weather
from mlrtma_dist.simulation.weather_fields import LOG_DEPRESSION, OVERCAST, WeatherFields

NIGHT, NOON = np.datetime64("2022-08-24T09:00"), np.datetime64("2022-08-24T20:00")  # of the toy: 255 degrees east
STILL = Weather(air=0.0, pressure=0.0, wind=0.0, fronts=Fronts(contrast=0.0))


@pytest.fixture(scope="module")
def static():
    return load_static(load_domain("toy"))


@pytest.fixture(scope="module")
def ground(static):
    return Ground.of(static, Box(0, *static.domain.shape[:1], 0, static.domain.shape[1]))


@pytest.fixture(scope="module", params=[NIGHT, NOON], ids=["night", "noon"])
def hour(request, ground):
    return WeatherFields(Weather(), 3, ground, request.param)


def test_a_tile_is_the_cut_of_the_whole_to_the_last_bit(static, hour):
    whole = hour.fields()
    for box in (Box(0, 30, 0, 50), Box(41, 90, 77, 160), Box(119, 120, 3, 5)):
        part = WeatherFields(hour.weather, hour.seed, Ground.of(static, box), hour.time).fields()
        for name, values in part.items():
            np.testing.assert_array_equal(values, whole[name][box.y0 : box.y1, box.x0 : box.x1], err_msg=name)


def test_the_variables_belong_together_and_are_possible(hour):
    fields = hour.fields()
    assert set(fields) == set(VARIABLES)
    for name, values in fields.items():
        low, high = VARIABLES[name].valid
        assert np.isfinite(values).all() and low <= values.min() and values.max() <= high, name
    assert (fields["d2m"] < fields["t2m"]).all()
    assert (fields["gust"] >= np.hypot(fields["u10"], fields["v10"])).all()
    covered = fields["sky_cover"] > OVERCAST
    assert 0.02 < covered.mean() < 0.98
    assert (fields["ceiling"][~covered] == UNLIMITED_CEILING).all()
    assert (fields["ceiling"][covered] < 0.5 * UNLIMITED_CEILING).all()


@pytest.mark.parametrize("lapse", [0.0065, 0.004])
def test_the_lapse_rate_is_recovered_by_regression(ground, lapse):
    weather = Weather(lapse=lapse, pool=0.0, fronts=Fronts(contrast=0.0))
    temperature = WeatherFields(weather, 3, ground, NOON).fields()["t2m"]
    y, x = np.meshgrid(ground.y / ground.y[-1], ground.x / ground.x[-1], indexing="ij")
    basis = np.stack([ground.terrain, ground.land_smooth, *(y**i * x**j for i in range(5) for j in range(5 - i))], -1)
    fit = np.linalg.lstsq(basis.reshape(-1, basis.shape[-1]), temperature.ravel(), rcond=None)[0]
    assert fit[0] == pytest.approx(-lapse, abs=0.0006)


def test_cold_air_lies_in_valleys_on_clear_calm_nights_only(ground):
    def pooled(weather, time):
        with_pools, without = (WeatherFields(replace(weather, pool=p), 3, ground, time) for p in (0.012, 0.0))
        return with_pools.fields()["t2m"] - without.fields()["t2m"], with_pools

    cooling, night = pooled(STILL, NIGHT)
    valley = (ground.relief < -100.0) & (ground.land_smooth > 0.9)
    assert valley.sum() > 50
    expected = -np.minimum(0.012 * -ground.relief, 8.0) * (1 - night.cover) * ground.land_smooth
    np.testing.assert_allclose(cooling[valley], expected[valley], atol=1e-9)
    assert cooling[valley & (night.cover < 0.2)].max() < -0.9
    assert not cooling[ground.relief >= 0.0].any()
    assert not pooled(STILL, NOON)[0].any()
    windy = pooled(replace(STILL, wind=25.0), NIGHT)[0]
    assert np.abs(windy[valley]).mean() < 0.4 * np.abs(cooling[valley]).mean()


def test_the_day_is_warmer_than_the_night_inland_and_hardly_so_at_sea(ground):
    hours = [NIGHT + np.timedelta64(h, "h") for h in range(24)]
    hourly_fields = [WeatherFields(STILL, 3, ground, time).fields() for time in hours]
    day, cover = (np.stack([fields[name] for fields in hourly_fields]) for name in ("t2m", "sky_cover"))
    swing = np.ptp(day, axis=0)
    clear = cover.mean(0) < np.quantile(cover.mean(0), 0.3)
    sea, inland = ground.land_smooth < 0.02, (ground.land_smooth > 0.98) & clear
    assert 6.0 < np.median(swing[inland]) < 18.0 and np.median(swing[sea]) < 0.2 * np.median(swing[inland])
    warmest = 9 + day.argmax(0)[inland]  # UTC; the sun is highest at 19
    assert 20 <= np.median(warmest) <= 23


def test_surface_pressure_is_the_hydrostatic_integral(ground):
    hour = WeatherFields(Weather(), 3, ground, NOON)
    pressure = hour.fields()["psfc"]
    sea = 101325.0 + hour.strength * hour.pressure[1:-1, 1:-1]
    for at in (np.unravel_index(ground.terrain.argmax(), ground.shape), (60, 70)):
        height, low = ground.terrain[at], hour.air[at] + 0.0065 * ground.terrain[at]
        dew = low - np.exp(LOG_DEPRESSION)
        below = adjustment.virtual_temperature(low, dew, sea[at])

        def slope(z, log_pressure, below=below):
            return [-9.80665 / (287.05 * (below - 0.0065 * z))]

        exact = solve_ivp(slope, (0.0, height), [np.log(sea[at])], rtol=1e-10).y[0, -1]
        assert height > 300.0 and pressure[at] == pytest.approx(np.exp(exact), rel=2e-4)


@pytest.mark.parametrize("latitude", [37.2, -43.0], ids=["north", "south"])
def test_wind_blows_around_the_lows_and_a_little_into_them(static, latitude):
    projection = static.domain.projection if latitude > 0 else "+proj=merc +lat_ts=-40 +lon_0=172 +R=6371200"
    corner = static.domain.corner if latitude > 0 else Corner(latitude, 168.0)
    domain = replace(static.domain, projection=projection, corner=corner)
    there = Ground.of(make_static(domain, static.terrain, static.land), Box(0, 120, 0, 160))
    hour = WeatherFields(Weather(wind=0.0), 5, there, NOON)
    east, north = hour.wind
    uphill_y, uphill_x = (np.gradient(hour.pressure[1:-1, 1:-1], axis=axis) for axis in (0, 1))
    size = np.hypot(east, north) * np.hypot(uphill_x, uphill_y)
    turn = (uphill_x * north - uphill_y * east) / size  # sine of the angle from uphill to the wind
    inward = -(uphill_x * east + uphill_y * north) / size  # cosine with downhill
    strong = size > np.median(size)
    assert np.median(turn[strong]) * np.sign(latitude) > 0.85
    assert 0.2 < np.median(inward[strong]) < 0.5  # the sines of 15 and 25 degrees are 0.26 and 0.42


def test_fog_has_low_visibility_and_dry_air_a_high_base_of_clouds(ground):
    fields = WeatherFields(Weather(), 3, ground, NIGHT).fields()
    depression = fields["t2m"] - fields["d2m"]
    covered = fields["sky_cover"] > OVERCAST
    assert np.corrcoef(np.log(fields["ceiling"][covered]), np.log(depression[covered]))[0, 1] > 0.4
    damp = WeatherFields(replace(Weather(), moisture=1.2), 3, ground, NIGHT).fields()
    fog = damp["t2m"] - damp["d2m"] < 0.8
    assert fog.sum() > 20 and np.median(damp["visibility"][fog]) < 0.5 * np.median(damp["visibility"][~fog])


def test_gusts_grow_with_the_suns_warmth_and_with_relief(ground):
    calm = replace(Weather(), fronts=Fronts(contrast=0.0))
    factor = {}
    for time in (NIGHT, NOON):
        fields = WeatherFields(calm, 3, ground, time).fields()
        speed = np.hypot(fields["u10"], fields["v10"])
        factor[time] = np.median((fields["gust"] / speed)[(speed > 4.0) & (ground.land_smooth > 0.9)])
    assert factor[NOON] > factor[NIGHT] + 0.1


def test_an_hour_later_it_is_the_same_weather_and_a_week_later_another(ground):
    def anomaly(hours):
        return WeatherFields(Weather(), 3, ground, NIGHT + np.timedelta64(hours, "h")).air

    now, soon, later = (anomaly(hours) - anomaly(0).mean() + 0.0065 * ground.terrain for hours in (0, 1, 168))
    assert np.corrcoef(now.ravel(), soon.ravel())[0, 1] > 0.9
    assert np.sqrt(np.mean((now - later) ** 2)) > 3 * np.sqrt(np.mean((now - soon) ** 2))
