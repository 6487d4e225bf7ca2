"""Static: terrain and land of the shipped and of users' domains, and the points made of them."""

import dataclasses
import logging

import netCDF4
import numpy as np
import pyproj
import pytest

from mlrtma_dist.config import ConfigError
from mlrtma_dist.fields.simulated_terrain import simulate_terrain
from mlrtma_dist.fields.static import (
    LAND_RADIUS,
    TERRAIN_RADIUS,
    StaticError,
    grid_points,
    load_static,
    make_static,
    station_points,
)
from mlrtma_dist.grid.domain import EARTH_RADIUS, Corner, Domain, Size, load_domain

LAMBERT = "+proj=lcc +lat_1=40 +lat_2=40 +lat_0=40 +lon_0=255 +R=6371200"


def domain(x=60, y=50, spacing=2500.0, corner=(39.0, 254.0), **more) -> Domain:
    return Domain("test", "test", LAMBERT, Size(x, y), spacing, Corner(*corner), **more)


def ramp(grid: Domain):
    """A static whose terrain rises 10 m a column and whose land begins in the middle."""
    columns = np.arange(grid.size.x, dtype=np.float32)
    return make_static(
        grid, np.broadcast_to(10 * columns, grid.shape), np.broadcast_to(columns >= grid.size.x // 2, grid.shape)
    )


@pytest.mark.parametrize(
    ("name", "highest", "land"),
    [
        ("conus", (4200, 4400), (0.55, 0.65)),
        ("alaska", (5500, 6194), (0.3, 0.45)),
        ("hawaii", (4000, 4207), (0.03, 0.05)),
        ("guam", (350, 410), (0.002, 0.005)),
        ("puerto_rico", (1200, 1340), (0.05, 0.08)),
    ],
)
def test_shipped_domains_have_the_mountains_and_the_land_of_the_place(real_data, name, highest, land):
    """At most the summit's height: Elbert 4401 m, Denali 6190, Mauna Kea 4207, Lamlam 406, Cerro de Punta 1338."""
    static = load_static(load_domain(name))
    assert static.terrain.shape == static.land.shape == static.domain.shape
    assert {f.dtype for f in (static.terrain, static.land, static.terrain_smooth, static.land_smooth)} == {
        np.dtype(np.float32)
    }
    assert highest[0] <= static.terrain.max() <= highest[1]
    assert land[0] <= static.land.mean() <= land[1]
    assert static.note == ""


def test_terrain_stands_where_the_mountain_is(real_data):
    """Mauna Kea 19.82 N 155.47 W, 4205 m; the sea off Hilo."""
    static = load_static(load_domain("hawaii"))
    points = station_points(static, [19.82, 19.9], [-155.47, -154.5], [np.nan, np.nan])
    assert points.elevation[0] > 3800
    assert points.elevation[1] == 0.0
    assert points.land[0] > 0.99
    assert points.land[1] < 0.1


def test_the_kilometre_grid_is_interpolated_from_the_operational_one_and_says_so(real_data):
    coarse, fine = (load_static(load_domain(n)) for n in ("puerto_rico", "puerto_rico_1km"))
    assert "interpolated from the 2.5 km grid" in fine.note
    # every 5 km the two share a point; the file's corner is rounded by a thousandth of a cell, with steps of 600 m
    np.testing.assert_allclose(fine.terrain[::5, ::5][:60, :80], coarse.terrain[::2, ::2][:60, :80], atol=1.0)
    assert set(np.unique(fine.land)) != {0.0, 1.0}


def test_a_users_domain_takes_terrain_from_a_file_on_another_grid(real_data):
    path = str(real_data / "terrain/conus_terrain.grib2")
    static = load_static(domain(x=20, y=20, terrain=path))
    assert "terrain is interpolated from the 2.54 km grid of conus_terrain.grib2" in static.note
    assert "no land given: all land" in static.note
    latitude, longitude = static.domain.latitude_longitude()
    conus = station_points(load_static(load_domain("conus")), latitude.ravel(), longitude.ravel(), np.full(400, np.nan))
    np.testing.assert_allclose(static.terrain.ravel(), conus.elevation, atol=0.01)


def test_terrain_that_covers_only_a_part_is_said(real_data, caplog):
    path = str(real_data / "terrain/puerto_rico_terrain.grib2")
    east = Domain("east", "east", "+proj=longlat +R=6371200", Size(40, 20), 0.05, Corner(17.5, -65.0), terrain=path)
    with caplog.at_level(logging.WARNING):
        static = load_static(east)
    assert "% of the grid lies outside" in static.note and "% of the grid lies outside" in caplog.text
    assert not np.isnan(static.terrain).any()


def test_a_point_whose_cell_the_file_reaches_into_gets_the_files_edge(tmp_path):
    """A 1 km file that begins 0.6 km east of the first column of a 2.5 km grid, and one that begins 1.4 km east."""
    grid = domain(x=4, y=3)
    for start, outside in ((600.0, 0), (1400.0, 3)):
        x, y = grid.x[0] + start + 1000.0 * np.arange(9), grid.y[0] - 500.0 + 1000.0 * np.arange(8)
        path = tmp_path / f"{start:.0f}.nc"
        with netCDF4.Dataset(path, "w") as file:
            for key, axis in (("x", x), ("y", y)):
                file.createDimension(key, len(axis))
                variable = file.createVariable(key, "f8", (key,))
                variable[:], variable.units, variable.standard_name = axis, "m", f"projection_{key}_coordinate"
            file.createVariable("crs", "i4", ()).setncatts(pyproj.CRS(LAMBERT).to_cf())
            terrain = file.createVariable("altitude", "f4", ("y", "x"))
            terrain[:], terrain.units = np.broadcast_to(100.0 + 0.1 * (x - x[0]), (8, 9)), "m"
        static = load_static(dataclasses.replace(grid, terrain=str(path)))
        assert (~static.has_terrain).sum() == outside and static.has_terrain[:, 1:].all()
        np.testing.assert_allclose(static.terrain[:, 0], 0.0 if outside else 100.0)
        np.testing.assert_allclose(static.terrain[:, 1], 100.0 + 0.1 * (2500.0 - start), atol=0.01)


def test_terrain_of_elsewhere_a_missing_file_and_a_missing_folder_say_the_way_out(real_data, monkeypatch):
    with pytest.raises(StaticError, match="does not cover any.*terrain: null"):
        load_static(domain(terrain=str(real_data / "terrain/guam_terrain.grib")))
    with pytest.raises(
        StaticError, match="domain test: the terrain file nowhere.grib does not exist.*MLRTMA_REAL_DATA"
    ):
        load_static(domain(terrain="nowhere.grib"))
    with pytest.raises(StaticError, match="none of them land"):
        load_static(domain(land=str(real_data / "era5_uk/era5_t2m_uk_201903.grib")))
    monkeypatch.setenv("MLRTMA_REAL_DATA", "")
    monkeypatch.setattr("mlrtma_dist.config.data_root", lambda: None)
    conus = load_domain("conus")  # the grid needs no files
    with pytest.raises(ConfigError, match="domain conus: terrain: .*export MLRTMA_REAL_DATA=FOLDER"):
        load_static(conus)


def test_without_terrain_it_is_sea_level_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        static = load_static(domain())
    assert static.terrain.max() == 0 and static.land.min() == 1
    assert "sea level" in static.note and "sea level" in caplog.text


@pytest.mark.parametrize(
    "name, inland, offshore",
    [
        ("europe_20km", (48.1, 11.6), (38.0, 5.0)),
        ("middle_east_20km", (24.6, 46.7), (20.0, 38.5)),
        ("east_asia_20km", (39.9, 116.4), (15.0, 115.0)),
        ("south_america_20km", (-25.3, -57.6), (-36.5, -55.0)),
    ],
)
def test_land_of_the_shores_is_land_inland_and_water_at_sea(name, inland, offshore):
    grid = load_domain(name)
    static = load_static(grid)
    row, column = np.rint(grid.index(*np.transpose([inland, offshore]))).astype(int)
    assert static.land[row, column].tolist() == [1.0, 0.0] and not static.terrain.any()
    assert 0.2 < static.land.mean() < 0.8 and "land" not in static.note and "sea level" in static.note


def test_no_relief_is_made_of_a_terrain_that_is_not_known():
    nowhere = load_static(domain())
    assert not nowhere.has_terrain.any()
    points = station_points(nowhere, [39.5, 39.6], [254.5, 254.6], [2500.0, np.nan])
    assert points.relief.tolist() == [0.0, 0.0] and points.elevation.tolist() == [2500.0, 0.0]
    assert not grid_points(nowhere).relief.any()
    west = np.arange(60) < 30
    terrain = np.where(west, np.float32(1200.0), np.float32(0.0))
    covered = np.tile(west, (50, 1))
    half = make_static(domain(), np.broadcast_to(terrain, (50, 60)), np.ones((50, 60)), has_terrain=covered)
    np.testing.assert_allclose(grid_points(half).relief, 0.0, atol=1e-3)  # a plateau up to the edge of what is known
    assert load_static(load_domain("toy")).has_terrain.all()


def test_simulated_terrain_has_sea_plain_and_mountains_and_is_the_same_every_time():
    toy = load_domain("toy")
    terrain, land = simulate_terrain(toy, 1)
    again, _ = simulate_terrain(toy, 1)
    other, _ = simulate_terrain(toy, 2)
    np.testing.assert_array_equal(terrain, again)
    assert np.abs(terrain - other).max() > 100
    assert terrain.dtype == land.dtype == np.float32
    assert (terrain[land == 0] == 0).all() and (terrain[land == 1] >= 1).all()
    assert 0.05 < 1 - land.mean() < 0.25
    west, east = terrain[:, 25:50], terrain[:, 90:120]
    assert east.mean() > 1000 > 400 > west.mean() > 0
    static = load_static(toy)
    assert static.terrain.max() > 2000 and static.land.min() == 0


def test_simulated_mountains_have_the_spectral_slope_of_real_ones():
    """k^-2 along a line (Turcotte 1997): the spectrum of the slope between waves of 4 and 20 points is flat."""
    terrain, _ = simulate_terrain(dataclasses.replace(load_domain("toy"), size=Size(512, 512)), 3)
    rough = terrain[:, 280:400].astype(float)
    rough -= rough.mean(axis=0)
    power = np.mean(np.abs(np.fft.rfft(np.diff(rough, axis=0), axis=0)) ** 2, axis=1)  # of the slope: flat for k^-2
    waves = len(rough) - 1
    assert 0.4 < power[waves // 6 : waves // 4].mean() / power[waves // 20 : waves // 12].mean() < 1.6


def test_grid_points_of_a_box_are_those_rows_of_the_whole_grid():
    static = ramp(domain())
    whole, box = grid_points(static), grid_points(static, slice(10, 14), slice(20, 31))
    rows = (np.arange(10, 14)[:, None] * 60 + np.arange(20, 31)).ravel()
    assert len(whole) == 3000 and len(box) == 44
    for field in dataclasses.fields(box):
        np.testing.assert_array_equal(getattr(box, field.name), getattr(whole[rows], field.name))
    assert np.linalg.norm(box.position, axis=1) == pytest.approx(EARTH_RADIUS)


def test_points_of_a_plane_lie_on_the_plane():
    static = load_static(load_domain("plane"))
    points = grid_points(static, slice(2, 4), slice(5, 8))
    np.testing.assert_array_equal(points.position[:, 0], [5, 6, 7, 5, 6, 7])
    np.testing.assert_array_equal(points.position[:, 1], [2, 2, 2, 3, 3, 3])
    assert not points.position[:, 2].any() and not points.latitude.any()
    assert static.note == ""


def test_stations_at_grid_points_get_the_grids_own_values():
    static = ramp(domain())
    grid = grid_points(static)[::37]
    stations = station_points(static, grid.latitude, grid.longitude, grid.elevation + 30.0)
    np.testing.assert_allclose(stations.land, grid.land, atol=1e-6)
    np.testing.assert_allclose(stations.relief, grid.relief + 30.0, atol=1e-3)
    np.testing.assert_allclose(stations.position, grid.position, atol=1e-3)


def test_a_station_between_points_gets_the_terrain_there_when_it_has_no_elevation():
    static = ramp(domain())
    x, y = static.domain.x, static.domain.y
    longitude, latitude = static.domain._inverse(x[20] + 0.25 * 2500, y[10] + 0.5 * 2500)
    points = station_points(static, latitude, longitude, np.nan)
    assert points.elevation.item() == pytest.approx(202.5, abs=1e-3)
    assert points.relief.item() == pytest.approx(0.0, abs=1e-3)  # a ramp is its own mean


def test_a_station_outside_gets_the_nearest_edges_surroundings_and_its_own_place():
    static = ramp(domain())
    latitude, longitude = static.domain.latitude_longitude(slice(25, 26), slice(-1, None))
    points = station_points(static, latitude.ravel(), longitude.ravel() + 3.0, [1000.0])
    assert points.land.item() == 1.0
    assert points.relief.item() == pytest.approx(1000.0 - static.terrain_smooth[25, -1], abs=1.0)
    assert points.longitude.item() == pytest.approx(longitude.item() + 3.0)


def test_smooth_fields_reach_as_far_as_their_radius():
    static = ramp(domain(x=80))
    shore = 40
    reach = int(LAND_RADIUS / 2500)
    assert static.land_smooth[25, shore - reach - 2] == 0 and static.land_smooth[25, shore + reach + 2] == 1
    assert 0 < static.land_smooth[25, shore - reach + 2] < static.land_smooth[25, shore + reach - 2] < 1
    assert static.terrain_smooth[25, 40] == pytest.approx(static.terrain[25, 40], abs=1e-2)
    assert TERRAIN_RADIUS == 20e3


def test_a_block_of_48_by_48_points_takes_milliseconds_at_most(real_data):
    import time

    static = load_static(load_domain("guam"))
    grid_points(static, slice(0, 48), slice(0, 48))
    best = min(_seconds(static, time) for _ in range(10))
    assert best < 10e-3  # 0.6 ms on an idle core; ten times that for a busy one


def _seconds(static, time) -> float:
    start = time.perf_counter()
    grid_points(static, slice(0, 48), slice(0, 48))
    return time.perf_counter() - start


def test_a_temperature_is_not_taken_for_terrain_though_it_is_a_files_only_field(real_data):
    path = real_data / "nbm/conus_t2m_valid_20250901_01z.grib2"
    with pytest.raises(StaticError, match="expected a field of terrain, it holds t2m"):
        load_static(dataclasses.replace(load_domain("conus"), terrain=str(path), size=Size(20, 20)))
