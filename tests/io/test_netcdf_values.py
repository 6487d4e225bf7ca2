"""Masks and packing: what is missing is missing, and a mask that takes most of a field is read right or told."""

import importlib.util
import pathlib

import netCDF4
import numpy as np
import pytest

from mlrtma_dist.io.netcdf import NetcdfError, read_netcdf

_SPEC = importlib.util.spec_from_file_location("netcdf_writer", pathlib.Path(__file__).with_name("netcdf_writer.py"))
_writer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_writer)
KELVIN = np.linspace(265.0, 295.0, 30).reshape(_writer.SHAPE)
SHORT = {"scale_factor": np.float32(0.01), "add_offset": np.float32(273.15), "units": "K"}
PACKED = np.rint((KELVIN - 273.15) / 0.01).astype(np.int16)


def read(tmp_path, numbers, attributes, name="t2m"):
    """The one field of a variable, and the peer's reading of it (netCDF4's own masks and scales)."""
    variables = _writer.GRID | _writer.TIME | {name: (("lat", "lon"), numbers, attributes)}
    path = _writer.write(tmp_path / "f.nc", variables)
    (field,) = read_netcdf(path)
    return field


def peer(tmp_path, name="t2m"):
    with netCDF4.Dataset(tmp_path / "f.nc") as file:
        return np.ma.filled(np.ma.asarray(file[name][:]).astype(np.float32), np.nan)


UNPACKED = {
    "range of the packed type in kelvins": {"valid_range": np.array([200, 330], np.int16)},
    "range of another integer": {"valid_range": np.array([200, 330], np.int32)},
    "range of the unpacked type": {"valid_range": np.array([200.0, 330.0], np.float32)},
    "range with a fraction": {"valid_range": np.array([193.15, 333.15])},
    "two limits of the packed type": {"valid_min": np.int16(200), "valid_max": np.int16(330)},
    "one limit": {"valid_min": np.int16(200)},
    "in the wrong order": {"valid_range": np.array([330, 200], np.int16)},
}


@pytest.mark.parametrize("limits", UNPACKED.values(), ids=UNPACKED)
def test_valid_limits_in_unpacked_units_do_not_mask_good_values(tmp_path, limits):
    field = read(tmp_path, PACKED, SHORT | limits)
    np.testing.assert_allclose(field.values, KELVIN, atol=0.006)
    stated = all(np.asarray(limit).dtype.kind == "f" for limit in limits.values())
    assert ("the valid limits of t2m are taken for unpacked numbers" in field.note) is not stated


@pytest.mark.parametrize(
    "limits",
    [
        {"valid_range": np.array([-8000, 6000], np.int16)},
        {"valid_min": np.int16(-8000)},
        {"valid_max": np.int16(6000), "_FillValue": np.int16(-32767)},
    ],
)
def test_valid_limits_in_packed_numbers_mask_as_a_peer_has_it(tmp_path, limits):
    numbers = PACKED.copy()
    numbers[0, 0], numbers[1, 0], numbers[2, 2] = 6100, -8100, -32767
    field = read(tmp_path, numbers, SHORT | limits)
    np.testing.assert_allclose(field.values, peer(tmp_path), rtol=1e-6)
    assert np.isnan(field.values).sum() == 1 + ("valid_min" not in limits) + ("valid_max" not in limits)
    assert field.note == ""


def test_a_mark_beyond_packed_limits_stays_missing_where_it_takes_most_of_the_field(tmp_path):
    """Read as kelvins the limits would let the mark pass as 600.82 K; it is the nearer reading that counts."""
    numbers = np.where(KELVIN > 270.0, np.int16(32767), PACKED)
    field = read(tmp_path, numbers, SHORT | {"valid_range": np.array([-8000, 6000], np.int16)})
    np.testing.assert_array_equal(field.values, peer(tmp_path))
    assert np.isnan(field.values).mean() > 0.8 and "outside the valid limits of the file, and missing" in field.note


def test_limits_in_another_unit_than_the_values_are_told(tmp_path):
    field = read(tmp_path, KELVIN.astype(np.float32), {"units": "K", "valid_range": np.array([-60, 60], np.float32)})
    assert np.isnan(field.values).all() and "100% of the values of t2m are outside the valid limits" in field.note


@pytest.mark.parametrize(
    ("attribute", "mark", "numbers"),
    [
        ("_FillValue", np.int16(-32767), np.int16(-32767)),
        ("missing_value", np.int16(-9999), np.int16(-9999)),
        ("missing_value", np.float32(-9999.0), np.int16(-9999)),  # of another type
        ("missing_value", np.array([-1, -9999], np.int16), np.int16(-1)),  # of several one
        (None, None, np.int16(-32767)),  # the library's own
    ],
)
def test_marks_of_packed_numbers_are_missing(tmp_path, attribute, mark, numbers):
    packed = PACKED.copy()
    packed[2, 2] = numbers
    field = read(tmp_path, packed, SHORT | ({attribute: mark} if attribute else {}))
    assert np.argwhere(np.isnan(field.values)).tolist() == [[2, 2]] and field.note == ""


@pytest.mark.parametrize("mark", [np.float64(-9999.9), np.float32(1e20), np.float32(np.nan), np.int32(-999)])
def test_marks_of_floats_are_missing_whatever_their_type(tmp_path, mark):
    values = KELVIN.astype(np.float32)
    values[2, 2] = mark
    field = read(tmp_path, values, {"units": "K", "missing_value": mark})
    assert np.argwhere(np.isnan(field.values)).tolist() == [[2, 2]] and field.note == ""


def test_an_unpacked_number_that_equals_the_packed_mark_is_a_value(tmp_path):
    numbers = np.arange(30, dtype=np.int16).reshape(_writer.SHAPE)
    scale = {"scale_factor": 1.0, "add_offset": -5.0, "units": "m s-1", "missing_value": np.int16(0)}
    field = read(tmp_path, numbers, scale, "u10")
    assert np.isnan(field.values[0, 0]) and field.values[0, 5] == 0.0


def test_unsigned_bytes_are_read_without_their_sign(tmp_path):
    numbers = np.arange(225, 255, dtype=np.uint8).reshape(_writer.SHAPE)
    attributes = {"_Unsigned": "true", "_FillValue": np.int8(-1), "scale_factor": 1.0, "add_offset": 40.0, "units": "K"}
    field = read(tmp_path, numbers.view(np.int8), attributes)
    np.testing.assert_array_equal(field.values, numbers + 40.0)


def test_a_mark_that_most_values_have_is_told_by_its_name(tmp_path):
    cover = np.where(np.arange(30).reshape(_writer.SHAPE) < 24, 0.0, 0.7).astype(np.float32)
    field = read(tmp_path, cover, {"units": "1", "missing_value": np.float32(0.0)}, "sky_cover")
    assert field.note == "80% of the values of sky_cover are missing: they are missing_value 0"


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"scale_factor": "0.01"}, "expected numbers in scale_factor"),
        ({"scale_factor": 0.0}, "expected numbers and no zero in scale_factor"),
        ({"add_offset": np.nan}, "expected numbers and no zero"),
        ({"valid_range": np.array([1, 2, 3], np.int16)}, "expected two numbers in valid_range"),
        ({"valid_min": "200"}, "expected numbers in valid_min"),
    ],
)
def test_attributes_that_are_no_numbers_are_refused(tmp_path, attributes, words):
    with pytest.raises(NetcdfError, match=f"f.nc: variable t2m: {words}"):
        read(tmp_path, PACKED, {"units": "K"} | attributes)
