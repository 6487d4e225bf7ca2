"""CSV tables by declared mappings: units, missing values, wind, and errors that name row and column."""

import metpy.calc
import numpy as np
import pytest
from metpy.units import units

from mlrtma_dist import config
from mlrtma_dist.observations.csv_mapping import TableError, check_mapping
from mlrtma_dist.observations.table import Flag
from mlrtma_dist.observations.table_csv import read_csv

BASE = {
    "network": "mesonet",
    "station": {"column": "id"},
    "time": {"column": "when"},
    "latitude": {"column": "lat"},
    "longitude": {"column": "lon"},
}


def mapping(variables=None, **more) -> dict:
    return BASE | {"variables": variables or {"t2m": {"column": "t", "unit": "degC"}}} | more


def table(*rows: str, header="id,when,lat,lon,t", encoding="utf-8") -> bytes:
    return "\n".join([header, *rows, ""]).encode(encoding)


GOOD = "KDEN,2022-08-24T06:00:00Z,39.85,-104.67,22.5"


def test_a_row_becomes_values_in_si_with_position_time_network_and_source():
    observations = read_csv(table(GOOD), "a.csv", mapping())
    assert (observations.station[0], observations.network[0]) == ("KDEN", "mesonet")
    assert (observations.source[0], observations.variable[0]) == ("a.csv", "t2m")
    assert str(observations.time[0]) == "2022-08-24T06:00:00"
    assert (observations.latitude[0], observations.value[0], observations.flags[0]) == (39.85, 295.65, 0)
    np.testing.assert_allclose(observations.longitude[0], -104.67, rtol=0, atol=1e-9)
    assert np.isnan(observations.elevation[0]) and np.isnan(observations.error[0])


@pytest.mark.parametrize("gone", ["", "NaN", "nan", "NA", "-99999", "-99999.0", " -99999 ", "M"])
def test_missing_values_give_no_row(gone):
    observations = read_csv(table(GOOD, GOOD[:-4] + gone), "a.csv", mapping(missing=["-99999", "M"]))
    assert len(observations) == 1


def test_elevation_is_converted_and_stays_nan_where_missing():
    rows = table(GOOD + ",5431", GOOD + ",", header="id,when,lat,lon,t,elev")
    observations = read_csv(rows, "a.csv", mapping(elevation={"column": "elev", "unit": "foot"}))
    np.testing.assert_allclose(observations.elevation, [5431 * 0.3048, np.nan])


def test_speed_and_direction_become_the_components_that_metpy_gives():
    cells = ["10,0", "10,90", "7.5,225", "0,", "0,-9", "4,-9", "3,360"]
    rows = table(*(GOOD[:-4] + cell for cell in cells), header="id,when,lat,lon,ff,dd")
    wind = {"speed": {"column": "ff", "unit": "knot"}, "direction": {"column": "dd"}}
    observations = read_csv(rows, "a.csv", mapping({"wind": wind}, missing=["-9"]))
    speed, direction = np.array([10, 10, 7.5, 0, 0, 3]) * 1852 / 3600, np.array([0, 90, 225, 0, 0, 360])
    u, v = metpy.calc.wind_components(speed * units("m/s"), direction * units.degree)
    np.testing.assert_allclose(observations.of("u10").value, u.magnitude, rtol=0, atol=1e-12)
    np.testing.assert_allclose(observations.of("v10").value, v.magnitude, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("unit", "cells", "values"),
    [
        ("1", ["0.375", "1.0"], [0.375, 1.0]),
        ("percent", ["50", "113"], [0.5, 1.0]),
        ("okta", ["8", "9", "2"], [1, 1, 0.25]),
    ],
)
def test_sky_cover_is_a_fraction_and_an_obscured_sky_is_covered(unit, cells, values):
    rows = table(*(GOOD[:-4] + cell for cell in cells))
    observations = read_csv(rows, "a.csv", mapping({"sky_cover": {"column": "t", "unit": unit}}))
    np.testing.assert_allclose(observations.value, values, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("lat", "lon", "east", "flag"),
    [
        ("39", "255.33", -104.67, 0),
        ("39", "180", -180, 0),
        ("39", "-790", np.nan, Flag.POSITION),
        ("95", "10", 10, Flag.POSITION),
        ("", "10", 10, Flag.POSITION),
    ],
)
def test_longitudes_lie_in_minus_180_to_180_and_impossible_positions_are_flagged(lat, lon, east, flag):
    observations = read_csv(table(f"KDEN,2022-08-24 06:00,{lat},{lon},1"), "a.csv", mapping())
    np.testing.assert_allclose(observations.longitude, [np.nan if flag else east], rtol=0, atol=1e-9)
    assert observations.flags.tolist() == [flag]


