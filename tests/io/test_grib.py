"""GRIB reading: scanning modes and grids written on purpose, eccodes' own iterator, the real files, and damage."""

import importlib.util
import pathlib

import eccodes
import numpy as np
import pytest

from mlrtma_dist.grid.domain import Corner, Domain, Size, wrap_longitude
from mlrtma_dist.io.grib import GribError, read_grib
from mlrtma_dist.io.grid_field import GriddedFileError
from mlrtma_dist.io.gridded import read_gridded

_SPEC = importlib.util.spec_from_file_location("grib_writer", pathlib.Path(__file__).with_name("grib_writer.py"))
_writer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_writer)
write_message = _writer.write_message

LONGLAT = Domain("t", "t", "+proj=longlat +R=6371229", Size(7, 5), 0.25, Corner(40.0, -10.0))
DOMAINS = {
    "lambert": Domain(
        "t",
        "t",
        "+proj=lcc +lat_1=40 +lat_2=40 +lat_0=40 +lon_0=255 +R=6371200",
        Size(7, 5),
        5000.0,
        Corner(37.2, 250.4),
    ),
    "polar_stereographic": Domain(
        "t", "t", "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=210 +R=6371229", Size(6, 7), 3000.0, Corner(60.0, 200.0)
    ),
    "regular_ll": LONGLAT,
    "regular_ll, edition 1": LONGLAT,
}
T2M = (("parameterCategory", 0), ("parameterNumber", 0), ("typeOfFirstFixedSurface", 103), ("level", 2))


def save(tmp_path, *messages: bytes):
    path = tmp_path / "file.grib"
    path.write_bytes(b"".join(messages))
    return path


def pattern(domain):
    """A value of its own for every point."""
    return 280.0 + np.arange(domain.size.y * domain.size.x, dtype=float).reshape(domain.shape)


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


NAMES = {
    "hrrr_swidaho/hrrr.20180722.hrrr.t00z.wrfsfcf01.grib2": (
        {
            "t2m",
            "d2m",
            "u10",
            "v10",
            "gust",
            "psfc",
            "visibility",
            "terrain",
            "land",
            "specific_humidity",
            "relative_humidity",
        },
        "2018-07-22T01:00:00",
        True,
    ),
    "ruc13/2005080700_f12_background.grib": (
        {"t2m", "u10", "v10", "psfc", "relative_humidity"},
        "2005-08-07T12:00:00",
        True,
    ),
    "arome_arctic/arome_arctic_20180710_00z_surface.grib": (
        {"t2m", "u10", "v10", "psfc", "specific_humidity", "sea_level_pressure", "terrain", "sky_cover"},
        "2018-07-10T00:00:00",
        True,
    ),
    "arpege_france/arpege_10m_NW_20180501000000.grib": ({"u10", "v10"}, "2018-05-01T00:00:00", False),
    "arpege_france/arpege_2m_SE_20180501000000.grib": (
        {"t2m", "d2m", "relative_humidity"},
        "2018-05-01T00:00:00",
        False,
    ),
    "era5_uk/era5_t2m_uk_201903.grib": ({"t2m"}, "2019-03-01T00:00:00", False),
    "ndfd/conus_dewpoint_20090702.grib2": ({"d2m"}, "2009-07-02T06:00:00", False),
    "terrain/guam_terrain.grib": ({"terrain"}, "2007-01-01T00:00:00", False),
    "terrain/guam_landmask.grib": ({"land"}, "2007-01-01T00:00:00", False),
}
OURS = set.union(*(n for n, *_ in NAMES.values()))
# what the values of a field by that name must lie between, in SI, on every file above
PLAUSIBLE = {
    "t2m": (230, 330),
    "d2m": (220, 305),
    "u10": (-40, 40),
    "v10": (-40, 40),
    "gust": (0, 60),
    "psfc": (5e4, 1.05e5),
    "visibility": (0, 2e5),
    "terrain": (-100, 4500),
    "land": (0, 1),
    "specific_humidity": (0, 0.03),
    "relative_humidity": (0, 1.01),
    "sea_level_pressure": (9.5e4, 1.05e5),
    "sky_cover": (0, 1),
}


@pytest.mark.parametrize("file", NAMES)
def test_fields_of_real_files_are_recognised_with_their_time_and_in_si(real_data, file):
    expected, first_time, grid_relative = NAMES[file]
    first = np.datetime64(first_time, "s")
    fields = read_grib(real_data / file, OURS, (first - np.timedelta64(1, "D"), first + np.timedelta64(6, "h")))
    assert {f.name for f in fields} == expected
    assert str(min(f.valid_time for f in fields)) == first_time
    assert {f.grid_relative for f in fields} == {grid_relative}
    for field in fields:
        low, high = PLAUSIBLE[field.name]
        assert low <= np.nanmin(field.values) and np.nanmax(field.values) <= high, field.name
        assert field.reference_time <= field.valid_time
        if field.name == "sky_cover":
            assert np.nanmax(field.values) > 0.9, "a fraction, not a hundredth of one"


