"""States of shallow water: balance, batches, gradients, centres of cells, the longest stable step."""

import pytest
import torch

from mlrtma_dist.errors import InputError
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.physics.balance import balanced, random_balanced
from mlrtma_dist.physics.exact import places
from mlrtma_dist.physics.invariants import energy, mass, potential_enstrophy
from mlrtma_dist.physics.shallow_water import ShallowWater

PLANE = Alone((32, 32), (True, True))
MODEL = ShallowWater(2e4, coriolis=1e-4)


def states(cases: int, **changes) -> torch.Tensor:
    return random_balanced(
        MODEL, PLANE, **{"depth": 1000.0, "speed": 15.0, "length": 2e5, "seed": 3, "cases": cases, **changes}
    )


def spreading(state: torch.Tensor) -> float:
    u, v = state[:, 1], state[:, 2]
    return float((u.roll(-1, -1) - u + v.roll(-1, -2) - v).abs().max()) / MODEL.spacing


def test_balanced_winds_have_no_divergence_and_gain_none_at_once():
    state = states(4)
    assert spreading(state) <= 1e-17
    assert spreading(MODEL.tendency(state)) <= 1e-16  # s-2: 1e-6 of what the same winds gain over an even surface
    even = torch.cat((torch.full_like(state[:, :1], 1000.0), state[:, 1:]), dim=1)
    assert spreading(MODEL.tendency(even)) > 1e-10


def test_slow_balanced_winds_are_geostrophic():
    """h - H = f psi / g on the grid: both come from the same differences."""
    y, x = places(PLANE.domain, MODEL.spacing, 0.0, 0.0)
    stream = 10.0 * torch.cos(2 * torch.pi * (x + 2 * y) / (32 * MODEL.spacing))[None]
    h = balanced(MODEL, stream, 1000.0, PLANE)[:, 0]
    four = 0.25 * (stream + stream.roll(-1, -1) + stream.roll(-1, -2) + stream.roll((-1, -1), (-1, -2)))
    slope = MODEL.coriolis * four / MODEL.gravity
    assert torch.allclose(h - 1000.0, slope, rtol=0.0, atol=0.03 * float(slope.abs().max()))
    assert float(h.mean()) == pytest.approx(1000.0, abs=1e-9)


def test_balanced_states_send_out_fewer_waves_than_states_over_an_even_surface():
    state = states(2, speed=5.0)
    even = torch.cat((torch.full_like(state[:, :1], 1000.0), state[:, 1:]), dim=1)
    seconds = MODEL.stable_seconds(state)
    assert spreading(MODEL.run(even, seconds, 20)) > 10 * spreading(MODEL.run(state, seconds, 20))


def test_random_states_have_the_wind_that_was_asked_for_and_every_case_is_itself():
    state = states(60)
    wind = float((state[:, 1:] ** 2).sum(1).mean().sqrt())
    assert wind == pytest.approx(15.0, rel=0.05)
    assert torch.equal(states(2), state[:2])
    assert float((state[0] - state[1]).abs().max()) > 1.0


def test_winds_too_fast_for_the_depth_have_no_balance_and_the_message_says_so():
    with pytest.raises(InputError, match="Use deeper water, slower winds or a longer scale"):
        states(1, depth=20.0, speed=60.0)


