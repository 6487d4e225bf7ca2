"""Moisture: from specific humidity to dew point, from virtual to sensible temperature.

D. Bolton, "The computation of equivalent potential temperature", Monthly Weather Review 108 (1980),
equations 10 and 11.
"""

import numpy as np

RATIO_OF_GASES = 0.62198  # molar mass of water over that of dry air
ICE = 273.15  # K


def vapour_pressure(dew_point_temperature):
    """Vapour pressure (Pa) at which a dew point (K) saturates; Bolton (1980), equation 10."""
    celsius = dew_point_temperature - ICE
    return 611.2 * np.exp(17.67 * celsius / (celsius + 243.5))


def dew_point(specific_humidity, pressure):
    """Dew point in K from specific humidity (kg/kg) and pressure (Pa), any shape; NaN where there is no vapour.

    Bolton (1980), equation 11, with e = q p / (0.622 + 0.378 q).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        vapour = specific_humidity * pressure / (RATIO_OF_GASES + (1 - RATIO_OF_GASES) * specific_humidity)
        log = np.log(np.where(vapour > 0, vapour, np.nan) / 611.2)
        return ICE + 243.5 * log / (17.67 - log)


def dew_point_error(relative_error, dew_point_temperature, temperature):
    """Standard deviation of the dew point (K) from that of relative humidity (0..1), dew point and temperature (K).

    First order: e = RH e_s(T), so d(Td) = dRH / RH / (d ln e / d Td), with the derivative of Bolton's equation 10.
    """
    humidity = vapour_pressure(dew_point_temperature) / vapour_pressure(temperature)
    slope = 17.67 * 243.5 / (dew_point_temperature - ICE + 243.5) ** 2
    return relative_error / humidity / slope


def sensible_temperature(virtual_temperature, specific_humidity):
    """Temperature (K) of moist air from virtual temperature (K) and specific humidity (kg/kg); NaN where either is."""
    return virtual_temperature / (1 + (1 / RATIO_OF_GASES - 1) * specific_humidity)
