"""Reports of types that no training saw: their operator, the exact posterior where they are linear, tiles, refusals."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from invented import plane

from mlrtma_dist.diffusion.gaussian import GaussianDenoiser
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.linalg.spectral import SpectralCovariance
from mlrtma_dist.methods.diffusion import DiffusionMethod
from mlrtma_dist.methods.diffusion_indirect import indirect_reports
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.diffusion_settings import DiffusionSettings
from mlrtma_dist.methods.need import Need
from mlrtma_dist.methods.plane import columns_of
from mlrtma_dist.methods.registry import Means, build, check_methods
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.observations.indirect import TYPES, IndirectTypes
from mlrtma_dist.parallel.memory import run_tiles
from mlrtma_dist.simulation.shallow_plane import ShallowPlane

WORLD = ShallowPlane(size=16, steps=2, length=(6.0, 8.0), observations=(3, 3, 3, 12, 12), indirect=IndirectTypes(3.0))
CASES = WORLD.on(plane(WORLD.shape, periodic=True), count=2)
CASE = CASES.case(1, Box.whole(WORLD.shape))
UNITS = Statistics(("truth_h", "truth_u", "truth_v"), (0.5, 0.0, 0.0), (8.0, 5.0, 5.0), 4, "", "")
SETTINGS = DiffusionSettings(
    variables=3, background_deviation=None, widths=(8, 8), groups=4, scales=((1.0, 3.0),), sigma_max=20.0
)


class GaussianFields(torch.nn.Module):
    """The exact denoiser of three independent Gaussian fields of unit variance."""

    alignment = 1
    covariance = SpectralCovariance.gaussian(WORLD.shape, 6.0, 1.0)

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, noised, sigma, condition, neighbourhood):
        """E[d | d_t]."""
        denoised = GaussianDenoiser(self.covariance)(noised.double(), sigma.double()[:, None, None, None])
        return denoised.to(noised.dtype)


def method_of(indirect: IndirectTypes | None, **sampling) -> DiffusionMethod:
    method = DiffusionMethod(SETTINGS, UNITS)
    randomise(method.network, 3)
    return method.drawing(Sampling(guidance="mmps", warm_start=None, **sampling), indirect=indirect)


def test_the_operator_is_that_of_the_types_at_the_points_of_their_reports():
    units = tuple(np.array(each) for each in (UNITS.mean, UNITS.deviation))
    here = Alone(WORLD.shape, (True, True))
    reports = indirect_reports(CASE, WORLD.indirect, units, here, torch.device("cpu"))
    state = np.stack([CASE.truth[name] for name in ("h", "u", "v")])
    departures = torch.from_numpy(((state - units[0][:, None, None]) / units[1][:, None, None])[None]).float()
    places, kinds, values, errors = (each[-24:] for each in columns_of(CASE, TYPES))
    assert (kinds >= 3).all()
    expected = WORLD.indirect.values(state[:, *places.T].T, kinds)
    np.testing.assert_allclose(reports.operator(departures)[0], expected, atol=1e-4)
    np.testing.assert_allclose(reports.value, values, rtol=1e-6)
    np.testing.assert_allclose(reports.variance, errors**2, rtol=1e-6)


def test_where_the_types_are_linear_the_members_are_of_the_exact_posterior():
    """With a strength near 0 a report of o1 is one of u, and one of o2 of h + D v / W."""
    linear = IndirectTypes(1e-3)
    case = replace(WORLD, indirect=linear, observation_error=(4.0,) * 5).on(CASES.contents.domain, 1).case(0, CASE.box)
    method = method_of(linear, members=60, at_once=60, steps=12, iterations=6)
    method.network = GaussianFields()
    places, kinds, values, errors = columns_of(case, TYPES)
    rows = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0], [1, 0, linear.height / linear.wind]])[kinds]
    points = np.argwhere(np.ones(WORLD.shape, bool))
    prior = GaussianFields.covariance.between(places, places)
    across = GaussianFields.covariance.between(points, places)
    deviation = np.array(UNITS.deviation)
    inner = np.einsum("ia,ja,ij,a->ij", rows, rows, prior, deviation**2) + np.diag(errors**2)
    gain = np.einsum("pj,ja,a->apj", across, rows, deviation) @ np.linalg.inv(inner)
    mean = gain @ (values - rows @ np.array(UNITS.mean))
    left = 1.0 - np.einsum("apj,pj,ja,a->ap", gain, across, rows, deviation)
    answer = method.analyse(case).fields()
    for number, name in enumerate(("h", "u", "v")):
        analysed = (answer.values[name].ravel() - UNITS.mean[number]) / deviation[number]
        assert np.sqrt(np.mean((analysed - mean[number]) ** 2)) < 0.35 * np.sqrt(left[number].mean())  # members: 0.13
        spread = np.sqrt(np.mean(answer.error[name] ** 2)) / deviation[number]
        assert spread == pytest.approx(np.sqrt(left[number].mean()), rel=0.1)


def test_members_on_tiles_are_those_of_one_rank_and_without_the_types_others():
    method = method_of(WORLD.indirect, members=2, steps=2, iterations=2)
    alone = method.analyse(CASE).members["h"]

    def work(here):
        return here.box, method.analyse(CASES.case(1, here.box), here).members["h"]

    for box, part in run_tiles(WORLD.shape, (2, 1), work, periodic=(True, True)):
        np.testing.assert_allclose(part, alone[:, *box.slices], atol=1e-4 * np.ptp(alone))
    without = method.drawing(method.sampling).analyse(CASE).members["h"]
    assert np.abs(without - alone).max() > 0.1


def test_a_guidance_that_cannot_use_them_is_refused_with_the_way_out():
    method = method_of(WORLD.indirect, members=2, steps=2)
    method.drawing(replace(method.sampling, guidance="jfps"), indirect=WORLD.indirect)
    with pytest.raises(InputError, match="Set diffusion.guidance to mmps or sda"):
        method.analyse(CASE)


def test_a_case_without_such_reports_has_none():
    none = replace(CASE, used=np.isin(CASE.observations.variable, ("h", "u", "v")))
    here = Alone(WORLD.shape, (True, True))
    assert indirect_reports(none, WORLD.indirect, (np.zeros(3), np.ones(3)), here, torch.device("cpu")) is None


def test_the_registry_gives_the_method_the_types_of_the_world_and_asks_for_no_background():
    method = method_of(None)
    for world, expected in ((WORLD, WORLD.indirect), (None, None)):
        means = Means(trained={"diffusion": method}, world=world, sampling=Sampling(members=7))
        built = build(("diffusion",), means)["diffusion"]
        assert built is method and built.indirect == expected and built.sampling.members == 7
    check_methods(("diffusion",), {Need.CHECKPOINT, Need.SHALLOW_PLANE})
