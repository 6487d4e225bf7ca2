"""CF netCDF reading: grids, names, units, times and errors, on files written for the purpose."""

import netCDF4
import numpy as np
import pyproj
import pytest

from mlrtma_dist.grid.domain import Corner, Domain, Size, wrap_longitude
from mlrtma_dist.grid.interpolate import same_grid
from mlrtma_dist.inference.georeference import coordinates, links
from mlrtma_dist.io.gridded import read_gridded
from mlrtma_dist.io.netcdf import NetcdfError, read_netcdf
from mlrtma_dist.io.netcdf_write import NetcdfVariable, write_netcdf

PROJECTED = {
    "lambert": ("+proj=lcc +lat_1=30 +lat_2=60 +lat_0=40 +lon_0=255 +R=6371200", (37.2, 250.4)),
    "polar stereographic": ("+proj=stere +lat_0=90 +lat_ts=60 +lon_0=210 +R=6371200", (60.0, 200.0)),
    "mercator": ("+proj=merc +lat_ts=20 +lon_0=145 +R=6371200", (12.35, 143.687)),
}
TIME = "hours since 2022-08-24 00:00:00"


def create(
    path,
    y,
    x,
    values,
    *,
    name="t2m",
    y_units="degrees_north",
    x_units="degrees_east",
    times=(6,),
    mapping=None,
    **attributes,
):
    """A file of one variable over (time, y, x)."""
    with netCDF4.Dataset(path, "w") as file:
        for key, axis, units in (("y", y, y_units), ("x", x, x_units)):
            file.createDimension(key, len(axis))
            file.createVariable(key, "f8", (key,)).units = units
            file[key][:] = axis
        file.createDimension("time", len(times))
        file.createVariable("time", "f8", ("time",)).units = TIME
        file["time"][:] = times
        if mapping:
            file.createVariable("crs", "i4", ()).setncatts(pyproj.CRS(mapping).to_cf())
            attributes["grid_mapping"] = "crs"
        fill = attributes.pop("_FillValue", None)
        kind = attributes.pop("kind", "f4")
        variable = file.createVariable(name, kind, ("time", "y", "x"), fill_value=fill)
        variable.setncatts(attributes)
        variable[:] = np.ma.stack([values + np.ma.zeros((len(y), len(x)))] * len(times))
    return path


@pytest.mark.parametrize("kind", PROJECTED)
@pytest.mark.parametrize(("units", "scale"), [("m", 1.0), ("km", 1e-3)])
def test_a_projected_grid_lies_where_its_mapping_says_rows_northward(tmp_path, kind, units, scale):
    projection, corner = PROJECTED[kind]
    domain = Domain("t", "t", projection, Size(7, 5), 2500.0, Corner(*corner))
    values = 280.0 + np.arange(35).reshape(5, 7)
    path = create(
        tmp_path / "f.nc",
        scale * domain.y[::-1],
        scale * domain.x,
        values[::-1],
        y_units=units,
        x_units=units,
        mapping=projection,
        units="K",
    )
    (field,) = read_gridded(path)
    np.testing.assert_array_equal(field.values, values)
    for coordinate, expected in zip(field.domain.latitude_longitude(), domain.latitude_longitude(), strict=True):
        np.testing.assert_allclose(wrap_longitude(coordinate - expected), 0.0, atol=1e-7)
    assert str(field.valid_time) == "2022-08-24T06:00:00"
    assert field.values.dtype == np.float32 and field.values.flags.c_contiguous


def test_latitude_and_longitude_may_descend_and_cross_the_date_line(tmp_path):
    latitude, longitude = np.arange(20.0, 9.0, -1.0), (np.arange(170.0, 191.0) + 180) % 360 - 180
    values = 260.0 + latitude[:, None] + np.arange(21) / 100
    (field,) = read_netcdf(create(tmp_path / "f.nc", latitude, longitude, values, units="K"))
    np.testing.assert_allclose(field.values, values[::-1].astype(np.float32))
    row, column = field.domain.index([20.0, 10.0], [-175.0, 172.0])
    np.testing.assert_allclose(row, [10, 0], atol=1e-9)
    np.testing.assert_allclose(column, [15, 2], atol=1e-9)


