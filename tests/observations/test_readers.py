"""The kind of a file is told from its content, and every wrong kind gives an error that says what it is."""

import csv
import gzip

import numpy as np
import pytest

from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.readers import read_observations

GENERIC = (
    "station,network,time,latitude,longitude,elevation,t2m,psfc\n"
    "KDEN,metar,2022-08-24T06:00Z,39.85,-104.67,1656,295.65,83100\n"
)


def test_a_table_in_the_projects_own_words_is_read_without_a_mapping(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text(GENERIC)
    table = read_observations(path)
    assert dict(zip(table.variable, table.value, strict=True)) == {"t2m": 295.65, "psfc": 83100.0}
    assert (table.network[0], table.elevation[0], table.source[0]) == ("metar", 1656.0, "table.txt")


@pytest.mark.parametrize("name", ["table.csv.gz", "table.csv"])
def test_a_gzipped_file_is_read_like_the_file_itself_whatever_its_name(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(GENERIC.encode()))
    assert read_observations(path).value.tolist() == [295.65, 83100.0]


def test_a_mapping_is_taken_by_shipped_name_by_file_or_as_it_stands(tmp_path):
    path, mapping = tmp_path / "t.csv", tmp_path / "mine.yaml"
    path.write_text(GENERIC)
    mapping.write_text(
        "station: {column: station}\ntime: {column: time}\n"
        "latitude: {column: latitude}\nlongitude: {column: longitude}\n"
        "variables:\n  t2m: {column: t2m, unit: K}\n"
    )
    assert len(read_observations(path, mapping="generic_csv")) == 2
    assert len(read_observations(path, mapping=str(mapping))) == 1
    assert (
        len(
            read_observations(
                path,
                mapping={
                    "station": {"column": "station"},
                    "time": {"column": "time"},
                    "latitude": {"column": "latitude"},
                    "longitude": {"column": "longitude"},
                    "variables": {"psfc": {"column": "psfc", "unit": "Pa"}},
                },
            )
        )
        == 1
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (b"GRIB\0\0\0\2" + bytes(100), "looks like GRIB; supported are NCEP PrepBUFR"),
        (b"GRIB\0\1\2\1" + bytes(100), "looks like GRIB"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "looks like HDF5 or netCDF-4"),
        (b"CDF\x01" + bytes(100), "looks like netCDF without the variables of a MADIS"),
        (b"PK\x03\x04" + bytes(100), "looks like zip"),
        (gzip.compress(gzip.compress(b"a", mtime=0), mtime=0), "looks like gzip"),
        (gzip.compress(GENERIC.encode() * 100, mtime=0)[:-20], "damaged or cut off"),
        (b"<!doctype html><html>404", "looks like HTML"),
        (bytes(range(256)), "looks like unknown binary"),
        (b"BUFR\0\0\x40\x03" + bytes(100), "message at byte 0"),
        (
            b"a,b,c\n1,2,3\n",
            "no shipped mapping fits the columns a, b, c .*generic_csv lacks .*Declare one in a YAML file",
        ),
        (b"KDEN 240553Z 18005KT 10SM CLR 22/05 A3012\nKMSY 240553Z\n", "METAR text tells day and hour.*--time"),
        (b"2022/08/24 05:53\nQXQX 240553Z 18005KT 10SM CLR 22/05 A3012\n", "none of its stations .*QXQX; .*--stations"),
        (b"\n\n", "expected the names of the columns"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_it_is_and_what_is_supported(tmp_path, content, message):
    path = tmp_path / "some.file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"some.file.*{message}"):
        read_observations(path)


def test_a_file_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match="absent.bufr: cannot be read: No such file"):
        read_observations(tmp_path / "absent.bufr")


def test_random_bytes_never_give_another_exception_than_a_value_error(tmp_path, seed):
    random = np.random.default_rng(seed)
    starts = [b"", b"BUFR", b"BUFR\0\1\0\3", b"\x1f\x8b\x08\0", GENERIC.encode(), GENERIC[:60].encode()]
    for trial in range(60):
        path = tmp_path / "random"
        content = starts[trial % len(starts)] + random.bytes(int(random.integers(1, 200)))
        path.write_bytes(content)
        with pytest.raises(ValueError, match="random"):
            read_observations(path)


def test_the_real_asos_table_is_read_by_its_shipped_mapping(real_file):
    path = real_file("asos", "stations_20160116_0000.csv")
    with path.open() as stream:
        rows = list(csv.DictReader(stream))
    table = read_observations(path)
    celsius = np.array([float(row['air_temperature[unit="Celsius"]']) for row in rows])
    np.testing.assert_allclose(table.of("t2m").value, celsius[np.isfinite(celsius)] + 273.15, rtol=0, atol=1e-9)
    miles = np.array([float(row['visibility_in_air[unit="US_statute_mile"]']) for row in rows])
    np.testing.assert_allclose(table.of("visibility").value, miles[np.isfinite(miles)] * 1609.344, rtol=0, atol=1e-6)
    wind = table.of("u10").value ** 2 + table.of("v10").value ** 2
    speed = np.array([float(row['wind_speed[unit="m/s"]']) for row in rows])
    blows = np.array([row['wind_from_direction[unit="degrees"]'] != "-99999" for row in rows]) | (speed == 0)
    np.testing.assert_allclose(np.sqrt(wind), speed[np.isfinite(speed) & blows], rtol=0, atol=1e-9)
    assert len(table.of("psfc")) == 0 and np.isnan(table.elevation).all()
    assert set(table.variable) <= set(VARIABLES)


def test_the_real_prepbufr_is_recognised_gzipped_or_not(real_file, tmp_path, gdas):
    path = real_file("prepbufr", "gdas.20201101.t12z.sfcshp.prepbufr")
    packed = tmp_path / "gdas.gz"
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    for file in (path, packed):
        table = read_observations(file)
        assert (len(table), table.source[0]) == (len(gdas), file.name)
        np.testing.assert_array_equal(table.value, gdas.value)
