"""Learned methods whose network is in bf16, as the engine has it: their loss and gradient are near those in float32."""

import copy

import numpy as np
import pytest
import torch
from denoised_plane import CASES, PLANE
from denoised_plane import HERE as ON_PLANE
from denoised_plane import UNITS as OF_PLANE
from lam_cases import HERE, SHAPE, case_of
from report_cases import TINY, toy

from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.diffusion import build_diffusion
from mlrtma_dist.methods.lam import build_lam
from mlrtma_dist.methods.lam_diffusion import build_lam_diffusion
from mlrtma_dist.methods.lam_one_pass import build_lam_one_pass
from mlrtma_dist.methods.one_pass import build_one_pass
from mlrtma_dist.methods.predictands import PREDICTANDS
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.methods.transfer import Transfer, adapt
from mlrtma_dist.methods.unet import build_unet
from mlrtma_dist.methods.vit import build_vit
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather, Stations

pytestmark = pytest.mark.usefixtures("one_thread")
DEVIATION, CHANGE = 6300.0, 43.0  # Pa, of surface pressure over mountains and of its change in an hour


def differences(method, sample, here):
    """Of bf16 from float32, relative: of the loss, and of the gradient of all weights."""
    losses, gradients = [], []
    for kind in (torch.float32, torch.bfloat16):
        changed = copy.copy(method)
        changed.network = copy.deepcopy(method.network).to(kind)
        total, weight = changed.loss(sample, here)
        (total / weight).backward()
        losses.append(float(total.detach()) / weight)
        each = [weight.grad.float().flatten() for weight in changed.network.parameters() if weight.grad is not None]
        gradients.append(torch.cat(each))
    return abs(losses[1] / losses[0] - 1.0), float((gradients[1] - gradients[0]).norm() / gradients[0].norm())


def test_the_loss_of_the_transformer_is_finite_with_all_variables_on_many_tokens():
    law = SimulatedWeather(tuple(PREDICTANDS), stations=Stations(random=80), seed=3)
    section = CasesSection("toy", simulated_weather=law, count=1)
    case = open_cases(section).case(0, Box.whole(toy().domain.shape))
    method = build_vit(TINY | {"variables": list(PREDICTANDS), "token_spacing": 10e3, "latent": 8}, "test")
    randomise(method.network, 1)
    method.settle(toy().domain)  # 60 x 80 tokens of 8 channels
    loss, gradient = differences(method, method.encode(case, 1), Alone(toy().domain.shape))
    assert loss < 5e-3 and gradient < 0.1


@pytest.mark.parametrize("mode", ["adapters", "frozen"])
def test_a_network_with_adapters_computes_in_bf16_where_what_is_trained_is_in_bf16(mode):
    """DeepSpeed rounds the weights that it trains, one by one, and leaves the fixed ones in float32."""
    law = SimulatedWeather(("t2m", "d2m"), stations=Stations(random=80), seed=3)
    case = open_cases(CasesSection("toy", simulated_weather=law, count=1)).case(0, Box.whole(toy().domain.shape))
    before, method = (build_vit(TINY | {"variables": names}, "test") for names in (["t2m"], ["t2m", "d2m"]))
    for each in (before, method):
        randomise(each.network, 1)
        each.settle(toy().domain)
    adapt(method, before, Transfer(mode), "test")
    sample, here = method.encode(case, 1), Alone(toy().domain.shape)
    exact, fixed = float(method.loss(sample, here)[0].detach()), method.network.merged()
    rounded = copy.deepcopy(method.network).to(torch.bfloat16)
    expected, method.network = method.network, rounded
    whole = float(method.loss(sample, here)[0].detach())
    method.network = expected
    for weight in method.network.parameters():
        weight.data = weight.data.to(torch.bfloat16)
    assert float(method.loss(sample, here)[0].detach()) == whole != exact
    assert whole == pytest.approx(exact, rel=0.03)
    grown = {name.replace("/", ".") for name in method.network.grown}
    again = method.network.merged()
    assert grown and all(torch.equal(fixed[name], again[name]) for name in fixed if name not in grown)


@pytest.mark.parametrize(
    ("build", "settings"),
    [
        (build_lam, {}),
        (build_lam, {"steps": 3}),
        (build_lam_diffusion, {"groups": 4}),
        (build_lam_one_pass, {"groups": 4, "smoothed": [2, 4]}),
    ],
)
def test_changes_that_are_small_beside_the_state_are_learnt_as_in_float32(build, settings):
    """bf16 has steps of 49 Pa where pressure is a deviation off its mean, more than it changes in an hour."""
    random, hours = np.random.default_rng(3), np.arange(8)[:, None, None]
    states, trends = random.normal(size=(2, 2, 1, *SHAPE))
    fields = {
        name: DEVIATION * state + CHANGE * (0.7 * trend * hours + 0.5 * random.normal(size=(8, *SHAPE)))
        for name, state, trend in zip(("t2m", "u10"), states, trends, strict=True)
    }
    method = build({"variables": 2, "widths": [8, 8], "rim": 2} | settings, "test")
    names, twice = ("truth_t2m", "truth_u10"), lambda value: (value, value)
    method.statistics = Statistics(names, (0, 0), twice(DEVIATION), 9, "", "", change_deviation=twice(CHANGE))
    loss, gradient = differences(method, method.encode(case_of(fields, 6)), HERE)
    assert loss < 1e-3 and gradient < 0.05


@pytest.mark.parametrize(
    ("build", "settings"),
    [
        (build_unet, {"widths": [8, 8], "groups": 4}),
        (build_diffusion, {"widths": [8, 8], "groups": 4, "scales": [[1.0, 3.0]]}),
        (build_one_pass, {"widths": [8, 8], "groups": 4, "scales": [[1.0, 3.0]], "reports": 60}),
    ],
)
def test_methods_of_departures_have_the_loss_in_float32(build, settings):
    method = build(settings, "test")
    method.statistics = OF_PLANE
    sample = method.encode(CASES.case(1, Box.whole(PLANE.shape)), 1)
    loss, gradient = differences(method, sample, ON_PLANE)
    assert loss < 5e-3 and gradient < 0.1
