"""Simulated backgrounds: displaced, smoothed, biased, wrong by more for longer forecasts, and possible all the same."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.simulation.fronts import Fronts
from mlrtma_dist.simulation.ground import Ground
from mlrtma_dist.simulation.model_error import ADDED, SHARED, ModelError
from mlrtma_dist.simulation.weather import Weather
from mlrtma_dist.simulation.weather_fields import WeatherFields

TIME = np.datetime64("2022-08-24T09:00")
ONLY = {"smoothing": 0.0, "pools": 1.0, "swing": 1.0, "bias": 0.0, "error": 0.0}


@pytest.fixture(scope="module")
def ground():
    static = load_static(load_domain("toy"))
    return Ground.of(static, Box(0, 120, 0, 160))


def test_a_model_without_errors_tells_the_truth(ground):
    told = ModelError(displacement=0.0, **ONLY).fields(Weather(), 1, ground, TIME)
    for name, values in WeatherFields(Weather(), 1, ground, TIME).fields().items():
        np.testing.assert_allclose(told[name], values, rtol=1e-12, err_msg=name)


def test_another_forecast_of_the_same_weather_has_errors_of_its_own(ground):
    truth = WeatherFields(Weather(), 1, ground, TIME).fields()["t2m"]
    model = ModelError(displacement=0.0, **ONLY | {"error": 1.0})
    first, same, other = (model.fields(Weather(), 1, ground, TIME, errors)["t2m"] for errors in (None, 1, 2))
    np.testing.assert_array_equal(first, same)
    errors_of_each = [(each - truth).ravel() for each in (first, other)]
    assert all(0.5 * ADDED["t2m"][1] < each.std() < 1.5 * ADDED["t2m"][1] for each in errors_of_each)
    assert abs(np.corrcoef(*errors_of_each)[0, 1]) < 0.5


@pytest.mark.parametrize("lead", [1.5, 6.0, 24.0])
def test_what_moves_is_displaced_by_the_stated_distance(ground, lead):
    model, weather = ModelError(lead=lead, displacement=20e3, **ONLY), Weather(fronts=Fronts(contrast=0.0))
    view = model.view(1, TIME)
    assert np.hypot(*view.shift) == pytest.approx(20e3 * np.sqrt(lead / 6.0))
    there = replace(ground, y=ground.y - view.shift[0], x=ground.x - view.shift[1])
    seen, moved = (WeatherFields(weather, 1, *args).random("air") for args in ((ground, TIME, view), (there, TIME)))
    np.testing.assert_allclose(seen, moved, atol=1e-9)
    truth = WeatherFields(weather, 1, ground, TIME).random("air")
    by_rows, by_columns = (round(part / ground.spacing) for part in view.shift)
    best = {}
    for row in range(by_rows - 3, by_rows + 4):
        for column in range(by_columns - 3, by_columns + 4):
            shifted = truth[20 - row : 100 - row, 20 - column : 140 - column]
            best[row, column] = np.mean((shifted - seen[20:100, 20:140]) ** 2)
    assert min(best, key=best.get) == (by_rows, by_columns)


def test_the_direction_of_the_displacement_changes_from_day_to_day():
    model = ModelError()
    days = [model.view(1, TIME + np.timedelta64(24 * day, "h")).shift for day in range(40)]
    angle = np.arctan2(*np.array(days).T)
    assert abs(np.exp(1j * angle).mean()) < 0.4
    hour = np.array(model.view(1, TIME + np.timedelta64(1, "h")).shift)
    assert np.hypot(*(hour - days[0])) < 8e3


def test_small_scales_are_smoothed_away_and_large_ones_stay(ground):
    model, weather = ModelError(displacement=0.0, **{**ONLY, "smoothing": 15e3}), Weather(fronts=Fronts(contrast=0.0))
    seen = WeatherFields(weather, 1, ground, TIME, model.view(1, TIME)).random("east")
    true = WeatherFields(weather, 1, ground, TIME).random("east")
    power = [np.abs(np.fft.rfft(f * np.hanning(160), axis=1)) ** 2 for f in (seen, true)]
    wavelength = 160 * ground.spacing / np.maximum(np.arange(81), 1)
    share = power[0].mean(0) / power[1].mean(0)
    assert share[wavelength < 25e3].max() < 0.1 and share[wavelength > 300e3].min() > 0.6


def test_bias_and_random_error_are_as_stated_and_grow_with_the_forecast(ground):
    errors = {6.0: [], 24.0: []}
    for day in range(8):
        time = TIME + np.timedelta64(day * 48, "h")
        truth = WeatherFields(Weather(), 1, ground, time).fields()
        for lead, drawn in errors.items():
            told = ModelError(lead=lead, displacement=0.0, **{**ONLY, "bias": 1.0, "error": 1.0}).fields(
                Weather(), 1, ground, time
            )
            drawn.append({name: told[name] - truth[name] for name in ("t2m", "u10", "psfc")})
    for name in ("t2m", "u10", "psfc"):
        bias, deviation = ADDED[name]
        near, far = (np.stack([each[name] for each in drawn]) for drawn in errors.values())
        assert near.mean() == pytest.approx(bias, abs=0.75 * deviation)  # eight days of few waves
        assert near.std() == pytest.approx(deviation, rel=0.2)
        assert far.std() / near.std() == pytest.approx(2.0, rel=0.02)


def test_errors_of_dew_point_and_temperature_are_correlated(ground):
    model, errors = ModelError(displacement=0.0, **{**ONLY, "error": 1.0}), []
    for day in range(8):
        time = np.datetime64("2022-08-24T20:00") + np.timedelta64(day * 48, "h")  # dry afternoons: nothing is clipped
        truth, told = WeatherFields(Weather(), 1, ground, time).fields(), model.fields(Weather(), 1, ground, time)
        errors.append([(told[name] - truth[name]).ravel() for name in ("t2m", "d2m")])
    assert np.corrcoef(np.concatenate(errors, 1))[0, 1] == pytest.approx(SHARED, abs=0.15)


def test_a_background_is_possible_and_its_variables_belong_together(ground):
    told = ModelError(lead=48.0).fields(Weather(), 1, ground, TIME)
    for name, values in told.items():
        low, high = VARIABLES[name].valid
        assert np.isfinite(values).all() and low <= values.min() and values.max() <= high, name
    assert (told["d2m"] <= told["t2m"]).all()
    assert (told["gust"] >= np.hypot(told["u10"], told["v10"])).all()
