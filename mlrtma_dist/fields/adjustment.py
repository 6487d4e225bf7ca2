"""Carry screen-level values from a model's terrain to another height, and moisture to dew point.

Temperature follows the standard atmosphere's lapse rate (ICAO Doc 7488, 1993). The dew point of unsaturated
air lifted at constant mixing ratio falls by g R_v T_d^2 / (R_d L_v T): 1.75 K/km at T_d = 283 K, T = 290 K, from
the hydrostatic equation and Clausius-Clapeyron (Wallace and Hobbs, Atmospheric Science, 2nd edition 2006, chapter 3).
Pressure follows the hypsometric equation (ibid., eq. 3.29) with the mean virtual temperature of the layer.
Arguments are numbers or arrays of any one shape, and so is what comes back.
"""

import numpy as np

from mlrtma_dist.names import DRY_AIR, STANDARD_GRAVITY, STANDARD_LAPSE_RATE
from mlrtma_dist.physics.moisture import (
    RATIO_OF_GASES,
    dew_point_of_vapour,
    vapour_of_specific_humidity,
    vapour_pressure,
)

LAPSE_DEW_POINT = 1.8e-3  # K m-1
DRIEST = 1.0  # Pa; vapour pressure below it (dew point 208 K) is rounding in packed humidity


def adjust_temperature(temperature, rise):
    """Temperature in K at ``rise`` m above where it was ``temperature``."""
    return temperature - STANDARD_LAPSE_RATE * rise


def adjust_dew_point(dew_point, rise):
    """Dew point in K at ``rise`` m above where it was ``dew_point``."""
    return dew_point - LAPSE_DEW_POINT * rise


def adjust_log_pressure(log_pressure, rise, virtual_temperature):
    """Logarithm of the pressure in Pa at ``rise`` m above where it was ``log_pressure`` and the air had
    ``virtual_temperature`` (K); between, that falls with the lapse rate of temperature."""
    middle = adjust_temperature(virtual_temperature, 0.5 * rise)
    return log_pressure - STANDARD_GRAVITY * rise / (DRY_AIR * middle)


def dew_point_of_specific_humidity(specific_humidity, pressure):
    """Dew point in K of air of a specific humidity (kg/kg) at a pressure in Pa; at least that of ``DRIEST``."""
    return _dew_point(vapour_of_specific_humidity(specific_humidity, pressure))


def dew_point_of_relative_humidity(relative_humidity, temperature):
    """Dew point in K of air of a relative humidity over water (fraction) at a temperature in K, likewise."""
    return _dew_point(relative_humidity * vapour_pressure(temperature))


def _dew_point(vapour):
    return dew_point_of_vapour(np.maximum(vapour, DRIEST))


def virtual_temperature(temperature, dew_point_temperature, pressure):
    """Virtual temperature in K of air of a temperature and dew point (K) at a pressure in Pa."""
    return temperature / (1 - (1 - RATIO_OF_GASES) * vapour_pressure(dew_point_temperature) / pressure)
