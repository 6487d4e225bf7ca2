"""A climatology in closed form: what is believed when there is no background and no report.

Deliberately coarse -- latitude, season and elevation -- and with an error to match; the numbers
are the claims, so they stand here in one place:

- Temperature at sea level: the annual zonal mean of North, Cahalan and Coakley (1981),
  14.97 - 28.0 P2(sin latitude) degC, plus a seasonal wave of amplitude 1 + 15 sin^2(latitude) K with its
  peak on 22 July in the north and on 21 January in the south, fading within 5 degrees of the equator, which has
  no season; 6.5 K/km less with height (ICAO).
- Dew point: 4 K below the temperature.
- Pressure: the ICAO standard atmosphere at the elevation.
- Wind: calm, as the mean of a vector; its speed 3 m/s; gust 5 m/s; visibility 14 km; ceiling 7 km; half the sky
  covered.

The standard deviations (weather, time of day, land and sea together) grow from the tropics to the
poles as a + b sin^2(latitude).
"""

import numpy as np

from mlrtma_dist.clock import day_of_year
from mlrtma_dist.names import ICE, STANDARD_LAPSE_RATE, STANDARD_PRESSURE, STANDARD_TEMPERATURE, variable

DEW_POINT_DEPRESSION = 4.0  # K
TROPICAL = 5.0  # degrees of latitude within which the season fades
CONSTANT = {
    "u10": 0.0,
    "v10": 0.0,
    "gust": 5.0,
    "visibility": 14000.0,
    "ceiling": 7000.0,
    "sky_cover": 0.5,
    "wind_speed": 3.0,
}
DEVIATION = {  # (a, b) in analysis space
    "t2m": (2.5, 10.0),
    "d2m": (3.0, 10.0),
    "u10": (3.0, 3.0),
    "v10": (3.0, 3.0),
    "gust": (3.0, 3.0),
    "psfc": (400.0, 1300.0),
    "visibility": (0.6, 0.4),
    "ceiling": (1.2, 0.4),
    "sky_cover": (0.35, 0.0),
    "wind_speed": (1.5, 1.5),
}


def standard_pressure_ratio(elevation: np.ndarray | float) -> np.ndarray:
    """Pressure at an elevation in m over that at sea level, ICAO standard atmosphere (troposphere)."""
    height = np.asarray(elevation, dtype=np.float64)
    return np.maximum(1.0 - STANDARD_LAPSE_RATE * height / STANDARD_TEMPERATURE, 0.1) ** 5.2559


def mean(name: str, latitude: np.ndarray, elevation: np.ndarray | float, time: np.datetime64) -> np.ndarray:
    """Climatological mean of a variable in analysis space, shape of ``latitude`` (degrees; elevation in m)."""
    if name in CONSTANT:
        return np.full(np.shape(latitude), float(variable(name).to_analysis(CONSTANT[name])))
    if name == "psfc":
        return STANDARD_PRESSURE * standard_pressure_ratio(elevation)
    sine = np.sin(np.deg2rad(latitude))
    annual = ICE + 14.97 - 28.0 * 0.5 * (3.0 * sine**2 - 1.0)
    side = np.clip(sine / np.sin(np.deg2rad(TROPICAL)), -1.0, 1.0)  # a sign without its jump at the equator
    season = side * (1.0 + 15.0 * sine**2) * np.cos(2 * np.pi * (day_of_year(time) - 202.0) / 365.25)
    temperature = annual + season - STANDARD_LAPSE_RATE * np.asarray(elevation)
    return temperature if name == "t2m" else temperature - DEW_POINT_DEPRESSION


def deviation(name: str, latitude: np.ndarray) -> np.ndarray:
    """Standard deviation of the weather about ``mean``, analysis space, shape of ``latitude`` (degrees)."""
    a, b = DEVIATION[name]
    return a + b * np.sin(np.deg2rad(latitude)) ** 2
