"""Every real gridded file: each field's values at their places as eccodes' own iterator gives them."""

import eccodes
import numpy as np
import pytest
import xarray

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.gridded_state import read_state
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.io.field_codes import code_of_message, parse_codes
from mlrtma_dist.io.gridded import read_gridded

PLACES = 4000  # points compared of each field
# (file, name) -> factor of our SI values over the file's
FILES = {
    "urma/alaska_tmax_20170824_12z_to_20170825_00z.grib2": {"tmax": 1.0},
    "urma/hawaii_tmax_20170824_12z_to_20170825_00z.grib2": {"tmax": 1.0},
    "urma/puerto_rico_tmax_20170824_12z_to_20170825_00z.grib2": {"tmax": 1.0},
    "nbm/conus_t2m_valid_20250901_01z.grib2": {"t2m": 1.0},
    "ndfd/conus_dewpoint_20090702.grib2": {"d2m": 1.0},
    "ncv/grib_files_200711210135_NCV_VISIBILITY_A.grb2": {"visibility": 1.0},
    "ncv/grib_files_200711210135_NCV_CEILING_A.grb2": {"h": 1.0},
    "ncv/grib_files_200711210135_NCV_FLIGHTCAT_A.grb2": {"unknown": 1.0},
    "ruc13/2005080700_f12_background.grib": {"t2m": 1.0, "v10": 1.0, "psfc": 1.0, "relative_humidity": 0.01},
    "ruc13/2005080712_f00_analysis.grib": {"t2m": 1.0, "u10": 1.0, "psfc": 1.0, "relative_humidity": 0.01},
    "arome_arctic/arome_arctic_20180710_00z_surface.grib": {"t2m": 1.0, "terrain": 1 / 9.80665, "u10": 1.0},
    "arpege_france/arpege_10m_NW_20180501000000.grib": {"u10": 1.0, "v10": 1.0},
    "arpege_france/arpege_10m_SE_20180501000000.grib": {"u10": 1.0, "v10": 1.0},
    "arpege_france/arpege_2m_NW_20180501000000.grib": {"t2m": 1.0, "d2m": 1.0, "relative_humidity": 0.01},
    "arpege_france/arpege_2m_SE_20180501000000.grib": {"t2m": 1.0, "d2m": 1.0, "relative_humidity": 0.01},
    "hrrr_swidaho/hrrr.20180722.hrrr.t00z.wrfsfcf01.grib2": {"t2m": 1.0, "d2m": 1.0, "gust": 1.0, "terrain": 1.0},
    "era5_uk/era5_t2m_uk_201903.grib": {"t2m": 1.0},
    "terrain/alaska_terrain.grib2": {"terrain": 1.0},
    "terrain/alaska_landmask.grib2": {"land": 1.0},
    "terrain/conus_terrain.grib2": {"terrain": 1.0},
    "terrain/conus_landmask.grib2": {"land": 1.0},
    "terrain/guam_terrain.grib": {"terrain": 1.0},
    "terrain/guam_landmask.grib": {"land": 1.0},
    "terrain/hawaii_terrain.grib2": {"terrain": 1.0},
    "terrain/hawaii_landmask.grib2": {"land": 1.0},
    "terrain/puerto_rico_terrain.grib2": {"terrain": 1.0},
    "terrain/puerto_rico_landmask.grib2": {"land": 1.0},
}
NEVER_NEGATIVE = ("visibility", "ceiling")  # -9999 is "none" there


def peer(path, number):
    """Latitudes, longitudes and values of a file's message, in its own order, by eccodes alone.

    eccodes' iterator does not turn the rows of scanning mode 80 (NBM, NDFD); test_grib.py shows that they must be.
    """
    with open(path, "rb") as file:
        eccodes.codes_grib_multi_support_on()
        try:
            for _ in range(number):
                handle = eccodes.codes_grib_new_from_file(file)
        finally:
            eccodes.codes_grib_multi_support_off()
    eccodes.codes_set(handle, "missingValue", 1e20)
    columns = [eccodes.codes_get_double_array(handle, key) for key in ("latitudes", "longitudes", "values")]
    if eccodes.codes_get(handle, "alternativeRowScanning", int):
        grid = columns[2].reshape(eccodes.codes_get(handle, "Ny"), -1)
        grid[1::2] = grid[1::2, ::-1].copy()
    eccodes.codes_release(handle)
    return columns


@pytest.mark.parametrize("file", FILES)
def test_values_lie_where_eccodes_puts_them(real_data, file):
    path = real_data / file
    fields = read_gridded(path)
    for name, factor in FILES[file].items():
        number, field = next((k, f) for k, f in enumerate(fields, start=1) if f.name == name)
        latitude, longitude, values = peer(path, number)
        some = np.unique(np.linspace(0, len(values) - 1, PLACES).astype(int))
        row, column = field.domain.index(latitude[some], longitude[some])
        # GRIB1 knows one sphere and NCEP's files use another (tests/io/test_grib.py): Guam by a fifth of a box
        assert np.abs(row - np.rint(row)).max() < 0.25 and np.abs(column - np.rint(column)).max() < 0.25
        ours = field.values[np.rint(row).astype(int), np.rint(column).astype(int)]
        theirs = np.where(values[some] > 1e19, np.nan, values[some])
        theirs = np.where(theirs < 0, np.nan, theirs) if name in NEVER_NEGATIVE else theirs
        np.testing.assert_allclose(ours, theirs.astype(np.float32) * np.float32(factor), rtol=3e-7, atol=1e-6)
        assert np.isfinite(ours).any()


