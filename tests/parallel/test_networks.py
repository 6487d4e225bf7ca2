"""U-net and vision transformer, decomposed, give what one rank gives.

Threads of one process show it in seconds, a job of four ranks that it holds across processes.
"""

import pytest
import torch
from launch import launch
from network_checks import SMALL, Case, networks

from mlrtma_dist.parallel.memory import run_tiles

SEED = 20220824


LIMITS = {"float32": 1e-5, "float64": 1e-10}
MEASURES = {
    "float32": ("output", "input gradient", "all weights"),
    "float64": ("output", "input gradient", "all weights", "each weight"),
}


@pytest.mark.parametrize("table", [(1, 3), (2, 1), (2, 2)])
@pytest.mark.parametrize("network", ["unet", "vit"])
def test_in_one_process_outputs_and_gradients_on_tiles_equal_those_of_one_rank(network, table):
    template = networks(SEED)[network]
    case = Case(network, template, SMALL, (False, False), (), torch.float64, SEED)
    answer, threads = case.answer(), torch.get_num_threads()
    torch.set_num_threads(1)
    results = run_tiles(SMALL, table, lambda here: case.compare(answer, here), align=template.alignment)
    torch.set_num_threads(threads)
    for values in results:
        assert {name: value for name, value in values.items() if not value <= 1e-10} == {}


@pytest.fixture(scope="module")
def comparisons():
    return launch("networks", 4, SEED, timeout=240)


@pytest.mark.parametrize("precision", LIMITS)
@pytest.mark.parametrize("network", ["unet", "vit"])
@pytest.mark.slow
def test_outputs_and_gradients_on_tiles_equal_those_of_one_rank(comparisons, network, precision):
    values = {
        name: value for name, value in comparisons["equality"].items() if name.startswith(f"{precision} {network} ")
    }
    assert len(values) == 4 * (4 + 3 + 7 + 3)
    checked = {name: value for name, value in values.items() if name.endswith(MEASURES[precision])}
    assert {name: value for name, value in checked.items() if not value <= LIMITS[precision]} == {}


@pytest.mark.parametrize("network", ["unet", "vit"])
@pytest.mark.slow
def test_the_comparison_finds_out_a_missing_exchange(comparisons, network):
    forgotten = comparisons["forgotten"]
    assert forgotten[f"{network} without forward, output"] > 1e-3
    assert forgotten[f"{network} without forward, input gradient"] > 1e-3
    assert forgotten[f"{network} without backward, output"] < 1e-10  # only the way back was lost
    assert forgotten[f"{network} without backward, input gradient"] > 1e-3
    assert forgotten[f"{network} without backward, each weight"] > 1e-3


@pytest.mark.slow
def test_the_backward_pass_of_the_decomposed_network_is_the_adjoint_of_its_tangent_linear(comparisons):
    assert set(comparisons["adjoint"]) == {
        f"{network} {table}" for network in ("unet", "vit") for table in ("(2, 2)", "(1, 3)")
    }
    assert max(comparisons["adjoint"].values()) <= 1e-10


@pytest.mark.parametrize(
    "case", [f"{network} {table}" for network in ("unet", "vit") for table in ("(2, 2)", "(3, 1)")]
)
@pytest.mark.slow
def test_training_on_tiles_follows_one_rank_and_the_loss_falls_by_a_tenth(comparisons, case):
    assert comparisons["training"][f"{case} difference"] <= 1e-10
    assert comparisons["training"][f"{case} left"] <= 0.9


@pytest.mark.parametrize("network", ["unet", "vit"])
@pytest.mark.slow
def test_recomputed_activations_repeat_the_exchanges_in_the_same_order_on_every_rank(comparisons, network):
    assert comparisons["recomputation"][f"{network} disordered ranks"] == 0
    assert comparisons["recomputation"][f"{network} repeated"] > 1.1
    assert comparisons["recomputation"][f"{network} difference"] == 0.0
