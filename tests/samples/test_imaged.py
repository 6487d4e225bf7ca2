"""Imagery from gridded files: of the nearest time, on the domain's grid, and no error where there is none."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from report_cases import hour

from mlrtma_dist import config
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.io.grid_field import GriddedFileError
from mlrtma_dist.io.gridded import read_gridded
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples import imaged
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.file_patterns import FilePattern
from mlrtma_dist.samples.imaged import FileChannel, ImageFiles
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.samples.store import Store

HOUR = np.datetime64("2026-01-01T06:00:00", "s")
CHANNELS = {"warm": FileChannel("CMI13", "K"), "bright": FileChannel("CMI02", "1")}


def plane(latitude, longitude):
    """A field that is linear in both, so that interpolation is exact."""
    return 250.0 + 2.0 * (latitude - 40.0) - 1.5 * (longitude + 110.0)


def write_images(path, times, step=0.05, missing=(), names=("CMI13", "CMI02")):
    """A CF file of two channels; that of hour n is the plane + n; rows of ``missing`` latitudes are filled."""
    domain = load_domain("toy")
    corners = domain.latitude_longitude(slice(0, domain.size.y), slice(0, domain.size.x))
    latitude, longitude = (np.arange(each.min() - 0.5, each.max() + 0.5, step) for each in corners)
    with netCDF4.Dataset(path, "w") as file:
        for name, axis, units in (("lat", latitude, "degrees_north"), ("lon", longitude, "degrees_east")):
            file.createDimension(name, len(axis))
            file.createVariable(name, "f8", (name,))[:] = axis
            file[name].units = units
        file.createDimension("time", len(times))
        file.createVariable("time", "f8", ("time",))[:] = [(each - HOUR) / np.timedelta64(60, "s") for each in times]
        file["time"].units = f"minutes since {str(HOUR).replace('T', ' ')}"
        for name in names:
            variable = file.createVariable(name, "f4", ("time", "lat", "lon"), fill_value=-9999.0)
            for number in range(len(times)):
                values = plane(latitude[:, None], longitude[None, :]) + number
                values[np.isin(np.arange(len(latitude)), missing)] = -9999.0
                variable[number] = values
    return str(path)


def expected_plane():
    domain = load_domain("toy")
    return plane(*domain.latitude_longitude(slice(0, domain.size.y), slice(0, domain.size.x)))


def minutes(*numbers):
    return [HOUR + np.timedelta64(number, "m") for number in numbers]


def test_the_image_nearest_in_time_is_interpolated_to_the_domain(tmp_path):
    domain = load_domain("toy")
    files = ImageFiles(CHANNELS, (write_images(tmp_path / "images.nc", minutes(-25, 10, 20)),))
    imagery = files.of(HOUR, domain)
    assert imagery.box == Box.whole(domain.shape) and set(imagery.values) == {"warm", "bright"}
    np.testing.assert_allclose(imagery.values["warm"], expected_plane() + 1.0, atol=2e-3)
    assert not replace(files, minutes=5.0).of(HOUR, domain).values
    assert files.of(HOUR + np.timedelta64(2, "h"), domain).values == {}


@pytest.mark.parametrize("step", [0.02, 0.05])
def test_a_finer_image_is_averaged_and_missing_pixels_stay_missing(tmp_path, step):
    domain = load_domain("toy")
    band = np.arange(30, 60) if step == 0.02 else np.arange(12, 24)  # 0.6 degrees, 13 points of 5 km
    path = write_images(tmp_path / "images.nc", minutes(0), step, band)
    image = ImageFiles(CHANNELS, (path,)).of(HOUR, domain).values["warm"]
    present = np.isfinite(image)
    assert 0.02 < 1.0 - present.mean() < 0.25
    np.testing.assert_allclose(image[present], expected_plane()[present], atol=0.1)


def test_a_fine_image_of_noise_is_averaged_over_the_cells_of_the_domain(tmp_path):
    domain = load_domain("toy")
    path = write_images(tmp_path / "images.nc", minutes(0), 0.01, names=("CMI13",))
    with netCDF4.Dataset(path, "a") as file:
        file["CMI13"][:] = np.random.default_rng(0).normal(0.0, 1.0, file["CMI13"].shape)
    image = ImageFiles(CHANNELS, (path,)).of(HOUR, domain).values
    assert set(image) == {"warm"}  # a file without a channel leaves it out
    assert image["warm"].std() < 0.25  # of 5 x 5 pixels 0.2


def test_a_channel_of_grib_is_named_by_its_short_name(tmp_path):
    spec = importlib.util.spec_from_file_location("grib_writer", Path(__file__).parents[1] / "io" / "grib_writer.py")
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    domain, expected = writer.LONGLAT, writer.pattern(writer.LONGLAT)
    keys = (("discipline", 0), ("parameterCategory", 1), ("parameterNumber", 3))  # precipitable water
    when = (("dataDate", 20260101), ("dataTime", 600))
    path = writer.save(tmp_path, writer.write_message(domain, expected, keys=(*keys, *when)))
    (field,) = read_gridded(path)
    assert field.name == "pwat" and field.valid_time == HOUR
    imagery = ImageFiles({"water": FileChannel("pwat", "kg m-2")}, (str(path),)).of(HOUR, domain)
    np.testing.assert_allclose(imagery.values["water"], expected, atol=1e-2)


def test_a_channel_on_several_levels_is_refused(tmp_path):
    path = write_images(tmp_path / "images.nc", minutes(0))
    (image,) = read_gridded(path, ("CMI13",))
    others = [replace(image, level=level) for level in (500.0, 850.0)]
    with pytest.raises(GriddedFileError, match=r"expected one field CMI13 at .*, got levels .*500, .*850"):
        imaged.nearest(others, HOUR)
    assert imaged.nearest([image, image], HOUR) is image


def section_of(toy_hour, **images):
    reports = Reports((str(toy_hour),), time=(str(HOUR),))
    return CasesSection("toy", reports, imagery=ImageFiles(CHANNELS, **images))


@pytest.fixture
def toy_hour(tmp_path):
    path = tmp_path / "reports.csv"
    write_csv(path, hour().observations)
    return path


def test_cases_of_report_files_have_the_images_of_a_pattern(tmp_path, toy_hour):
    write_images(tmp_path / "sat_202601010600.nc", minutes(0))
    pattern = FilePattern("sat_{time:%Y%m%d%H%M}.nc", every_minutes=15)
    section = section_of(toy_hour, patterns=(pattern,), folder=str(tmp_path))
    cases = open_cases(section, assumptions(load_settings("classical", ("t2m", "u10", "v10"))))
    assert cases.contents.imagery == ("warm", "bright") and cases.contents.imagery_units == ("K", "1")
    case = cases.case(0, Box(0, 40, 0, 50))
    np.testing.assert_allclose(case.imagery.values["bright"], expected_plane(), atol=2e-3)
    assert case.used.any() and cases.is_judged and len(cases.reports(0)) > 100


def test_of_a_pattern_the_nearest_file_that_is_there_counts_as_far_as_images_may_be_valid(tmp_path):
    domain, pattern = load_domain("toy"), FilePattern("sat_{time:%Y%m%d%H%M}.nc", every_minutes=15)
    files = ImageFiles(CHANNELS, patterns=(pattern,), folder=str(tmp_path))
    write_images(tmp_path / "sat_202601010530.nc", minutes(-30))
    assert files.of(HOUR, domain).values and not replace(files, minutes=29.0).of(HOUR, domain).values
    write_images(tmp_path / "sat_202601010615.nc", minutes(20, 15), names=("CMI13",))  # the second is the plane + 1
    images = files.of(HOUR, domain).values
    np.testing.assert_allclose(images["warm"], expected_plane() + 1.0, atol=2e-3)
    np.testing.assert_allclose(images["bright"], expected_plane(), atol=2e-3)
    late = replace(files, patterns=(replace(pattern, latency_minutes=10),))
    np.testing.assert_allclose(late.of(HOUR, domain).values["warm"], expected_plane(), atol=2e-3)


def test_a_missing_file_of_a_pattern_is_a_case_without_images_and_a_missing_file_by_name_an_error(tmp_path, toy_hour):
    assumed = assumptions(load_settings("classical", ("t2m",)))
    pattern = FilePattern("none_{time:%Y%m%d%H%M}.nc")
    cases = open_cases(section_of(toy_hour, patterns=(pattern,), folder=str(tmp_path)), assumed)
    assert not cases.case(0, Box(0, 40, 0, 50)).imagery.values
    named = open_cases(section_of(toy_hour, files=(str(tmp_path / "gone.nc"),)), assumed)
    with pytest.raises(GriddedFileError, match="gone.nc"):
        named.case(0, Box(0, 40, 0, 50))


def test_an_archive_with_images_becomes_a_store_with_them(tmp_path, toy_hour):
    toy_hour.rename(tmp_path / "reports_2026010106.csv")
    path = write_images(tmp_path / "images.nc", minutes(0))
    settings = f"""