def test_a_byte_order_mark_another_delimiter_and_blank_lines_are_read():
    data = b"\xef\xbb\xbf" + table(GOOD, "", GOOD).replace(b",", b";")
    assert len(read_csv(data, "a.csv", mapping(delimiter=";"))) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.csv: row 1: expected the names of the columns"),
        (table(), "a.csv: row 2: expected values"),
        (table(GOOD, GOOD[:-4] + "warm"), "a.csv: row 3, column 't': expected a number .*, got 'warm'"),
        (table(GOOD[:-4] + "1e999"), "a.csv: row 2, column 't': .* got '1e999'"),
        (
            table(GOOD.replace("2022-08-24", "2022-13-24")),
            "a.csv: row 2, column 'when': expected a time like .*, got '2022-13-24",
        ),
        (
            table(GOOD.replace("2022-08-24T06:00:00Z", "9999-12-31T23:00:00-06:00")),
            "a.csv: row 2, column 'when': expected a time like .*, got '9999-12-31T23:00:00-06:00'",
        ),
        (table(GOOD.replace("39.85", "39N")), "a.csv: row 2, column 'lat'"),
        (table(GOOD + ",1"), "a.csv: row 2: 6 cells; the header has 5 columns"),
        (
            table(GOOD, header="id,when,lat,lon,temp"),
            "a.csv: row 1: 0 columns are named 't', expected 1; there are id, when",
        ),
        (table(GOOD + ",1", header="id,when,lat,lon,t,t"), "a.csv: row 1: 2 columns are named 't'"),
        (table(GOOD.replace("KDEN", "M\u00fcnchen"), encoding="latin-1"), "a.csv: byte 19 is not UTF-8"),
        (table(GOOD, '"KDEN,2022'), "a.csv: row 3: unexpected end of data"),
    ],
)
def test_a_table_that_cannot_be_read_gives_an_error_that_names_row_and_column(data, message):
    with pytest.raises(TableError, match=message):
        read_csv(data, "a.csv", mapping())


@pytest.mark.parametrize(("cell", "column"), [("-3,90", "ff"), ("3,990", "dd")])
def test_a_wind_that_cannot_be_is_an_error_and_no_component(cell, column):
    wind = {"speed": {"column": "ff", "unit": "m/s"}, "direction": {"column": "dd"}}
    with pytest.raises(TableError, match=f"a.csv: row 2, column '{column}': expected a value of 0 to"):
        read_csv(table(GOOD[:-4] + cell, header="id,when,lat,lon,ff,dd"), "a.csv", mapping({"wind": wind}))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (mapping({"t2m": {"column": "t", "unit": "hPa"}}), "t2m in 'hPa'; expected one of K, degC, degF"),
        (mapping({"temperature": {"column": "t", "unit": "K"}}), "variable 'temperature' is not known; known are t2m"),
        (mapping({"t2m": "t"}), "t2m: 't'; expected {column: NAME, unit: UNIT}"),
        (mapping({"t2m": {"column": "t", "value": 3, "unit": "K"}}), "t2m: .*; expected {column: NAME, unit: UNIT}"),
        (mapping({"t2m": {"column": "t", "units": "K"}}), r"t2m: the keys \['units'\] are not known; known are column"),
        (mapping(elevation={"column": "z"}), "elevation in None; expected one of m, km, foot"),
        (mapping(heigth={"column": "z"}), "heigth: a key that is not known; known are network, station"),
        ({k: v for k, v in mapping().items() if k != "time"}, "nothing of time; expected a section time"),
        ({k: v for k, v in mapping().items() if k != "latitude"}, "one of latitude and longitude; expected both"),
        (mapping({"wind": {"speed": {"column": "t", "unit": "kt"}}}), "wind: .* expected the keys speed, direction"),
        (mapping({"sky": {"cover": ["c1", "c2"], "base": ["b1"], "unit": "ft"}}), "sky: .*as many bases as covers"),
        (mapping({"sky": {"cover": ["t"], "base": ["t"], "unit": "kt"}}), "sky in 'kt'; expected one of m, km, foot"),
        (mapping({"altimeter": {"column": "t", "unit": "m"}}), "altimeter in 'm'; expected one of Pa, hPa, kPa, inHg"),
        (mapping(station={"file_name": "KDEN"}), "station.file_name: 'KDEN'; expected a regular expression with one"),
        (mapping(unit_row="yes"), "unit_row: 'yes'; expected true or false"),
        (mapping(header="id,when"), "header: 'id,when'; expected the names of all columns"),
        (mapping() | {"variables": {}}, "no variables; expected some, or a report"),
        (mapping(missing="-9"), "`missing` to be a list"),
        (mapping(delimiter=5), "`delimiter` one character"),
        (mapping(elevation="z"), "elevation: 'z'; expected {column: NAME, unit: UNIT}"),
        (mapping(provider="z"), "provider: 'z'; expected {column: NAME}"),
        (mapping(network={"columns": "z"}), "network: {'columns': 'z'}; expected {column: NAME}"),
        (mapping(time={"column": "when", "format": 5}), "time.format: 5; expected a quoted text"),
        (mapping(optional="no"), "optional: 'no'; expected true or false"),
        (
            mapping(optional=True) | {"variables": {"psfc": {"column": "p", "unit": "Pa"}}},
            "none of the mapping's variables has a column",
        ),
    ],
)
def test_a_mapping_that_cannot_be_used_gives_an_error_that_names_the_way_out(wrong, message):
    with pytest.raises(TableError, match=message):
        read_csv(table(GOOD), "a.csv", wrong)


