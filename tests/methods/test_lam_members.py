"""Members of forecasts: the closed form of a linear Gaussian step, tiles, noise, and what CRPS teaches."""

import numpy as np
import pytest
import torch
from lam_cases import HERE, NAMES, SHAPE, UNITS, WHOLE, case_of, states
from moving_states import HOUR, START
from torch import nn

from mlrtma_dist import config
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.lam_diffusion import LamDiffusion, LamDiffusionSettings, build_lam_diffusion
from mlrtma_dist.methods.lam_drawing import Drawing
from mlrtma_dist.methods.lam_draws import Draw
from mlrtma_dist.methods.lam_network import rim_mask
from mlrtma_dist.methods.lam_one_pass import LamOnePass, LamOnePassSettings, build_lam_one_pass
from mlrtma_dist.methods.learned import ContentsError
from mlrtma_dist.methods.pair_scores import pair_scores
from mlrtma_dist.methods.registry import METHODS, Means
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.nn.crps import pair_crps
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.memory import run_tiles

SMALL = {"variables": 2, "widths": (8, 8), "groups": 4}
STEPS = 200  # of the training by CRPS
KEPT, SPREAD = 0.6, 0.5  # the next change is so much of the last one, and noise of so large a deviation


class LinearDenoiser(nn.Module):
    """The exact denoiser of changes d ~ N(KEPT * last change, SPREAD^2), independent from point to point."""

    alignment = 1

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, noised, sigma, condition, neighbourhood):
        mean, level = KEPT * condition[:, 2:4], sigma[:, None, None, None]
        return mean + SPREAD**2 / (SPREAD**2 + level**2) * (noised - mean)


def diffusion(drawing=None, **settings) -> LamDiffusion:
    method = LamDiffusion(LamDiffusionSettings(**{**SMALL, **settings}), UNITS)
    randomise(method.network, 3)
    method.network.eval()
    method.drawing = drawing or Drawing(members=3, levels=3, at_once=2)
    return method


def one_pass(**settings) -> LamOnePass:
    method = LamOnePass(LamOnePassSettings(**{**SMALL, "smoothed": (2, 4), **settings}), UNITS)
    randomise(method.network, 3)
    method.network.eval()
    method.drawing = Drawing(members=3, at_once=2)
    return method


@pytest.mark.parametrize("sampler", ["heun", "dpm", "stochastic"])
def test_members_of_a_linear_gaussian_step_have_the_mean_and_the_spread_of_theory_after_several_steps(sampler):
    drawing = Drawing(members=60, sampler=sampler, levels=60, at_once=60)
    method = diffusion(drawing, rim=0)
    method.network = LinearDenoiser()
    fields = states(4)
    last = {name: fields[name][3] - fields[name][2] for name in NAMES}
    for step, members in enumerate(method.members(case_of(fields, 3), 4), 1):
        kept = sum(KEPT**count for count in range(1, step + 1))
        shares = [sum(KEPT**count for count in range(step - drawn)) for drawn in range(step)]
        for name, unit in zip(NAMES, UNITS.change_deviation, strict=True):
            expected = unit * SPREAD * np.sqrt(np.square(shares).sum())
            spread = np.sqrt(members[name].var(0, ddof=1).mean())
            assert spread == pytest.approx(expected, rel=0.015), (step, name)
            error = members[name].mean(0) - (fields[name][3] + kept * last[name])
            assert np.sqrt(np.square(error).mean()) < 1.2 * expected / np.sqrt(60), (step, name)
            assert abs(error.mean()) < 4.0 * expected / np.sqrt(60 * error.size)


def test_the_ten_levels_of_the_default_widen_a_step_by_five_to_ten_per_cent():
    method = diffusion(Drawing(members=60, at_once=60), rim=0)
    method.network = LinearDenoiser()
    members = next(method.members(case_of(states(4), 3), 1))["t2m"]
    assert np.sqrt(members.var(0, ddof=1).mean()) / (SPREAD * UNITS.change_deviation[0]) == pytest.approx(
        1.075, abs=0.025
    )


