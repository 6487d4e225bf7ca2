"""The root by levels: the covariance that it is the root of, where it is exact, its derivatives."""

import numpy as np
import pytest
import torch

from mlrtma_dist.fields.static import grid_points, make_static
from mlrtma_dist.grid.domain import Corner, Domain, Size
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods import levels_root
from mlrtma_dist.methods.levels_root import ADDED, LevelsRoot, levels, stride_of
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.physics.linearise import Linearised

SHAPE = (33, 26)
DOMAIN = Domain("d", "d", "+proj=longlat +R=6371200", Size(26, 33), 0.2, Corner(38.0, -108.0))


@pytest.fixture(scope="module")
def points():
    """Ridges of 1500 m and 300 m of noise at every point, beside a coast."""
    y, x = np.indices(SHAPE)
    terrain = 1500.0 * (1.0 + np.sin(x / 3.0 + y / 7.0)) + 300.0 * np.random.default_rng(2).random(SHAPE)
    return grid_points(make_static(DOMAIN, terrain, (x > 5).astype(float)))


def covariance(name: str) -> Covariance:
    return Covariance(load_settings("classical").in_window.variables[name].covariance)


def error(points, own: Covariance, most: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """The covariance that a root has, minus B, over the variance."""
    root = LevelsRoot(points, shape, own, most)(torch.eye(len(points), dtype=torch.float64)).numpy()
    exact = own.matrix(points, points) + ADDED * own.variance * np.eye(len(points))
    return (root.T @ root - exact) / own.variance


@pytest.mark.parametrize("name", ["t2m", "d2m", "u10"])
def test_among_mountains_its_covariance_is_b_to_a_hundredth_of_the_variance(points, name):
    """Measured: rms 0.3, 1.1 and 0.7 %; largest 7, 13 and 6 %, on the diagonal 1.3, 5 and 1.6 %."""
    own = covariance(name).part(np.array([component.length > 2e4 for component in covariance(name).components]))
    difference = error(points, own, 70)
    assert np.sqrt(np.mean(difference**2)) < 0.015
    assert np.abs(difference).max() < 0.2 and np.abs(np.diag(difference)).max() < 0.1


def test_more_neighbours_are_nearer_to_b(points, monkeypatch):
    own, errors = covariance("t2m"), []
    for count in (10, 30, 100):
        monkeypatch.setattr(levels_root, "NEIGHBOURS", count)
        errors.append(np.sqrt(np.mean(error(points, own, 70) ** 2)))
    assert errors[0] > 1.5 * errors[1] > 2.2 * errors[2]


def test_it_is_exact_where_all_points_are_factored_as_a_whole_or_all_before_are_neighbours(points, monkeypatch):
    own = covariance("t2m")
    assert np.abs(error(points, own, len(points))).max() < 1e-6
    monkeypatch.setattr(levels_root, "SPLIT", 40)  # every point comes by itself
    monkeypatch.setattr(levels_root, "NEIGHBOURS", len(points))
    monkeypatch.setattr(levels_root, "CANDIDATES", len(points))
    part = points[np.arange(len(points)).reshape(SHAPE)[:12, :10].ravel()]
    assert np.abs(error(part, own, 30, (12, 10))).max() < 1e-5  # the matrix is of single precision


def test_every_point_comes_once_after_those_of_a_wider_stride():
    for shape, stride in (((33, 26), 4), ((2, 3), 8), ((7, 5), 1)):
        parts = list(levels(shape, stride))
        assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(shape[0] * shape[1]))
        assert parts[0].tolist() == [
            y * shape[1] + x for y in range(0, shape[0], stride) for x in range(0, shape[1], stride)
        ]
    assert [stride_of((200, 294), most) for most in (58800, 58799, 3700, 3699)] == [1, 2, 4, 8]


@pytest.mark.parametrize("kept", [False, True])
def test_its_tangent_linear_and_its_adjoint_are_each_others(points, kept):
    root = LevelsRoot(points, SHAPE, covariance("psfc"), 70)
    assert root.stride == 4
    torch.manual_seed(0)
    control, along, covector = (torch.randn(2, len(points), dtype=torch.float64) for _ in range(3))
    linear = Linearised(root, control, kept=kept)
    torch.testing.assert_close(linear.tangent(along), root(along), rtol=1e-12, atol=1e-9)
    left, right = (root(along) * covector).sum(), (along * linear.adjoint(covector)).sum()
    assert abs(float(left - right)) < 1e-12 * float(root(along).norm() * covector.norm())
