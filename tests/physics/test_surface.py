"""Residuals of the air near the ground against closed forms, and the network's derivatives against differences."""

import pytest
import torch

from mlrtma_dist.names import DRY_AIR, STANDARD_GRAVITY
from mlrtma_dist.nn.space_time import Jet, SpaceTimeNetwork
from mlrtma_dist.physics.surface import HEAT_CAPACITY, Ground, Unknowns, residuals

COUNT, WIND, DIFFUSION, WIDTH = 50, (8.0, -3.0), 2e4, 60e3


def jet_of(function, x: torch.Tensor) -> Jet:
    """The jet of a function of coordinates (n, 4) by automatic differentiation, for one member."""

    def derivative(values, axis):
        return torch.autograd.grad(values.sum(), x, create_graph=True)[0][:, axis]

    x.requires_grad_(True)
    value = function(x)
    first = [derivative(value, axis) for axis in range(4)]
    second = [derivative(first[axis], axis) if first[axis].grad_fn else torch.zeros(len(x)) for axis in (0, 1)]
    return Jet(value.detach()[None], torch.stack(first).detach()[:, None], torch.stack(second).detach()[:, None])


def constant(value: float) -> Jet:
    shape = (1, COUNT)
    return Jet(torch.full(shape, value).double(), torch.zeros(4, *shape).double(), torch.zeros(2, *shape).double())


def unknowns(diffusion=0.0, friction=0.0, share=1.0, steering=(0.0, 0.0)) -> Unknowns:
    one = torch.ones(1, 1).double()
    return Unknowns(share * one, torch.tensor(steering).double().reshape(2, 1, 1), diffusion * one, friction * one)


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([100e3, 100e3, 500.0, 7200.0]).double()
    return torch.randn(COUNT, 4, generator=generator, dtype=torch.float64) * scale


FLAT = Ground(torch.zeros(2, COUNT).double(), torch.full((COUNT,), 1e-4).double())


def gaussian(x: torch.Tensor, steering=(0.0, 0.0), spread=DIFFUSION) -> torch.Tensor:
    """A warm blob that the wind carries and diffusion widens: the exact solution, K."""
    square = WIDTH**2 + 2.0 * spread * x[:, 3]
    away = (x[:, 0] - (WIND[0] + steering[0]) * x[:, 3]) ** 2 + (x[:, 1] - (WIND[1] + steering[1]) * x[:, 3]) ** 2
    return 280.0 + 5.0 * WIDTH**2 / square * torch.exp(-away / (2.0 * square))


def test_an_advected_and_diffused_gaussian_leaves_no_residual_of_heat_and_moisture(x):
    fields = {"u10": constant(WIND[0]), "v10": constant(WIND[1])}
    for name, term in (("t2m", "heat"), ("d2m", "moisture")):
        for steering in ((0.0, 0.0), (4.0, 2.0)):
            own = fields | {name: jet_of(lambda at, s=steering: gaussian(at, s), x.clone())}
            exact = residuals(own, FLAT, unknowns(DIFFUSION, steering=steering), (term,))[term]
            still = residuals(own, FLAT, unknowns(DIFFUSION, share=0.0), (term,))[term]
            assert exact.abs().max() < 1e-12 and still.abs().max() > 1e-5


def test_air_that_rises_along_a_slope_cools_by_gravity_over_heat_capacity(x):
    slope = torch.tensor([[0.01], [0.0]]).double().expand(2, COUNT)
    fields = {"u10": constant(10.0), "v10": constant(0.0)}
    rise = 0.1  # m/s
    cooling = jet_of(lambda at: 290.0 - STANDARD_GRAVITY / HEAT_CAPACITY * rise * at[:, 3], x.clone())
    sloping = Ground(slope, FLAT.coriolis)
    assert residuals(fields | {"t2m": cooling}, sloping, unknowns(), ("heat",))["heat"].abs().max() < 1e-9


def test_geostrophic_wind_without_friction_leaves_no_residual_of_momentum(x):
    density = 100000.0 / (DRY_AIR * 290.0)
    wind = (6.0, 9.0)
    gradient = (density * 1e-4 * wind[1], -density * 1e-4 * wind[0])
    # Density at the points is that of the pressure: on the place where it is 1000 hPa the balance is exact.
    pressure = Jet(
        constant(100000.0).value,
        torch.tensor([*gradient, 0.0, 0.0]).double().reshape(4, 1, 1).expand(4, 1, COUNT),
        constant(0.0).second,
    )
    fields = {"u10": constant(wind[0]), "v10": constant(wind[1]), "psfc": pressure, "t2m": constant(290.0)}
    assert residuals(fields, FLAT, unknowns(), ("momentum",))["momentum"].abs().max() < 1e-9
    with_friction = residuals(fields, FLAT, unknowns(friction=1e-4), ("momentum",))["momentum"]
    assert with_friction[:, 0, 0].tolist() == pytest.approx([6e-4, 9e-4])


def test_an_isothermal_atmosphere_is_hydrostatic_and_a_dew_point_above_the_temperature_is_not_moist(x):
    height = DRY_AIR * 270.0 / STANDARD_GRAVITY
    pressure = jet_of(lambda at: 90000.0 * torch.exp(-at[:, 2] / height), x.clone())
    fields = {"psfc": pressure, "t2m": constant(270.0)}
    assert residuals(fields, FLAT, unknowns(), ("hydrostatic",))["hydrostatic"].abs().max() < 1e-9
    wet = {"t2m": constant(280.0), "d2m": constant(281.5)}
    assert residuals(wet, FLAT, unknowns())["moist"].max() == 1.5
    assert residuals({"t2m": constant(280.0), "d2m": constant(270.0)}, FLAT, unknowns())["moist"].max() == 0.0


def test_the_networks_derivatives_are_those_of_automatic_differentiation(x):
    scale = torch.tensor([100e3, 100e3, 500.0, 7200.0])
    network = SpaceTimeNetwork(3, scale, 2, features=20, width=8, depth=2, seed=1).double()
    jet = network.jet(x)
    assert torch.allclose(jet.value, network(x))
    for member in range(3):
        for output in range(2):
            expected = jet_of(lambda at, m=member, k=output: network(at)[m, :, k], x.clone())
            for part in ("value", "first", "second"):
                got = getattr(jet[output], part)[..., member, :]
                want = getattr(expected, part)[..., 0, :]
                assert torch.allclose(got, want, rtol=1e-6, atol=1e-9 * float(want.abs().max()))


def test_the_product_of_jets_is_that_of_the_functions(x):
    left = lambda at: torch.sin(at[:, 0] / 1e5) * at[:, 3]  # noqa: E731
    right = lambda at: torch.cos(at[:, 1] / 1e5 + at[:, 0] / 2e5)  # noqa: E731
    product = jet_of(left, x.clone()) * jet_of(right, x.clone())
    expected = jet_of(lambda at: left(at) * right(at), x.clone())
    for part in ("value", "first", "second"):
        assert torch.allclose(getattr(product, part), getattr(expected, part), atol=1e-12)
