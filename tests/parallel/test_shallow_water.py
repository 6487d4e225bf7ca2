"""Shallow water on 2, 3 and 4 uneven tiles, beside the undivided domain. One job checks all."""

import pytest
from launch import launch

pytestmark = pytest.mark.slow
SEED = 20220824


@pytest.fixture(scope="module")
def differences():
    return launch("shallow_water", 4, SEED, timeout=300.0)


def above(values, limit):
    assert values, "nothing was checked"
    return {name: value for name, value in values.items() if not value <= limit}


def test_a_run_on_tiles_gives_the_fields_of_the_undivided_domain(differences):
    assert above(differences["equality"], 1e-12) == {}


def test_gradients_of_a_run_on_tiles_are_those_of_the_undivided_domain(differences):
    assert above(differences["gradient"], 1e-12) == {}


def test_a_run_on_tiles_in_float32_gives_the_fields_of_the_undivided_domain(differences):
    assert above(differences["single"], 2e-6) == {}


def test_invariants_and_stable_steps_on_tiles_are_those_of_the_undivided_domain(differences):
    assert above(differences["sums"], 1e-12) == {}


def test_periodic_closed_and_open_sides_were_checked_on_two_three_and_four_tiles(differences):
    for case in (
        "u ('periodic', 'periodic') (1, 2)",
        "v ('wall', 'periodic') (4, 1)",
        "h ('open', 'open') (2, 2)",
        "u ('periodic', 'open') (1, 3)",
        "balanced (2, 2)",
    ):
        assert case in differences["equality"]