def test_the_national_ceiling_analysis_is_read_by_a_mapping_of_the_users(real_data):
    """Its ceiling is coded as a geometric height at the cloud base, which elsewhere is a height above the sea."""
    path = real_data / "ncv/grib_files_200711210135_NCV_CEILING_A.grb2"
    (field,) = read_gridded(path, codes=parse_codes({"0.3.6@2": "ceiling"}))
    _, _, values = peer(path, 1)
    assert field.name == "ceiling" and np.nanmin(field.values) >= 0
    assert np.isfinite(field.values).sum() == ((values >= 0) & (values < 1e19)).sum() > 1000
    time = field.valid_time
    with pytest.raises(InputError, match="say what its codes mean"):
        read_state([path], load_domain("conus"), time)
    state, _ = read_state([path], load_domain("conus"), time, parse_codes({"0.3.6@2": "ceiling"}))
    assert set(state.values) == {"ceiling"}


def test_a_local_grib1_table_and_a_level_are_chosen_by_a_mapping_of_the_users(real_data):
    path = real_data / "ruc13/2005080700_f12_background.grib"
    (field,) = read_gridded(path, ("t2m",), codes=parse_codes({"2.11@100:850": "t2m", "2.11@105:2": "land"}))
    assert (field.level_type, field.level) == ("isobaricInhPa", 850.0)
    assert len(read_gridded(path, ("t2m",), codes=parse_codes({"2.11@100": "t2m"}))) > 30
    arome = real_data / "arome_arctic/arome_arctic_20180710_00z_surface.grib"
    plain = read_gridded(arome, ("t2m",))
    renamed = read_gridded(arome, ("d2m",), codes=parse_codes({"253.11@105:2": "d2m"}))
    assert len(plain) == len(renamed) == 17
    np.testing.assert_array_equal(plain[3].values, renamed[3].values)


def test_a_level_of_a_netcdf_variable_is_chosen_and_the_rest_is_what_xarray_reads(tmp_path):
    path = tmp_path / "levels.nc"
    values = 270.0 + np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5) / 4
    dimensions = ("time", "height", "latitude", "longitude")
    coordinates = {
        "time": np.array(["2022-08-24T00", "2022-08-24T06"], dtype="datetime64[ns]"),
        "height": ("height", [2.0, 10.0, 100.0]),
        "latitude": ("latitude", [43.0, 42.0, 41.0, 40.0], {"units": "degrees_north"}),
        "longitude": ("longitude", [250.0, 251.0, 252.0, 253.0, 254.0], {"units": "degrees_east"}),
    }
    xarray.Dataset({"temp": (dimensions, values, {"units": "K"})}, coordinates).to_netcdf(path)
    fields = read_gridded(path, codes=parse_codes({"temp@height=10": "t2m"}))
    with xarray.open_dataset(path) as data:
        theirs = data.temp.sel(height=10.0).sortby("latitude").values
    assert [str(f.valid_time)[11:13] for f in fields] == ["00", "06"] and {f.name for f in fields} == {"t2m"}
    np.testing.assert_array_equal(np.stack([f.values for f in fields]), theirs)
    assert read_gridded(path) == []  # a field on levels is none of the surface
    with pytest.raises(InputError, match=r"variable temp: expected one level height = 5"):
        read_gridded(path, codes=parse_codes({"temp@height=5": "t2m"}))
    with pytest.raises(InputError, match=r"variable temp: expected a dimension 'depth'"):
        read_gridded(path, codes=parse_codes({"temp@depth=5": "t2m"}))


@pytest.mark.parametrize("text", ["0.3", "0.3.5@2:0", "253.11@105:2", "temp", "temp@height=-2.5"])
def test_codes_of_every_form_are_read(text):
    (code,) = parse_codes({text: "t2m"})
    assert bool(code.numbers) == text[0].isdigit() and code.name == "t2m"


def test_codes_match_only_what_they_say_and_a_wrong_one_names_the_forms():
    codes = parse_codes({"0.0.0@103:80": "t2m", "0.2.2@103": "u10"})
    assert code_of_message(codes, (0, 0, 0), 103, 80.0) == codes[0]
    assert code_of_message(codes, (0, 0, 0), 103, 2.0) is code_of_message(codes, (0, 0, 0), 1, 80.0) is None
    assert code_of_message(codes, (0, 2, 2), 103, 10.0) == codes[1]
    with pytest.raises(InputError, match="discipline.category.number"):
        parse_codes({"0.3.5@height": "t2m"})
    with pytest.raises(InputError, match="'t3m' is no name of a field"):
        parse_codes({"0.3.5": "t3m"})
