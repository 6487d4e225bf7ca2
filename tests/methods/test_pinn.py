"""The physics-informed network: a known advected field, its base where nothing moves it, equal fits, tiles."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from shares import fields_of_parts

from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.points import Points, TimedPoints
from mlrtma_dist.methods.pinn_fit import Fit, Prior, Reported
from mlrtma_dist.methods.pinn_points import Collocation, Frame
from mlrtma_dist.methods.pinn_settings import PinnSettings
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.nn.space_time import Jet

SPEED, HALF = 10.0, 5400.0  # m/s of the wind, and s from the analysis time to the reports before and after it
SMALL = PinnSettings(members=2, points=60, steps=20, polish=10, features=24, width=12)


def truth(x: torch.Tensor) -> torch.Tensor:
    """Waves of 220 km that the wind carries, in units of their deviation."""
    along = x[:, 0] - SPEED * x[:, 3]
    return torch.sin(along / 35e3) + torch.cos(along / 45e3 + x[:, 1] / 60e3)


def coordinates(random: np.random.Generator, count: int, times: np.ndarray) -> torch.Tensor:
    x, y = random.uniform(-250e3, 250e3, (2, count))
    return torch.from_numpy(np.stack([x, y, np.zeros(count), times], axis=1).astype(np.float32))


def advected(equations: tuple[str, ...]) -> float:
    """Root mean square error half way between the two times of the reports, of a network fitted to these."""
    random = np.random.default_rng(3)
    x = coordinates(random, 300, random.uniform(-HALF, HALF, 300)).double().numpy()
    zero = np.zeros(300)
    places = Points(zero, zero, np.column_stack([x[:, :2], zero]), zero, zero, zero)
    points = TimedPoints.at(places, x[:, 3] / 3600.0)
    collocation = Collocation(Frame(0.0, 0.0, plane=True), points, 50e3, np.zeros((2, 300)))
    base = torch.tensor([280.0, SPEED, 0.0]).expand(1, 300, 3)
    scale = torch.tensor([1.0, 1e-3, 1e-3]).expand(1, 300, 3)  # the wind is known
    flat = torch.zeros(4, 1, 300, 3), torch.zeros(2, 1, 300, 3)
    prior = Prior(("t2m", "u10", "v10"), Jet(base, *flat), Jet(scale, *flat), (60e3, 60e3, 500.0, 3600.0))
    reports = coordinates(random, 300, np.repeat([-HALF, HALF], 150))
    reported = Reported(reports, torch.zeros(300, dtype=torch.long), truth(reports), torch.full((300,), 0.1))
    settings = PinnSettings(
        of="first_guess", equations=equations, members=1, points=300, steps=150, polish=60, features=128, seed=1
    )
    members = Fit(settings, collocation, prior, reported)
    members.descend()
    between = coordinates(random, 500, np.zeros(500))
    with torch.no_grad():
        return float((members.problem.network(between)[0, :, 0] - truth(between)).square().mean().sqrt())


@pytest.mark.slow
def test_between_two_times_an_advected_field_is_recovered_better_with_the_equation_of_heat_than_without():
    without, with_heat = advected(()), advected(("heat",))
    print(f"without {without:.2f}, with the equation {with_heat:.2f} of a deviation of 1")
    assert with_heat < 0.6 * without


@pytest.fixture
def method(toy):
    """Makes the method for some variables of the toy hour."""

    def make(*names: str, pinn: PinnSettings = SMALL):
        settings = toy.settings(*names)
        return build(("pinn", "oi_time"), Means(settings=settings, pinn=pinn)), settings

    return make


def test_without_equations_the_analysis_is_the_base_and_the_spread_about_its_error(toy, method):
    methods, settings = method("t2m", "u10", "v10", pinn=replace(SMALL, equations=(), members=30))
    case = toy.case(settings)
    own, base = methods["pinn"].analyse(case), methods["oi_time"].analyse(case)
    points = case.points[case.used][:40]
    for name in ("t2m", "v10"):
        value, error = own.at(name, points)
        expected, deviation = base.at(name, points)
        assert value == pytest.approx(expected, abs=1e-6)
        assert 0.5 < np.mean(error) / np.mean(deviation) < 1.5


def test_two_fits_are_the_same_and_another_seed_is_another_fit(toy, method):
    values = []
    for settings_of_fit in (SMALL, SMALL, replace(SMALL, seed=5)):
        methods, settings = method("t2m", "u10", "v10", pinn=settings_of_fit)
        case = toy.case(settings)
        values.append(methods["pinn"].analyse(case).at("t2m", case.points[case.used][:50])[0])
    np.testing.assert_array_equal(values[0], values[1])
    assert np.abs(values[0] - values[2]).max() > 1e-4


def test_the_field_is_that_at_points_and_tiles_equal_the_whole(toy, method):
    methods, settings = method("t2m", "u10", "v10", "psfc")
    case = toy.case(settings)
    answer = methods["pinn"].analyse(case)
    whole = answer.fields()
    at = answer.at("t2m", case.grid_points(slice(10, 12)))[0].reshape(2, -1)
    assert np.abs(whole.values["t2m"][10:12] - at).max() < 0.15  # K; the error on the grid is interpolated
    base = methods["oi_time"].analyse(case).fields()
    assert np.abs(whole.values["t2m"] - base.values["t2m"]).max() > 1e-3, "the network adds nothing"
    tiles = [Box(0, 48, 0, 160), Box(48, 120, 0, 160)]
    parts = fields_of_parts([methods["pinn"].analyse(toy.case(settings, box=box)) for box in tiles])
    for box, part in zip(tiles, parts, strict=True):
        for name in settings.variables:
            got, expected = part.values[name], whole.values[name][box.slices]
            assert got == pytest.approx(expected, rel=1e-5, abs=1e-3)


def test_variables_without_equations_are_those_of_the_base_and_alone_they_are_an_error(toy, method):
    methods, settings = method("t2m", "gust")
    case = toy.case(settings)
    points = case.points[case.used][:20]
    own, base = methods["pinn"].analyse(case), methods["oi_time"].analyse(case)
    np.testing.assert_array_equal(own.at("gust", points)[0], base.at("gust", points)[0])
    methods, settings = method("gust")
    with pytest.raises(InputError, match="pinn: expected some of the variables t2m"):
        methods["pinn"].analyse(toy.case(settings))


def test_settings_that_cannot_be_used_are_errors():
    for wrong in ({"of": "nothing"}, {"equations": ("heat", "cold")}, {"points": 0}, {"steps": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            PinnSettings(**wrong)
