"""Walls and open water at the sides of a domain."""

import math

import pytest
import torch

from mlrtma_dist.errors import InputError
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.physics.exact import places
from mlrtma_dist.physics.invariants import energy
from mlrtma_dist.physics.shallow_water import ShallowWater

SPACING, DEPTH = 1e4, 100.0


def hump(points: int, height: float, width: float) -> torch.Tensor:
    """Water at rest with a Gaussian hump in the middle of a square; ``width`` in cells."""
    y, x = (place - points * SPACING / 2 for place in places((points, points), SPACING, 0.5, 0.5))
    h = DEPTH + height * torch.exp(-(y**2 + x**2) / (2 * (width * SPACING) ** 2))
    return torch.stack((h, torch.zeros_like(h), torch.zeros_like(h)))[None]


def wave_energy(model: ShallowWater, state: torch.Tensor) -> float:
    """Energy above that of the water at rest, of waves on a plane."""
    above = state.clone()
    above[:, 0] = DEPTH
    rest = energy(model, above * torch.tensor([1.0, 0.0, 0.0])[:, None, None])
    lifted = model.gravity * DEPTH * (state[:, 0] - DEPTH).sum() * SPACING**2
    return float(energy(model, state) - rest - lifted)


@pytest.mark.parametrize("height", [0.01, 10.0])
def test_a_wave_from_the_middle_leaves_through_open_sides(height):
    """Against the same wave on a plane three times as wide, whose sides it has not reached yet."""
    points, speed = 40, math.sqrt(9.80665 * DEPTH)
    opened, wide = ShallowWater(SPACING, sides=("open", "open"), surface=DEPTH), ShallowWater(SPACING)
    state, truth = hump(points, height, 4.0), hump(3 * points, height, 4.0)
    before, seconds = wave_energy(opened, state), 0.8 * SPACING / speed / 1.1
    reflected = []
    for _ in range(3):
        steps = round(0.5 * points * SPACING / speed / seconds)
        state, truth = opened.run(state, seconds, steps), wide.run(truth, seconds, steps)
        wrong = state - truth[..., points : 2 * points, points : 2 * points]
        wrong[:, 0] += DEPTH
        reflected.append(wave_energy(opened, wrong) / before)
    print(f"reflected energy {[round(part, 5) for part in reflected]}")
    assert max(reflected) <= 0.04
    assert wave_energy(opened, state) <= 0.01 * before


def test_a_long_wave_that_comes_head_on_leaves_almost_nothing_behind():
    model = ShallowWater(SPACING, sides=("periodic", "open"), surface=DEPTH)
    points = 80
    x = places((2, points), SPACING, 0.5, 0.5)[1] - points * SPACING / 2
    h = (DEPTH + 1.0 * torch.exp(-(x**2) / (2 * (5 * SPACING) ** 2))).expand(2, -1)
    state = torch.stack((h, torch.zeros_like(h), torch.zeros_like(h)))[None]
    seconds = 0.5 * model.stable_seconds(state)
    end = model.run(state, seconds, round(points * SPACING / math.sqrt(9.80665 * DEPTH) / seconds))
    assert wave_energy(model, end) <= 0.002 * wave_energy(model, state)


def test_water_between_walls_swings_at_the_frequency_of_its_length():
    """The seiche cos(pi x / L) cos(omega t): closed walls, so that mass stays and u is 0 at both ends."""
    points = 40
    model = ShallowWater(SPACING, sides=("wall", "wall"))
    x = places((3, points), SPACING, 0.5, 0.5)[1]
    h = (DEPTH + 1e-4 * torch.cos(math.pi * x / (points * SPACING))).expand(3, -1)
    state = torch.stack((h, torch.zeros_like(h), torch.zeros_like(h)))[None]
    number = math.pi / (points * SPACING)
    frequency = math.sqrt(9.80665 * DEPTH) * 2 / SPACING * math.sin(number * SPACING / 2)
    seconds = 2 * math.pi / frequency / 80
    end = model.run(state, seconds, 60)  # three quarters of a period: all is wind
    fastest = -1e-4 * 9.80665 * number / (frequency * math.cos(number * SPACING / 2))
    wind = fastest * torch.sin(number * (x - SPACING / 2))
    assert float((end[:, 0] - DEPTH).abs().max()) <= 1e-7
    assert torch.allclose(end[:, 1], wind.expand(3, -1), rtol=0.0, atol=2e-3 * float(wind.abs().max()))
    assert float(end[:, 2].abs().max()) <= 1e-12


@pytest.mark.parametrize("sides", [("wall", "periodic"), ("periodic", "wall")])
def test_a_flow_between_walls_is_half_of_its_mirror_image_on_a_periodic_plane(sides):
    """Without rotation a free-slip wall is a mirror."""
    dim = 2 if sides[0] == "wall" else 3
    generator = torch.Generator().manual_seed(5)
    half = (
        torch.randn(1, 3, 8, 8, generator=generator, dtype=torch.float64)
        + DEPTH * (torch.arange(3) == 0)[:, None, None]
    )
    across = 2 if dim == 2 else 1
    half.select(dim, 0)[:, across] = 0.0
    mirrored = half.flip(dim)
    mirrored[:, across] = -torch.cat(
        (torch.zeros_like(half[:, across].narrow(dim - 1, 0, 1)), half[:, across].narrow(dim - 1, 1, 7).flip(dim - 1)),
        dim - 1,
    )
    whole = ShallowWater(SPACING).run(torch.cat((half, mirrored), dim), 50.0, 20)
    walled = ShallowWater(SPACING, sides=sides).run(half, 50.0, 20)
    assert float((walled - half).abs().max()) > 0.1
    assert torch.allclose(walled, whole.narrow(dim, 0, 8), rtol=0.0, atol=1e-11)


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({"sides": ("wall", "cliff")}, "sides: expected two (in y, in x) of periodic, wall, open"),
        ({"beta": 1e-11}, "f would jump where it wraps"),
        ({"sides": ("open", "wall")}, "surface is the height of the water outside open sides"),
        ({"surface": 3.0}, "surface is the height of the water outside open sides"),
        ({"viscosity": -1.0}, "a viscosity of at least 0"),
    ],
)
def test_a_domain_that_cannot_be_is_refused_with_the_reason(settings, expected):
    with pytest.raises(InputError) as refused:
        ShallowWater(SPACING, **settings)
    assert expected in str(refused.value)


@pytest.mark.parametrize(
    "model, shape, expected",
    [
        (ShallowWater(1.0), (3, 4, 4), "expected a state (batch, 3, y, x)"),
        (
            ShallowWater(1.0, terrain=torch.zeros(4, 5)),
            (1, 3, 4, 4),
            "expected terrain on the points held here, (4, 4)",
        ),
        (ShallowWater(1.0, sides=("wall", "wall")), (1, 3, 4, 4), "but the sides are ('wall', 'wall')"),
    ],
)
def test_a_state_that_does_not_suit_the_domain_is_refused_with_the_reason(model, shape, expected):
    with pytest.raises(InputError) as refused:
        model.tendency(torch.ones(shape), Alone((4, 4), (True, True)))
    assert expected in str(refused.value)
