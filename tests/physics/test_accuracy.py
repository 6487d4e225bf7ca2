"""How close shallow water is to flows known in closed form, and at which order of the spacing and of the step."""

import math

import numpy as np
import pytest
import torch

from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.physics.balance import random_balanced
from mlrtma_dist.physics.exact import PoincareWave, places, zonal_jet
from mlrtma_dist.physics.shallow_water import ShallowWater


def size(field: torch.Tensor) -> float:
    return float((field**2).mean().sqrt())


@pytest.mark.parametrize("waves", [(0, 1), (1, 0), (1, 2), (3, 2)])
def test_poincare_waves_turn_at_the_frequency_of_the_grid(waves):
    """The tendency of the wave's linear operator, twice: d2/dt2 of div(u) is -omega^2 div(u) on the grid."""
    model, wave = ShallowWater(1e4, coriolis=1e-4), PoincareWave((16, 20), waves, 200.0, 1.0)
    rest = torch.zeros(1, 3, *wave.domain, dtype=torch.float64)
    rest[:, 0] = wave.depth
    start = wave.state(model, 0.0) - rest
    once = torch.func.jvp(model.tendency, (rest,), (start,))[1]
    twice = torch.func.jvp(model.tendency, (rest,), (once,))[1]
    spreading, again = (divergence(field) for field in (start, twice))
    assert size(spreading) > 1e-3
    assert size(again + wave.grid_frequency(model) ** 2 * spreading) <= 1e-10 * size(again)


def divergence(state: torch.Tensor) -> torch.Tensor:
    u, v = state[:, 1], state[:, 2]
    return u.roll(-1, -1) - u + v.roll(-1, -2) - v


def test_a_poincare_wave_travels_as_in_closed_form_at_order_two():
    errors = []
    for points in (16, 32):
        model, wave = ShallowWater(1e6 / points, coriolis=1e-4), PoincareWave((points, points), (1, 2), 500.0, 1e-5)
        truth = wave.state(model, 20000.0)
        solution = model.run(wave.state(model, 0.0), 20000.0 / (2 * points), 2 * points)
        errors.append(size((solution - truth)[:, 1:]) / size(truth[:, 1:]))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.1)
    assert errors[1] < 0.12


def test_the_tendency_of_a_smooth_nonlinear_flow_over_terrain_is_right_at_order_two():
    errors = np.array([truncation(points) for points in (24, 48)])
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.1)
    assert errors[1].max() < 0.02


def truncation(points: int) -> list[float]:
    """Relative error of dh/dt, du/dt and dv/dt against the equations, differentiated by autograd at each place."""
    spacing = 1e6 / points
    ground = flow(*places((points, points), spacing, 0.5, 0.5), 1e6)[3]
    model = ShallowWater(spacing, coriolis=1e-4, terrain=ground)
    corners = {"h": (0.5, 0.5), "u": (0.5, 0.0), "v": (0.0, 0.5)}
    state, truth = [], []
    for number, place in enumerate(corners.values()):
        where = places((points, points), spacing, *place)
        state.append(flow(*where, 1e6)[number])
        truth.append(equations(*where, 1e6, model)[number])
    tendency = model.tendency(torch.stack(state)[None])[0]
    return [size(one - other) / size(other) for one, other in zip(tendency, truth, strict=True)]


def flow(y, x, width):
    """Smooth h, u, v and terrain on a periodic square."""
    y, x = torch.broadcast_tensors(2 * math.pi * y / width, 2 * math.pi * x / width)
    return (
        300 + 60 * torch.sin(x + 0.3) * torch.cos(y) - 20 * torch.cos(2 * y),
        20 * torch.sin(y + x) + 5 * torch.cos(2 * x),
        15 * torch.cos(x - 0.5) * torch.sin(y) + 4,
        40 * torch.cos(x) * torch.cos(y + 1),
    )


def equations(y, x, width, model):
    """The right-hand sides of the momentum equations in their advective form, which the model does not use."""
    y, x = (part.clone().requires_grad_() for part in torch.broadcast_tensors(y, x))
    h, u, v, ground = flow(y, x, width)

    def slope(field):
        return torch.autograd.grad(field.sum(), (y, x), create_graph=True)

    (u_y, u_x), (v_y, v_x), (s_y, s_x) = slope(u), slope(v), slope(h + ground)
    f, g = model.coriolis, model.gravity
    right = (
        -slope(h * u)[1] - slope(h * v)[0],
        f * v - u * u_x - v * u_y - g * s_x,
        -f * u - u * v_x - v * v_y - g * s_y,
    )
    return [field.detach() for field in right]


