"""4D-Var: the Kalman smoother where all is linear, the least cost where it is not, tiles as one process."""

import numpy as np
import pytest
import torch

from mlrtma_dist.errors import InputError
from mlrtma_dist.methods.fourdvar import Observations, Window, minimise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.memory import run_tiles
from mlrtma_dist.physics.lorenz96 import Lorenz96

N, TIMES = 6, 4


def array(*shape: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def linear_window(weak: bool):
    """Matrices, and the window made of them; at time 2 nothing is observed."""
    root, q_root = torch.tril(array(N, N, seed=1)) + 2.0 * torch.eye(N), 0.3 * torch.eye(N, dtype=torch.float64)
    model = torch.eye(N, dtype=torch.float64) + 0.3 * array(N, N, seed=2)
    operators, observed = [array(3, N, seed=10 + k) for k in range(TIMES)], []
    for k, operator in enumerate(operators):
        deviation = 0.5 + array(3, seed=20 + k).abs()
        observed.append(Observations(array(3, seed=30 + k), deviation, lambda x, h=operator: h @ x))
    observed[2] = None
    window = Window(
        array(N, seed=3),
        lambda v: root @ v,
        lambda x: model @ x,
        observed,
        (lambda w: q_root @ w) if weak else None,
    )
    return window, root, model, operators, q_root if weak else 0.0 * q_root


def smoothed(window, root, model, operators, q_root) -> np.ndarray:
    """Means of the states given all observations: Rauch, Tung and Striebel (1965)."""
    b, m, q = (each.numpy() for each in (root @ root.T, model, q_root @ q_root.T))
    mean, covariance, forward = window.background.numpy(), b, []
    for k in range(TIMES):
        if k:
            mean, covariance = m @ mean, m @ covariance @ m.T + q
        before = mean, covariance
        if window.observed[k] is not None:
            h, r = operators[k].numpy(), np.diag(window.observed[k].deviation.numpy() ** 2)
            gain = covariance @ h.T @ np.linalg.inv(h @ covariance @ h.T + r)
            mean = mean + gain @ (window.observed[k].value.numpy() - h @ mean)
            covariance = covariance - gain @ h @ covariance
        forward.append((*before, mean, covariance))
    states = [forward[-1][2]]
    for k in range(TIMES - 2, -1, -1):
        gain = forward[k][3] @ m.T @ np.linalg.inv(forward[k + 1][1])
        states.insert(0, forward[k][2] + gain @ (states[0] - forward[k + 1][0]))
    return np.stack(states)


@pytest.mark.parametrize("weak", [False, True])
def test_where_all_is_linear_it_is_the_kalman_smoother(weak):
    window, *matrices = linear_window(weak)
    answer = minimise(window, outer_loops=1, tolerance=1e-13)
    np.testing.assert_allclose(torch.stack(answer.states), smoothed(window, *matrices), rtol=1e-8, atol=1e-8)
    assert len(answer.costs) == 2 and answer.costs[1] < answer.costs[0]
    assert answer.control.shape == ((TIMES if weak else 1), N)


def lorenz_window(times: int = 2) -> tuple[Window, torch.Tensor]:
    model = Lorenz96()
    truth = model.run(8.0 + 0.01 * array(40, seed=4), 400)
    observed, state = [None], truth
    for k in range(times):
        state = model.run(state, 4)
        observed.append(Observations(state + array(40, seed=5 + k), torch.ones(40, dtype=torch.float64), lambda x: x))
    window = Window(truth + 0.8 * array(40, seed=40), lambda v: 0.8 * v, lambda x: model.run(x, 4), observed)
    return window, truth


def test_outer_loops_find_the_least_cost_of_a_nonlinear_window():
    window, truth = lorenz_window()
    answer = minimise(window, outer_loops=10, tolerance=1e-9)
    assert all(later < earlier for earlier, later in zip(answer.costs, answer.costs[1:], strict=False))
    control = answer.control.clone().requires_grad_()
    cost = 0.5 * (control.square().sum() + (window.scaled - window.equivalents(control)).square().sum())
    gradient = torch.autograd.grad(cost, control)[0]
    assert float(gradient.norm()) < 1e-3 * float(window.scaled.norm())
    before, after = ((each - truth).square().mean().sqrt() for each in (window.background, answer.states[0]))
    assert float(after) < 0.9 * float(before)


def test_windows_that_make_no_sense_are_refused_in_words():
    state = array(4, seed=1)
    with pytest.raises(InputError, match="expected a window of one time or more, got none"):
        Window(state, lambda v: v, lambda x: x, [])
    with pytest.raises(InputError, match="deviations above 0; leave such reports out"):
        Observations(state, 0.0 * state, lambda x: x)
    with pytest.raises(InputError, match=r"got the shapes \(4,\) and \(3,\)"):
        Observations(state, state[:3].abs(), lambda x: x)
    nothing = Window(state, lambda v: v, lambda x: x, [None, None])
    assert torch.equal(minimise(nothing).states[1], state)


@pytest.mark.parametrize("table", [(1, 2), (2, 2)])
def test_tiles_find_what_one_process_finds(table):
    shape = (8, 10)
    background, value = array(1, 1, *shape, seed=6), array(2, *shape, seed=7)
    kernel = torch.full((1, 1, 3, 3), 0.06, dtype=torch.float64)
    kernel[..., 1, 1] += 0.5

    def smooth(here):
        return lambda field: here.convolve(field, kernel, None)

    def window(here):
        part = (..., *here.box.slices)
        model = smooth(here)
        observed = [
            Observations(each[part].flatten(), torch.full_like(each[part].flatten(), 0.5), torch.flatten)
            for each in value
        ]
        return Window(
            background[part],
            lambda v: 0.7 * smooth(here)(v),
            lambda x: x + 0.1 * torch.sin(model(x)),
            observed,
            total=here.total,
        )

    whole = minimise(window(Alone(shape, (True, True))), outer_loops=3, tolerance=1e-12)

    def of_tile(here):
        return here.box, minimise(window(here), outer_loops=3, tolerance=1e-12)

    for box, answer in run_tiles(shape, table, of_tile, periodic=(True, True)):
        part = (..., *box.slices)
        torch.testing.assert_close(answer.states[-1], whole.states[-1][part], rtol=1e-9, atol=1e-10)
        assert answer.costs == pytest.approx(whole.costs, rel=1e-10)
