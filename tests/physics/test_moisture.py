"""Moisture against metpy, the triple point, and itself."""

import metpy.calc
import numpy as np
import pytest
from metpy.units import units

from mlrtma_dist.physics.moisture import (
    dew_point,
    dew_point_error,
    dew_point_of_vapour,
    relative_humidity,
    vapour_pressure,
)


def test_dew_point_agrees_with_metpy_and_inverts_vapour_pressure():
    random = np.random.default_rng(2)
    humidity, pressure = random.uniform(1e-4, 0.025, 200), random.uniform(5e4, 1.05e5, 200)
    truth = metpy.calc.dewpoint_from_specific_humidity(pressure * units.Pa, humidity * units("kg/kg")).to("K").magnitude
    np.testing.assert_allclose(dew_point(humidity, pressure), truth, rtol=0, atol=0.01)
    mixing = humidity / (1 - humidity)
    np.testing.assert_allclose(
        vapour_pressure(dew_point(humidity, pressure)), pressure * mixing / (0.62198 + mixing), rtol=1e-9
    )


def test_the_dew_point_error_is_the_difference_that_a_small_change_of_humidity_makes():
    temperature, dew, change = 295.0, 285.0, 1e-5
    vapour = vapour_pressure(dew) + change * vapour_pressure(temperature)
    step = (
        metpy.calc.dewpoint(vapour * units.Pa).to("K").magnitude
        - metpy.calc.dewpoint(vapour_pressure(dew) * units.Pa).to("K").magnitude
    )
    np.testing.assert_allclose(dew_point_error(change, dew, temperature), step, rtol=1e-3)


def test_bolton_at_the_triple_point_and_back():
    assert vapour_pressure(273.16) == pytest.approx(611.657, rel=1e-3)  # ITS-90 triple point
    temperature = np.linspace(230, 305, 50)
    np.testing.assert_allclose(dew_point_of_vapour(vapour_pressure(temperature)), temperature, atol=1e-9)


def test_without_vapour_there_is_no_dew_point_and_single_precision_stays_single():
    dew_points = dew_point(np.array([0.0, -1e-3, 0.005], dtype=np.float32), np.float32(9e4))
    assert np.isnan(dew_points).tolist() == [True, True, False] and dew_points.dtype == np.float32


def test_relative_humidity_is_one_at_saturation_at_most_one_and_that_of_metpy():
    temperature, dew = np.array([300.0, 280.0, 255.0]), np.array([300.0, 275.0, 250.0])
    truth = metpy.calc.relative_humidity_from_dewpoint(temperature * units.K, dew * units.K).magnitude
    np.testing.assert_allclose(relative_humidity(temperature, dew), truth, atol=0.002)
    assert relative_humidity(np.array([280.0, 280.0]), np.array([280.0, 281.0])).tolist() == [1.0, 1.0]
    assert np.isnan(relative_humidity(280.0, np.array(np.nan)))
