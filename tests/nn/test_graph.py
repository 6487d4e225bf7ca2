"""The graph network: its layers against formulas and a peer, its meshes against distances, and what it may not know."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mlrtma_dist.grid.box import Box
from mlrtma_dist.nn import graph_mesh, graph_messages
from mlrtma_dist.nn.forward_mode import push
from mlrtma_dist.nn.graph import GraphConfig, GraphForecaster
from mlrtma_dist.nn.graph_layers import LAYERS, Edges
from mlrtma_dist.nn.graph_mesh import Part
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone, NeighbourhoodError

WIDTH, CPU = 6, torch.device("cpu")
SMALL = {"width": 8, "depth": 1}
MESHES = {
    "flat": GraphConfig(mesh="flat", levels=1, **SMALL),
    "multiscale": GraphConfig(mesh="multiscale", levels=3, **SMALL),
    "hierarchical": GraphConfig(levels=3, whole=1, upward="propagation", **SMALL),
}


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(config):
    forecaster = GraphForecaster(config).double()
    randomise(forecaster, 3)
    return forecaster


def a_graph(senders=7, receivers=9, edges=40):
    """Random edges; the last receiver has none."""
    generator = torch.Generator().manual_seed(1)
    ends = (torch.randint(high, (edges,), generator=generator) for high in (senders, receivers - 1))
    return Edges(*ends, torch.randint(3, (edges,), generator=generator), torch.zeros(3, 1), receivers)


def by_formula(layer, senders, receivers, edges, graph):
    """Concatenate, map, add up: each edge in turn, as the equations are written."""

    def perceptron(part, values):
        hidden = F.silu(F.linear(values, part.first.weight, part.first.bias))
        return F.layer_norm(
            part.second(hidden), part.norm.normalized_shape, part.norm.weight, part.norm.bias, part.norm.eps
        )

    inbox = [[] for _ in receivers]
    changed = []
    for number, (j, i) in enumerate(zip(graph.sender.tolist(), graph.receiver.tolist(), strict=True)):
        message = perceptron(layer.message, torch.cat([edges[number], senders[j], receivers[i]], -1))
        if layer.propagates:
            message = message + senders[j]
        inbox[i].append(message)
        changed.append(edges[number] + message)
    total = torch.stack([sum(each) if each else torch.zeros_like(receivers[0]) for each in inbox])
    if layer.propagates:
        total = total / torch.tensor([max(1, len(each)) for each in inbox])[:, None, None]
    updates = perceptron(layer.update, torch.cat([receivers, total], -1))
    return (total if layer.propagates else receivers) + updates, torch.stack(changed)


@pytest.mark.parametrize("by_kind", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_and_its_gradients_are_those_of_the_formula_edge_by_edge(name, by_kind, monkeypatch):
    monkeypatch.setattr(graph_messages, "ROWS", 10)  # several blocks, the last one not full
    layer, graph, batch = LAYERS[name](WIDTH, hidden=5).double(), a_graph(), 2
    randomise(layer, 2)
    edges = noise(3, 1, WIDTH) if by_kind else noise(40, batch, WIDTH)
    leaves = [noise(rows, batch, WIDTH, seed=rows).requires_grad_() for rows in (7, 9)] + [edges.requires_grad_()]
    inputs = [*leaves, *layer.parameters()]
    each_edge = edges[graph.kind].expand(-1, batch, -1) if by_kind else edges
    results = []
    for outcome in (layer(*leaves, graph, by_kind), by_formula(layer, *leaves[:2], each_edge, graph)):
        loss = sum((each * noise(*each.shape, seed=5)).sum() for each in outcome)
        results.append([*outcome, *torch.autograd.grad(loss, inputs)])
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    layer.keeps_edges = False
    with torch.no_grad():
        nodes, same = layer(*leaves, graph, by_kind)
    torch.testing.assert_close(nodes, results[1][0], rtol=0, atol=1e-12)
    assert same is edges


def pairs(graph, receivers, senders):
    """The edges as pairs of indices (y, x) of the domain, receiver first."""
    places = []
    for index, box in ((graph.receiver, receivers), (graph.sender, senders)):
        row, column = np.divmod(index.numpy(), box.shape[1])
        places.append(np.stack([row + box.y0, column + box.x0], 1))
    return np.concatenate(places, 1)


def middle(nodes, spacing):
    return nodes * spacing + (spacing - 1) / 2


@pytest.mark.parametrize("spacing", [1, 2, 3, 5])
def test_edges_between_points_and_nodes_are_those_of_their_distances(spacing):
    domain = (17, 11)
    mesh = tuple(-(-size // spacing) for size in domain)
    points, nodes = (Part(size, Box.whole(size), (False, False)) for size in (domain, mesh))
    point, node = (np.stack(np.indices(size), -1).reshape(-1, 2) for size in (domain, mesh))
    offset = point[None] - middle(node, spacing)[:, None]  # from node to point
    distance = np.hypot(*np.moveaxis(offset, -1, 0))
    width = graph_mesh.rim_of_points(spacing)
    up = pairs(graph_mesh.grid_to_mesh(points, nodes, spacing, CPU), nodes.box, points.around(width))
    own_cell = (node[:, None] == point[None] // spacing).all(-1)
    expected = np.argwhere((distance <= 0.67 * spacing) | own_cell)
    assert {tuple(each) for each in up} == {(*node[i], *point[j]) for i, j in expected}
    down = graph_mesh.mesh_to_grid(nodes, points, spacing, CPU)
    edges = pairs(down, points.box, nodes.around(1))
    assert (edges[:, 2:] >= 0).all() and (edges[:, 2:] < mesh).all()
    for here in point:
        mine = edges[(edges[:, :2] == here).all(1)][:, 2:]
        assert len(mine) == 4
        for axis in (0, 1):
            nearest = np.sort(np.abs(middle(np.arange(mesh[axis]), spacing) - here[axis]))[:2]
            own = np.abs(middle(np.unique(mine[:, axis]), spacing) - here[axis])
            np.testing.assert_allclose(np.sort(own), nearest)
    steps = middle(edges[:, 2:], spacing) - edges[:, :2]
    attributes = np.concatenate([steps / spacing, np.log1p(np.hypot(*steps.T) / spacing)[:, None]], 1)
    np.testing.assert_allclose(down.attributes[down.kind].numpy(), attributes, atol=1e-12)


def test_edges_of_levels_join_neighbours_of_a_level_and_a_node_with_the_nine_below_it():
    below, above = (Part(size, Box.whole(size), (False, False)) for size in ((7, 5), (3, 2)))
    ring = pairs(graph_mesh.within(below, below.around(1), 1, CPU), below.box, below.around(1))
    assert {tuple(each) for each in np.abs(ring[:, :2] - ring[:, 2:])} == {(0, 1), (1, 0), (1, 1)}
    assert len(ring) == 2 * (6 * 5 + 7 * 4 + 2 * 6 * 4)  # sides in y, in x, both diagonals, each both ways
    up = graph_mesh.upwards(below, above, 0, CPU)
    joined = pairs(up, above.box, below.box)
    assert len(joined) == 35 and (joined[:, :2] == joined[:, 2:] // 3).all()
    down = graph_mesh.downwards(above, below, 0, CPU)
    assert {tuple(each) for each in pairs(down, below.box, above.box)} == {
        (*b, *a) for *a, b in ((y, x, (i, j)) for y, x, i, j in joined)
    }
    np.testing.assert_allclose(up.attributes[up.kind][:, :2].numpy(), (joined[:, 2:] - 3 * joined[:, :2] - 1) / 3)


@pytest.mark.parametrize("name", MESHES)
@pytest.mark.parametrize("size", [(48, 36), (13, 22), (1, 1), (7, 40)])
def test_every_size_is_accepted(name, size):
    forecaster = network(MESHES[name])
    assert forecaster.alignment == {"flat": 3, "multiscale": 27, "hierarchical": 27}[name]
    assert forecaster(noise(2, 3, *size), Alone(size)).shape == (2, 1, *size)


@pytest.mark.parametrize("name", MESHES)
def test_no_place_is_known_a_shifted_field_has_the_shifted_answer(name):
    forecaster, domain = network(MESHES[name]), (54, 81)
    field, here, step = noise(1, 3, *domain), Alone(domain, (True, True)), 27
    one = forecaster(field, here).roll((step, step), (-2, -1))
    torch.testing.assert_close(forecaster(field.roll((step, step), (-2, -1)), here), one, rtol=0, atol=1e-10)
    other = forecaster(field.roll((step, step - 1), (-2, -1)), here)
    assert float((other - one.roll(1, -1)).detach().abs().max()) > 1e-3  # the mesh does not move with the field


def test_weights_serve_a_domain_and_a_part_of_it_away_from_the_edges():
    forecaster, whole = network(replace(MESHES["flat"], depth=2)), noise(1, 3, 48, 60)
    part = forecaster(whole[..., 6:42, 9:54], Alone((36, 45)))
    expected = forecaster(whole, Alone((48, 60)))[..., 6:42, 9:54]
    torch.testing.assert_close(part[..., 12:-12, 12:-12], expected[..., 12:-12, 12:-12], rtol=0, atol=1e-12)
    assert float((part - expected).detach().abs().max()) > 1e-3  # at the edges there are fewer edges


def test_long_edges_and_coarse_levels_carry_further_than_a_flat_mesh():
    """In one layer: flat within three spacings, the others across the domain."""
    domain, reached = (60, 60), {}
    for name, config in MESHES.items():
        field = noise(1, 3, *domain).requires_grad_()
        network(config)(field, Alone(domain))[0, 0, 30, 30].backward()
        rows = torch.nonzero(field.grad[0].abs().sum((0, 2)))
        reached[name] = int((rows - 30).abs().max())
    assert reached["flat"] <= 9 < 27 <= min(reached["multiscale"], reached["hierarchical"])


@pytest.mark.parametrize("name", MESHES)
def test_the_backward_pass_is_the_adjoint_of_the_tangent_linear(name):
    forecaster, here = network(MESHES[name]), Alone((30, 33))
    at, along, into = noise(1, 3, 30, 33), noise(1, 3, 30, 33, seed=1), noise(1, 1, 30, 33, seed=2)
    pushed = push(lambda field: forecaster(field, here), at, along)
    leaf = at.clone().requires_grad_()
    (forecaster(leaf, here) * into).sum().backward()
    left, right = float((pushed * into).sum()), float((leaf.grad * along).sum())
    assert abs(left - right) <= 1e-10 * float(pushed.norm() * into.norm())


@pytest.mark.parametrize("name", MESHES)
def test_under_autocast_answer_and_gradients_are_near_those_without_it(name):
    forecaster = network(MESHES[name]).float()
    field = noise(1, 3, 16, 18).float()
    answers, gradients = {}, {}
    for lower in (False, True):
        forecaster.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=lower):
            answer = forecaster(field, Alone(field.shape[-2:]))
        answer.float().square().mean().backward()
        answers[lower] = answer.float()
        gradients[lower] = torch.cat([each.grad.flatten() for each in forecaster.parameters() if each.grad is not None])
    for each in (answers, gradients):
        assert (each[True] - each[False]).norm() < 0.1 * each[False].norm()  # bf16 has 8 bits
    assert (answers[True] - answers[False]).abs().max() > 0.0


@pytest.mark.parametrize("name", MESHES)
def test_recomputed_activations_change_no_gradient(name):
    gradients = []
    for again in (False, True):
        forecaster = network(replace(MESHES[name], recompute=again))
        forecaster(noise(2, 3, 20, 31), Alone((20, 31))).square().sum().backward()
        gradients.append([weight.grad for weight in forecaster.parameters()])
    assert all(torch.equal(*both) for both in zip(*gradients, strict=True))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mesh": "cube"}, "unknown mesh 'cube'; choose one of flat, multiscale, hierarchical"),
        ({"downward": "mean"}, "unknown downward 'mean'"),
        ({"mesh": "flat"}, "A flat mesh has 1 level"),
        ({"levels": 1}, "the others have at least 2"),
        ({"whole": 3}, "from 0 to levels - 1 = 2, got 3"),
        ({"spacing": 0}, "spacing must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(changes, words):
    with pytest.raises(NeighbourhoodError, match=words):
        GraphConfig(**changes)
