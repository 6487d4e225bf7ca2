"""The graph network, decomposed, gives what one rank gives: outputs, gradients; and a tile holds its share."""

import pytest
import torch
from network_checks import Case
from tables import cut, noise

from mlrtma_dist.nn.graph import GraphConfig, GraphForecaster
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.memory import run_tiles
from mlrtma_dist.parallel.neighbourhood import Tiled
from mlrtma_dist.parallel.tile import Tile, TileError
from mlrtma_dist.parallel.traffic import Counting

SEED = 20261128
SMALL = {"channels_in": 3, "channels_out": 1, "width": 8, "depth": 2}
NETWORKS = {
    "flat": GraphConfig(mesh="flat", levels=1, **SMALL),
    "flat, even spacing": GraphConfig(mesh="flat", levels=1, spacing=4, upward="propagation", **SMALL),
    "multiscale": GraphConfig(mesh="multiscale", levels=3, spacing=2, **SMALL),
    "multiscale, two levels whole": GraphConfig(mesh="multiscale", levels=3, whole=2, spacing=3, **SMALL),
    "hierarchical": GraphConfig(levels=2, spacing=3, upward="propagation", downward="propagation", **SMALL),
    "hierarchical, two levels whole": GraphConfig(levels=3, whole=2, spacing=2, recompute=True, **SMALL),
}


def network(name):
    forecaster = GraphForecaster(NETWORKS[name])
    randomise(forecaster, SEED)
    assert all(bool((weight != 0).all()) for weight in forecaster.parameters()), "a zero weight proves nothing"
    return forecaster


@pytest.mark.parametrize(
    ("domain", "wraps", "table"),
    [((61, 41), False, (1, 2)), ((61, 41), False, (3, 1)), ((61, 41), False, (2, 2)), ((72, 36), True, (2, 2))],
)
@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_gradients_on_tiles_equal_those_of_one_rank(name, domain, wraps, table):
    case = Case("graph", network(name), domain, (wraps, wraps), (), torch.float64, SEED)
    answer, threads = case.answer(), torch.get_num_threads()
    torch.set_num_threads(1)
    align = case.network.alignment
    results = run_tiles(domain, table, lambda here: case.compare(answer, here), align=align, periodic=(wraps, wraps))
    torch.set_num_threads(threads)
    for values in results:
        assert {name: value for name, value in values.items() if not value <= 1e-10} == {}


def counted(forecaster, here):
    """Numbers kept for the backward pass of a tile, and rounds of letters forward, with nothing computed."""
    blank, kept = forecaster.to("meta"), {}
    field = torch.empty(1, 3, *here.box.shape, device="meta", requires_grad=True)

    def keep(tensor):
        kept[id(tensor)] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        blank(field, here)
    weights = {id(weight) for weight in blank.parameters()}
    storages = {each.untyped_storage()._cdata: each for key, each in kept.items() if key not in weights}
    rounds = len(here.transport.log) if isinstance(here, Tiled) else 0
    return sum(each.untyped_storage().nbytes() // each.element_size() for each in storages.values()), rounds


@pytest.mark.parametrize(("name", "rounds"), [("flat", 1 + 2 + 1), ("multiscale", 3 * 2 + 1)])
def test_a_tile_keeps_little_more_than_its_share_of_points_and_a_layer_is_one_round_per_scale(name, rounds):
    domain, forecaster = (397, 301), network(name)  # the multi-scale one has a spacing of 2 and no rim of points
    alone, _ = counted(forecaster, Alone(domain))
    for number in range(16):
        tile = Tile.split(domain, (4, 4), divmod(number, 4), forecaster.alignment)
        kept, letters = counted(forecaster, Tiled(tile, Counting.among(16, number)))
        assert letters == rounds
        share = tile.shape[0] * tile.shape[1] / (domain[0] * domain[1])
        assert kept <= 1.1 * share * alone < alone / 10


def test_tiles_that_cut_a_node_are_refused_with_the_alignment():
    with pytest.raises(TileError, match="align=18"):
        run_tiles(
            (60, 40),
            (2, 1),
            lambda here: network("multiscale").double()(noise(0, 1, 3, *here.box.shape), here),
            align=3,
        )


def test_a_rim_that_is_not_fetched_changes_the_answer(monkeypatch):
    """The comparison above must notice where nodes of the neighbour are taken for zero."""
    domain, forecaster = (36, 36), network("hierarchical").double()
    field = noise(SEED, 1, 3, *domain)
    whole = forecaster(field, Alone(domain)).detach()

    def work(here):
        monkeypatch.setattr("mlrtma_dist.nn.graph_process.surrounded", forgetful)
        output = forecaster(cut(field, here.box, domain), here).detach()
        return float((output - cut(whole, here.box, domain)).abs().max())

    assert max(run_tiles(domain, (2, 1), work, align=forecaster.alignment)) > 1e-3


def forgetful(nodes, grid):
    shape = grid.box.shape
    field = torch.nn.functional.pad(nodes.unflatten(0, shape).permute(2, 3, 0, 1), (1, 1, 1, 1))
    return field.permute(2, 3, 0, 1).flatten(0, 1)
