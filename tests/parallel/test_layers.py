"""Primitives and layers on 2, 3 and 4 tiles, beside the undivided domain; in threads of one process."""

import contextlib

import numpy as np
import pytest
import torch
import torch.autograd.forward_ad as forward_ad
from launch import launch
from layer_checks import check_adjoints, check_layers, check_rims, check_stations
from tables import MemoryTables, in_threads, joined

from mlrtma_dist.grid.box import cell_of
from mlrtma_dist.nn.neighbourhood import Rim
from mlrtma_dist.nn.points import owned
from mlrtma_dist.parallel.memory import run_tiles
from mlrtma_dist.parallel.tile import Tile, TileError

SEED = 20220824


def above(values, limit):
    assert values, "nothing was checked"
    return {name: value for name, value in values.items() if not value <= limit}


@pytest.fixture(scope="module")
def differences():
    """Equality, gradient and adjoint of every case: the largest over the tiles."""

    def work(rank, meetings):
        tables = MemoryTables(rank, meetings)
        equality, gradient, adjoint = {}, {}, {}
        check_rims(tables, SEED, equality)
        check_adjoints(rank, tables, SEED, equality, adjoint, level=contextlib.nullcontext)
        check_stations(tables, SEED, equality, gradient)
        check_layers(tables, SEED, equality, gradient)
        return equality, gradient, adjoint

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with forward_ad.dual_level():  # PyTorch has one level for all threads
        results = in_threads(work)
    torch.set_num_threads(threads)
    return dict(zip(("equality", "gradient", "adjoint"), map(joined, zip(*results, strict=True)), strict=True))


def test_every_layer_on_tiles_equals_the_undivided_domain(differences):
    assert above(differences["equality"], 1e-12) == {}


def test_every_layers_gradients_on_tiles_equal_those_of_the_undivided_domain(differences):
    assert above(differences["gradient"], 1e-11) == {}


def test_the_backward_pass_of_every_primitive_is_its_adjoint(differences):
    assert above(differences["adjoint"], 1e-12) == {}


def test_all_strides_and_dilations_were_checked_on_uneven_and_on_periodic_domains(differences):
    for case in (
        "convolution 3 2 1 zeros (37, 53) (False, False) (2, 2)",
        "convolution 5 1 2 replicate (48, 36) (True, True) (1, 3)",
        "windows 4 True (48, 36) (True, True) (2, 1)",
        "global mixing (37, 53) (False, False) (2, 2)",
    ):
        assert case in differences["gradient"]


def test_a_halo_wider_than_a_tile_is_refused_by_name():
    expected = "rank 0 owns 2 rows .y 0:2 of 9, domain memory. but the halo is 3 wide. Use at most 3 ranks in y."
    with pytest.raises(TileError, match=expected):
        run_tiles((9, 40), (4, 1), lambda here: here.rim(torch.zeros(1, 1, *here.box.shape), Rim.around(3, 3)))


def test_tiles_that_ask_for_different_operations_are_told_so():
    def work(here):
        field = torch.zeros(1, 1, *here.box.shape)
        return here.whole(field) if here.transport.rank else here.total(torch.zeros(3))

    with pytest.raises(RuntimeError, match="the tiles ask for different operations"):
        run_tiles((8, 8), (2, 1), work)


@pytest.mark.parametrize("periodic", [(False, False), (True, True)])
def test_each_of_2000_random_stations_is_owned_by_one_tile_and_by_the_same_as_in_a_store(periodic):
    domain = (37, 54)
    places = np.random.default_rng(SEED).uniform(-0.5, np.array(domain) - 0.5, (2000, 2))
    masks = run_tiles(domain, (2, 2), lambda here: owned(torch.from_numpy(places), here).numpy(), periodic=periodic)
    assert (np.sum(masks, axis=0) == 1).all()
    cells = cell_of(places, domain, periodic)
    for rank, mask in enumerate(masks):
        box = Tile.split(domain, (2, 2), divmod(rank, 2), periodic=periodic).box
        np.testing.assert_array_equal(mask, box.owns(cells))


@pytest.mark.slow
def test_across_four_processes_it_holds_as_it_does_across_threads():
    result = launch("layers", 4, SEED)
    assert above(result["equality"], 1e-12) == {}
    assert above(result["gradient"], 1e-11) == {}
    assert above(result["adjoint"], 1e-12) == {}
    expected = "rank 0 owns 2 rows (y 0:2 of 9, domain test) but the halo is 3 wide. Use at most 3 ranks in y."
    assert result["messages"] == [expected] * 4