def test_names_come_from_standard_names_and_values_in_si(tmp_path):
    y, x = np.arange(40.0, 45.0), np.arange(5.0, 9.0)
    path = create(
        tmp_path / "f.nc", y, x, 15.0, name="tas", standard_name="air_temperature", units="degC", times=(0, 3, 6)
    )
    fields = read_netcdf(path, ("t2m",))
    assert [str(f.valid_time)[11:13] for f in fields] == ["00", "03", "06"]
    assert all((f.values == np.float32(288.15)).all() for f in fields)
    window = np.datetime64("2022-08-24T02:00", "s"), np.datetime64("2022-08-24T04:00", "s")
    assert len(read_netcdf(path, ("t2m",), window)) == 1
    assert read_netcdf(path, ("psfc",)) == []
    path = create(tmp_path / "p.nc", y, x, 950.0, name="ps", standard_name="surface_air_pressure", units="hPa")
    assert read_netcdf(path)[0].values.max() == 95000.0


def test_packed_integers_are_unpacked_and_missing_ones_are_nan(tmp_path):
    values = np.ma.masked_equal(np.array([[280.0, 281.0], [282.5, 9999.0]]), 9999.0)
    path = create(
        tmp_path / "f.nc",
        [40.0, 41.0],
        [5.0, 6.0],
        values,
        kind="i2",
        _FillValue=np.int16(-1),
        scale_factor=0.1,
        add_offset=273.15,
        units="K",
    )
    (field,) = read_netcdf(path)
    np.testing.assert_allclose(field.values, [[280.0, 281.0], [282.5, np.nan]], atol=0.06)


def test_wind_along_the_grid_is_told_from_wind_along_the_earth(tmp_path):
    projection, corner = PROJECTED["lambert"]
    domain = Domain("t", "t", projection, Size(7, 5), 2500.0, Corner(*corner))
    for standard_name, along in (("x_wind", True), ("eastward_wind", False)):
        path = create(
            tmp_path / f"{standard_name}.nc",
            domain.y,
            domain.x,
            5.0,
            name="wind",
            standard_name=standard_name,
            units="m s-1",
            y_units="m",
            x_units="m",
            mapping=projection,
        )
        (field,) = read_netcdf(path, ("u10",))
        assert field.grid_relative is along


def test_a_variable_called_by_our_name_counts_before_one_of_the_same_standard_name(tmp_path):
    path = create(tmp_path / "f.nc", [40.0, 41.0], [5.0, 6.0], 280.0, units="K", standard_name="air_temperature")
    with netCDF4.Dataset(path, "a") as file:
        increment = file.createVariable("t2m_increment", "f4", ("time", "y", "x"))
        increment.standard_name, increment.units = "air_temperature", "K"
        increment[:] = 1.0
        file.createDimension("level", 3)
        upper = file.createVariable("d2m", "f4", ("time", "level", "y", "x"))
        upper.units = "K"
        upper[:] = 250.0
    # and d2m, on levels, is not a screen-level field
    assert [f.source.split()[-1] for f in read_netcdf(path, ("t2m", "d2m"))] == ["t2m"]


def test_grids_units_and_files_that_cannot_be_read_are_named(tmp_path):
    path = create(tmp_path / "uneven.nc", [40.0, 41.0, 43.0], [5.0, 6.0], 280.0, units="K")
    with pytest.raises(NetcdfError, match="uneven.nc: variable t2m: the coordinate 'y' is not evenly spaced"):
        read_netcdf(path)
    path = create(tmp_path / "unit.nc", [40.0, 41.0], [5.0, 6.0], 280.0, units="furlong")
    with pytest.raises(NetcdfError, match="unit.nc: variable t2m: the unit 'furlong' of t2m is not understood"):
        read_netcdf(path)
    path = create(tmp_path / "mapping.nc", [0.0, 1e3], [0.0, 1e3], 280.0, units="K", y_units="m", x_units="m")
    with pytest.raises(NetcdfError, match="latitude and longitude, 1-D and in degrees, or y and x .* they are y, x"):
        read_netcdf(path)
    with netCDF4.Dataset(tmp_path / "curvilinear.nc", "w") as file:
        file.createDimension("south_north", 3)
        file.createDimension("west_east", 4)
        file.createVariable("t2m", "f4", ("south_north", "west_east")).units = "K"
    with pytest.raises(NetcdfError, match="no 1-D coordinate variable"):
        read_netcdf(tmp_path / "curvilinear.nc", ("t2m",))


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.7, 0.98])
def test_a_truncated_file_is_an_error_with_its_name(tmp_path, keep):
    generator = np.random.default_rng(9)
    path = create(
        tmp_path / "whole.nc",
        np.arange(40.0, 60.0),
        np.arange(0.0, 30.0),
        generator.normal(280, 5, (20, 30)),
        units="K",
    )
    data = path.read_bytes()
    cut = tmp_path / "cut.nc"
    cut.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(ValueError, match="cut.nc"):
        read_gridded(cut)


