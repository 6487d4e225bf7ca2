"""GRIB files that are cut off, damaged, empty or none: a named error or a whole field."""

import importlib.util
import pathlib

import numpy as np
import pytest

from mlrtma_dist.grid.domain import Domain, Size
from mlrtma_dist.io.grib import GribError, read_grib
from mlrtma_dist.io.grid_field import GriddedFileError
from mlrtma_dist.io.gridded import read_gridded

_SPEC = importlib.util.spec_from_file_location("grib_writer", pathlib.Path(__file__).with_name("grib_writer.py"))
_writer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_writer)
DOMAINS, LONGLAT, T2M = _writer.DOMAINS, _writer.LONGLAT, _writer.T2M
pattern, save, sections, write_message = _writer.pattern, _writer.save, _writer.sections, _writer.write_message


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
def test_damaged_bytes_end_in_a_named_error_or_a_whole_field(tmp_path, kind, seed):
    domain = DOMAINS.get(kind, LONGLAT)
    message = write_message(domain, pattern(domain), kind=kind, first=(-3.0, -4.0) if kind == "rotated_ll" else None)
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
