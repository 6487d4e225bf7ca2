"""The diffusion assimilation on a line: its covariance, and members by an exact denoiser, against closed forms."""

import pathlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.points import Points, cartesian
from mlrtma_dist.methods.diffusion_sampling import Sampling

BENCHMARKS = str(pathlib.Path(__file__).parents[2] / "benchmarks")
SIZE, LENGTH = 80, 6.0


@pytest.fixture(autouse=True, scope="module")
def benchmarks_found():
    pytest.importorskip("pyreadr")
    sys.path.insert(0, BENCHMARKS)
    yield
    sys.path.remove(BENCHMARKS)


@pytest.fixture(scope="module")
def departures():
    """Draws of a Gaussian of this correlation length, and its matrix."""
    distance = np.abs(np.subtract.outer(np.arange(SIZE), np.arange(SIZE)))
    matrix = np.exp(-0.5 * (distance / LENGTH) ** 2)
    root = np.linalg.cholesky(matrix + 1e-9 * np.eye(SIZE))
    return np.random.default_rng(0).standard_normal((2000, SIZE)) @ root.T, matrix


def test_the_covariance_is_that_of_the_departures_and_answers_by_their_matrix(departures):
    from transect_denoiser import LineCovariance

    drawn, matrix = departures
    covariance = LineCovariance.of(drawn)
    points = torch.tensor([[0.0, 5.0], [0.0, 9.0], [0.0, 40.0]], dtype=torch.float64)
    channel = torch.zeros(3, dtype=torch.int64)
    between = covariance.between(points, channel).numpy()
    np.testing.assert_allclose(between, matrix[np.ix_([5, 9, 40], [5, 9, 40])], atol=0.06)
    box, keys = Box(0, 1, 0, SIZE), torch.tensor([[1, number] for number in range(4000)])
    field = covariance.field(points, channel, torch.eye(3, dtype=torch.float64), box)[:, 0, 0]
    np.testing.assert_allclose(field[:, [5, 9, 40]].numpy(), between, atol=1e-10)
    fields = covariance.draw(keys, box, 0)[:, 0, 0].numpy()
    np.testing.assert_allclose(np.cov(fields.T)[5, [5, 9, 40]], between[0], atol=0.06)
    every = torch.stack([torch.zeros(SIZE), torch.arange(SIZE)], 1).double()
    whole = covariance.between(every, torch.zeros(SIZE, dtype=torch.int64)).numpy()
    below = covariance.below_noise(0.5).between(every, torch.zeros(SIZE, dtype=torch.int64))
    np.testing.assert_allclose(below, whole - whole @ np.linalg.solve(whole + 0.25 * np.eye(SIZE), whole), atol=1e-8)


def test_members_by_the_exact_denoiser_are_those_of_optimal_interpolation(departures):
    from transect import Hour
    from transect_denoiser import Line, LineCovariance, deviation

    drawn, _ = departures
    covariance = LineCovariance.of(drawn)
    eigenvalues, vectors = covariance.variance, covariance.vectors

    def exact(noised, sigma, condition, here):  # E[d | d + sigma n] of the Gaussian
        share = eigenvalues / (eigenvalues + float(sigma[0]) ** 2)
        return ((noised[:, 0, 0].double() @ vectors * share) @ vectors.T)[:, None, None].to(noised.dtype)

    generator = np.random.default_rng(1)
    latitude = 60.0 + 0.02 * np.arange(SIZE)
    flat = np.zeros(SIZE)
    grid = Points(latitude, flat, cartesian(latitude, flat), flat, flat + 1.0, flat)
    members = 280.0 + generator.standard_normal((30, SIZE))
    slot = np.arange(4, SIZE, 8)
    value = members.mean(0)[slot] + generator.standard_normal(len(slot))
    hour = Hour(np.datetime64("2023-08-07T00:00", "s"), grid, members, slot, grid[slot], value)
    line = Line(SimpleNamespace(network=exact), covariance, 0.4)
    kept = np.arange(len(slot)) % 2 == 0
    sampling = Sampling(members=200, at_once=200, steps=12)
    analysed = line.members(hour, kept, sampling)
    size = deviation(members)[slot]
    posterior, factor = line.posterior(hour, kept, (value - members.mean(0)[slot]) / size, 0.4 / size)
    reports = posterior.reports
    matrix = covariance.between(reports.places, reports.channel).numpy() + np.diag(reports.error.numpy() ** 2)
    rows = torch.from_numpy(np.stack([np.zeros(len(slot)), slot], 1)).double()
    whole = covariance.between(rows, torch.zeros(len(slot), dtype=torch.int64)).numpy()
    gain = whole[:, kept] @ np.linalg.inv(matrix)
    scale = factor * size
    mean = members.mean(0)[slot] + scale * (gain @ reports.value.numpy())
    spread = scale * np.sqrt(np.diag(whole - gain @ whole[kept]))
    np.testing.assert_allclose(analysed.mean(0), mean, atol=5.0 * spread.max() / np.sqrt(200))
    assert np.mean(analysed.std(0, ddof=1) / spread) == pytest.approx(1.0, abs=0.08)


def test_a_departure_knows_nothing_of_the_member_that_is_the_truth():
    from transect_denoiser import departure

    members = np.random.default_rng(2).standard_normal((10, SIZE))
    flat = np.zeros(SIZE)
    hour = SimpleNamespace(members=members, grid=SimpleNamespace(elevation=flat, relief=flat))
    target, conditions = departure(hour, 3)
    changed = members.copy()
    changed[3] += 5.0
    other, same = departure(SimpleNamespace(members=changed, grid=hour.grid), 3)
    np.testing.assert_array_equal(conditions, same)
    assert (other > target).all()
    targets = np.concatenate([departure(hour, own)[0] for own in range(10)])
    assert np.mean(targets**2) == pytest.approx(1.0, abs=0.15)
