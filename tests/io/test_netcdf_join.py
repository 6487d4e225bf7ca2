"""Files joined along a dimension: each value as it was stored; what does not belong together is refused."""

import importlib.util
import pathlib

import netCDF4
import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.netcdf_join import attribute_of, join

_SPEC = importlib.util.spec_from_file_location("netcdf_writer", pathlib.Path(__file__).with_name("netcdf_writer.py"))
_writer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_writer)
GRID, SHAPE, write = _writer.GRID, _writer.SHAPE, _writer.write


def hour(path, number: int, units: str = "hours since 2022-08-24", **more):
    """A file of one time with a packed and a plain field, and one that has no time."""
    values = np.random.default_rng(number).integers(-900, 900, (1, *SHAPE)).astype("i2")
    packed = {"scale_factor": 0.1, "_FillValue": np.int16(-999), "units": "K"}
    fields = {
        "time": (("time",), [float(number)], {"units": units}),
        "t": (("time", "lat", "lon"), values, packed),
        "u": (("time", "lat", "lon"), values.astype("f4") / 3, {"units": "m s-1"}),
        "height": (("lat", "lon"), np.arange(30.0).reshape(SHAPE), {"units": "m"}),
    }
    write(path, GRID | fields | more)
    with netCDF4.Dataset(path, "a") as file:
        file.setncatts({"title": "a field", "hour": str(number)})
    return path


def test_every_value_is_the_one_that_was_stored(tmp_path):
    paths = [hour(tmp_path / f"{number}.nc", number) for number in (3, 1, 7)]
    path = join(paths, tmp_path / "new/day.nc", "time", {"note": "joined"})
    with netCDF4.Dataset(path) as day:
        day.set_auto_maskandscale(False)
        assert {name: len(each) for name, each in day.dimensions.items()} == {"lat": 5, "lon": 6, "time": 3}
        assert list(day["time"][:]) == [3.0, 1.0, 7.0]
        for number, single in enumerate(paths):
            with netCDF4.Dataset(single) as own:
                own.set_auto_maskandscale(False)
                for name in ("t", "u"):
                    np.testing.assert_array_equal(day[name][number], own[name][0])
                    assert {a: day[name].getncattr(a) for a in day[name].ncattrs()} == {
                        a: own[name].getncattr(a) for a in own[name].ncattrs()
                    }
                np.testing.assert_array_equal(day["height"][:], own["height"][:])
        assert {name: day.getncattr(name) for name in day.ncattrs()} == {"title": "a field", "note": "joined"}
    assert attribute_of(path, "note") == "joined" and attribute_of(path, "hour") == ""
    assert attribute_of(tmp_path / "none.nc", "note") == ""


def test_files_that_do_not_belong_together_are_refused_and_nothing_is_written(tmp_path):
    first = hour(tmp_path / "0.nc", 0)
    others = {
        "units": hour(tmp_path / "1.nc", 1, units="seconds since 1970-01-01"),
        "more": hour(tmp_path / "2.nc", 2, v=(("lat",), np.zeros(5), {})),
        "without": write(tmp_path / "3.nc", GRID),
    }
    (tmp_path / "4.nc").write_bytes(b"no netCDF")
    for path in (*others.values(), tmp_path / "4.nc"):
        with pytest.raises(InputError, match=path.name):
            join([first, path], tmp_path / "day.nc", "time", {})
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"{number}.nc" for number in range(5)]
