"""Primitives and layers on 2, 3 and 4 tiles, beside the undivided domain. One job checks all."""

import random

import pytest
from launch import launch


@pytest.fixture(scope="module")
def found():
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    return launch("layers", 4, seed)


def above(values, limit):
    assert values, "nothing was checked"
    return {name: value for name, value in values.items() if not value <= limit}


def test_every_layer_on_tiles_equals_the_undivided_domain(found):
    assert above(found["equality"], 1e-12) == {}


def test_every_layers_gradients_on_tiles_equal_those_of_the_undivided_domain(found):
    assert above(found["gradient"], 1e-11) == {}


def test_the_backward_pass_of_every_primitive_is_its_adjoint(found):
    assert above(found["adjoint"], 1e-12) == {}


def test_all_strides_and_dilations_were_checked_on_uneven_and_on_periodic_domains(found):
    for case in (
        "convolution 3 2 1 zeros (37, 53) (False, False) (2, 2)",
        "convolution 5 1 2 replicate (48, 36) (True, True) (1, 3)",
        "windows 4 True (48, 36) (True, True) (2, 1)",
        "global mixing (37, 53) (False, False) (2, 2)",
    ):
        assert case in found["gradient"]


def test_a_halo_wider_than_a_tile_is_refused_alike_on_every_rank(found):
    expected = "rank 0 owns 2 rows (y 0:2 of 9, domain test) but the halo is 3 wide. Use at most 3 ranks in y."
    assert found["messages"] == [expected] * 4
