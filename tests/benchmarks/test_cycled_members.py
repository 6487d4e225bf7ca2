"""The cycle of members in simulated weather: what an hour hands on to the next one, and what is summed of it."""

import pathlib

import numpy as np
import pytest

from mlrtma_dist.fields.gridded import GriddedFirstGuess
from mlrtma_dist.fields.state import State

BENCHMARKS = str(pathlib.Path(__file__).parents[2] / "benchmarks")


@pytest.fixture
def cycled_members(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import cycled_members

    return cycled_members


def test_an_analysis_that_is_the_truth_is_carried_on_by_the_models_change_alone(cycled_members):
    world = cycled_members.SimulatedHours("toy")
    first, second = (world.case(number, None) for number in range(2))
    assert world.time[1] - world.time[0] == np.timedelta64(1, "h")
    state = State(first.domain, first.time, dict(first.truth), first.static.terrain, "truth")
    guess = GriddedFirstGuess(state, state.origin)
    carried = world.case(1, guess)
    for name in ("t2m", "u10"):
        expected = first.truth[name] + second.background[name] - first.background[name]
        np.testing.assert_allclose(carried.background_of(name), expected, atol=1e-3)
    plain = cycled_members.SimulatedHours("toy", with_model=False).case(1, guess)
    np.testing.assert_allclose(plain.background_of("t2m"), first.truth["t2m"], atol=1e-3)
    np.testing.assert_array_equal(plain.observations.value, second.observations.value)