OURS = {
    "EPSG, laea on an ellipsoid": ("EPSG:3035", (40.0, -5.0), 5000.0),
    "EPSG, feet": ("EPSG:2263", (40.5, -74.2), 1000.0),
    "rotated pole": ("+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +R=6371200", (43.0, 5.0), 0.5),
    "longlat": ("+proj=longlat +R=6371200", (10.0, 175.0), 0.5),
}


@pytest.mark.parametrize("kind", [*OURS, *PROJECTED])
def test_every_grid_that_our_product_writes_is_read_back(tmp_path, kind):
    projection, corner, spacing = OURS.get(kind) or (*PROJECTED[kind], 2500.0)
    domain = Domain("t", "t", projection, Size(40, 25), spacing, Corner(*corner))
    values = np.arange(1000, dtype=np.float32).reshape(1, 25, 40) / 16
    time = NetcdfVariable("time", ("time",), np.array([6.0]), {"units": TIME}, dtype="f8")
    field = NetcdfVariable("u10", ("time", "y", "x"), values, {"units": "m s-1", **links(domain)})
    path = write_netcdf(tmp_path / "f.nc", {"time": 1, "y": 25, "x": 40}, [time, *coordinates(domain), field], {})
    (gridded,) = read_netcdf(path, ("u10",))
    np.testing.assert_array_equal(gridded.values, values[0])
    assert same_grid(gridded.domain, domain, tolerance=1e-6)
    assert gridded.domain.spacing_metres == pytest.approx(domain.spacing_metres, rel=1e-9)


@pytest.mark.parametrize("kind", ["rotated pole", "longlat", *PROJECTED])
def test_the_grid_mapping_alone_is_enough_without_projs_words(tmp_path, kind):
    """As another centre's file: CF attributes and crs_wkt, no PROJ string."""
    projection, corner, spacing = OURS.get(kind) or (*PROJECTED[kind], 2500.0)
    domain = Domain("t", "t", projection, Size(40, 25), spacing, Corner(*corner))
    path = write_netcdf(
        tmp_path / "f.nc",
        {"y": 25, "x": 40},
        [
            *coordinates(domain),
            NetcdfVariable("u10", ("y", "x"), np.ones((25, 40)), {"units": "m s-1", **links(domain)}),
        ],
        {},
    )
    with netCDF4.Dataset(path, "a") as file:
        file["projection"].delncattr("proj_string")
    assert same_grid(read_netcdf(path, ("u10",))[0].domain, domain, tolerance=1e-4)


def test_latitudes_may_be_finer_than_longitudes_and_every_point_keeps_its_place(tmp_path):
    y, x = np.arange(40.0, 43.0, 0.5), 359.0 + 0.625 * np.arange(8)  # MERRA-2's steps, across the prime meridian
    values = 280.0 + np.arange(48.0).reshape(6, 8)
    (field,) = read_netcdf(create(tmp_path / "f.nc", y, x, values, units="K"))
    np.testing.assert_array_equal(field.values, values)
    latitude, longitude = field.domain.latitude_longitude()
    np.testing.assert_allclose(latitude, np.broadcast_to(y[:, None], (6, 8)), atol=1e-9)
    np.testing.assert_allclose(wrap_longitude(longitude - x), 0.0, atol=1e-9)


def test_spacing_that_no_map_makes_square_is_refused(tmp_path):
    path = create(tmp_path / "f.nc", 40.0 + 2.0 * np.arange(4), [5.0, 6.0, 7.0], 280.0, units="K")
    with pytest.raises(NetcdfError, match="a finer one in latitude, got .*1.0, .*2.0.* degrees"):
        read_netcdf(path)
    lambert, options = PROJECTED["lambert"][0], {"y_units": "m", "x_units": "m", "units": "K"}
    path = create(tmp_path / "p.nc", 1e3 * np.arange(4), 2e3 * np.arange(3), 280.0, mapping=lambert, **options)
    with pytest.raises(NetcdfError, match="expected one spacing in x and y, got 2000.0 and 1000.0"):
        read_netcdf(path)
