"""Attention from points to their nearest stations: offsets are those of the sphere, and only offsets count."""

import numpy as np
import pytest
import torch

from mlrtma_dist.grid.points import cartesian
from mlrtma_dist.nn.crps import class_crps, gaussian_crps
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.report_points import (
    FAR,
    LEAST,
    NearestAttention,
    PointSet,
    Stations,
    fading,
    gather,
    means,
    pair_features,
)
from mlrtma_dist.verification.crps import crps_ensemble
from mlrtma_dist.verification.crps import crps_gaussian as crps_of_verification

RANDOM = np.random.default_rng(7)


def tensor(array):
    return torch.from_numpy(np.asarray(array, np.float64))[None]


def points_of(latitude, longitude, near):
    count = len(latitude)
    ground = RANDOM.normal(size=(count, 3))
    return PointSet(tensor(cartesian(latitude, longitude)), tensor(np.zeros((count, 2))), tensor(ground), near)


def world(turn=0.0, order=None):
    """Twelve points and twenty stations about 40 N, all turned about the earth's axis, the stations in any order."""
    random = np.random.default_rng(3)
    latitude, longitude = random.uniform(38, 42, (2, 32)) - [[0.0], [140.0 - turn]]
    ground, values = random.normal(size=(32, 3)), random.normal(size=(20, 4))
    states, queries = random.normal(size=(20, 8)), random.normal(size=(12, 8))
    order = np.arange(20) if order is None else order
    there, here = cartesian(latitude[:20], longitude[:20])[order], cartesian(latitude[20:], longitude[20:])
    near = np.argsort(((here[:, None] - there) ** 2).sum(-1), 1)[:, :5]
    none = torch.full((1, 20, 5), -1)
    stations = PointSet(tensor(there), tensor(np.zeros((20, 2))), tensor(ground[:20][order]), none)
    present = np.ones((20, 4))
    present[::3, 1] = 0.0
    points = PointSet(tensor(here), tensor(np.zeros((12, 2))), tensor(ground[20:]), torch.from_numpy(near)[None])
    return (
        tensor(queries),
        points,
        tensor(states[order]),
        Stations(stations, tensor(values[order]), tensor(present[order])),
    )


def attention():
    layer = NearestAttention(8, 2).double()
    randomise(layer, 5)
    return layer.double()


@torch.no_grad()
def test_offsets_are_those_to_the_east_and_north_on_the_sphere():
    step = np.rad2deg(20e3 / 6371200.0)
    at = points_of(np.array([45.0]), np.array([-100.0]), torch.tensor([[[0, 1]]]))
    east = step / np.cos(np.deg2rad(45.0))
    there = points_of(np.array([45.0, 45.0 + step]), np.array([-100.0 + east, -100.0]), torch.zeros(1, 2, 2).long())
    pair, distance = (part[0, 0].numpy() for part in pair_features(at, there))
    offsets = np.sinh(pair[:, :3]) * FAR
    np.testing.assert_allclose(offsets, [[20e3, 0, 20e3], [0, 20e3, 20e3]], atol=50.0)  # 31 m: parallels are curved
    np.testing.assert_allclose(pair[:, 5:], there.ground[0] - at.ground[0], rtol=1e-12)
    np.testing.assert_allclose(distance[:, 0], 20e3 / FAR, rtol=1e-3)


@torch.no_grad()
def test_where_the_earth_is_turned_to_and_in_which_order_stations_stand_changes_nothing():
    layer, expected = attention(), attention()(*world())[0]
    for changed in (world(turn=77.0), world(order=np.random.default_rng(1).permutation(20))):
        torch.testing.assert_close(layer(*changed)[0], expected, rtol=1e-9, atol=1e-9)
    assert float((layer(*world())[0][0, 0] - expected[0, 1]).abs().max()) > 1e-3, "points differ"


@torch.no_grad()
def test_a_point_without_a_station_near_it_receives_nothing_of_any_station():
    queries, points, states, stations = world()
    alone = PointSet(points.place, points.features, points.ground, torch.full_like(points.near, -1))
    layer = attention()
    one, weights = layer(queries, alone, states, stations)
    two, _ = layer(queries, alone, states + 5.0, stations)
    assert float(weights.abs().max()) == 0.0
    torch.testing.assert_close(one, two)
    mean, density = means(weights, alone.near, stations)
    assert float(mean.abs().max()) == float(density.max()) == 0.0


