"""What a GRIB message is: names, times and SI values of the real files, statistics, grids that cannot be read."""

import importlib.util
import pathlib

import eccodes
import numpy as np
import pytest

from mlrtma_dist.io.grib import GribError, read_grib

_SPEC = importlib.util.spec_from_file_location("grib_writer", pathlib.Path(__file__).with_name("grib_writer.py"))
_writer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_writer)
LONGLAT, T2M = _writer.LONGLAT, _writer.T2M
pattern, save, write_message = _writer.pattern, _writer.save, _writer.write_message

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
