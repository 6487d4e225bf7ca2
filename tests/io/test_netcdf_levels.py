"""netCDF of other centres: which of several variables is the screen's, how units and times are spelled."""

import netCDF4
import numpy as np
import pytest

from mlrtma_dist.fields.gridded_state import BackgroundError, read_state
from mlrtma_dist.grid.domain import Corner, Domain, Size
from mlrtma_dist.io.field_codes import parse_codes
from mlrtma_dist.io.grid_field import GriddedFileError
from mlrtma_dist.io.netcdf import NetcdfError, read_netcdf

NOON = np.datetime64("2020-01-01T12:00", "s")
BOX = Domain("box", "box", "+proj=longlat +R=6371200", Size(3, 3), 1.0, Corner(41.0, 6.0))
HEIGHT = {"standard_name": "height", "units": "m", "positive": "up"}


class Writer:
    """A file over latitude and longitude at noon, variables added one by one."""

    def __init__(self, path, times=(12.0,), **time):
        self.path = path
        with netCDF4.Dataset(path, "w") as file:
            for key, values, unit in (("lat", np.arange(40.0, 45.0), "north"), ("lon", np.arange(5.0, 11.0), "east")):
                file.createDimension(key, len(values))
                file.createVariable(key, "f8", (key,)).units = f"degrees_{unit}"
                file[key][:] = values
            file.createDimension("time", len(times))
            file.createVariable("time", "f8", ("time",)).setncatts({"units": "hours since 2020-01-01"} | time)
            file["time"][:] = times

    def level(self, name: str, value: float, **attributes):
        """A dimension of one value."""
        with netCDF4.Dataset(self.path, "a") as file:
            file.createDimension(name, 1)
            file.createVariable(name, "f8", (name,)).setncatts(attributes)
            file[name][:] = value
        return self

    def scalar(self, name: str, value: float, **attributes):
        """A scalar variable."""
        with netCDF4.Dataset(self.path, "a") as file:
            file.createVariable(name, "f8", ()).setncatts(attributes)
            file[name][...] = value
        return self

    def field(self, name: str, value: float, levels=(), **attributes):
        """A variable over time, levels, latitude and longitude."""
        with netCDF4.Dataset(self.path, "a") as file:
            file.createVariable(name, "f4", ("time", *levels, "lat", "lon")).setncatts(attributes)
            file[name][:] = value
        return self


@pytest.fixture
def writer(tmp_path):
    return Writer(tmp_path / "f.nc")


def values_of(writer, codes=None):
    """Name -> the one value of each field of a file."""
    fields = read_netcdf(writer.path, ("t2m", "u10", "gust", "terrain", "psfc"), None, parse_codes(codes or {}))
    return {f.name: pytest.approx(float(np.unique(f.values).item()), rel=1e-6) for f in fields}


def test_of_one_standard_name_at_several_heights_the_screens_is_read(writer):
    writer.level("h0", 0.0, **HEIGHT).level("h2", 2.0, **HEIGHT).level("p", 500.0, units="hPa", positive="down")
    for name, level, value in (("t_0m", "h0", 300.0), ("t_500", "p", 250.0), ("t_2m", "h2", 280.0)):
        writer.field(name, value, (level,), standard_name="air_temperature", units="K")
    writer.scalar("h80", 80.0, **HEIGHT)
    writer.field("u_80m", 20.0, standard_name="eastward_wind", units="m s-1", coordinates="h80")
    writer.field("gust_0m", 12.0, ("h0",), standard_name="wind_speed_of_gust", units="m s-1")
    assert values_of(writer) == {"t2m": 280.0, "gust": 12.0}
    assert values_of(writer, {"u_80m": "u10"})["u10"] == 20.0  # what the user says goes before


def test_a_days_maximum_is_not_the_temperature_of_an_hour(writer):
    writer.field("tmax", 290.0, standard_name="air_temperature", units="K", cell_methods="time: maximum")
    writer.field("gmax", 9.0, standard_name="wind_speed_of_gust", units="m s-1", cell_methods="time: maximum")
    writer.field("tas", 280.0, standard_name="air_temperature", units="K", cell_methods="time: point")
    assert values_of(writer) == {"t2m": 280.0, "gust": 9.0}


