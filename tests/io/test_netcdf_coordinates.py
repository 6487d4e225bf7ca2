"""Which coordinate is which, and what a variable is, is said by attributes: grids, heights, statistics."""

import importlib.util
import pathlib

import numpy as np
import pytest

from mlrtma_dist.io.netcdf import NetcdfError, read_netcdf

_SPEC = importlib.util.spec_from_file_location("netcdf_writer", pathlib.Path(__file__).with_name("netcdf_writer.py"))
_writer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_writer)
VALUES = 270.0 + np.arange(30).reshape(_writer.SHAPE)
NORTH, EAST = {"units": "degrees_north"}, {"units": "degrees_east"}
OURS = ("t2m", "d2m", "u10", "gust", "psfc", "sky_cover", "terrain")


def read(tmp_path, **variables):
    """The fields of a file over the shared grid, unless the variables bring their own."""
    grid = {} if "grid" in variables and variables.pop("grid") is None else _writer.GRID
    return read_netcdf(_writer.write(tmp_path / "f.nc", grid | _writer.TIME | variables), OURS)


LAYOUTS = {
    "longitude first": (
        ("lon", "lat"),
        VALUES.T,
        {"lat": (("lat",), _writer.LATITUDE, NORTH), "lon": (("lon",), _writer.LONGITUDE, EAST)},
    ),
    "names that say nothing": (
        ("a", "b"),
        VALUES,
        {
            "a": (("a",), _writer.LATITUDE, {"standard_name": "latitude", "units": "degrees"}),
            "b": (("b",), _writer.LONGITUDE, {"standard_name": "longitude", "units": "degrees"}),
        },
    ),
    "names that say the other": (
        ("lon", "lat"),
        VALUES,
        {
            "lon": (("lon",), _writer.LATITUDE, {"standard_name": "latitude"}),
            "lat": (("lat",), _writer.LONGITUDE, {"standard_name": "longitude"}),
        },
    ),
    "radians": (
        ("lat", "lon"),
        VALUES,
        {
            "lat": (("lat",), np.radians(_writer.LATITUDE), {"standard_name": "latitude", "units": "radian"}),
            "lon": (("lon",), np.radians(_writer.LONGITUDE), {"standard_name": "longitude", "units": "radian"}),
        },
    ),
    "degrees westward": (
        ("lat", "lon"),
        VALUES,
        {
            "lat": (("lat",), _writer.LATITUDE, NORTH),
            "lon": (("lon",), -_writer.LONGITUDE, {"standard_name": "longitude", "units": "degrees_west"}),
        },
    ),
    "coordinates beside numbered dimensions": (
        ("y", "x"),
        VALUES,
        {
            "y": (("y",), np.arange(5), {}),
            "latitude": (("y",), _writer.LATITUDE, NORTH),
            "longitude": (("x",), _writer.LONGITUDE, EAST),
        },
    ),
    "axes": (
        ("x", "y"),
        VALUES.T,
        {
            "y": (("y",), _writer.LATITUDE, {"units": "degrees_north", "axis": "Y"}),
            "x": (("x",), _writer.LONGITUDE, {"units": "degrees", "axis": "X"}),
        },
    ),
}


@pytest.mark.parametrize(("dimensions", "values", "coordinates"), LAYOUTS.values(), ids=LAYOUTS)
def test_attributes_say_which_coordinate_is_which(tmp_path, dimensions, values, coordinates):
    (field,) = read(tmp_path, grid=None, **coordinates, t2m=_writer.field(values, dimensions, units="K"))
    np.testing.assert_array_equal(field.values, VALUES)
    row, column = field.domain.index([40.0, 44.0], [5.0, 10.0])
    np.testing.assert_allclose([row, column], [[0, 4], [0, 5]], atol=1e-6)


@pytest.mark.parametrize(
    ("coordinates", "words"),
    [
        (
            {"lat": (("lat",), _writer.LATITUDE, NORTH), "lon": (("lon",), _writer.LONGITUDE, NORTH)},
            "one coordinate along x",
        ),
        (
            {"lat": (("lat",), _writer.LATITUDE, NORTH), "lon": (("lon",), _writer.LONGITUDE, {"units": "m"})},
            "expected degrees",
        ),
        (
            {
                "lat": (("lat",), _writer.LATITUDE, {"standard_name": "grid_latitude", "units": "degrees_north"}),
                "lon": (("lon",), _writer.LONGITUDE, {"standard_name": "grid_longitude", "units": "degrees_east"}),
            },
            "expected its last two dimensions",
        ),
    ],
)
def test_coordinates_that_contradict_each_other_are_refused(tmp_path, coordinates, words):
    with pytest.raises(NetcdfError, match=f"f.nc: variable t2m: .*{words}"):
        read(tmp_path, grid=None, **coordinates, t2m=_writer.field(VALUES, units="K"))


