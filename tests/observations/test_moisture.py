"""Moisture against metpy."""

import metpy.calc
import numpy as np
from metpy.units import units

from mlrtma_dist.observations.moisture import dew_point, dew_point_error, vapour_pressure


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