def test_names_and_window_keep_only_what_is_asked_for(real_data):
    path = real_data / "arome_arctic/arome_arctic_20180710_00z_surface.grib"
    window = np.datetime64("2018-07-10T02:00", "s"), np.datetime64("2018-07-10T06:00", "s")
    fields = read_grib(path, ("t2m", "terrain"), window)
    assert [str(f.valid_time)[11:13] for f in fields if f.name == "t2m"] == ["03", "06"]
    assert sum(f.name == "terrain" for f in fields) == 17


def test_a_message_on_an_unreadable_grid_matters_only_when_asked_for(tmp_path):
    handle = eccodes.codes_grib_new_from_samples("reduced_gg_pl_32_grib2")
    odd = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    path = save(tmp_path, odd, write_message(LONGLAT, pattern(LONGLAT), keys=T2M))
    assert [f.name for f in read_grib(path, ("t2m",))] == ["t2m"]
    with pytest.raises(GribError, match=r"message 1 at byte 0: grid type 'reduced_gg'.*lambert"):
        read_grib(path)


def test_statistics_and_errors_are_not_taken_for_the_quantity_itself(tmp_path):
    maximum = write_message(
        LONGLAT,
        pattern(LONGLAT),
        keys=(("productDefinitionTemplateNumber", 8), ("typeOfStatisticalProcessing", 2), *T2M),
    )
    error = write_message(LONGLAT, pattern(LONGLAT), keys=(*T2M, ("typeOfGeneratingProcess", 7)))
    plain = write_message(LONGLAT, pattern(LONGLAT), keys=T2M)
    assert [f.name == "t2m" for f in read_grib(save(tmp_path, maximum, error, plain))] == [False, False, True]


def sections(message: bytes) -> dict[int, bytes]:
    found, position = {}, 16
    while message[position:] != b"7777":
        length = int.from_bytes(message[position : position + 4])
        found[message[position + 4]] = message[position : position + length]
        position += length
    return found


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


def test_bulletin_headings_between_messages_are_skipped(tmp_path):
    message = write_message(LONGLAT, pattern(LONGLAT), keys=T2M)
    heading = b"****0000012345****\nYEUZ98 KWBN 020000\r\r\n"
    assert len(read_gridded(save(tmp_path, heading, message, heading, message, b"\n"))) == 2


def test_an_empty_missing_or_foreign_file_is_named(tmp_path):
    with pytest.raises(GriddedFileError, match=r"file\.grib: the file is empty"):
        read_gridded(save(tmp_path))
    with pytest.raises(GriddedFileError, match="nowhere.grib: cannot be read"):
        read_gridded(tmp_path / "nowhere.grib")
    with pytest.raises(GriddedFileError, match="expected GRIB or netCDF"):
        read_gridded(save(tmp_path, b"station,latitude\n"))
    with pytest.raises(GribError, match="byte 0: expected a GRIB message"):
        read_grib(save(tmp_path, b"x" * 2000))


@pytest.mark.parametrize("kind", ["regular_ll", "regular_ll, edition 1"])
def test_a_file_cut_anywhere_in_its_second_message_is_an_error_with_the_byte(tmp_path, kind):
    message = write_message(LONGLAT, pattern(LONGLAT), kind=kind)
    assert len(read_grib(save(tmp_path, message, message))) == 2
    for kept in range(4, len(message), 7):
        with pytest.raises(GribError, match=f"file.grib: message 2 at byte {len(message)}: truncated"):
            read_grib(save(tmp_path, message, message[:kept]))


@pytest.mark.parametrize("kind", ["regular_ll", "lambert", "rotated_ll", "regular_ll, edition 1"])
def test_damaged_bytes_end_in_a_named_error_or_a_whole_field(tmp_path, kind):
    domain = DOMAINS.get(kind, LONGLAT)
    message = write_message(domain, pattern(domain), kind=kind, first=(-3.0, -4.0) if kind == "rotated_ll" else None)
    seed = np.random.SeedSequence().entropy % 2**32
    generator = np.random.default_rng(seed)
    for _ in range(100):
        damaged = bytearray(message)
        for place in generator.integers(0, len(message), generator.integers(1, 6)):
            damaged[place] = generator.integers(256)
        try:
            fields = read_grib(save(tmp_path, bytes(damaged)))
        except GribError as error:
            assert "file.grib" in str(error), f"seed {seed}"
        else:
            assert all(f.values.shape == f.domain.shape for f in fields), f"seed {seed}"


@pytest.mark.parametrize(
    ("section", "octet", "value"),
    [(5, 6, 99), (5, 20, 185), (5, 32, 99), (5, 37, 200), (5, 47, 227), (5, 36, 135), (5, 46, 77), (3, 7, 99)],
)
def test_packed_groups_that_contradict_their_header_never_reach_the_decoder(tmp_path, section, octet, value):
    """eccodes 2.50 ends the process on several of these."""
    y, x = np.mgrid[0:40, 0:50]
    domain = Domain("t", "t", LONGLAT.projection, Size(50, 40), 0.25, LONGLAT.corner)
    message = write_message(
        domain, 280 + np.sin(y / 3) * x, keys=(("packingType", "grid_complex_spatial_differencing"),)
    )
    assert read_grib(save(tmp_path, message))[0].values.shape == (40, 50)
    start = message.index(sections(message)[section])
    damaged = bytearray(message)
    damaged[start + octet - 1] = value
    with pytest.raises(GribError, match="message 1 at byte 0"):
        read_grib(save(tmp_path, bytes(damaged)))