def test_every_mistake_of_a_mapping_is_named_at_once():
    variables = {
        "t2m": {"column": "temp", "unit": "Celsius"},
        "d2m": {"column": "t", "unit": "knots"},
        "gust": {"column": "gust", "unit": "furlongs"},
        "visibility": {"column": "vis", "unit": "SM"},
    }
    wrong = mapping(variables, elevation={"column": "z", "unit": "hPa"})
    with pytest.raises(TableError) as error:
        read_csv(table(GOOD), "a.csv", wrong)
    for words in ("'temp', expected 1", "'gust', expected 1", "'vis', expected 1", "'z', expected 1"):
        assert words in str(error.value)
    for words in ("d2m in 'knots'", "gust in 'furlongs'", "elevation in 'hPa'", "there are id, when, lat, lon, t"):
        assert words in str(error.value)
    with pytest.raises(TableError, match="(?s)d2m in 'knots'.*gust in 'furlongs'") as error:
        check_mapping(mapping(variables, optional=3), "a.csv")
    assert "optional: 3; expected true or false" in str(error.value)


def test_the_shipped_mappings_are_sound_and_map_no_sea_level_pressure():
    files = sorted((config.configs_root() / "observations").glob("*.yaml"))
    names = "asos_csv generic_csv iem_asos isd_lite lcd metar_world_csv meteostat synoptic"
    assert [file.stem for file in files] == names.split()
    for file in files:
        columns = str(config.load_yaml(file)["variables"].get("psfc", ""))
        assert not any(word in columns for word in ("sea_level", "mslp", "slp", "alti"))


def test_a_word_may_mean_missing_in_one_column_and_be_a_value_in_another():
    places = {key: {"column": key} for key in ("station", "time", "latitude", "longitude")}
    direction = {"column": "direction", "missing": ["-1"]}
    wind = {"speed": {"column": "speed", "unit": "knot"}, "direction": direction}
    mapping = {**places, "variables": {"t2m": {"column": "t", "unit": "degC"}, "wind": wind}}
    text = b"station,time,latitude,longitude,t,speed,direction\nA,2016-01-16T00:00Z,40,-100,-1,5,-1\n"
    table = read_csv(text, "a.csv", mapping)
    assert table.variable.tolist() == ["t2m"] and table.value[0] == pytest.approx(272.15)
    direction["missing"] = "-1"
    with pytest.raises(TableError, match="wind.direction.missing: '-1'; expected a list of words"):
        read_csv(text, "a.csv", mapping)
