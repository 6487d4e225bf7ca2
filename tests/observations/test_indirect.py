"""Indirect types: their tangent is their derivative, weak ones are linear, strong ones have several states that fit."""

import numpy as np
import pytest

from mlrtma_dist.observations.indirect import TYPES, IndirectTypes


def states(count: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, 3)) * [8.0, 6.0, 6.0]


@pytest.mark.parametrize("strength", [0.3, 3.0])
def test_the_tangent_is_the_derivative_and_its_transpose_the_adjoint(strength):
    types, state, step = IndirectTypes(strength), states(500), 1e-5
    kind = np.arange(500) % len(TYPES)
    rows = types.tangent(state, kind)
    for variable, direction in enumerate(np.eye(3)):
        difference = types.values(state + step * direction, kind) - types.values(state - step * direction, kind)
        np.testing.assert_allclose(rows[:, variable], difference / (2 * step), atol=1e-6)
    change, weight = states(500), np.random.default_rng(2).standard_normal(500)
    there, back = np.sum((rows * change).sum(1) * weight), np.sum(change * (rows * weight[:, None]))
    assert there == pytest.approx(back, rel=1e-12)


def test_types_of_vanishing_strength_are_linear():
    state = states(300)
    h, u, v = state.T
    types = IndirectTypes(1e-6, height=8.0, wind=6.0)
    np.testing.assert_allclose(types.values(state, np.full(300, 3)), u, atol=1e-4)
    np.testing.assert_allclose(types.values(state, np.full(300, 4)), h + 8.0 / 6.0 * v, atol=1e-4)


def test_a_strong_speed_does_not_tell_opposite_winds_apart_and_a_strong_phase_not_the_heights():
    types = IndirectTypes(1e6, height=8.0, wind=6.0)
    winds = np.array([[0.0, 5.0, 3.0], [0.0, -5.0, -3.0]])
    assert np.ptp(types.values(winds, np.array([3, 3]))) < 1e-4
    folded = IndirectTypes(3.0, height=8.0, wind=6.0)
    heights = np.array([[1.0, 0.0, 0.0], [np.pi * 8.0 / 3.0 - 1.0, 0.0, 0.0]])  # sin(s h/D) is the same at both
    assert np.ptp(folded.values(heights, np.array([4, 4]))) < 1e-12
    assert abs(folded.values(heights, np.array([4, 4]))[0]) > 0.5


def test_the_direct_types_are_the_state_itself():
    state = states(9)
    values = IndirectTypes().values(state, np.arange(9) % 3)
    np.testing.assert_array_equal(values, state[np.arange(9), np.arange(9) % 3])


def test_a_wind_equal_to_the_platforms_has_a_finite_tangent():
    rows = IndirectTypes(3.0, wind=6.0).tangent(np.array([[0.0, -2.0, 0.0]]), np.array([3]))
    np.testing.assert_array_equal(rows, [[0.0, 0.0, 0.0]])


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="strength: expected more than 0, got 0"):
        IndirectTypes(0.0)
