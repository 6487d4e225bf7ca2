"""GRIB reading: every grid and scanning mode lies where eccodes' own iterator puts it; bitmaps, several fields."""

import importlib.util
import pathlib

import eccodes
import numpy as np
import pytest

from mlrtma_dist.grid.domain import wrap_longitude
from mlrtma_dist.io.grib import read_grib

_SPEC = importlib.util.spec_from_file_location("grib_writer", pathlib.Path(__file__).with_name("grib_writer.py"))
_writer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_writer)
DOMAINS, LONGLAT = _writer.DOMAINS, _writer.LONGLAT
pattern, save, sections, write_message = _writer.pattern, _writer.save, _writer.sections, _writer.write_message


@pytest.mark.parametrize("mode", range(0, 256, 16))
@pytest.mark.parametrize("kind", DOMAINS)
def test_every_scanning_mode_gives_the_same_field_on_the_same_grid(tmp_path, kind, mode):
    domain = DOMAINS[kind]
    (field,) = read_grib(save(tmp_path, write_message(domain, pattern(domain), kind=kind, mode=mode)))
    np.testing.assert_allclose(field.values, pattern(domain), atol=1e-4)
    row, column = domain.index(*field.domain.latitude_longitude())
    np.testing.assert_allclose(row, np.arange(domain.size.y)[:, None] * np.ones(domain.size.x), atol=5e-3)
    np.testing.assert_allclose(column, np.arange(domain.size.x) * np.ones((domain.size.y, 1)), atol=5e-3)


@pytest.mark.parametrize("mode", [0x40, 0x00, 0x80])
def test_a_rotated_grid_lies_where_eccodes_puts_it(tmp_path, mode):
    message = write_message(LONGLAT, pattern(LONGLAT), kind="rotated_ll", mode=mode, first=(-3.0, -4.0))
    (field,) = read_grib(save(tmp_path, message))
    expected = {round(value): place for value, *place in iterate(message)}
    latitude, longitude = field.domain.latitude_longitude()
    for value, *place in zip(field.values.ravel(), latitude.ravel(), longitude.ravel(), strict=True):
        assert place[0] == pytest.approx(expected[round(float(value))][0], abs=1e-4)
        assert wrap_longitude(place[1] - expected[round(float(value))][1]) == pytest.approx(0.0, abs=1e-4)


def iterate(message: bytes):
    """(value, latitude, longitude) of every point by eccodes' own iterator."""
    handle = eccodes.codes_new_from_message(message)
    columns = [eccodes.codes_get_double_array(handle, k) for k in ("values", "latitudes", "longitudes")]
    eccodes.codes_release(handle)
    return zip(*columns, strict=True)


def test_unequal_spacing_in_latitude_and_longitude_keeps_every_point(tmp_path):
    message = write_message(
        LONGLAT,
        pattern(LONGLAT),
        keys=(("jDirectionIncrementInDegrees", 0.1), ("latitudeOfLastGridPointInDegrees", 40.4)),
    )
    (field,) = read_grib(save(tmp_path, message))
    latitude, longitude = field.domain.latitude_longitude()
    np.testing.assert_allclose(latitude[:, 0], 40.0 + 0.1 * np.arange(5), atol=1e-9)
    np.testing.assert_allclose(longitude[0], -10.0 + 0.25 * np.arange(7), atol=1e-9)


def test_missing_points_are_nan_and_zero_is_a_value(tmp_path):
    values = pattern(LONGLAT) - 280.0
    values[2, 3] = 9999.0
    (field,) = read_grib(save(tmp_path, write_message(LONGLAT, values, missing=9999.0)))
    assert np.argwhere(np.isnan(field.values)).tolist() == [[2, 3]]
    assert field.values[0, 0] == 0.0
    assert field.values.dtype == np.float32


def test_the_nbm_field_is_smooth_and_lies_as_eccodes_says(real_data):
    """Scanning mode 80: read without turning every other row, neighbours north-south differ several times as much."""
    path = real_data / "nbm/conus_t2m_valid_20250901_01z.grib2"
    (field,) = read_grib(path)
    across, along = (float(np.abs(np.diff(field.values, axis=a)).mean()) for a in (0, 1))
    assert across < 1.2 * along
    unturned = field.values.copy()
    unturned[1::2] = unturned[1::2, ::-1]
    assert np.abs(np.diff(unturned, axis=0)).mean() > 10 * across
    with open(path, "rb") as file:
        handle = eccodes.codes_grib_new_from_file(file)
    order = eccodes.codes_get_values(handle).reshape(field.values.shape)
    np.testing.assert_array_equal(field.values[::2], order[::2].astype(np.float32))
    np.testing.assert_array_equal(field.values[1::2], order[1::2, ::-1].astype(np.float32))
    assert (field.name, str(field.valid_time)) == ("t2m", "2025-09-01T01:00:00")


def test_a_message_of_two_fields_gives_both(tmp_path):
    """NCEP writes u and v as sections 4-7 twice in one message; eccodes' own multi-field reader is the peer."""
    u, v = (
        write_message(
            LONGLAT,
            pattern(LONGLAT) * sign,
            keys=(
                ("parameterCategory", 2),
                ("parameterNumber", number),
                ("typeOfFirstFixedSurface", 103),
                ("level", 10),
            ),
        )
        for number, sign in ((2, 0.01), (3, -0.01))
    )
    body = b"".join(sections(u)[n] for n in sorted(sections(u))) + b"".join(sections(v)[n] for n in (4, 5, 6, 7))
    path = save(tmp_path, u[:8] + (20 + len(body)).to_bytes(8) + body + b"7777")
    fields = read_grib(path)
    assert [f.name for f in fields] == ["u10", "v10"]
    eccodes.codes_grib_multi_support_on()
    try:
        with open(path, "rb") as file:
            peer = [eccodes.codes_get_values(eccodes.codes_grib_new_from_file(file)) for _ in range(2)]
    finally:
        eccodes.codes_grib_multi_support_off()
    for field, values in zip(fields, peer, strict=True):
        np.testing.assert_array_equal(field.values.ravel(), values.astype(np.float32))