def test_the_time_scheme_is_of_order_four():
    model = ShallowWater(2e4, coriolis=1e-4)
    state = random_balanced(model, Alone((16, 16), (True, True)), depth=1000.0, speed=25.0, length=2e5, seed=2)
    ends = [model.run(state, 1600.0 / steps, steps) for steps in (20, 40, 80)]
    assert math.log2(size(ends[0] - ends[1]) / size(ends[1] - ends[2])) == pytest.approx(4.0, abs=0.2)


def test_a_geostrophic_jet_stays_and_what_it_loses_is_of_order_two():
    errors = []
    for points in (48, 96):
        model = ShallowWater(1.2e6 / points, coriolis=1e-4, beta=2e-11, sides=("wall", "periodic"))
        jet = zonal_jet(model, (points, 2), depth=1000.0, speed=30.0, width=1e5)
        steps = math.ceil(10800.0 / model.stable_seconds(jet))
        lost = model.run(jet, 10800.0 / steps, steps) - jet
        errors.append((size(lost[:, 0]), size(lost[:, 1])))
    for coarse, fine in zip(*errors, strict=True):
        assert math.log2(coarse / fine) == pytest.approx(2.0, abs=0.25)
    assert errors[1][0] < 0.3 and errors[1][1] < 0.01  # of a slope of 61 m and a wind of 30 m/s


def test_a_bickley_jet_breaks_up_at_the_rate_of_its_stability_equation():
    """The jet sech^2 y is unstable (Drazin and Reid 2004); here in water of finite depth, Froude 0.4."""
    depth, speed, spacing, rows, columns = 625.0, 40.0, 1e4, 60, 35
    model = ShallowWater(spacing, gravity=16.0, sides=("wall", "periodic"))
    jet = zonal_jet(model, (rows, columns), depth, speed, width=5 * spacing)
    wave = 2 * math.pi / (columns * spacing)
    growth, mode = fastest(model, jet[0, 1, :, 0].numpy(), depth, wave)
    start = jet + 1e-4 * mode[None]
    seconds = 0.5 * model.stable_seconds(jet)
    steps = round(1.0 / growth / seconds)
    end, alone = model.run(torch.cat((start, jet)), seconds, steps)
    measured = math.log(size((end - alone)[2]) / size((start - jet)[:, 2])) / (steps * seconds)
    print(f"growth {measured:.4g} s-1, by the equation {growth:.4g} s-1")
    assert measured == pytest.approx(growth, rel=0.05)
    assert growth * 5 * spacing / speed == pytest.approx(0.16, abs=0.03)  # about the published value without gravity


def fastest(model, profile, depth, wave):
    """Growth rate (s-1) and shape of the fastest mode: eigenvalues of the linear equations in y, solved on their own.

    Rows of u and h lie between those of v, which is 0 on both walls; along x everything is exp(i k x), exact.
    """
    count, d = len(profile), model.spacing
    difference = (np.eye(count)[1:] - np.eye(count)[:-1]) / d  # from rows of h to inner rows of v
    mean = np.abs(difference) * d / 2
    at_v, ik = np.diag(mean @ profile), 1j * wave
    carried = -ik * np.diag(profile)
    shear = np.diag(difference @ profile)
    zero = np.zeros((count, count))
    matrix = np.block(
        [
            [carried, -mean.T @ shear, -ik * model.gravity * np.eye(count)],
            [np.zeros((count - 1, count)), -ik * at_v, -model.gravity * difference],
            [-ik * depth * np.eye(count) + zero, depth * difference.T, carried],
        ]
    )
    values, vectors = np.linalg.eig(matrix)
    best = int(values.real.argmax())
    u, v, h = np.split(vectors[:, best], [count, 2 * count - 1])
    v, columns = np.concatenate(([0.0], v)), round(2 * math.pi / wave / d)
    eastward = np.arange(columns) * d
    parts = [
        (part[:, None] * np.exp(1j * wave * (eastward + shift))).real
        for part, shift in ((h, d / 2), (u, 0.0), (v, d / 2))
    ]
    return float(values[best].real), torch.from_numpy(np.stack(parts) / np.abs(v).max())
