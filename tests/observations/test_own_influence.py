"""Own influence: found by station, variable and place, and the same after it was written and read."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.observations.own_influence import OwnInfluence, influence_path
from mlrtma_dist.observations.table import Observations

STATIONS, VARIABLES = np.array(["KDEN", "KDEN", 'C6,"x']), np.array(["t2m", "d2m", "t2m"])
LATITUDE, LONGITUDE = np.array([39.9, 39.9, 51.0]), np.array([-104.7, -104.7, 179.9999])
OWN = OwnInfluence(STATIONS, VARIABLES, LATITUDE, LONGITUDE, np.array([1.25, -0.5, 2.0]))


def table(**columns) -> Observations:
    """Reports of the same stations."""
    every = {
        "station": STATIONS,
        "network": "test",
        "latitude": LATITUDE,
        "longitude": LONGITUDE,
        "elevation": 0.0,
        "time": np.datetime64("2026-08-22T04:00", "s"),
        "variable": VARIABLES,
        "value": 280.0,
    }
    return Observations.build(**every | columns)


def test_each_report_has_that_of_its_station_and_variable_and_others_have_none():
    assert OWN.of(table()).tolist() == [1.25, -0.5, 2.0]
    assert OWN.of(table(variable=np.array(["t2m", "psfc", "t2m"]))).tolist() == [1.25, 0.0, 2.0]
    assert OWN.of(table(station=np.array(["KDEN", "KDEN", "other"]))).tolist() == [1.25, -0.5, 0.0]
    assert OWN.of(table()[:0]).tolist() == []


def test_a_station_that_has_moved_has_put_in_nothing_here_and_the_date_line_is_no_distance():
    assert OWN.of(table(latitude=LATITUDE + [0.02, 0.0, 0.0])).tolist() == [0.0, -0.5, 2.0]
    assert OWN.of(table(longitude=np.array([-104.7, -104.7, -179.9999]))).tolist() == [1.25, -0.5, 2.0]


def test_of_stations_that_share_a_name_each_has_that_of_its_own_place():
    two = OwnInfluence(np.array(["SHIP", "SHIP"]), VARIABLES[[0, 2]], LATITUDE[1:], LONGITUDE[1:], np.array([1.0, 3.0]))
    ships = table(station=np.full(3, "SHIP"), variable=np.full(3, "t2m"), latitude=np.array([39.9, 45.0, 51.0]))
    assert two.of(ships).tolist() == [1.0, 0.0, 3.0]


def test_a_station_under_another_name_has_what_it_has_put_in_under_the_first():
    station, variable = (
        np.array(["KDEN", "KDEN", "72565", "72565", "72565"]),
        np.array(["t2m", "d2m", "t2m", "d2m", "u10"]),
    )
    names = table(
        station=station,
        network=np.where(station == "KDEN", "METAR", "SYNOP"),
        variable=variable,
        latitude=np.where(station == "KDEN", 39.9, 39.915),
        longitude=-104.7,
    )
    assert OWN.of(names).tolist() == [1.25, -0.5, 1.25, -0.5, 0.0]
    later = OwnInfluence(station[2:3], variable[2:3], np.array([39.915]), LONGITUDE[:1], np.array([2.0])).with_silent(
        OWN, {}
    )
    assert later.of(names).tolist() == [2.0, -0.5, 2.0, -0.5, 0.0]


def test_what_silent_stations_have_put_in_is_kept_by_its_share_until_it_is_little():
    new = OwnInfluence(STATIONS[:1], VARIABLES[:1], LATITUDE[:1], LONGITUDE[:1], np.array([0.5]))
    both = new.with_silent(OWN, {"t2m": 0.25})
    assert both.of(table()).tolist() == [0.5, -0.5, 0.5]
    assert new.with_silent(OWN, {"t2m": 1e-4, "d2m": 1e-4}).station.tolist() == ["KDEN"]
    none = OwnInfluence(STATIONS[:0], VARIABLES[:0], LATITUDE[:0], LONGITUDE[:0], LATITUDE[:0])
    assert none.with_silent(OWN, {}).of(table()).tolist() == [1.25, -0.5, 2.0]
    assert new.with_silent(none, {}).of(table()).tolist() == [0.5, 0.0, 0.0]


def test_it_is_read_as_it_was_written(tmp_path):
    path = influence_path(tmp_path / "conus_20260822T0400Z.nc")
    OWN.write(path)
    assert path.name == "conus_20260822T0400Z.influence.csv"
    assert OwnInfluence.read(path).of(table()).tolist() == [1.25, -0.5, 2.0]
    empty = OwnInfluence(STATIONS[:0], VARIABLES[:0], LATITUDE[:0], LONGITUDE[:0], LATITUDE[:0])
    empty.write(path)
    assert OwnInfluence.read(path).of(table()).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("damage", ["", "a,b\n1,2\n", "half", "number", "none", "zeros"])
def test_a_damaged_file_is_named(tmp_path, damage):
    path = tmp_path / "x.influence.csv"
    OWN.write(path)
    text = path.read_text()
    lines = {"half": text[: len(text) // 2], "number": text.replace("1.25", "x"), "none": text.replace("1.25", "nan")}
    lines["zeros"] = 200_000 * "\0"  # what a power failure leaves of a file
    path.write_text(lines.get(damage, damage))
    with pytest.raises(InputError, match=r"x\.influence\.csv: no table of the stations' own influence.*remove it"):
        OwnInfluence.read(path)
    assert replace(OWN, influence=2 * OWN.influence).of(table())[0] == 2.5