domain: toy
archive:
  start: "2026-01-01T06:00"
  end: "2026-01-01T06:00"
  folder: {tmp_path}
  reports: [{{pattern: "reports_{{time:%Y%m%d%H}}.csv"}}]
imagery:
  channels: {{warm: {{field: CMI13, unit: K}}}}
  files: [{path}]
"""
    section = config.build(CasesSection, config.parse_yaml(settings, "test"), "test")
    cases = open_cases(section, assumptions(load_settings("classical", ("t2m",))))
    with Ranks.start(device="cpu") as ranks:
        build_store(tmp_path / "store.h5", cases, ranks)
    stored = Store(tmp_path / "store.h5").case(0, Box(0, 40, 0, 50)).imagery
    np.testing.assert_allclose(stored.values["warm"], expected_plane(), atol=2e-3)


@pytest.mark.parametrize(
    "more, words",
    [
        ({"channels": {}, "files": ("a.nc",)}, "expected channels, and files or patterns"),
        ({"channels": CHANNELS}, "expected channels, and files or patterns"),
        ({"channels": CHANNELS, "files": ("a.nc",), "minutes": -1.0}, "minutes: expected from 0 to 1440"),
    ],
)
def test_sections_without_channels_or_files_are_refused(more, words):
    with pytest.raises(ValueError, match=words):
        ImageFiles(**more)


def test_images_beside_a_simulated_world_are_refused():
    with pytest.raises(ValueError, match="imagery: expected null for cases of other sources"):
        CasesSection("toy", imagery=ImageFiles(CHANNELS, ("a.nc",)))