def test_rows_of_stations_are_those_of_their_own_case_with_their_gradients():
    rows = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    near = torch.tensor([[[0, 3], [1, -1]], [[2, 2], [3, 0]]])
    taken = gather(rows, near)
    for case, point, neighbour in np.ndindex(*near.shape):
        expected = rows[case, max(int(near[case, point, neighbour]), 0)]
        torch.testing.assert_close(taken[case, point, neighbour], expected)
    taken.sum().backward()
    times = torch.tensor([[2.0, 1.0, 0.0, 1.0], [1.0, 0.0, 2.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(rows.grad, times[..., None].expand(-1, -1, 3))


@torch.no_grad()
def test_means_are_over_the_stations_that_report_the_channel():
    _, points, _, stations = world()
    weights = torch.rand(1, 12, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mean, density = means(weights, points.near, stations)
    values, present = (gather(part, points.near)[0, 3, :, 1] for part in (stations.values, stations.present))
    own = weights[0, 3, :, 0] * present
    torch.testing.assert_close(density[0, 3, 0, 1], own.sum())
    torch.testing.assert_close(mean[0, 3, 0, 1], (own * values).sum() / (own.sum() + 1e-3))
    assert 0.0 < float(present.sum()) < 5.0, "one does not report it"


def test_the_loss_of_a_gaussian_is_the_score_of_the_verification():
    mean, deviation, value = RANDOM.normal(size=50), RANDOM.uniform(0.2, 3.0, 50), RANDOM.normal(size=50)
    ours = gaussian_crps(*(torch.from_numpy(part) for part in (mean, deviation, value)))
    np.testing.assert_allclose(ours.numpy(), crps_of_verification(mean, deviation, value), rtol=1e-10)


@pytest.mark.parametrize("index", range(4))
def test_the_loss_of_classes_is_the_score_of_members_with_their_values(index):
    values, counts = np.array([0.0, 0.3, 1.0, 2.5]), np.array([3, 1, 4, 2])
    below = np.cumsum(counts)[:3] / 10.0
    ours = class_crps(torch.from_numpy(below), torch.tensor(index), torch.from_numpy(np.diff(values)))
    members = np.repeat(values, counts)[:, None]
    np.testing.assert_allclose(float(ours), crps_ensemble(members, values[index : index + 1])[0], rtol=1e-12)


@torch.no_grad()
def test_nothing_jumps_where_another_station_becomes_one_of_the_nearest():
    layer, random = attention(), np.random.default_rng(4)
    latitude, longitude = random.uniform(38, 42, 30), random.uniform(-102, -98, 30)
    there = cartesian(latitude, longitude)
    along = np.linspace(-101.0, -99.0, 4001)  # 43 m from one point to the next
    here = cartesian(np.full(len(along), 40.0), along)
    near = np.argsort(((here[:, None] - there) ** 2).sum(-1), 1)[:, :6]
    assert (np.diff(np.sort(near, 1), axis=0) != 0).any(1).sum() > 5  # the nearest six change so often on the way
    zeros = torch.zeros(1, len(along), 3, dtype=torch.float64)
    points = PointSet(tensor(here), zeros, zeros, torch.from_numpy(near)[None])
    none = torch.full((1, 30, 6), -1)
    stations = PointSet(tensor(there), torch.zeros(1, 30, 2).double(), torch.zeros(1, 30, 3).double(), none)
    values = tensor(random.normal(size=(30, 2)))
    queries, states = torch.zeros(1, len(along), 8).double(), tensor(random.normal(size=(30, 8)))
    mixed, weights = layer(queries, points, states, Stations(stations, values, torch.ones_like(values)))
    mean, _ = means(weights, points.near, Stations(stations, values, torch.ones_like(values)))
    for field in (mixed, mean):
        step = field.diff(dim=1).abs().amax()
        assert step < 0.01 * (field.amax() - field.amin())


def test_where_there_are_fewer_stations_than_neighbours_all_of_them_count():
    distance = torch.tensor([[[1.0, 2.0, 9.0], [1.0, 2.0, 4.0]]])
    near = torch.tensor([[[3, 5, -1], [3, 5, 1]]])
    faded = fading(distance, near)
    assert faded[0, 0].tolist() == [1.0, 1.0, 1.0]
    assert faded[0, 1].tolist() == pytest.approx([1 - 0.25**4, 1 - 0.5**4, LEAST])
