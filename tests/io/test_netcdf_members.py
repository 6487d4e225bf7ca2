"""Members in a netCDF file: which dimension is theirs, which of them is read, and where a file without mapping lies."""

import logging

import netCDF4
import numpy as np
import pytest
from member_file import write_members

from mlrtma_dist.grid.domain import Corner, Domain, Size
from mlrtma_dist.grid.interpolate import same_grid
from mlrtma_dist.io.gridded import member_names, read_gridded
from mlrtma_dist.io.netcdf import NetcdfError

LAMBERT = "+proj=lcc +lat_1=63 +lat_2=63 +lat_0=63 +lon_0=15 +R=6371000"
DOMAIN = Domain("t", "t", LAMBERT, Size(6, 9), 2500.0, Corner(58.4, 9.5))
TIMES = np.array(["2018-03-26T00", "2018-03-26T01"], "datetime64[s]")
VALUES = 280.0 + np.arange(2 * 4 * 9 * 6, dtype=np.float32).reshape(2, 4, 9, 6) / 16


@pytest.fixture
def path(tmp_path):
    return write_members(tmp_path / "members.nc", DOMAIN, TIMES, {"t2m": VALUES}, mapping=True)


@pytest.mark.parametrize("member", range(4))
def test_the_member_that_is_asked_for_is_read_at_every_time(path, member):
    fields = read_gridded(path, member=member)
    assert [field.name for field in fields] == ["t2m", "t2m"]
    assert [field.valid_time for field in fields] == TIMES.tolist()
    for field, expected in zip(fields, VALUES[:, member], strict=True):
        np.testing.assert_array_equal(field.values, expected)
        assert same_grid(field.domain, DOMAIN)


def test_without_a_member_the_variable_is_not_read_and_the_way_out_is_named(path, caplog):
    with caplog.at_level(logging.WARNING):
        assert read_gridded(path) == []
    assert "air_temperature_2m is over" in caplog.text and "--ensemble takes files of members" in caplog.text


def test_members_are_named_by_their_coordinate(path, tmp_path):
    assert member_names(path) == ("0", "1", "2", "3")
    other = write_members(tmp_path / "other.nc", DOMAIN, TIMES, {"t2m": VALUES}, names=[3, 5, 8, 9])
    assert member_names(other) == ("3", "5", "8", "9")


@pytest.mark.parametrize(
    ("dimension", "standard_name", "names"),
    [
        ("k", "realization", ("0", "1", "2", "3")),
        ("member", None, ("0", "1", "2", "3")),
        ("number", None, ("0", "1", "2", "3")),
        ("realization", None, ("0", "1", "2", "3")),
        ("pressure", None, ()),
        ("percentile", None, ()),
        ("number", "air_pressure", ()),
    ],
)
def test_a_dimension_of_members_is_known_by_its_standard_name_or_by_its_own(tmp_path, dimension, standard_name, names):
    with netCDF4.Dataset(tmp_path / "f.nc", "w") as file:
        for key, length in ((dimension, 4), ("lat", 3), ("lon", 3)):
            file.createDimension(key, length)
        file.createVariable("t2m", "f4", (dimension, "lat", "lon"))[:] = 280.0
        if standard_name:
            axis = file.createVariable(dimension, "i4", (dimension,))
            axis[:], axis.standard_name = np.arange(4), standard_name
    assert member_names(tmp_path / "f.nc") == names


def test_a_file_of_a_single_member_is_an_ordinary_field(tmp_path):
    path = write_members(tmp_path / "one.nc", DOMAIN, TIMES, {"t2m": VALUES[:, :1]}, mapping=True)
    assert member_names(path) == ()
    np.testing.assert_array_equal(read_gridded(path)[1].values, VALUES[1, 0])


def test_a_file_without_its_mapping_lies_where_a_projection_agrees_with_its_positions(tmp_path):
    path = write_members(tmp_path / "cut.nc", DOMAIN, TIMES, {"t2m": VALUES})
    field = read_gridded(path, member=2, projection=LAMBERT)[0]
    assert same_grid(field.domain, DOMAIN)
    np.testing.assert_array_equal(field.values, VALUES[0, 2])


@pytest.mark.parametrize(
    "projection",
    [
        None,
        LAMBERT.replace("lon_0=15", "lon_0=15.01"),  # 500 m east: a fifth of a cell
        "+proj=longlat +R=6371000",
    ],
)
def test_a_projection_that_disagrees_is_not_taken(tmp_path, projection):
    path = write_members(tmp_path / "cut.nc", DOMAIN, TIMES, {"t2m": VALUES})
    with pytest.raises(NetcdfError, match="'projection' is none"):
        read_gridded(path, member=0, projection=projection)


def test_a_variable_that_names_no_mapping_has_the_only_one_of_its_file(path):
    with netCDF4.Dataset(path, "a") as file:
        file.renameVariable("projection", "projection_lambert")
        file["air_temperature_2m"].delncattr("grid_mapping")
    assert same_grid(read_gridded(path, member=0)[0].domain, DOMAIN)
