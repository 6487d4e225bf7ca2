"""Columns of netCDF report files: the same values whatever the format of the file and its way to say "missing"."""

import netCDF4
import numpy as np
import pytest

from mlrtma_dist.io.netcdf_reports import is_netcdf, read_columns, variable_names

KELVIN = np.array([280.0, np.nan, 290.5])
NAMES = ["KDEN", "", "KLAX"]
CLASSIC = ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA")


def written(path, form, *, kind="f4", fill=None, strings=False, **attributes) -> bytes:
    """A file of three reports: temperature in K, the second missing, and names."""
    with netCDF4.Dataset(path, "w", format=form) as file:
        file.createDimension("report", None)
        file.createDimension("letter", 6)
        variable = file.createVariable("temperature", kind, ("report",), fill_value=fill)
        variable.setncatts(attributes)
        variable.set_auto_maskandscale(False)
        missing = attributes.get("missing_value", fill)
        missing = netCDF4.default_fillvals[kind] if missing is None else missing
        packed = (KELVIN - attributes.get("add_offset", 0.0)) / attributes.get("scale_factor", 1.0)
        variable[:] = np.where(np.isnan(packed), missing, packed.round(6)).astype(kind)
        if strings:
            file.createVariable("name", str, ("report",))[:] = np.array(NAMES, dtype=object)
        else:
            letters = np.array([list(name.ljust(6, "\0")) for name in NAMES], dtype="S1")
            file.createVariable("name", "S1", ("report", "letter"))[:] = letters
    return path.read_bytes()


@pytest.mark.parametrize(
    "attributes",
    [
        {"fill": np.float32(-9999.0)},
        {"missing_value": np.float32(-9999.0)},
        {"fill": np.float32(3.4e38), "missing_value": np.float32(-9999.0)},
        {},
        {"kind": "i2", "fill": np.int16(-32768), "scale_factor": 0.5, "add_offset": 273.0},
    ],
)
@pytest.mark.parametrize("form", [*CLASSIC, "NETCDF4"])
def test_values_and_names_are_the_same_in_every_format_and_packing(tmp_path, form, attributes):
    data = written(tmp_path / "f.nc", form, **attributes)
    assert is_netcdf(data) and variable_names(data, "f.nc") == {"temperature", "name"}
    columns = read_columns(data, "f.nc", ("temperature", "name", "absent"))
    np.testing.assert_array_equal(columns["temperature"], KELVIN)
    assert columns["name"].tolist() == NAMES and set(columns) == {"temperature", "name"}


def test_names_written_as_strings_are_read_like_names_written_letter_by_letter(tmp_path):
    data = written(tmp_path / "f.nc", "NETCDF4", strings=True)
    assert read_columns(data, "f.nc", ("name",))["name"].tolist() == NAMES
