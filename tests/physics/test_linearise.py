"""Tangent linear and adjoint: of Taylor's order, transposes of each other, the same on tiles; models and networks."""

import pytest
import torch

from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.memory import run_tiles
from mlrtma_dist.physics.balance import random_balanced
from mlrtma_dist.physics.linearise import Linearised, taylor_remainders
from mlrtma_dist.physics.lorenz96 import Lorenz96
from mlrtma_dist.physics.shallow_water import ShallowWater

SHAPE = (12, 16)
WATER = ShallowWater(2e4, coriolis=1e-4, viscosity=1e3)
PLANE = Alone(SHAPE, (True, True))


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def water(here=PLANE):
    seconds = 60.0
    return lambda state: WATER.run(state, seconds, 3, here)


def sea() -> torch.Tensor:
    state = random_balanced(WATER, Alone((16, 16), (True, True)), depth=1000.0, speed=15.0, length=1e5, seed=3, cases=1)
    return state[..., : SHAPE[0], :].double().contiguous()


def emulator():
    torch.manual_seed(1)
    layers = torch.nn.Conv1d(1, 6, 5, padding=2, padding_mode="circular"), torch.nn.Conv1d(6, 1, 1)
    network = torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1]).double()
    return lambda state: state + network(state[None, None])[0, 0]


STEPS = {
    "Lorenz 96": (lambda state: Lorenz96().run(state, 4), lambda: 3.0 * random(40)),
    "shallow water": (water(), sea),
    "network": (emulator(), lambda: random(24)),
}


@pytest.mark.parametrize("name", STEPS)
def test_remainders_fall_with_the_size_of_the_perturbation(name):
    step, state = STEPS[name][0], STEPS[name][1]()
    sizes = torch.tensor([1e-1, 1e-2, 1e-3, 1e-4], dtype=torch.float64)
    remainders = taylor_remainders(step, state, random(*state.shape, seed=1), sizes)
    assert torch.all(remainders < 3.0 * remainders[0] * sizes / sizes[0])
    assert float(remainders[-1]) < 1e-3


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("name", STEPS)
def test_the_adjoint_is_the_transpose_of_the_tangent_linear(name, kept):
    step, state = STEPS[name][0], STEPS[name][1]()
    linear = Linearised(step, state, kept=kept)
    dx, y = random(*state.shape, seed=2), random(*linear.value.shape, seed=3)
    one, other = float((linear.tangent(dx) * y).sum()), float((dx * linear.adjoint(y)).sum())
    assert one == pytest.approx(other, rel=1e-10)
    if state.numel() < 100:
        torch.testing.assert_close(linear.matrix().T @ y.flatten(), linear.adjoint(y).flatten())


@pytest.mark.parametrize("name", STEPS)
def test_a_kept_graph_gives_the_tangent_linear_of_forward_mode(name):
    step, state = STEPS[name][0], STEPS[name][1]()
    dx = random(*state.shape, seed=6)
    kept, forward = Linearised(step, state, kept=True).tangent(dx), Linearised(step, state).tangent(dx)
    torch.testing.assert_close(kept, forward, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("requires", [False, True])
def test_what_does_not_depend_on_the_state_has_no_derivative(kept, requires):
    weight = torch.ones(3, dtype=torch.float64, requires_grad=requires)
    linear = Linearised(lambda state: 2.0 * weight, random(5), kept=kept)
    assert linear.tangent(random(5)).tolist() == [0.0] * 3 and linear.adjoint(random(3)).tolist() == [0.0] * 5


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("table", [(1, 2), (2, 2), (3, 1)])
def test_tiles_give_what_one_process_gives(table, kept):
    state, dx, y = sea(), random(1, 3, *SHAPE, seed=4), random(1, 3, *SHAPE, seed=5)
    whole = Linearised(water(), state)

    def of_tile(here):
        rows, columns = here.box.slices
        part = (..., rows, columns)
        linear = Linearised(water(here), state[part], kept=kept)
        return here.box, linear.tangent(dx[part]), linear.adjoint(y[part])

    for box, tangent, adjoint in run_tiles(SHAPE, table, of_tile, periodic=(True, True)):
        part = (..., *box.slices)
        torch.testing.assert_close(tangent, whole.tangent(dx)[part], rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(adjoint, whole.adjoint(y)[part], rtol=1e-11, atol=1e-11)


def of_the_domain(here):
    """A step that uses every way in which tiles learn of each other but the rim: sums and the gathered field."""

    def step(state):
        whole = here.whole(state)
        around = torch.roll(torch.sin(whole), 3, -1)[(..., *here.box.slices)]
        return state * around + here.total(state.square().sum()) / whole.numel() * state

    return step


@pytest.mark.parametrize("kept", [False, True])
def test_sums_over_tiles_and_gathered_fields_have_both_derivatives(kept):
    state, dx, y = (random(1, 3, *SHAPE, seed=seed) for seed in (7, 8, 9))
    whole = Linearised(of_the_domain(PLANE), state)

    def of_tile(here):
        part = (..., *here.box.slices)
        linear = Linearised(of_the_domain(here), state[part], kept=kept)
        return here.box, linear.tangent(dx[part]), linear.adjoint(y[part])

    for box, tangent, adjoint in run_tiles(SHAPE, (2, 2), of_tile, periodic=(True, True)):
        part = (..., *box.slices)
        torch.testing.assert_close(tangent, whole.tangent(dx)[part], rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(adjoint, whole.adjoint(y)[part], rtol=1e-11, atol=1e-11)