def test_the_loss_of_the_exact_denoiser_is_that_of_theory_and_a_wrong_mean_has_a_larger_one():
    generator, fields = np.random.default_rng(4), {name: np.zeros((4, *SHAPE)) for name in NAMES}
    changes = {name: unit * generator.normal(size=SHAPE) for name, unit in zip(NAMES, (1.2, 0.5), strict=True)}
    for name, unit in zip(NAMES, UNITS.change_deviation, strict=True):
        drawn = KEPT * changes[name] + unit * SPREAD * generator.normal(size=SHAPE)
        fields[name][2], fields[name][3] = changes[name], changes[name] + drawn
    method = diffusion(rim=2, levels=64)
    method.network = LinearDenoiser()
    total, weight = method.loss(method.encode(case_of(fields, 3)), HERE)
    assert weight == 64 * 2 * (SHAPE[0] - 4) * (SHAPE[1] - 4)
    levels = np.geomspace(0.02, 80.0, 400)
    expected = np.mean((1.0 + levels**2) * SPREAD**2 / (SPREAD**2 + levels**2))
    assert float(total.detach()) / weight == pytest.approx(expected, rel=0.03)
    still = {name: np.concatenate([each[:2] + 2.0 * each[2], each[2:]]) for name, each in fields.items()}
    assert float(method.loss(method.encode(case_of(still, 3)), HERE)[0]) > 1.2 * float(total)


@pytest.mark.parametrize("kind", [diffusion, one_pass])
def test_losses_gradients_and_members_on_uneven_tiles_are_those_of_one_rank(kind):
    settings = {"rim": 2, "rim_missing": 0.5, "noise": 0.2} | ({"steps": 2} if kind is one_pass else {"levels": 2})
    fields, threads = states(6), torch.get_num_threads()
    torch.set_num_threads(1)

    def work(here):
        method = kind(**settings)
        method.network.train()
        loss, weight = method.loss(Sample.join([method.encode(case_of(fields, n, here.box), n) for n in (4, 5)]), here)
        loss.backward()
        gradient = torch.cat([each.grad.flatten() for each in method.network.parameters()])
        method.network.eval()
        *_, last = method.members(case_of(fields, 2, here.box), 2, lambda time: None, here)
        analysed = method.analyse(case_of(fields, 4, here.box), here).members["u10"]
        return here.box, float(loss.detach()), weight, gradient, last["t2m"], analysed

    _, loss, weight, gradient, last, analysed = work(HERE)
    for table in ((1, 2), (1, 3), (4, 1)):
        parts = run_tiles(SHAPE, table, work, align=kind(**settings).alignment)
        assert len({each[0].shape for each in parts}) > 1 or table == (1, 2)
        assert sum(each[2] for each in parts) == weight
        assert sum(each[1] for each in parts) == pytest.approx(loss, rel=1e-5)
        together = sum(each[3] for each in parts)
        torch.testing.assert_close(together, gradient, rtol=0, atol=1e-4 * float(gradient.abs().max()))
        for box, *_, own, own_analysed in parts:
            np.testing.assert_allclose(own, last[:, *box.slices], atol=1e-4 * np.ptp(last))
            np.testing.assert_allclose(own_analysed, analysed[:, *box.slices], atol=1e-4 * np.ptp(analysed))
    assert np.abs(last[0] - last[1]).max() > 0.1
    torch.set_num_threads(threads)


