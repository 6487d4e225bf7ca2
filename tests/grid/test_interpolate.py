"""Interpolation: closed forms, and a peer (scipy)."""

import numpy as np
import pytest
from scipy import ndimage

from mlrtma_dist.grid import interpolate
from mlrtma_dist.grid.domain import Corner, Domain, Size
from mlrtma_dist.grid.interpolate import bilinear, regrid, same_grid, smooth

LAMBERT = "+proj=lcc +lat_1=40 +lat_2=40 +lat_0=40 +lon_0=255 +R=6371200"


def grid(x=40, y=30, spacing=5000.0, projection=LAMBERT, corner=(37.2, 250.4), **more) -> Domain:
    return Domain("test", "test", projection, Size(x, y), spacing, Corner(*corner), **more)


def test_bilinear_is_exact_for_a_bilinear_field():
    y, x = np.mgrid[0:12, 0:9].astype(float)
    row, column = np.random.default_rng(2).uniform(0, [[11], [8]], (2, 500))
    values = bilinear(3 + 2 * y - x + 0.5 * x * y, row, column)
    np.testing.assert_allclose(values, 3 + 2 * row - column + 0.5 * row * column, rtol=1e-13)


def test_bilinear_equals_scipys_first_order_spline():
    generator = np.random.default_rng(3)
    field = generator.normal(size=(13, 17))
    row, column = generator.uniform(0, [[12], [16]], (2, 300))
    np.testing.assert_allclose(
        bilinear(field, row, column), ndimage.map_coordinates(field, [row, column], order=1), atol=1e-13
    )


def test_float32_fields_stay_float32_and_blocks_do_not_show(monkeypatch):
    field = np.random.default_rng(4).normal(size=(20, 30)).astype(np.float32)
    row, column = np.random.default_rng(5).uniform(0, [[[19]], [[29]]], (2, 40, 50))
    whole = bilinear(field, row, column)
    monkeypatch.setattr(interpolate, "BLOCK", 70)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(bilinear(field, row, column), whole)


def test_half_a_cell_outside_the_edge_holds_and_beyond_it_nothing():
    field = np.array([[1.0, 2.0], [3.0, 4.0]])
    values = bilinear(field, [-0.5, -0.51, 1.5, 1.51, 0.0, np.nan], [0.0, 0.0, 1.0, 1.0, 1.49, 0.0])
    np.testing.assert_array_equal(values, [1.0, np.nan, 4.0, np.nan, 2.0, np.nan])


def test_missing_corners_drop_out_with_weights_scaled_to_one():
    field = np.array([[1.0, 2.0], [3.0, np.nan]])
    weights = np.array([0.75 * 0.5, 0.75 * 0.5, 0.25 * 0.5])
    assert bilinear(field, 0.25, 0.5) == pytest.approx(weights @ [1, 2, 3] / weights.sum(), rel=1e-14)
    assert np.isnan(bilinear(field, 1.0, 1.0))  # at the missing point itself
    assert bilinear(field, 0.0, 1.0) == 2.0  # beside it, at a known one


def test_a_periodic_field_closes_on_itself():
    count = 16
    field = np.cos(2 * np.pi * np.arange(count) / count)[None, :] * np.ones((count, 1))
    last, first = field[0, -1], field[0, 0]
    assert bilinear(field, 3.0, count - 0.25, periodic=True) == pytest.approx(0.25 * last + 0.75 * first, abs=1e-14)
    assert bilinear(field, -5.0, 2.0 + 3 * count, periodic=True) == pytest.approx(field[0, 2], abs=1e-14)
    assert np.isnan(bilinear(field, 3.0, count - 0.25, periodic=(True, False)))


def test_regrid_between_projections_is_exact_to_second_order_for_a_smooth_field():
    """The error of linear interpolation is at most h^2/8 times the second derivative, in each axis."""
    source = grid(121, 101, 0.1, "+proj=longlat +R=6371200", (35.0, 248.0))
    target = grid()
    latitude, longitude = source.latitude_longitude()
    values = regrid(np.sin(np.deg2rad(10 * latitude)) * np.cos(np.deg2rad(10 * longitude)), source, target)
    latitude, longitude = target.latitude_longitude()
    expected = np.sin(np.deg2rad(10 * latitude)) * np.cos(np.deg2rad(10 * longitude))
    assert np.abs(values - expected).max() < 2 * 0.1**2 / 8 * np.deg2rad(10) ** 2


def test_regrid_without_projecting_gives_what_projecting_gives(monkeypatch):
    source, target = grid(), grid(190, 140, 1000.0)
    field = np.random.default_rng(6).normal(size=source.shape).astype(np.float32)
    direct = regrid(field, source, target)
    monkeypatch.setattr(interpolate, "_straight", lambda source, target: None)
    np.testing.assert_allclose(regrid(field, source, target), direct, atol=2e-6)


def test_regrid_leaves_nothing_outside_the_source():
    source, target = grid(20, 30), grid(40, 30)
    values = regrid(np.ones(source.shape, dtype=np.float32), source, target)
    assert np.isnan(values[:, 21:]).all()
    assert (values[:, :20] == 1).all()


def test_a_global_grid_has_no_gap_at_its_seam():
    source = grid(360, 181, 1.0, "+proj=longlat +R=6371200", (-90.0, 0.0))
    target = grid(9, 3, 0.25, "+proj=longlat +R=6371200", (50.0, 358.5))
    field = np.broadcast_to(np.cos(np.deg2rad(np.arange(360.0))), source.shape)
    expected = np.interp(358.5 + 0.25 * np.arange(9), np.arange(362.0), np.cos(np.deg2rad(np.arange(362.0))))
    np.testing.assert_allclose(regrid(field, source, target)[0], expected, atol=1e-12)


def test_same_grid_forgives_rounding_and_nothing_else():
    assert same_grid(grid(), grid(corner=(37.20005, 250.40005)))
    assert not same_grid(grid(), grid(corner=(37.202, 250.4)))
    assert not same_grid(grid(), grid(spacing=5005.0))
    assert not same_grid(grid(), grid(x=41))


def test_smooth_keeps_a_constant_and_the_mean_of_a_periodic_field():
    field = np.random.default_rng(7).normal(size=(32, 40)).astype(np.float32)
    assert smooth(np.full((5, 6), 3.0), 4) == pytest.approx(3.0)
    smoothed = smooth(field, 6, periodic=True)
    assert smoothed.dtype == np.float32
    assert smoothed.mean() == pytest.approx(field.mean(), abs=1e-6)
    assert smooth(field, 0) is field


def test_smooth_spreads_a_point_as_a_tent_that_ends_within_the_radius():
    point = np.zeros((41, 41))
    point[20, 20] = 1.0
    smoothed = smooth(point, 8)
    tent = np.clip(9 - np.abs(np.arange(41) - 20), 0, None) / 81
    np.testing.assert_allclose(smoothed, np.outer(tent, tent), atol=1e-15)
