"""Learned methods in bf16, as the engine computes them: their losses are those in float32, up to rounding."""

import copy
from dataclasses import replace

import pytest
import torch
from report_cases import TINY, toy

from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.predictands import PREDICTANDS
from mlrtma_dist.methods.vit import build_vit
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather, Stations

pytestmark = pytest.mark.usefixtures("one_thread")


def losses(method, sample, here):
    """The mean loss in float32 and in bf16, each with the norm of the gradient of all weights."""
    means, norms = [], []
    for kind in (torch.float32, torch.bfloat16):
        changed = copy.copy(method)
        changed.network = copy.deepcopy(method.network).to(kind)
        total, weight = changed.loss(replace(sample, inputs=sample.inputs.to(kind)), here)
        (total / weight).backward()
        gradients = [each.grad.float() for each in changed.network.parameters() if each.grad is not None]
        means.append(float(total.detach()) / weight)
        norms.append(float(torch.nn.utils.get_total_norm(gradients)))
    return means, norms


def test_the_loss_of_the_transformer_is_finite_with_all_variables_on_many_tokens():
    law = SimulatedWeather(tuple(PREDICTANDS), stations=Stations(random=80), seed=3)
    section = CasesSection("toy", simulated_weather=law, count=1)
    case = open_cases(section).case(0, Box.whole(toy().domain.shape))
    method = build_vit(TINY | {"variables": list(PREDICTANDS), "token_spacing": 10e3, "latent": 8}, "test")
    randomise(method.network, 1)
    method.settle(toy().domain)  # 60 x 80 tokens of 8 channels
    means, norms = losses(method, method.encode(case, 1), Alone(toy().domain.shape))
    assert means[1] == pytest.approx(means[0], rel=5e-3) and norms[1] == pytest.approx(norms[0], rel=5e-2)
