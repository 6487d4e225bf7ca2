"""Climatology: what its docstring claims, and what the atmosphere allows."""

import numpy as np
import pytest

from mlrtma_dist.fields import climatology
from mlrtma_dist.names import VARIABLES

AUGUST, FEBRUARY = np.datetime64("2022-08-24T06:00:00"), np.datetime64("2022-02-22T06:00:00")
SEA = np.array([0.0])


def temperature(latitude, time, elevation=0.0) -> float:
    return float(climatology.mean("t2m", np.array([latitude]), np.array([elevation]), time)[0])


def test_guam_in_august_is_at_27_degrees_and_its_error_covers_what_is_observed_there():
    # WMO normals 1991-2020 of Guam: August mean 27.6 degC.
    deviation = climatology.deviation("t2m", np.array([13.4]))[0]
    assert temperature(13.4, AUGUST) - 273.15 == pytest.approx(27.0, abs=1.5)
    assert abs(temperature(13.4, AUGUST) - 273.15 - 27.6) < deviation < 4.0


def test_the_annual_mean_is_that_of_north_cahalan_and_coakley():
    days = np.datetime64("2021-01-01T00:00:00") + np.arange(0, 365.25 * 86400, 86400).astype("timedelta64[s]")
    for latitude in (-60.0, -20.0, 0.0, 35.0, 70.0):
        sine = np.sin(np.deg2rad(latitude))
        expected = 273.15 + 14.97 - 28.0 * (3 * sine**2 - 1) / 2
        assert np.mean([temperature(latitude, day) for day in days]) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("latitude", [15.0, 40.0, 65.0])
def test_the_southern_season_is_the_northern_reversed(latitude):
    north = temperature(latitude, AUGUST) - temperature(latitude, FEBRUARY)
    south = temperature(-latitude, AUGUST) - temperature(-latitude, FEBRUARY)
    assert north == pytest.approx(-south) and north > 2.0
    assert temperature(latitude, AUGUST) > temperature(-latitude, AUGUST)


def test_no_line_is_drawn_along_the_equator():
    latitude = np.linspace(-12.0, 12.0, 2401)
    field = climatology.mean("t2m", latitude, np.zeros(2401), np.datetime64("2022-07-22T00:00:00"))
    assert np.abs(np.diff(field)).max() < 0.01  # 0.01 degree of latitude


def test_temperature_falls_6_5_kelvin_a_kilometre_and_the_dew_point_stays_4_below():
    heights = np.array([0.0, 1000.0, 2500.0])
    t, d = (climatology.mean(name, np.full(3, 40.0), heights, AUGUST) for name in ("t2m", "d2m"))
    np.testing.assert_allclose(t[0] - t, 0.0065 * heights, atol=1e-9)
    np.testing.assert_allclose(t - d, 4.0, atol=1e-9)


@pytest.mark.parametrize(
    ("height", "hectopascal"), [(0.0, 1013.25), (1000.0, 898.75), (3000.0, 701.08), (5000.0, 540.20)]
)
def test_pressure_is_that_of_the_icao_table(height, hectopascal):
    # Manual of the ICAO Standard Atmosphere, Doc 7488/3, table 1 (geopotential altitude)
    assert climatology.mean("psfc", SEA, np.array([height]), AUGUST)[0] / 100 == pytest.approx(hectopascal, abs=0.02)


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_has_a_mean_inside_its_range_and_an_error_that_grows_towards_the_pole(name):
    latitude = np.linspace(-89.9, 89.9, 25)
    value = VARIABLES[name].from_analysis(climatology.mean(name, latitude, np.full(25, 300.0), AUGUST))
    low, high = VARIABLES[name].valid
    if name in ("u10", "v10"):
        assert not value.any()
    else:
        assert value.shape == (25,)
        assert ((value > low) & (value < high)).all()
    deviation = climatology.deviation(name, latitude)
    assert (deviation > VARIABLES[name].error).all() and deviation[12] <= deviation[0] == deviation[-1]
