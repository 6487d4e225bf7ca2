"""Elevation files: GRIB and netCDF by our own readers, GeoTIFF and HGT by rasterio, each where it says it is."""

import numpy as np
import pytest

from mlrtma_dist.fields.cell_means import cell_means
from mlrtma_dist.grid.domain import Corner, Domain, Size
from mlrtma_dist.io.elevation import open_elevation
from mlrtma_dist.io.grid_field import GriddedFileError
from mlrtma_dist.io.netcdf_write import NetcdfVariable, write_netcdf

UTM = "+proj=utm +zone=32 +datum=WGS84"


def height(latitude, longitude):
    """A plane over place, m."""
    return 200.0 + 30.0 * (np.asarray(latitude) - 46.0) + 10.0 * (np.asarray(longitude) - 9.0)


def all_of(grid) -> np.ndarray:
    return grid.read(slice(0, grid.shape[0]), slice(0, grid.shape[1]))


def positions(grid) -> tuple[np.ndarray, np.ndarray]:
    return grid.position(*np.indices(grid.shape))


def write_tif(path, values, transform, crs, **more) -> None:
    """A raster whose first row is the northernmost, as such files are."""
    rasterio = pytest.importorskip("rasterio")
    profile = {"driver": "GTiff", "count": 1, "dtype": values.dtype, "crs": crs, "transform": transform} | more
    with rasterio.open(path, "w", height=values.shape[0], width=values.shape[1], **profile) as file:
        file.write(values, 1)


def geographic_tif(path, steps=(0.01, 0.005), size=(40, 30), **more):
    """Pixels that are oblong in degrees, as high latitudes of global models have them."""
    from_origin = pytest.importorskip("rasterio.transform").from_origin
    longitude = 9.0 + steps[0] * (np.arange(size[1]) + 0.5)
    latitude = 46.5 - steps[1] * (np.arange(size[0]) + 0.5)
    values = height(latitude[:, None], longitude[None, :]).astype(np.float32)
    write_tif(path, values, from_origin(9.0, 46.5, *steps), "EPSG:4326", **more)


def test_a_geotiff_of_oblong_pixels_has_each_value_at_the_middle_of_its_pixel(tmp_path):
    geographic_tif(tmp_path / "a.tif")
    grid = open_elevation(tmp_path / "a.tif", "terrain")
    assert grid.shape == (40, 30) and grid.name == "a.tif"
    assert grid.spacing_metres == pytest.approx(0.005 * 111194.9, rel=1e-3)
    latitude, longitude = positions(grid)
    assert (np.diff(latitude, axis=0) > 0).all() and (np.diff(longitude, axis=1) > 0).all()
    np.testing.assert_allclose(all_of(grid), height(latitude, longitude), atol=1e-3)
    row, column = grid.index(latitude, longitude)
    np.testing.assert_allclose((row, column), np.indices(grid.shape), atol=1e-6)
    part = grid.read(slice(7, 19), slice(3, 5))
    np.testing.assert_array_equal(part, all_of(grid)[7:19, 3:5])


@pytest.mark.parametrize(
    ("unit", "metres"),
    [
        ("ft", 304.8),
        ("Feet", 304.8),
        ("US survey foot", 1000 * 1200 / 3937),
        ("km", 1e6),
        (" ", 1000.0),
        ("0.1 m", 100.0),
        ("degC", None),
        ("furlong", None),
    ],
)
def test_heights_of_a_raster_are_in_any_unit_of_length_that_other_files_may_use(unit, metres, tmp_path):
    from_origin = pytest.importorskip("rasterio.transform").from_origin
    rasterio = pytest.importorskip("rasterio")
    values = np.full((2, 3), 1000, dtype=np.int16)
    write_tif(tmp_path / "a.tif", values, from_origin(9.0, 46.5, 0.01, 0.01), "EPSG:4326")
    with rasterio.open(tmp_path / "a.tif", "r+") as file:
        file.units = (unit,)
    if metres is None:
        with pytest.raises(GriddedFileError, match=f"heights in one of m, km, foot.*{unit}"):
            open_elevation(tmp_path / "a.tif", "terrain")
    else:
        np.testing.assert_allclose(all_of(open_elevation(tmp_path / "a.tif", "terrain")), metres, rtol=1e-6)


def test_a_projected_geotiff_in_feet_with_a_missing_value_is_read_in_metres(tmp_path):
    from_origin = pytest.importorskip("rasterio.transform").from_origin
    rasterio = pytest.importorskip("rasterio")
    values = np.full((50, 60), 1000, dtype=np.int16)
    values[0, 0] = -9999
    write_tif(tmp_path / "b.tif", values, from_origin(500e3, 5.1e6, 90.0, 90.0), "EPSG:32632", nodata=-9999)
    with rasterio.open(tmp_path / "b.tif", "r+") as file:
        file.units = ("ft",)
    grid = open_elevation(tmp_path / "b.tif", "terrain")
    read = all_of(grid)
    assert np.isnan(read[-1, 0]) and np.isnan(read).sum() == 1  # the file's first row is the northernmost
    np.testing.assert_allclose(read[0], 304.8, rtol=1e-6)
    latitude, longitude = grid.position(49, 0)
    utm = Domain("u", "u", UTM, Size(2, 2), 90.0, Corner(float(latitude), float(longitude)))
    np.testing.assert_allclose((utm.x[0], utm.y[0]), (500e3 + 45.0, 5.1e6 - 45.0), atol=0.01)


