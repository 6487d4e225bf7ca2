"""The measures of learned adjoints: a model has no error against itself, and the errors of a wrong one are its."""

import pytest
import torch
from benchmark_module import benchmark_module

from mlrtma_dist.physics.linearise import Linearised
from mlrtma_dist.physics.lorenz96 import Lorenz96

MODEL = Lorenz96()


@pytest.fixture(scope="module")
def adjoints():
    return benchmark_module("learned_adjoints")


def states(cases: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(2)
    return MODEL.run(8.0 + torch.randn(cases, 40, generator=random, dtype=torch.float64), 100)


def test_jacobians_of_many_states_are_those_of_each(adjoints):
    both = adjoints.jacobians(MODEL.step, states(2))
    for state, matrix in zip(states(2), both, strict=True):
        torch.testing.assert_close(matrix, Linearised(MODEL.step, state).matrix(), rtol=0, atol=1e-13)


def test_the_model_has_no_error_and_an_added_constant_matrix_has_its_own(adjoints):
    none = adjoints.measures(MODEL.step, MODEL.step, states(3), 1.0, (1, 4))
    assert none == pytest.approx([0.0] * 5, abs=1e-7)  # what counts as zero is not exactly zero
    wrong = 0.01 * torch.ones(40, 40, dtype=torch.float64)
    step = lambda state: MODEL.step(state) + state @ wrong  # noqa: E731
    one, jacobian, nothing, first, fourth = adjoints.measures(step, MODEL.step, states(3), 1.0, (1, 4))
    assert jacobian == pytest.approx(0.01) and nothing == pytest.approx(0.01, rel=1e-4)
    assert one == pytest.approx(float((states(3) @ wrong).square().mean().sqrt()))
    assert 0.0 < first < fourth


def test_the_adjoint_response_of_several_steps_is_a_row_of_the_product_of_jacobians(adjoints):
    state, covector = states(1), torch.zeros(1, 40, dtype=torch.float64)
    covector[0, 20] = 1.0
    after = MODEL.step(state[0])
    row = (Linearised(MODEL.step, after).matrix() @ Linearised(MODEL.step, state[0]).matrix())[20]
    response = adjoints.response(MODEL.step, MODEL.step, state, 2, covector)
    torch.testing.assert_close(torch.from_numpy(response), row, rtol=0, atol=1e-13)


def test_the_line_s_pairs_are_steps_of_the_model_and_their_residual_is_small(adjoints):
    line = adjoints.line
    pairs = line.pairs_of(2, 3, 5)
    assert pairs.shape == (6, line.PARTS + 1, 2, 1, line.POINTS)
    torch.testing.assert_close(line.true_step(pairs[:, 0].double()).float(), pairs[:, -1], rtol=0, atol=1e-5)
    assert float(line.residuals(pairs.movedim(1, 0)).square().mean().sqrt()) < 2e-3


def test_training_lowers_the_error_and_free_states_stay_within_bounds(adjoints):
    line, pairs = adjoints.line, adjoints.line.pairs_of(2, 5, 6)
    emulator, _ = line.train("product", pairs, line.Recipe(weight=1.0, where="free", steps=25), 1)
    with torch.no_grad():
        error = (emulator(pairs[:, 0]) - pairs[:, -1]).square().mean()
    assert float(error) < 0.5 * float((pairs[:, 0] - pairs[:, -1]).square().mean())
    free = line.FreeStates.draw(4, torch.Generator().manual_seed(1))
    free.carry_on(torch.full_like(free.states, torch.inf))
    assert bool(((free.states - line.MEAN).abs() < 10.0).all())
