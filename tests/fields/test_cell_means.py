"""Means in the cells of a domain: of fine grids the integral over the cell, of coarse ones the value between points."""

from dataclasses import dataclass

import numpy as np
import pytest

from mlrtma_dist.fields.cell_means import FINER, cell_means, is_finer
from mlrtma_dist.grid.domain import EARTH_RADIUS, Corner, Domain, Size

LAMBERT = "+proj=lcc +lat_1=40 +lat_2=40 +lat_0=40 +lon_0=-100 +R=6371200"
DEGREE = np.deg2rad(EARTH_RADIUS)  # m


def domain(spacing=10e3, x=30, y=24, projection=LAMBERT, corner=(39.0, -101.0)) -> Domain:
    return Domain("cells", "cells", projection, Size(x, y), spacing, Corner(*corner))


@dataclass(frozen=True)
class Grid:
    """Even points of latitude and longitude whose values are a function of place (`io.elevation.ElevationGrid`)."""

    field: Domain
    values: np.ndarray
    name: str = "made"

    @property
    def shape(self):
        return self.field.shape

    @property
    def spacing_metres(self):
        return self.field.spacing_metres

    def index(self, latitude, longitude):
        return self.field.index(latitude, longitude)

    def position(self, row, column):
        return self.field.position(row, column)

    def read(self, rows, columns):
        return self.values[rows, columns]


def grid_of(function, step: float, south=37.5, west=-104.0, size=(4.5, 9.0), first_column=0) -> Grid:
    """The function of latitude and longitude at every ``step`` degrees of a box."""
    shape = Size(round(size[1] / step) - first_column, round(size[0] / step))
    field = Domain("d", "d", f"+proj=longlat +R={EARTH_RADIUS}", shape, step, Corner(south, west + first_column * step))
    return Grid(field, function(*field.latitude_longitude()).astype(np.float32))


def waves(latitude, longitude):
    """Relief of 20 km and of 3 km, m: the latter is nothing in the mean over 10 km."""
    y, x = DEGREE * np.asarray(latitude), DEGREE * np.cos(np.deg2rad(40.0)) * np.asarray(longitude)
    return 1000.0 + 300.0 * np.sin(x / 9e3) * np.cos(y / 8e3) + 200.0 * np.sin(x / 477.0)


def true_means(target: Domain, function) -> np.ndarray:
    """The mean over each cell of a domain from 40 x 40 places in it."""
    within = (np.arange(40) + 0.5) / 40 - 0.5
    row, column = np.mgrid[: target.size.y, : target.size.x].astype(np.float64)
    return np.mean([function(*target.position(row + y, column + x)) for y in within for x in within], axis=0)


@pytest.mark.parametrize("step", [0.004, 0.01])
def test_of_a_fine_grid_a_cell_has_the_mean_of_what_lies_in_it(step):
    target, grid = domain(), grid_of(waves, step)
    assert is_finer(grid, target)
    means, truth = cell_means(target, [grid]), true_means(target, waves)
    single = waves(*target.latitude_longitude())
    assert means.shape == target.shape and means.dtype == np.float32
    error = np.sqrt(np.mean((means - truth) ** 2))
    assert error < 0.15 * np.sqrt(np.mean((single - truth) ** 2))  # what one value in the middle would miss
    assert error < 20.0 and abs(means.mean() - truth.mean()) < 1.0


def test_of_a_coarse_grid_it_is_the_value_between_its_points():
    def plane(latitude, longitude):
        return 100.0 * np.asarray(latitude) + 50.0 * np.asarray(longitude)

    grid, target = grid_of(plane, 0.25), domain()
    assert not is_finer(grid, target) and grid.spacing_metres * FINER > target.spacing_metres
    np.testing.assert_allclose(cell_means(target, [grid]), plane(*target.latitude_longitude()), atol=0.01)


@pytest.mark.parametrize(("step", "shared"), [(0.01, 0), (0.2, 1)])
def test_tiles_that_meet_inside_the_domain_make_the_whole(step, shared):
    """Fine tiles meet in a cell; coarse ones share their edge, as one cannot interpolate between them else."""
    target, half = domain(), round(4.0 / step)
    whole = cell_means(target, [grid_of(waves, step)])
    west = grid_of(waves, step, size=(4.5, (half + shared) * step))
    tiles = cell_means(target, [west, grid_of(waves, step, first_column=half), grid_of(waves, step, south=-30.0)])
    np.testing.assert_allclose(tiles, whole, atol=0.01)


@pytest.mark.parametrize("step", [0.05, 0.5])
@pytest.mark.parametrize("west", [-180.0, 0.0])
def test_a_domain_across_the_seam_of_a_grid_around_the_earth_has_no_gap(step, west):
    def smooth(latitude, longitude):
        return 500.0 + 100.0 * np.cos(np.deg2rad(longitude)) + 3.0 * np.asarray(latitude)

    for middle in (180.0, 0.0):
        merc = f"+proj=merc +lat_ts=10 +lon_0={middle} +R=6371200"
        target = domain(25e3, 40, 20, merc, (8.0, middle - 4.0))
        grid = grid_of(smooth, step, south=0.0, west=west, size=(20.0, 360.0))
        np.testing.assert_allclose(cell_means(target, [grid]), smooth(*target.latitude_longitude()), atol=0.5)


def test_missing_values_do_not_count_and_a_cell_without_any_is_missing():
    target, grid = domain(), grid_of(lambda latitude, longitude: np.full(np.shape(latitude), 700.0), 0.01)
    latitude, longitude = grid.field.latitude_longitude()
    holes = (np.random.default_rng(3).uniform(size=grid.shape) < 0.5) | (longitude < -100.0)
    means = cell_means(target, [Grid(grid.field, np.where(holes, np.nan, grid.values).astype(np.float32))])
    east = target.latitude_longitude()[1]
    assert (means[east > -99.9] == 700.0).all() and np.isnan(means[east < -100.1]).all()


def test_what_is_averaged_can_be_a_function_of_the_values():
    target, grid = (
        domain(),
        grid_of(lambda latitude, longitude: np.where(np.indices(np.shape(latitude)).sum(0) % 2, 10.0, -30.0), 0.01),
    )
    np.testing.assert_allclose(cell_means(target, [grid]), -10.0, atol=1.0)
    np.testing.assert_allclose(cell_means(target, [grid], lambda values: np.maximum(values, 0.0)), 5.0, atol=0.3)
