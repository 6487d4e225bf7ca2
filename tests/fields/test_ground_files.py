"""Terrain and land out of elevation files: the sea is at sea level, a lake at its surface, and gaps are named."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.cell_means import cell_means
from mlrtma_dist.fields.ground_files import make_ground
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import EARTH_RADIUS, Corner, Domain, Size, load_domain
from mlrtma_dist.io.elevation import FieldGrid
from mlrtma_dist.io.grid_field import GridField
from mlrtma_dist.io.shores import ISLAND, LAKE, LAND, ShoreGrid

SUPERIOR = 183.0  # m, the lake's surface
LAMBERT = "+proj=lcc +lat_1={0} +lat_2={0} +lat_0={0} +lon_0={1} +R=6371200"


def domain(latitude: float, longitude: float, spacing=5e3, x=60, y=40) -> Domain:
    return Domain("d", "d", LAMBERT.format(latitude, longitude), Size(x, y), spacing, Corner(latitude, longitude))


def elevation(target: Domain, function, step=0.02, name="made.nc", levels=(LAND, LAKE, ISLAND)) -> FieldGrid:
    """Heights as a function of latitude, longitude and share of land, in a box around a domain."""
    latitude, longitude = target.latitude_longitude()
    south, west = latitude.min() - 0.5, longitude.min() - 0.5
    size = Size(*(int((each.max() - each.min() + 1.0) / step) for each in (longitude, latitude)))
    grid = Domain("g", "g", f"+proj=longlat +R={EARTH_RADIUS}", size, step, Corner(south, west))
    land = cell_means(grid, [ShoreGrid.around(grid).only(lambda each: each.level in levels)])
    values = function(*grid.latitude_longitude(), land).astype(np.float32)
    time = np.datetime64("NaT", "s")
    return FieldGrid(name, GridField("terrain", values, grid, "", 0.0, time, time, False, (), name))


def test_shares_of_land_are_those_of_an_operational_mask(real_data):
    static = load_static(load_domain("hawaii"))
    land = cell_means(static.domain, [ShoreGrid.around(static.domain)])
    assert abs(land.mean() - static.land.mean()) < 0.002
    assert np.mean(np.abs(land - static.land) > 0.5) < 0.003  # of two resolutions of one shore


@pytest.mark.parametrize("spacing", [5e3, 25e3])
def test_depths_of_the_sea_are_no_heights_and_a_coast_keeps_its_own(spacing):
    """Off Oregon: land 300 m high, the sea 2000 m deep; the mean of both in a cell would lie far below sea level."""
    target = domain(44.0, -126.0, spacing, 60, 20)

    def height(latitude, longitude, land):
        return np.where(land > 0.5, 300.0, -2000.0)

    ground = make_ground(target, [elevation(target, height, levels=(LAND,))])
    assert ground.terrain.min() == 0.0 and ground.terrain.max() == pytest.approx(300.0)
    np.testing.assert_allclose(ground.terrain, 300.0 * ground.land, atol=90.0)
    assert 0.1 < ground.land.mean() < 0.95
    assert ground.note == "terrain: mean in each cell of made.nc; land: shores of GSHHG"


def test_land_below_the_sea_stays_below_it():
    """Death Valley and its surroundings, 86 m below sea level everywhere."""
    target = domain(36.0, -117.2, x=20, y=20)
    ground = make_ground(target, [elevation(target, lambda latitude, longitude, land: np.full(land.shape, -86.0))])
    np.testing.assert_allclose(ground.terrain, -86.0)


def test_a_lake_known_by_its_bed_has_the_level_of_its_shore():
    target = domain(46.8, -90.0, x=50, y=30)

    def bed(latitude, longitude, land):
        depth = 300.0 * np.sin(np.deg2rad(60.0 * longitude)) ** 2
        return np.where(land > 0.5, SUPERIOR + 2.0, SUPERIOR - depth)

    grid = elevation(target, bed)
    ground = make_ground(target, [grid])
    lake = cell_means(target, [ShoreGrid.around(target)]) < 0.01
    raw = cell_means(target, [grid])
    assert lake.sum() > 300 and np.median(raw[lake]) < SUPERIOR - 50.0
    assert (
        np.abs(ground.terrain[lake] - SUPERIOR).max() < 60.0 and abs(np.median(ground.terrain[lake]) - SUPERIOR) < 30.0
    )


def test_a_lake_known_by_its_surface_is_left_as_it_is():
    target = domain(46.8, -90.0, x=50, y=30)

    def surface(latitude, longitude, land):
        return np.where(land > 0.5, SUPERIOR + 400.0, SUPERIOR)

    grid = elevation(target, surface)
    np.testing.assert_array_equal(make_ground(target, [grid]).terrain, cell_means(target, [grid]))


def test_missing_land_is_an_error_that_says_where_and_a_missing_sea_is_the_sea():
    target = domain(44.0, -126.0, 10e3, 40, 20)

    def without_sea(latitude, longitude, land):
        return np.where(land > 0.0, 100.0, np.nan)

    ground = make_ground(target, [elevation(target, without_sea)])
    assert (ground.terrain[ground.land == 0.0] == 0.0).all() and ground.terrain[ground.land == 1.0].min() == 100.0

    def south(latitude, longitude, land):
        return np.where(latitude < 44.5, 100.0, np.nan)

    with pytest.raises(InputError, match=r"% of its land has no elevation in south.nc: name files that cover 44\.5"):
        make_ground(target, [elevation(target, south, name="south.nc")])


def test_a_mask_of_ones_own_counts_before_the_shores_and_must_be_a_share():
    target = domain(40.0, -100.0, x=20, y=20)
    plain = elevation(target, lambda latitude, longitude, land: np.full(land.shape, 500.0))
    water = elevation(target, lambda latitude, longitude, land: np.where(latitude < 40.5, 0.0, 1.0), name="mask.nc")
    ground = make_ground(target, [plain], [water])
    assert ground.land[0].max() == 0.0 and ground.land[-1].min() == 1.0 and ground.note.endswith("land: mask.nc")
    codes = replace(water, field=replace(water.field, values=water.field.values * 210.0))
    with pytest.raises(InputError, match="mask.nc: expected shares of land from 0 to 1, got 0 to 210"):
        make_ground(target, [plain], [codes])
