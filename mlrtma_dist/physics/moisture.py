"""Moisture: vapour pressure and dew point, relative and specific humidity, virtual and sensible temperature.

D. Bolton, "The computation of equivalent potential temperature", Monthly Weather Review 108 (1980),
equations 10 and 11. Arguments are numbers or arrays of any one shape, and so is what comes back.
"""

import numpy as np

from mlrtma_dist.names import ICE

RATIO_OF_GASES = 0.62198  # molar mass of water over that of dry air
PRESSURE, SLOPE, SHIFT = 611.2, 17.67, 243.5  # Pa, 1, K: Bolton's e = 611.2 exp(17.67 t / (t + 243.5)), t in degC


def vapour_pressure(dew_point_temperature, functions=np):
    """Vapour pressure (Pa) over water at which a dew point (K) saturates; Bolton (1980), equation 10.

    Of a tensor where ``functions`` is torch.
    """
    celsius = dew_point_temperature - ICE
    return PRESSURE * functions.exp(SLOPE * celsius / (celsius + SHIFT))


def dew_point_of_vapour(vapour):
    """Dew point in K of a vapour pressure (Pa), NaN where there is no vapour; Bolton (1980), equation 11."""
    with np.errstate(invalid="ignore", divide="ignore"):
        log = np.log(np.where(vapour > 0, vapour, np.nan) / PRESSURE)
        return ICE + SHIFT * log / (SLOPE - log)


def relative_humidity(temperature, dew_point_temperature):
    """Relative humidity over water, 0 to 1, from temperature and dew point (K); at most 1.

    e(T_d) / e(T), the definition of WMO-No. 8, volume I, annex 4.A.
    """
    return np.minimum(vapour_pressure(dew_point_temperature) / vapour_pressure(temperature), 1.0)


def vapour_of_specific_humidity(specific_humidity, pressure):
    """Vapour pressure (Pa) of air of a specific humidity (kg/kg) at a pressure (Pa): e = q p / (0.622 + 0.378 q)."""
    return specific_humidity * pressure / (RATIO_OF_GASES + (1 - RATIO_OF_GASES) * specific_humidity)


def dew_point(specific_humidity, pressure):
    """Dew point in K from specific humidity (kg/kg) and pressure (Pa); NaN where there is no vapour."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return dew_point_of_vapour(vapour_of_specific_humidity(specific_humidity, pressure))


def dew_point_error(relative_error, dew_point_temperature, temperature):
    """Standard deviation of the dew point (K) from that of relative humidity (0..1), dew point and temperature (K).

    First order: e = RH e_s(T), so d(Td) = dRH / RH / (d ln e / d Td), with the derivative of Bolton's equation 10.
    """
    humidity = vapour_pressure(dew_point_temperature) / vapour_pressure(temperature)
    slope = SLOPE * SHIFT / (dew_point_temperature - ICE + SHIFT) ** 2
    return relative_error / humidity / slope


def sensible_temperature(virtual_temperature, specific_humidity):
    """Temperature (K) of moist air from virtual temperature (K) and specific humidity (kg/kg); NaN where either is."""
    return virtual_temperature / (1 + (1 / RATIO_OF_GASES - 1) * specific_humidity)
