"""The learned regression: near the exact limit after a minute, never past it; sums and weights; the same on tiles."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from launch import launch

from mlrtma_dist import config
from mlrtma_dist.methods.learned import build_method
from mlrtma_dist.methods.optimal import OptimalAnalysis
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.methods.unet import UNetMethod, UNetSettings
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.dataset import Dataset
from mlrtma_dist.samples.store import Store
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane

PLANE = GaussianPlane(size=32, observations=50, seed=6)  # a quarter of the reference, as densely observed
STEPS, BATCH, LEARNT, UNSEEN = 260, 8, 160, 32
HERE = Alone(PLANE.shape, (True, True))
UNITS = Statistics(("background", "truth"), (0.0, 0.0), (1.0, 1.0), LEARNT, "", "")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("unet") / "plane.h5"
    time = PLANE.time(LEARNT + UNSEEN)
    with Ranks.start(device="cpu") as world:
        build_store(path, PLANE.layout("plane", 32), time, PLANE.make, world)
    return Dataset(Store(path), Tile.whole(PLANE.shape, (True, True)), UNITS, variants=14, plain_from=time[LEARNT])


@pytest.fixture(scope="module")
def scores(data):
    """Root mean square errors on unseen cases: background, network, Bayes."""
    method = UNetMethod(UNetSettings(widths=(48, 48, 48)))
    optimizer = torch.optim.AdamW(method.network.parameters(), lr=2e-3, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=STEPS, pct_start=0.1)
    known = np.flatnonzero(data.time < data.plain_from)
    order = np.random.default_rng(1).permutation(known)[: STEPS * BATCH].reshape(STEPS, BATCH)
    for sample in data.stream(order):
        optimizer.zero_grad()
        total, weight = method.loss(sample, HERE)
        (total / weight).backward()
        torch.nn.utils.clip_grad_norm_(method.network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    unseen = data.batch(np.flatnonzero(data.time >= data.plain_from))
    truth, error = PLANE.covariances
    bayes = OptimalAnalysis.bayes(truth, error, PLANE.observation_error)
    best = []
    for number in range(LEARNT, LEARNT + UNSEEN):
        (background, true), table = PLANE.draw(number)
        best.append(np.mean((bayes.analyse(background, table.place, table.value) - true) ** 2))
    learnt = (method.analyse(unseen, HERE) - unseen.target).square().mean()
    believed = (unseen.inputs[:, :1] - unseen.target).square().mean()
    return float(believed) ** 0.5, float(learnt) ** 0.5, np.mean(best) ** 0.5


@pytest.mark.slow
def test_a_short_training_comes_near_the_exact_limit_on_unseen_cases(scores):
    background, learnt, bayes = scores
    assert learnt <= 1.6 * bayes  # interpolation with the background covariance only is at 2.0
    assert learnt < 0.5 * background


@pytest.mark.slow
def test_no_network_passes_the_exact_limit(scores):
    # 32 cases share their sampling error with the limit: the difference alone counts
    assert scores[1] > scores[2]


def test_before_training_the_analysis_is_nearly_the_background(data):
    sample = data.batch([0, 1])
    analysis = UNetMethod(UNetSettings()).analyse(sample, HERE)
    change = (analysis - sample.inputs[:, :1]).abs().max()
    assert 0.0 < change < 0.05


def test_the_loss_is_a_sum_and_its_weight_the_known_points_and_unknown_points_may_hold_nothing(data):
    method, sample = UNetMethod(UNetSettings()), data.batch([0, 1, 2])
    total, weight = method.loss(sample, HERE)
    assert weight == method.weight(sample) == 3 * 32 * 32
    total = total.detach()
    error = method.analyse(sample, HERE) - sample.target
    assert float(total) == pytest.approx(float(error.square().sum()), rel=1e-5)
    mask = torch.zeros(3, 1, 32, 32)
    mask[:, :, :5] = 1.0
    target = torch.where(mask > 0, sample.target, torch.nan)
    part, known = method.loss(replace(sample, target=target, mask=mask), HERE)
    assert known == 3 * 5 * 32
    assert float(part.detach()) == pytest.approx(float((error * mask).square().sum()), rel=1e-5)
    part.backward()
    assert all(bool(torch.isfinite(weight.grad).all()) for weight in method.network.parameters())


def test_the_first_weights_are_a_function_of_the_seed_alone():
    torch.manual_seed(1)
    first = UNetMethod(UNetSettings()).network.state_dict()
    torch.manual_seed(2)
    again, other = (UNetMethod(UNetSettings(seed=seed)).network.state_dict() for seed in (0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["unet.stem.weight"], other["unet.stem.weight"])


@pytest.mark.slow
def test_four_tiles_give_output_loss_and_gradients_of_one():
    found = launch(str(Path(__file__).parent / "kernels" / "folded"), 4)
    assert set(found) == {"periodic", "odd", "no background"}
    for domain, differences in found.items():
        assert {name: value for name, value in differences.items() if not value <= 1e-10} == {}, domain


@pytest.mark.parametrize("name", ["unet_exercise1", "unet_exercise1_ci"])
def test_the_shipped_configurations_describe_this_method(name):
    said = config.load_yaml(config.configs_root() / "training" / f"{name}.yaml")
    settings = config.build(UNetSettings, said["settings"], name)
    assert said["method"] == "unet"
    assert sum(weight.numel() for weight in UNetMethod(settings).network.parameters()) == 544324


@pytest.mark.parametrize("name", ["unet_exercise2_weak", "unet_exercise2_strong", "unet_exercise2_ci"])
def test_the_shipped_configurations_of_exercise_2_see_five_types_and_say_three_fields(name):
    said = config.load_yaml(config.configs_root() / "training" / f"{name}.yaml")
    network = UNetMethod(config.build(UNetSettings, said["settings"], name)).network
    with torch.no_grad():
        answer = network(torch.zeros(1, 10, *PLANE.shape), HERE)  # values and masks of five types
    assert answer.shape == (1, 3, *PLANE.shape)


def test_without_a_background_the_first_answer_is_the_mean_and_not_the_first_channels():
    network = UNetMethod(UNetSettings(3, 5, background_deviation=None)).network
    with torch.no_grad():
        answer = network(torch.ones(1, 10, *PLANE.shape), HERE)
    assert answer.abs().max() < 0.1  # zero is the mean; the channels are all 1


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="observed: expected 0 with a background, got 5"):
        UNetSettings(observed=5)
    with pytest.raises(ValueError, match="background_deviation"):
        UNetSettings(background_deviation=0.0)
    for settings, expected in (({"widths": [20, 20]}, "multiples of the 8 groups"), ({"fold": 0}, "a fold from 1 on")):
        with pytest.raises(config.ConfigError, match=f"here: settings: .*{expected}"):
            build_method("unet", settings, "here")
