"""What shallow water conserves. Rates are by the chain rule: d(invariant)/dt = gradient of the invariant . tendency."""

import pytest
import torch

from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.physics.balance import random_balanced
from mlrtma_dist.physics.invariants import energy, mass, potential_enstrophy
from mlrtma_dist.physics.shallow_water import ShallowWater

DOMAIN = (13, 17)
CLOSED = (("periodic", "periodic"), ("wall", "wall"), ("wall", "periodic"), ("periodic", "wall"))


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_state(seed: int, cases: int = 2) -> torch.Tensor:
    """White noise: depth 2000 +- 100 m, wind +- 20 m/s; nothing is smooth, nothing in balance."""
    return (
        noise(seed, cases, 3, *DOMAIN) * torch.tensor([100.0, 20.0, 20.0])[:, None, None]
        + torch.tensor([2000.0, 0.0, 0.0])[:, None, None]
    )


def rough_model(sides, **more) -> ShallowWater:
    beta = 1e-10 if sides[0] == "wall" else 0.0
    return ShallowWater(1e4, coriolis=1e-4, beta=beta, terrain=300.0 * noise(9, *DOMAIN).abs(), sides=sides, **more)


def rate(invariant, model: ShallowWater, state: torch.Tensor) -> tuple[float, float]:
    """d(invariant)/dt, and the sum of the absolute values of what it is a sum of."""
    state = state.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(invariant(model, state).sum(), state)
    terms = (gradient * model.tendency(state)).detach()
    return float(terms.sum()), float(terms.abs().sum())


@pytest.mark.parametrize("sides", CLOSED)
@pytest.mark.parametrize("invariant", [mass, energy])
def test_mass_and_energy_of_any_state_over_any_terrain_do_not_change(invariant, sides):
    total, terms = rate(invariant, rough_model(sides), random_state(1))
    assert terms > 0.0
    assert abs(total) <= 1e-14 * terms


def test_potential_enstrophy_of_any_state_on_a_periodic_plane_does_not_change():
    total, terms = rate(potential_enstrophy, rough_model(CLOSED[0]), random_state(2))
    assert terms > 0.0
    assert abs(total) <= 1e-14 * terms


def test_potential_enstrophy_is_not_kept_between_walls_as_the_documentation_says():
    total, terms = rate(potential_enstrophy, rough_model(CLOSED[1]), random_state(2))
    assert abs(total) > 1e-9 * terms


@pytest.mark.parametrize("sides", CLOSED)
def test_friction_takes_from_the_energy_what_its_equation_says(sides):
    state, viscosity = random_state(3), 5e3
    free, rubbing = (rate(energy, rough_model(sides, viscosity=nu), state)[0] for nu in (0.0, viscosity))
    assert rubbing - free == pytest.approx(-viscosity * dissipation(rough_model(sides), state), rel=1e-9)


def dissipation(model: ShallowWater, state: torch.Tensor) -> float:
    """sum(h |grad u|^2) d^2, pair of neighbouring winds by pair; a wall is a wind of 0 across, a mirror along it."""
    lost = 0.0
    for case in state:
        h, winds = case[0], (case[1], case[2])
        for dim, wind in ((1, winds[0]), (0, winds[1])):
            h_, wind, periodic = h.movedim(dim, 0), wind.movedim(dim, 0).clone(), model.periodic[dim]
            if not periodic:
                wind[0] = 0.0
            along = torch.cat((wind, wind[:1] if periodic else torch.zeros_like(wind[:1])))
            lost += float((h_ * (along[1:] - along[:-1]) ** 2).sum())
            across = torch.cat((wind, wind[:, :1]), 1) if model.periodic[1 - dim] else wind
            corner = h_ + h_.roll(1, 0)
            corner = corner + corner.roll(1, 1)
            corner = torch.cat((corner[:, 1:], corner[:, :1]), 1) if model.periodic[1 - dim] else corner[:, 1:]
            lost += float((corner / 4 * (across[:, 1:] - across[:, :-1]) ** 2).sum())
    return lost


@pytest.mark.parametrize("sides", CLOSED)
@pytest.mark.parametrize("dtype, bound", [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_mass_is_kept_over_a_run_to_the_last_digits(sides, dtype, bound):
    model, state = (
        rough_model(sides, viscosity=1e5),
        (random_state(4) * 0.2 + 1500.0 * (torch.arange(3) == 0)[:, None, None]).to(dtype),
    )
    end = model.run(state, 15.0, 40)
    before, after = mass(model, state), mass(model, end)
    assert float((end - state).abs().max()) > 1.0
    assert float(((after - before) / before).abs().max()) <= bound


def test_energy_and_potential_enstrophy_drift_with_the_time_step_alone_at_order_four_or_more():
    model = ShallowWater(2e4, coriolis=1e-4)
    state = random_balanced(model, Alone((32, 32), (True, True)), depth=1000.0, speed=25.0, length=2e5, seed=1)
    steps, drifts = (60, 120), {energy: [], potential_enstrophy: []}
    for count in steps:
        end = model.run(state, 60 * 150.0 / count, count)
        for invariant, values in drifts.items():
            before = invariant(model, state)
            values.append(float(abs(invariant(model, end) - before) / before))
    for coarse, fine in drifts.values():
        assert fine > 1e-14 and coarse <= 1e-5
        assert coarse / fine >= 14.0


@pytest.mark.parametrize("sides", [*CLOSED, ("open", "open")])
@pytest.mark.parametrize("dtype, wind", [(torch.float64, 1e-10), (torch.float32, 1e-2)])
def test_a_lake_at_rest_over_mountains_stays_at_rest(sides, dtype, wind):
    outside = 2500.0 if "open" in sides else None
    model = rough_model(sides, surface=outside)
    h = 2500.0 - model.terrain
    state = torch.stack((h, torch.zeros_like(h), torch.zeros_like(h)))[None].to(dtype)
    end = model.run(state, 30.0, 100)
    assert float(model.terrain.max() - model.terrain.min()) > 500.0
    assert float(end[:, 1:].abs().max()) <= wind
    assert float((end - state)[:, 0].abs().max()) <= wind * 20


def test_energy_of_water_at_rest_is_that_of_its_weight():
    model = ShallowWater(2.0, gravity=10.0, terrain=torch.full((3, 4), 5.0))
    state = torch.zeros(1, 3, 3, 4)
    state[:, 0] = 7.0
    cells = 12 * 2.0**2
    assert mass(model, state).item() == pytest.approx(7.0 * cells)
    assert energy(model, state).item() == pytest.approx((10.0 * 49.0 / 2 + 10.0 * 7.0 * 5.0) * cells)


def test_potential_enstrophy_of_water_at_rest_counts_a_closed_domain_once():
    state = torch.zeros(1, 3, 3, 4)
    state[:, 0] = 7.0
    for sides in CLOSED:
        model = ShallowWater(2.0, coriolis=1e-2, sides=sides)
        assert potential_enstrophy(model, state).item() == pytest.approx(12 * 4.0 * 1e-4 / 14.0)
