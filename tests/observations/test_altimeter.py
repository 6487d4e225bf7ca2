"""Station pressure from the altimeter setting: the standard atmosphere's own numbers, and a file that has both."""

import numpy as np

from mlrtma_dist.observations.altimeter import station_pressure


def test_at_the_standard_setting_the_pressure_is_the_standard_atmosphere_at_the_height():
    # U.S. Standard Atmosphere 1976, table I, by geopotential height
    heights = np.array([0.0, 500.0, 1000.0, 2000.0, 3000.0, 5000.0, -300.0])
    table = np.array([101325.0, 95461.0, 89875.0, 79495.0, 70109.0, 54020.0, 104981.0])
    np.testing.assert_allclose(station_pressure(np.full(7, 101325.0), heights), table, rtol=2e-5)


def test_at_sea_level_it_is_the_setting_and_two_heights_differ_as_two_pressure_altitudes():
    settings = np.array([95000.0, 101325.0, 105000.0])
    np.testing.assert_allclose(station_pressure(settings, np.zeros(3)), settings, rtol=1e-12)

    def altitude(pressure):
        return 288.15 / 0.0065 * (1 - (pressure / 101325.0) ** (287.05287 * 0.0065 / 9.80665))

    pressure = station_pressure(settings, np.full(3, 1656.0))
    np.testing.assert_allclose(altitude(pressure) - altitude(settings), 1656.0, atol=1e-6)


def test_what_gives_no_pressure_is_missing_and_never_an_error():
    settings = np.array([np.nan, 101325.0, 0.0, -5.0, 101325.0, 1.0])
    pressure = station_pressure(settings, np.array([0, np.nan, 0, 0, 3e4, 5e3]))
    assert np.isnan(pressure).all()


def test_the_pressure_that_prepbufr_has_from_the_altimeter_is_the_same_function(rap):
    """METAR reports of PrepBUFR (type 187): an altimeter setting of hundredths of an inch gives their pressure."""
    rows = rap[(rap.variable == "psfc") & (rap.network == "187") & np.isfinite(rap.elevation) & (rap.elevation < 3000)]
    american = rows[np.char.startswith(rows.station, "K") & (rows.flags == 0)]
    assert len(american) > 3000
    inch = 3386.389
    settings = np.arange(28.50, 31.01, 0.01) * inch
    possible = station_pressure(settings[None, :], american.elevation[:, None])
    off = np.abs(possible - american.value[:, None]).min(axis=1)
    # steps of a setting are 28 to 34 Pa apart, pressures stand in steps of 10 Pa: by chance 40 % would be within 6
    assert np.mean(off <= 6.0) > 0.8