@pytest.mark.parametrize("kind", [diffusion, one_pass])
def test_members_are_functions_of_seed_number_and_time_and_their_outer_cells_are_the_boundary(kind):
    fields, method = states(6), kind(rim=3)
    coming = {START + number * HOUR: {name: fields[name][number] for name in NAMES} for number in range(6)}
    outer = rim_mask(SHAPE, WHOLE, 3)[0, 0].bool().numpy()

    def drawn(**changes) -> np.ndarray:
        method.drawing = Drawing(**{"members": 4, "levels": 3, "at_once": 4, "seed": 3, **changes})
        return np.array([state["t2m"] for state in method.members(case_of(fields, 2), 2, coming.get)])

    usual = drawn()
    np.testing.assert_allclose(drawn(at_once=3), usual, atol=1e-3)
    np.testing.assert_allclose(drawn(members=6)[:, :4], usual, atol=1e-3)
    assert np.abs(drawn(seed=4) - usual)[:, :, ~outer].max() > 0.1
    for step in range(2):
        np.testing.assert_allclose(usual[step][:, outer], np.tile(fields["t2m"][3 + step][outer], (4, 1)), atol=1e-3)
    trained = METHODS[method.name].build(Means(trained={method.name: method}, sampling=Sampling(members=5, seed=3)))
    assert trained.drawing.levels == 3 and trained.count == 5  # of an analysis, too, the run says how many
    answer = trained.analyse(case_of(fields, 4))
    assert answer.count == 5 and np.isnan(answer.observation_error).all()
    np.testing.assert_allclose(answer.fields().error["t2m"], answer.members["t2m"].std(0, ddof=1), rtol=1e-5)
    np.testing.assert_allclose(answer.members["t2m"][0][outer], fields["t2m"][4][outer], atol=1e-3)
    means = [state["t2m"] for state in method.forecast(case_of(fields, 2), 2, coming.get)]
    assert means[0].shape == SHAPE
    short = {name: np.full(SHAPE, np.nan) for name in NAMES}
    with pytest.raises(ContentsError, match=f"method {method.name}: the boundary of .* does not cover the outer 3"):
        next(method.members(case_of(fields, 2), 1, lambda time: short))
    draws = [
        Draw.of(1, range(2), START + hours * HOUR).normal(WHOLE, 1, use) for hours, use in ((0, 0), (0, 1), (1, 0))
    ]
    correlations = np.corrcoef([each.flatten() for each in draws]) - np.eye(3)
    assert np.abs(correlations).max() < 0.1


def test_channels_of_noise_have_unit_variance_at_points_over_squares_and_over_the_domain():
    method = LamOnePass(LamOnePassSettings(**{**SMALL, "smoothed": (4, 8)}), UNITS)
    noise = method.noise(Draw(torch.tensor([[5, number] for number in range(300)]), 7), HERE)
    assert noise.shape == (300, 4, *SHAPE)
    np.testing.assert_allclose(noise.square().mean((0, 2, 3)), 1.0, atol=0.1)
    for channel, side in ((1, 4), (2, 8), (3, 24)):
        square = noise[:, channel, :side, :side]
        torch.testing.assert_close(square, square[:, :1, :1].expand_as(square))
    assert float((noise[:, 1, 0, 3] - noise[:, 1, 0, 4]).abs().min()) > 0.0
    uneven = method.noise(Draw(torch.tensor([[5, number] for number in range(300)]), 7), Alone((17, 21)))
    for y, x in ((0, 0), (16, 0), (0, 20), (16, 20)):  # in incomplete squares at the far edges, too
        np.testing.assert_allclose(uneven[:, :, y, x].square().mean(0), 1.0, atol=0.3)


def test_the_loss_of_pairs_is_the_fair_crps_of_points_and_of_averages():
    generator = torch.Generator().manual_seed(2)
    members, target = (torch.randn(shape, generator=generator) for shape in ((3, 2, 1, 8, 8), (3, 1, 8, 8)))
    at_points = pair_crps(members[:, 0], members[:, 1], target).sum()
    means = [torch.nn.functional.avg_pool2d(each, 4) for each in (members[:, 0], members[:, 1], target)]
    expected = at_points + 16 * pair_crps(*means).sum()
    torch.testing.assert_close(pair_scores(members, target, None, (4,), Alone((8, 8))), expected)


