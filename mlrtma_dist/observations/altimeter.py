"""Altimeter setting and station pressure: two quantities, one a function of the other and of the station's height.

An altimeter set to the altimeter setting (QNH) A shows the station's elevation h when it feels the station's pressure
p. Altimeters are graduated by the standard atmosphere (ICAO Doc 7488; U.S. Standard Atmosphere 1976, equation 33a),
in which pressure altitude is H(p) = (T0 / L) (1 - (p / p0)^n), n = R L / g. From H(p) - H(A) = h:

    p = (A^n - p0^n L h / T0)^(1 / n)

At h = 0 it is A; at A = p0 it is the standard atmosphere's pressure at h.
"""

import numpy as np

from mlrtma_dist.names import (
    DRY_AIR,
    STANDARD_GRAVITY,
    STANDARD_LAPSE_RATE,
    STANDARD_PRESSURE,
    STANDARD_TEMPERATURE,
)

EXPONENT = DRY_AIR * STANDARD_LAPSE_RATE / STANDARD_GRAVITY  # 0.190263
HIGHEST = 11e3  # m: the formula holds in the troposphere


def station_pressure(altimeter, elevation):
    """Pressure (Pa) at the station.

    Args:
        altimeter: altimeter setting, Pa, any shape.
        elevation: of the station above mean sea level, m, the same shape.

    Returns:
        The same shape; NaN where either is not known, the setting is not positive, or the height is none of the
        troposphere.
    """
    altimeter, elevation = np.asarray(altimeter, dtype=np.float64), np.asarray(elevation, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        setting = np.where(altimeter > 0, altimeter, np.nan) ** EXPONENT
        power = setting - STANDARD_PRESSURE**EXPONENT * STANDARD_LAPSE_RATE * elevation / STANDARD_TEMPERATURE
        possible = (power > 0) & (np.abs(elevation) < HIGHEST)
        return np.where(possible, power, np.nan) ** (1 / EXPONENT)