def test_an_hgt_tile_is_placed_by_its_name(tmp_path):
    """SRTM: 1201 x 1201 heights, big-endian, rows from the north, edges shared, -32768 for a void."""
    pytest.importorskip("rasterio")
    steps = np.arange(1201) / 1200
    values = np.round(height(47.0 - steps[:, None], 9.0 + steps[None, :])).astype(">i2")
    values[600, 600] = -32768
    (tmp_path / "N46E009.hgt").write_bytes(values.tobytes())
    grid = open_elevation(tmp_path / "N46E009.hgt", "terrain")
    read = all_of(grid)
    np.testing.assert_allclose(grid.position(0, 0), (46.0, 9.0), atol=1e-9)
    assert np.isnan(read[600, 600]) and np.isnan(read).sum() == 1
    latitude, longitude = positions(grid)
    error = np.abs(read - height(latitude, longitude))
    assert np.nanmax(error) <= 0.51


def test_means_of_a_geotiff_are_those_of_gdals_own_averages(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    warp = pytest.importorskip("rasterio.warp")
    rough = 500.0 + 200.0 * np.random.default_rng(5).normal(size=(400, 400)).cumsum(axis=0).cumsum(axis=1) / 400
    write_tif(
        tmp_path / "c.tif", rough.astype(np.float32), rasterio.Affine(0.0025, 0, 8.5, 0, -0.0025, 46.9), "EPSG:4326"
    )
    target = Domain("u", "u", UTM, Size(20, 20), 3000.0, Corner(46.1, 8.6))
    west, north = target.x[0] - 1500.0, target.y[-1] + 1500.0
    peer = np.zeros(target.shape, dtype=np.float32)
    with rasterio.open(tmp_path / "c.tif") as file:
        warp.reproject(
            rasterio.band(file, 1),
            peer,
            dst_transform=rasterio.Affine(3000.0, 0, west, 0, -3000.0, north),
            dst_crs=UTM,
            resampling=warp.Resampling.average,
        )
    means = cell_means(target, [open_elevation(tmp_path / "c.tif", "terrain")])
    assert np.ptp(peer) > 100.0
    assert np.sqrt(np.mean((means - peer[::-1]) ** 2)) < 0.02 * np.ptp(peer)


def test_a_netcdf_and_a_grib_file_are_read_without_rasterio(tmp_path, real_data):
    latitude, longitude = 46.0 + 0.02 * np.arange(30), 8.0 + 0.02 * np.arange(40)
    axes = [
        NetcdfVariable("lat", ("lat",), latitude, {"units": "degrees_north"}, dtype="f8"),
        NetcdfVariable("lon", ("lon",), longitude, {"units": "degrees_east"}, dtype="f8"),
    ]
    values = height(latitude[:, None], longitude[None, :]).astype(np.float32)
    z = NetcdfVariable("z", ("lat", "lon"), values, {"standard_name": "height", "units": "m"})
    write_netcdf(tmp_path / "z.nc", {"lat": 30, "lon": 40}, [*axes, z], {})
    grid = open_elevation(tmp_path / "z.nc", "terrain")
    np.testing.assert_allclose(all_of(grid), height(*positions(grid)), atol=1e-3)
    guam = open_elevation(real_data / "terrain" / "guam_terrain.grib", "terrain")
    assert guam.shape == (193, 193) and 350 < all_of(guam).max() < 410


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 3}, "expected one band with a coordinate reference system, got 3 bands"),
        ({"crs": None}, "expected one band with a coordinate reference system, got none"),
        (
            {"units": "fathom"},
            "expected heights in one of m, km, foot, .* got 'fathom'",
        ),
        ({"turned": True}, "expected columns eastward and rows along the map"),
    ],
)
def test_a_raster_that_is_no_map_of_heights_is_refused(tmp_path, change, message):
    rasterio = pytest.importorskip("rasterio")
    transform = rasterio.Affine(0.01, 0.005 if "turned" in change else 0.0, 9.0, 0.0, -0.01, 46.5)
    profile = {"driver": "GTiff", "dtype": "int16", "height": 8, "width": 9, "count": change.get("count", 1)}
    profile |= {"transform": transform, "crs": change.get("crs", "EPSG:4326")}
    with rasterio.open(tmp_path / "x.tif", "w", **profile) as file:
        for band in range(profile["count"]):
            file.write(np.ones((8, 9), dtype=np.int16), band + 1)
        if "units" in change:
            file.units = (change["units"],)
    with pytest.raises(GriddedFileError, match=message):
        open_elevation(tmp_path / "x.tif", "terrain")


def test_a_file_that_is_no_grid_is_refused_with_its_path(tmp_path):
    pytest.importorskip("rasterio")
    (tmp_path / "words.txt").write_text("no elevations\n")
    with pytest.raises(GriddedFileError, match="words.txt: expected GRIB, netCDF or a raster that GDAL reads"):
        open_elevation(tmp_path / "words.txt", "terrain")
    with pytest.raises(GriddedFileError, match="no.tif: cannot be read"):
        open_elevation(tmp_path / "no.tif", "terrain")
