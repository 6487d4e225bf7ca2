"""How high the sun stands: what "day" and "night" mean in an operational reject list.

The low-precision formulas of the Astronomical Almanac in the form of J. J. Michalsky, "The Astronomical Almanac's
algorithm for approximate solar position (1950-2050)", Solar Energy 40 (1988), 227-235: 0.01 degree in those years.
Refraction and the sun's radius are left out: the centre of the sun above the geometric horizon is day, as in the
system that the lists were made for.
"""

import numpy as np

EPOCH = np.datetime64("2000-01-01T12:00:00")  # J2000.0


def solar_elevation(latitude: np.ndarray, longitude: np.ndarray, time: np.ndarray | np.datetime64) -> np.ndarray:
    """Elevation of the sun's centre above the horizon in degrees, negative at night.

    Args:
        latitude: degrees north, shape (n,).
        longitude: degrees east, shape (n,).
        time: datetime64, UTC, shape (n,) or one for all.

    Returns:
        Shape (n,); NaN where a place or a time is missing.
    """
    seconds = np.where(np.isnat(time), np.nan, (time - EPOCH) / np.timedelta64(1, "s"))
    days = seconds / 86400.0
    mean_longitude = 280.460 + 0.9856474 * days
    anomaly = np.deg2rad(357.528 + 0.9856003 * days)
    ecliptic = np.deg2rad(mean_longitude + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2.0 * anomaly))
    obliquity = np.deg2rad(23.439 - 4e-7 * days)
    right_ascension = np.arctan2(np.cos(obliquity) * np.sin(ecliptic), np.cos(ecliptic))
    declination = np.arcsin(np.sin(obliquity) * np.sin(ecliptic))
    hour = (days + 0.5) % 1.0 * 24.0  # UTC
    sidereal = 6.697375 + 0.0657098242 * days + hour + np.asarray(longitude) / 15.0  # hours
    hour_angle = np.deg2rad(15.0 * sidereal) - right_ascension
    phi = np.deg2rad(latitude)
    sine = np.sin(declination) * np.sin(phi) + np.cos(declination) * np.cos(phi) * np.cos(hour_angle)
    return np.rad2deg(np.arcsin(np.clip(sine, -1.0, 1.0)))
