"""What no atmosphere has is removed, and nothing else."""

import numpy as np

from mlrtma_dist.fields.consistency import make_consistent


def test_dew_points_above_the_temperature_and_gusts_below_the_wind_are_mended_alone():
    t, d = np.array([280.0, 290.0, 300.0]), np.array([281.0, 285.0, 300.0])
    values = {
        "t2m": t,
        "d2m": d,
        "u10": np.array([3.0, -6.0, 0.0]),
        "v10": np.array([4.0, 8.0, 0.0]),
        "gust": np.array([4.0, 12.0, 0.0]),
    }
    make_consistent(values)
    np.testing.assert_array_equal(values["d2m"], [280.0, 285.0, 300.0])
    np.testing.assert_array_equal(values["gust"], [5.0, 12.0, 0.0])
    np.testing.assert_array_equal(values["t2m"], [280.0, 290.0, 300.0])
    alone = {"d2m": np.array([281.0]), "gust": np.array([0.0])}
    make_consistent(alone)
    assert (alone["d2m"][0], alone["gust"][0]) == (281.0, 0.0)


def test_what_no_station_reports_gives_way_to_what_stations_report():
    values = {name: np.array([pair, pair]) for name, pair in (("t2m", 280.0), ("d2m", 284.0), ("gust", 2.0))}
    values["wind_speed"] = np.array([3.0, 1.0])
    make_consistent(values, {"d2m", "gust"})
    assert values["t2m"].tolist() == values["d2m"].tolist() == [284.0, 284.0]
    assert values["gust"].tolist() == [2.0, 2.0] and values["wind_speed"].tolist() == [2.0, 1.0]
    for reported in ({"t2m", "d2m"}, set()):
        values = {"t2m": np.array([280.0]), "d2m": np.array([284.0])}
        make_consistent(values, reported)
        assert values["t2m"][0] == values["d2m"][0] == 280.0