def test_two_variables_that_say_the_same_are_an_error_and_a_choice_ends_it(writer):
    writer.field("skin", 300.0, standard_name="air_temperature", units="K")
    writer.field("air", 280.0, standard_name="air_temperature", units="K")
    with pytest.raises(NetcdfError, match=r"one variable for t2m, got skin, air.*--set cases.reports.codes="):
        values_of(writer)
    assert values_of(writer, {"air": "t2m"}) == {"t2m": 280.0}


@pytest.mark.parametrize("unit", ["K", "Kelvin", "degree_Celsius", "degrees C", "C", "°C"])
def test_a_temperature_is_the_same_in_every_spelling_of_its_unit(writer, unit):
    writer.field("t2m", 280.0 if unit.startswith("K") else 6.85, units=unit)
    assert values_of(writer) == {"t2m": 280.0}


@pytest.mark.parametrize(("unit", "factor"), [("m s**-1", 1.0), ("m.s-1", 1.0), ("m s^-1", 1.0), ("knots", 0.514444)])
def test_a_wind_is_the_same_in_every_spelling_of_its_unit(writer, unit, factor):
    writer.field("u10", 10.0 / factor, units=unit)
    assert values_of(writer) == {"u10": 10.0}


def test_terrain_may_be_given_as_geopotential(writer):
    writer.field("z", 9806.65, units="m**2 s**-2")
    assert values_of(writer, {"z": "terrain"}) == {"terrain": 1000.0}


@pytest.mark.parametrize(
    ("times", "attributes", "message"),
    [
        ((29.0,), {"units": "days since 2020-02-01", "calendar": "360_day"}, "Day out of range"),
        ((1e20,), {}, "outside range"),
        ((12.0,), {"units": "fortnights since yesterday"}, "units must be one of"),
        ((np.nan,), {}, "expected a time, got 'time' without a value"),
    ],
)
def test_a_time_that_is_no_date_is_an_error_with_the_variable(tmp_path, times, attributes, message):
    writer = Writer(tmp_path / "f.nc", times, **attributes).field("t2m", 280.0, units="K")
    with pytest.raises(NetcdfError, match=f"f.nc: variable t2m: .*{message}"):
        values_of(writer)


def test_a_start_of_the_forecast_that_is_missing_does_not_spoil_the_forecast(writer):
    writer.scalar("forecast_reference_time", np.nan, units="hours since 2020-01-01").field("t2m", 280.0, units="K")
    (field,) = read_netcdf(writer.path, ("t2m",))
    assert field.reference_time == field.valid_time == NOON


def test_texts_beside_the_fields_are_passed_over(writer):
    writer.field("t2m", 280.0, units="K")
    with netCDF4.Dataset(writer.path, "a") as file:
        file.createVariable("d2m", str, ("lat", "lon"))
    assert [f.name for f in read_netcdf(writer.path, ("t2m", "d2m"))] == ["t2m"]


def test_a_field_over_members_is_left_out_with_a_warning(writer, caplog):
    with netCDF4.Dataset(writer.path, "a") as file:
        file.createDimension("number", 3)
    writer.field("t2m", 280.0, ("number",), units="K")
    assert read_netcdf(writer.path, ("t2m",)) == []
    assert "variable t2m is over ('time', 'number', 'lat', 'lon'): not read" in caplog.text


def test_a_background_in_another_unit_than_it_says_is_refused(writer):
    writer.field("t2m", 7.0, units="K")
    with pytest.raises(GriddedFileError, match="t2m from 7 to 7 with the unit 'K': impossible; possible .* degC, degF"):
        read_state([writer.path], BOX, NOON)


def test_a_background_without_a_time_is_refused_by_that_reason(tmp_path):
    writer = Writer(tmp_path / "f.nc", units="1").field("t2m", 280.0, units="K")
    with netCDF4.Dataset(writer.path, "a") as file:
        file.createVariable("d2m", "f4", ("lat", "lon")).units = "K"
        file["d2m"][:] = 270.0
    with pytest.raises(BackgroundError, match="tells no valid time, expected one near 2020-01-01T12:00:00"):
        read_state([writer.path], BOX, NOON)
