"""Optimal interpolation against what a pencil gives, and its blocks against each other."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from mlrtma_dist.grid.points import Points, cartesian
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods import local
from mlrtma_dist.methods.oi import OptimalInterpolation

STEEPEST = {"askey": 4.0, "rounded": 1.0}  # slope of a kernel where it is largest


def dense(covariance: Covariance, targets: Points, stations: Points, d, r):
    """x_a - x_b = BH'(HBH' + R)^-1 d and the standard deviation of its error, in double precision."""
    hbh, bh = (covariance.matrix(p, stations).astype(np.float64) for p in (stations, targets))
    gain = np.linalg.solve(hbh + np.diag(r**2), bh.T).T
    return gain @ d, np.sqrt(covariance.variance - (gain * bh).sum(axis=1))


def rounding(covariance: Covariance, targets: Points, stations: Points, w) -> np.ndarray:
    """Rounding of ``Covariance.apply`` at each target to first order, shape (m,).

    It has |a - b|^2 = |a|^2 + |b|^2 - 2ab in single precision, a and b from the middle of the block. That errs by about
    s = 2^-24 (|a|^2 + |b|^2), the distance r by s / 2r, by sqrt(s) where r is smaller, and the kernel by that times its
    slope: 2e-5 is passed where a station lies within some 20 km of a target of so wide a block, in 8 % of all seeds.
    """
    size = np.zeros(len(targets))
    for component in covariance.components:
        a, b = component.coordinates(targets), component.coordinates(stations)
        from_middle = [((each - a.mean(axis=0)) ** 2).sum(axis=1) for each in (a, b)]
        s = 2.0**-24 * np.add.outer(*from_middle)
        r = np.maximum(cdist(a, b), np.sqrt(s) / 2)
        size += component.variance * STEEPEST[component.kernel] * (s / (2 * r)) @ np.abs(w)
    return size


def test_one_observation_by_hand(line, exponential):
    """Variance 4, error 1, departure 2: 2 * 4 / 5 at the station, times the correlation 2 / e at 100 km."""
    fit = OptimalInterpolation(exponential, None).fit(line(0.0), np.array([2.0]), np.array([1.0]))
    correlation = np.array([1.0, 2.0 / np.e])
    assert fit.increment(line(0.0, 100e3)) == pytest.approx(2.0 * 0.8 * correlation, rel=1e-6)
    assert fit.error(line(0.0, 100e3)) == pytest.approx(np.sqrt(4.0 - 16.0 / 5.0 * correlation**2), rel=1e-6)


def test_two_observations_by_hand(line, exponential):
    """The inverse of [[b + r^2, c], [c, b + r^2]] is known; b = 4, c = 8 / e, r = 1."""
    b, c, r_squared = 4.0, 8.0 / np.e, 1.0
    d = np.array([2.0, -1.0])
    fit = OptimalInterpolation(exponential, None).fit(line(0.0, 100e3), d, np.ones(2))
    determinant = (b + r_squared) ** 2 - c**2
    w = np.array([(b + r_squared) * d[0] - c * d[1], (b + r_squared) * d[1] - c * d[0]]) / determinant
    assert fit.increment(line(0.0, 100e3)) == pytest.approx([b * w[0] + c * w[1], c * w[0] + b * w[1]], rel=1e-6)
    explained = ((b + r_squared) * (b**2 + c**2) - 2 * b * c**2) / determinant
    assert fit.error(line(0.0)) == pytest.approx([np.sqrt(4.0 - explained)], rel=1e-6)


def test_two_reports_of_one_place_count_as_one_of_half_the_error_variance(line, exponential):
    twice = OptimalInterpolation(exponential, None).fit(line(0.0, 0.0), np.array([1.0, 3.0]), np.ones(2))
    once = OptimalInterpolation(exponential, None).fit(line(0.0), np.array([2.0]), np.array([0.5**0.5]))
    there = line(0.0, 30e3, 500e3)
    assert twice.increment(there) == pytest.approx(once.increment(there), rel=1e-6)
    assert twice.error(there) == pytest.approx(once.error(there), rel=1e-6)


def test_with_all_stations_it_is_the_formula_of_the_textbook(places, covariance, generator):
    stations, targets = places(generator, 50, 6.0), places(generator, 200, 6.0)
    d, r = generator.standard_normal(50), generator.uniform(0.3, 1.5, 50)
    fit = OptimalInterpolation(covariance, None, 50).fit(stations, d, r)
    increment, error = dense(covariance, targets, stations, d, r)
    w = np.linalg.solve(covariance.matrix(stations, stations) + np.diag(r**2), d)
    assert (np.abs(fit.increment(targets) - increment) <= 1e-5 + 4 * rounding(covariance, targets, stations, w)).all()
    assert fit.error(targets) == pytest.approx(error, abs=1e-5)


def test_no_observation_leaves_the_first_guess_and_its_whole_error(line, places, covariance, generator):
    fit = OptimalInterpolation(covariance).fit(line(), np.zeros(0), np.zeros(0))
    targets = places(generator, 7, 2.0)
    assert (fit.increment(targets) == 0.0).all() and fit.weight.shape == (0,)
    assert fit.error(targets) == pytest.approx(np.full(7, np.sqrt(6.25)))


def test_no_target_has_no_increment(line, exponential):
    fit = OptimalInterpolation(exponential).fit(line(0.0), np.ones(1), np.ones(1))
    assert fit.increment(line()).shape == fit.error(line()).shape == (0,)


def test_an_observation_more_never_makes_the_error_larger(places, covariance, generator):
    stations, targets = places(generator, 40, 3.0), places(generator, 100, 3.0)
    errors = [
        OptimalInterpolation(covariance, None, 40).fit(stations[:n], np.zeros(n), np.ones(n)).error(targets)
        for n in (0, 1, 2, 5, 20, 39, 40)
    ]
    assert all((after <= before + 1e-6).all() for before, after in zip(errors, errors[1:], strict=False))
    assert errors[-1].mean() < 0.75 * errors[0].mean()


def test_the_posterior_variance_is_that_of_many_simulated_analyses(places, covariance, generator):
    """20,000 truths drawn from B, observed with errors from R, analysed: the spread of the misses, to 4 deviations."""
    stations, targets, n, draws = places(generator, 8, 3.0), places(generator, 6, 3.0), 8, 20000
    r = generator.uniform(0.3, 1.5, n)
    both = lambda field: np.concatenate([getattr(stations, field), getattr(targets, field)])  # noqa: E731
    everywhere = Points(*map(both, stations.__dataclass_fields__))
    b = covariance.matrix(everywhere, everywhere).astype(np.float64)
    truth = np.linalg.cholesky(b + 1e-9 * np.eye(14)) @ generator.standard_normal((14, draws))
    d = truth[:n] + r[:, None] * generator.standard_normal((n, draws))
    bh, hbh = covariance.matrix(targets, stations), covariance.matrix(stations, stations)
    missed = truth[n:] - bh @ np.linalg.solve(hbh + np.diag(r**2), d)
    expected = local.posterior_variance(covariance, targets, stations, r**2)
    assert missed.var(axis=1) == pytest.approx(expected, rel=4 * np.sqrt(2 / draws))


def test_the_posterior_variance_without_stations_is_the_prior(places, covariance, generator):
    targets = places(generator, 3, 1.0)
    assert local.posterior_variance(covariance, targets, targets[:0], np.zeros(0)).tolist() == [6.25] * 3


def test_every_point_is_in_one_cell_and_cells_are_no_larger_than_asked(generator):
    position = generator.uniform(-1e6, 1e6, (500, 3))
    cells = local.cells(position, 3e5)
    assert np.sort(np.concatenate(cells)).tolist() == list(range(500))
    assert max(np.ptp(position[cell], axis=0).max() for cell in cells) <= 3e5
    assert local.cells(position[:0], 1.0) == []


def test_the_nearest_stations_are_those_of_a_search_by_hand(generator):
    position = generator.uniform(0.0, 1.0, (50, 3))
    block = generator.uniform(0.4, 0.6, (5, 3))
    by_hand = np.argsort(np.linalg.norm(position - block.mean(axis=0), axis=1))[:7]
    assert local.nearest(cKDTree(position), block, 7).tolist() == by_hand.tolist()
    assert local.nearest(cKDTree(position[:1]), block, 7).tolist() == [0]


def test_few_stations_are_one_block_however_wide_the_grid(places, covariance, generator):
    """A single station has no extent to measure cells by; a grid point each would take minutes."""
    for n in (1, 2, 160):
        fit = OptimalInterpolation(covariance, 1.5, 160).fit(places(generator, n, 20.0), np.ones(n), np.ones(n))
        assert len(list(fit._blocks(places(generator, 1000, 30.0)))) == 1


def test_a_gross_error_is_weighted_down_and_its_neighbours_are_not(places, covariance, generator):
    stations = places(generator, 100, 1.0)
    stations = replace(stations, elevation=0.1 * stations.elevation, relief=0.1 * stations.relief)
    d, r = 0.3 * generator.standard_normal(100), np.full(100, 0.5)
    d[17] += 20 * r[17]
    targets = places(generator, 50, 1.0)
    clean = d.copy()
    clean[17] = 0.0
    reference = OptimalInterpolation(covariance, None, 100).fit(stations, clean, r).increment(targets)
    robust = OptimalInterpolation(covariance, 1.5, 100).fit(stations, d, r)
    linear = OptimalInterpolation(covariance, None, 100).fit(stations, d, r)
    assert robust.weight[17] < 0.15 and np.median(robust.weight) == 1.0
    moved = [np.abs(fit.increment(targets) - reference).max() for fit in (robust, linear)]
    assert moved[0] < 0.6 * moved[1]


def test_across_the_edges_of_blocks_the_increment_jumps_by_little(covariance, generator):
    """160 of 1,500 stations a block, a line of points 100 m apart over 10 degrees: the largest jump from one
    block to the next was 0.002 to 0.005 K in five draws, where the increment's deviation is 0.7 K and it changes
    by up to 0.006 K between neighbours within a block."""
    latitude, longitude = generator.uniform(30.0, 45.0, 1500), generator.uniform(-115.0, -90.0, 1500)
    zero = np.zeros(1500)
    stations = Points(latitude, longitude, cartesian(latitude, longitude), zero, zero, zero)
    d = 2.0 * np.sin(latitude) + np.cos(longitude / 2) + 0.4 * generator.standard_normal(1500)
    fit = OptimalInterpolation(covariance, None, 160).fit(stations, d, np.full(1500, 0.4))
    east = np.linspace(-107.0, -97.0, 8500)
    zero = np.zeros(len(east))
    line = Points(zero + 38.0, east, cartesian(zero + 38.0, east), zero, zero, zero)
    increment = fit.increment(line)
    cell = np.floor(line.position / fit.cell_size)
    edge = np.any(np.diff(cell, axis=0) != 0, axis=1)
    jump, inside = np.abs(np.diff(increment))[edge], np.abs(np.diff(increment))[~edge]
    print(f"{edge.sum()} edges: jumps to {jump.max():.3f}, steps to {inside.max():.4f} of {increment.std():.2f}")
    assert edge.sum() >= 2
    assert jump.max() < 0.03 * increment.std()
