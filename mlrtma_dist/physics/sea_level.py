"""Pressure at mean sea level from the pressure, the temperature and the height of the ground.

K. E. Trenberth, J. C. Berry and L. E. Buja, "Vertical interpolation and truncation of model-coordinate data", NCAR
Technical Note TN-396+STR (1993), section on sea-level pressure; ECMWF's forecasts are reduced alike. The column beneath
the ground has the temperature of the air at the ground, T, and the lapse rate of the standard atmosphere, but for two
cases in which a single hour's temperature would give a wrong weight to the column:

* warm ground: the column is nowhere warmer than 290.5 K, or has throughout the mean of T and 290.5 K;
* cold ground, T below 255 K: the column begins at the mean of T and 255 K.

The hydrostatic equation is integrated exactly; the note has the first three terms of its series in the height.
"""

import numpy as np

from mlrtma_dist.names import DRY_AIR, STANDARD_GRAVITY, STANDARD_LAPSE_RATE

WARMEST, COLDEST = 290.5, 255.0  # K


def sea_level_pressure(pressure, temperature, elevation):
    """Pressure (Pa) at mean sea level.

    Args:
        pressure: at the ground, Pa, any shape.
        temperature: of the air at the ground, K, the same shape.
        elevation: of the ground above mean sea level, m, the same shape.

    Returns:
        The same shape; NaN where one of the three is NaN.
    """
    at_sea_level = temperature + STANDARD_LAPSE_RATE * elevation
    hot = (temperature > WARMEST) & (at_sea_level > WARMEST)
    gain = np.minimum(at_sea_level, WARMEST) - temperature  # K, from the ground down to sea level
    gain = np.where(hot, 0.0, gain)
    start = np.where(hot, 0.5 * (WARMEST + temperature), temperature)
    start = np.where(temperature < COLDEST, 0.5 * (COLDEST + temperature), start)
    ratio = gain / start
    # the mean of 1 / T over the column is log(1 + ratio) / ratio / start, of which the limit at ratio = 0 is 1 / start
    slope = np.divide(np.log1p(ratio), ratio, out=np.ones_like(ratio), where=ratio != 0.0)
    return pressure * np.exp(STANDARD_GRAVITY * elevation / (DRY_AIR * start) * slope)