@pytest.mark.slow
def test_a_network_that_fair_crps_trains_reaches_the_spread_of_the_gaussian_at_points_and_of_averages():
    """The next change is KEPT of the last one, and noise at points and over squares of 4 points."""
    plane = load_domain("plane_32")
    assert load_static(plane).domain.periodic
    settings = LamOnePassSettings(rim=0, ground=False, sun=False, widths=(16, 16), smoothed=(4,))
    method = LamOnePass(settings, Statistics(("truth_field",), (0.0,), (1.0,), 9, "", "", change_deviation=(0.5,)))
    generator, here = torch.Generator().manual_seed(6), Alone(plane.shape, (True, True))

    def sample(number: int) -> Sample:
        before, white = (torch.randn(8, 1, 32, 32, generator=generator) for _ in range(2))
        squares = torch.randn(8, 1, 8, 8, generator=generator)
        change = torch.randn(8, 1, 8, 8, generator=generator).repeat_interleave(4, -1).repeat_interleave(4, -2)
        noise = 0.4 * white + 0.3 * squares.repeat_interleave(4, -1).repeat_interleave(4, -2)
        now = before + 0.5 * change
        coming, key = now + 0.5 * (KEPT * change + noise), torch.tensor([[number, each] for each in range(8)])
        return Sample(torch.cat([before, now], 1), coming, None, np.zeros(8, "datetime64[s]"), key=key)

    optimizer = torch.optim.Adam(method.network.parameters())
    for number in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 8e-3 * (1.0 - number / STEPS)
        optimizer.zero_grad()
        loss, weight = method.loss(sample(number), here)
        (loss / weight).backward()
        optimizer.step()
    method.network.eval()
    unseen, numbers = sample(1000), range(40)
    spreads, errors = [], []
    for case in range(4):
        one = unseen.each(lambda tensor, case=case: tensor[case : case + 1])
        members = method._last(one, numbers, START, here)[:, 0] / 0.5
        before, now = one.inputs[0] / 0.5
        for part, expected in ((members, 0.5), (nn.functional.avg_pool2d(members, 4), np.hypot(0.1, 0.3))):
            spreads.append(float(part.var(0).mean().sqrt()) / expected)
        errors.append(float((members.mean(0) - now - KEPT * (now - before)).square().mean().sqrt()))
    assert np.mean(spreads[::2]) == pytest.approx(1.0, abs=0.08), spreads
    assert np.mean(spreads[1::2]) == pytest.approx(1.0, abs=0.12), spreads
    assert np.mean(errors) < 0.15


def test_work_is_counted_without_data_and_settings_that_cannot_be_are_refused():
    for method in (diffusion(), one_pass(steps=2)):
        bare = method.without_data(SHAPE, 2)
        method.network.to("meta")
        method.statistics = None
        assert method.loss(bare, HERE)[0].device.type == "meta"
    for build, settings, expected in (
        (build_lam_diffusion, {"steps": 2}, "steps: expected 1, as a denoiser learns the change of one step, got 2"),
        (build_lam_diffusion, {"network": "graph"}, "network: expected unet"),
        (build_lam_diffusion, {"levels": 0}, "levels: expected at least 1, got 0"),
        (build_lam_diffusion, {"rim": -1}, "rim: expected >= 0"),
        (build_lam_one_pass, {"smoothed": [1]}, "smoothed: expected squares of at least 2 points"),
    ):
        with pytest.raises(config.ConfigError, match=f"here: settings: .*{expected}"):
            build(settings, "here")
    for keys, expected in (
        ({"members": 1}, "members: expected >= 2, got 1"),
        ({"levels": 64}, "levels: expected 1 to 63, got 64"),
        ({"sampler": "magic"}, "sampler: expected one of heun, stochastic, dpm"),
        ({"seed": -1}, "seed: expected 0 to"),
    ):
        with pytest.raises(ValueError, match=expected):
            Drawing(**keys)