def those_read(tmp_path, **variables) -> list[tuple[str, float]]:
    """Name and value of the fields that are read."""
    return [(field.name, float(field.values[0, 0])) for field in read(tmp_path, **variables)]


NO_INSTANT = {
    "mean of a period": {"cell_methods": "time: mean"},
    "mean of a place and a period": {"cell_methods": "area: mean time: mean (interval: 1 hour)"},
    "maximum of a day within months": {"cell_methods": "time: maximum within days time: mean over days"},
    "spread": {"cell_methods": "realization: standard_deviation"},
    "highest member": {"cell_methods": "time: point realization: maximum"},
    "maximum of a place": {"cell_methods": "lat: lon: maximum"},
    "mean of heights": {"cell_methods": "height: mean"},
    "error": {"standard_name": "air_temperature standard_error"},
    "anomaly": {"standard_name": "air_temperature_anomaly"},
    "difference": {"units_metadata": "temperature: difference"},
    "cfgrib's average": {"GRIB_stepType": "avg"},
    "cfgrib's maximum": {"GRIB_stepType": "max"},
    "cfgrib's spread": {"GRIB_dataType": "es"},
    "netCDF-Java's average": {"Grib_Statistical_Interval_Type": "Average"},
    "another height": {"coordinates": "height"},
    "a percentile": {"coordinates": "percentile"},
}
INSTANT = {
    "point": {"cell_methods": "time: point"},
    "mean of a place": {"cell_methods": "area: mean"},
    "mean of members": {"cell_methods": "realization: mean time: point"},
    "cfgrib's instant": {"GRIB_stepType": "instant", "GRIB_dataType": "fc"},
    "cfgrib's name": {"standard_name": "unknown"},
    "its height": {"coordinates": "height_2m"},
}
LEVELS = {
    "height": ((), 80.0, {"standard_name": "height", "units": "m"}),
    "height_2m": ((), 2.0, {"units": "m"}),
    "percentile": ((), 90.0, {"units": "%"}),
}


@pytest.mark.parametrize("attributes", NO_INSTANT.values(), ids=NO_INSTANT)
def test_a_variable_of_our_name_that_says_it_is_no_instant_is_left_out_with_a_word(tmp_path, attributes, caplog):
    t2m = _writer.field(280.0, units="K", **attributes)
    tas = _writer.field(270.0, units="K", **({"standard_name": "air_temperature"} | attributes))
    assert those_read(tmp_path, t2m=t2m, tas=tas, **LEVELS) == []
    assert "variable t2m is not read: by its attributes it is no value of an instant at its height" in caplog.text


@pytest.mark.parametrize("attributes", INSTANT.values(), ids=INSTANT)
def test_a_variable_of_an_instant_is_read(tmp_path, attributes):
    assert those_read(tmp_path, t2m=_writer.field(280.0, units="K", **attributes), **LEVELS) == [("t2m", 280.0)]


def test_an_average_of_any_quantity_is_left_out_but_not_of_terrain(tmp_path):
    mean = {"cell_methods": "time: mean"}
    fields = {"tcc": (0.5, "1"), "sp": (9e4, "Pa"), "gust": (9.0, "m s-1"), "terrain": (100.0, "m")}
    variables = {name: _writer.field(value, units=unit, **mean) for name, (value, unit) in fields.items()}
    assert those_read(tmp_path, **variables) == [("terrain", 100.0)]
    maximum = _writer.field(9.0, units="m s-1", cell_methods="time: maximum")
    assert those_read(tmp_path, gust=maximum) == [("gust", 9.0)]


def test_a_climatology_is_no_weather(tmp_path):
    bounds = {"climatology": "bounds", "standard_name": "time", "units": "hours since 2022-08-24"}
    field = _writer.field(np.full((1, *_writer.SHAPE), 280.0), ("time", "lat", "lon"), units="K")
    path = _writer.write(tmp_path / "f.nc", _writer.GRID | {"time": (("time",), [6.0], bounds), "t2m": field})
    assert read_netcdf(path, OURS) == []


def test_the_standard_name_of_another_quantity_goes_before_a_name(tmp_path):
    humidity = _writer.field(0.01, units="kg kg-1", standard_name="specific_humidity")
    path = _writer.write(tmp_path / "f.nc", _writer.GRID | _writer.TIME | {"sp": humidity})
    assert [field.name for field in read_netcdf(path)] == ["specific_humidity"]
