"""Sea-level pressure: the standard atmosphere and an isothermal column in closed form, and real reports."""

import csv
import gzip

import numpy as np
import pytest

from mlrtma_dist.names import (
    DRY_AIR,
    STANDARD_GRAVITY,
    STANDARD_LAPSE_RATE,
    STANDARD_PRESSURE,
    STANDARD_TEMPERATURE,
)
from mlrtma_dist.observations.altimeter import station_pressure
from mlrtma_dist.physics.sea_level import sea_level_pressure

HEIGHTS = np.array([-80.0, 0.0, 1.0, 300.0, 1600.0, 3000.0])


def test_the_standard_atmosphere_has_its_own_pressure_at_sea_level_from_every_height():
    temperature = STANDARD_TEMPERATURE - STANDARD_LAPSE_RATE * HEIGHTS
    exponent = STANDARD_GRAVITY / (DRY_AIR * STANDARD_LAPSE_RATE)
    pressure = STANDARD_PRESSURE * (temperature / STANDARD_TEMPERATURE) ** exponent
    np.testing.assert_allclose(sea_level_pressure(pressure, temperature, HEIGHTS), STANDARD_PRESSURE, rtol=1e-12)


def test_hot_ground_stands_on_a_column_of_the_mean_of_its_temperature_and_the_limit():
    pressure, temperature = np.full(6, 90000.0), np.full(6, 305.0)
    column = 0.5 * (305.0 + 290.5)
    at_sea_level = pressure * np.exp(STANDARD_GRAVITY * HEIGHTS / (DRY_AIR * column))
    above = HEIGHTS >= 0.0
    np.testing.assert_allclose(
        sea_level_pressure(pressure, temperature, HEIGHTS)[above], at_sea_level[above], rtol=1e-12
    )


def test_a_column_that_reaches_the_limit_has_a_constant_lapse_rate_to_it():
    pressure, temperature, height = 80000.0, 285.0, 2000.0
    rate = (290.5 - temperature) / height
    exact = pressure * (290.5 / temperature) ** (STANDARD_GRAVITY / (DRY_AIR * rate))  # hydrostatic, T linear in height
    assert sea_level_pressure(pressure, np.array(temperature), height) == pytest.approx(exact, rel=1e-12)


def test_the_pressure_does_not_jump_where_the_column_changes_its_kind():
    for limit in (255.0, 290.5 - STANDARD_LAPSE_RATE * 1000.0, 290.5):
        below, above = sea_level_pressure(90000.0, np.array([limit - 1e-6, limit + 1e-6]), 1000.0)
        assert abs(above - below) < 0.01


def test_unknown_stays_unknown_and_single_precision_is_enough():
    values = np.array([90000.0, np.nan, 90000.0, 90000.0]), np.array([280.0, 280.0, np.nan, 280.0])
    reduced = sea_level_pressure(*values, np.array([100.0, 100.0, 100.0, np.nan]))
    assert np.isfinite(reduced).tolist() == [True, False, False, False]
    single = sea_level_pressure(*(np.float32([v]) for v in (85000.0, 280.0, 1500.0)))
    assert single.dtype == np.float32 and single == pytest.approx(sea_level_pressure(85000.0, np.array(280.0), 1500.0))


@pytest.mark.parametrize("hour", ["20111123T0200Z", "20240813T2253Z"])
def test_stations_of_the_western_highlands_report_what_is_computed(hour, real_data):
    """The weather service reduces with the mean temperature of 12 hours and tables of each station."""
    rows = []
    with gzip.open(real_data / f"metar_world/metar_{hour}.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            columns = [row[name] for name in ("elev_m", "t_c", "altim_inhg", "slp_mb", "lat")]
            if all(columns):
                rows.append([float(text) for text in columns])
    elevation, celsius, altimeter, reported, latitude = np.array(rows).T
    pressure = station_pressure(altimeter * 3386.389, elevation)
    difference = sea_level_pressure(pressure, celsius + 273.15, elevation) / 100.0 - reported
    for low, high, bias, spread in ((-100, 300, 0.3, 1.2), (300, 1000, 1.0, 2.0), (1000, 2500, 1.5, 3.0)):
        band = (elevation >= low) & (elevation < high) & (latitude > 20)
        assert band.sum() > 90
        assert abs(np.median(difference[band])) < bias
        assert np.median(np.abs(difference[band])) < spread