def test_balance_over_terrain_keeps_the_mean_height_of_the_surface():
    terrain = 300.0 * torch.rand(32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    model = ShallowWater(2e4, coriolis=1e-4, terrain=terrain)
    state = random_balanced(model, PLANE, depth=1500.0, speed=10.0, length=3e5, seed=1)
    assert float((state[:, 0] + terrain).mean()) == pytest.approx(1500.0, abs=1e-8)
    assert spreading(model.tendency(state)) <= 1e-15


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_batch_gives_what_its_cases_give_one_by_one(dtype):
    state = states(5).to(dtype)
    together = MODEL.run(state, 100.0, 10)
    single = torch.cat([MODEL.run(case[None], 100.0, 10) for case in state])
    assert together.dtype == dtype
    assert float((together - state).abs().max()) > 0.1
    assert torch.equal(together, single)


def test_a_run_in_float32_follows_one_in_float64():
    state = states(2)
    double, single = (MODEL.to_centres(MODEL.run(each, 100.0, 50)) for each in (state, state.float()))
    assert float((double - single)[:, 0].abs().max()) <= 1e-2
    assert float((double - single)[:, 1:].abs().max()) <= 1e-3


@pytest.mark.parametrize("sides", [("periodic", "periodic"), ("wall", "open")])
def test_the_gradient_of_a_step_is_that_of_finite_differences(sides):
    generator = torch.Generator().manual_seed(8)
    terrain = torch.rand(3, 4, generator=generator, dtype=torch.float64).requires_grad_()
    surface = 10.0 if "open" in sides else None
    state = torch.randn(1, 3, 3, 4, generator=generator, dtype=torch.float64)
    state = (state + 10.0 * (torch.arange(3) == 0)[:, None, None]).requires_grad_()

    def stepped(state, terrain):
        model = ShallowWater(
            1.0, gravity=2.0, coriolis=0.3, viscosity=0.1, terrain=terrain, sides=sides, surface=surface
        )
        return model.to_centres(model.step(state, 0.1))

    assert torch.autograd.gradcheck(stepped, (state, terrain), atol=1e-7)


def test_winds_at_centres_are_means_of_the_faces():
    model = ShallowWater(1.0, sides=("wall", "periodic"))
    state = torch.arange(36.0).reshape(1, 3, 3, 4)
    centres = model.to_centres(state)
    assert torch.equal(centres[0, 0], state[0, 0])
    assert torch.equal(centres[0, 1, 0], torch.tensor([12.5, 13.5, 14.5, 13.5]))
    assert torch.equal(centres[0, 2, :, 0], torch.tensor([14.0, 30.0, 16.0]))  # walls: 0, 28, 32, 0


def test_the_stable_step_is_stable_and_not_far_from_the_limit():
    """White noise holds the shortest waves; at 1.5 times the estimate, 1.2 times the limit, they grow."""
    noise = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 1e-3
    state = noise + 1000.0 * (torch.arange(3) == 0)[:, None, None]
    seconds = MODEL.stable_seconds(state)
    assert float(MODEL.run(state, seconds, 150)[:, 1:].abs().max()) < 0.1
    assert not float(MODEL.run(state, 1.5 * seconds, 150)[:, 1:].abs().max()) < 1e3


def test_strong_friction_shortens_the_stable_step_as_it_must():
    state = torch.zeros(1, 3, 16, 16, dtype=torch.float64)
    state[:, 0], state[:, 1:] = 1.0, 1e-3 * (-1.0) ** (torch.arange(16) + torch.arange(16)[:, None])
    model = ShallowWater(1.0, gravity=1e-6, viscosity=1.0)
    seconds = model.stable_seconds(state)
    assert seconds == pytest.approx(0.8 * 2.785 / 8)
    assert float(model.run(state, seconds, 100)[:, 1:].abs().max()) < 1e-3
    assert not float(model.run(state, 1.4 * seconds, 100)[:, 1:].abs().max()) < 1e-3


@pytest.mark.parametrize("sides", [("periodic", "periodic"), ("wall", "open")])
def test_nothing_of_a_run_is_made_on_another_device_than_that_of_the_state(sides):
    """PyTorch's meta device has shapes and no numbers, and refuses to meet tensors of the processor."""
    terrain, state = torch.zeros(4, 5, device="meta"), torch.ones(2, 3, 4, 5, device="meta")
    model = ShallowWater(
        1.0, coriolis=0.3, viscosity=0.1, terrain=terrain, sides=sides, surface=10.0 if "open" in sides else None
    )
    end = model.to_centres(model.run(state, 0.1, 2))
    assert end.device.type == "meta" and end.shape == state.shape
    for invariant in (mass, energy, potential_enstrophy):
        assert invariant(model, state).device.type == "meta"
    with pytest.raises(RuntimeError, match="meta"):
        model.step(state, 0.1) + torch.ones(2, 3, 4, 5)
