"""Shallow water on a line: mass, small waves in closed form, order, tiles; and the residual of two states."""

import math

import pytest
import torch

from mlrtma_dist.errors import InputError
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.memory import run_tiles
from mlrtma_dist.physics.lorenz96 import Lorenz96
from mlrtma_dist.physics.residual import path_residual, residual
from mlrtma_dist.physics.shallow_water_line import ShallowWaterLine

POINTS, DEPTH, LENGTH = 64, 10.0, 128e3
LINE = ShallowWaterLine(LENGTH / POINTS, viscosity=500.0)


def waves(points: int, amplitude: float = 0.5) -> torch.Tensor:
    place = torch.arange(points, dtype=torch.float64) / points * 2 * math.pi
    h = DEPTH + amplitude * (torch.sin(place) + 0.6 * torch.cos(2 * place + 1.0))
    u = amplitude * (0.8 * torch.cos(place + 0.3) - 0.5 * torch.sin(3 * place))
    return torch.stack((h, u))[None, :, None]


def test_mass_and_the_mean_wind_change_by_rounding_alone():
    start = waves(POINTS, 1.5)
    end = LINE.run(start, 50.0, 400)
    assert float((end - start).abs().max()) > 0.5
    torch.testing.assert_close(end.mean(-1), start.mean(-1), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_small_wave_moves_and_decays_as_the_closed_form_says(direction):
    number = 2 * math.pi * 4 / LENGTH
    frequency, decay = LINE.wave(number, DEPTH)
    phase = number * torch.arange(POINTS, dtype=torch.float64) * LINE.spacing
    balance = direction * math.sqrt(LINE.gravity / DEPTH)

    def exact(seconds: float) -> torch.Tensor:
        wave = 1e-6 * math.exp(-decay * seconds) * torch.cos(phase - direction * frequency * seconds)
        return torch.stack((wave, balance * wave))[None, :, None]

    rest = torch.tensor([DEPTH, 0.0], dtype=torch.float64)[None, :, None, None]
    end = LINE.run(rest + exact(0.0), 10.0, 200) - rest
    torch.testing.assert_close(end, exact(2000.0), rtol=0, atol=1e-11)
    assert float((end - exact(1990.0)).abs().max()) > 1e-9
    assert frequency / number == pytest.approx(math.sqrt(LINE.gravity * DEPTH), rel=0.03)


def test_differences_in_space_are_of_order_two_and_in_time_of_order_four():
    fine = ShallowWaterLine(LENGTH / 512, viscosity=500.0).tendency(waves(512))
    errors = []
    for points in (32, 64, 128):
        tendency = ShallowWaterLine(LENGTH / points, viscosity=500.0).tendency(waves(points))
        errors.append(float((tendency - fine[..., :: 512 // points]).abs().max()))
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1) and errors[1] / errors[2] == pytest.approx(4.0, rel=0.1)
    exact = LINE.run(waves(POINTS), 5.0, 640)
    coarse, half = (float((LINE.run(waves(POINTS), s, int(3200 / s)) - exact).abs().max()) for s in (160.0, 80.0))
    assert math.log2(coarse / half) == pytest.approx(4.0, abs=0.3)


def test_tiles_of_the_line_give_what_the_whole_line_gives():
    whole = LINE.run(waves(POINTS), 50.0, 5)

    def of_tile(here):
        columns = here.box.slices[1]
        return here.box, LINE.run(waves(POINTS)[..., columns], 50.0, 5, here)

    for box, part in run_tiles((1, POINTS), (1, 3), of_tile, periodic=(False, True)):
        assert torch.equal(part, whole[..., box.slices[1]])


def test_wrong_states_and_settings_are_refused():
    with pytest.raises(InputError, match="h and u"):
        LINE.tendency(torch.ones(2, 2, 64))
    with pytest.raises(InputError, match="wraps in x"):
        LINE.tendency(waves(POINTS), Alone((1, POINTS)))
    with pytest.raises(InputError, match="above 0"):
        ShallowWaterLine(0.0)
    with pytest.raises(InputError, match="two times"):
        path_residual(LINE.tendency, waves(POINTS)[None], 50.0)


@pytest.mark.parametrize("model", ["line", "Lorenz 96"])
def test_the_residual_of_the_true_trajectory_falls_with_the_fifth_power_of_the_time_between(model):
    if model == "line":
        start, steps = LINE.run(waves(POINTS), 10.0, 100), (400.0, 200.0)
        tendency, run = LINE.tendency, lambda seconds: LINE.run(start, seconds / 80, 80)
    else:
        random = torch.Generator().manual_seed(1)
        start = Lorenz96().run(8.0 + torch.randn(40, generator=random, dtype=torch.float64), 200)
        tendency, steps = Lorenz96().tendency, (0.05, 0.025)
        run = lambda time: Lorenz96(time_step=time / 80).run(start, 80)  # noqa: E731
    long, short = (float(residual(tendency, start, run(time), time).norm()) for time in steps)
    assert math.log2(long / short) == pytest.approx(5.0, abs=0.4)
    assert long < 0.02 * float((run(steps[0]) - start).norm())


def test_the_residual_sees_what_is_no_trajectory_at_its_full_size():
    start = waves(POINTS)
    end = LINE.run(start, 10.0, 10)
    wrong = end + 0.01 * torch.randn(end.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    right, off = residual(LINE.tendency, start, end, 100.0), residual(LINE.tendency, start, wrong, 100.0)
    assert float((off - right).norm() / (wrong - end).norm()) == pytest.approx(1.0, abs=0.3)


def test_the_residual_of_a_linear_equation_is_that_of_its_closed_form():
    """dx/dt = a x: r = x_1 (1 - z/2 + z^2/12) - x_0 (1 + z/2 + z^2/12), z = a T (the diagonal Pade approximation)."""
    z = -0.7
    states = torch.tensor([[2.0], [0.9], [0.4]], dtype=torch.float64)
    value = path_residual(lambda x: z / 3.0 * x, states, 3.0)
    expected = states[1:] * (1 - z / 2 + z * z / 12) - states[:-1] * (1 + z / 2 + z * z / 12)
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-14)
