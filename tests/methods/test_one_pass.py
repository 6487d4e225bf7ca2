"""The one-pass ensemble: its reports, what its loss rewards, its members beside the exact posterior and on tiles."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from denoised_plane import CASES, HERE, PLANE, UNITS, WHOLE

from mlrtma_dist import config
from mlrtma_dist.diffusion.noise import normal
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.diffusion_settings import OnePassSettings, TransformerSizes
from mlrtma_dist.methods.one_pass import OnePassMethod, build_one_pass
from mlrtma_dist.methods.optimal import OptimalAnalysis
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.truth_reports import NOTHING, reports_of_truth
from mlrtma_dist.nn.crps import pair_crps
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.points import sample as at_places
from mlrtma_dist.parallel.memory import run_tiles
from mlrtma_dist.verification.crps import crps_ensemble

SMALL = OnePassSettings(
    widths=(8, 8), groups=4, scales=((1.0, 3.0),), field_scales=((6.25, 6.0),), reports=60, smoothed=(4, 8)
)
EXACT = OptimalAnalysis.bayes(*PLANE.covariances, PLANE.observation_error)


class Unchanged(torch.nn.Module):
    """A corrector that changes the members by a rule, in place of a network; at first not at all."""

    alignment = 1

    def __init__(self, rule=lambda members, interpolated: members):
        super().__init__()
        self.weight, self.rule = torch.nn.Parameter(torch.zeros(1)), rule

    def forward(self, members, condition, neighbourhood):
        return self.rule(members, condition[:, :1])


def method_of(network=None, **changes) -> OnePassMethod:
    method = OnePassMethod(replace(SMALL, **changes), UNITS)
    randomise(method.network, 3)
    method.network = network or method.network
    return method


def drawn_cases(method: OnePassMethod, count: int) -> Sample:
    """Cases whose truth is a draw of the covariance that interpolation assumes."""
    keys = torch.stack([torch.full((count,), 5), torch.arange(count)], 1)
    truth = method.covariance(HERE).draw(keys + 100, WHOLE, 7).float()
    return Sample(torch.zeros_like(truth), truth, None, np.zeros(count, "datetime64[s]"), key=keys)


def score(rule, count=24, **changes) -> float:
    method = method_of(Unchanged(rule), **changes)
    total, weight = method.loss(drawn_cases(method, count), HERE)
    return float(total) / weight


def test_the_crps_of_two_members_is_the_fair_one():
    first, second, value = (torch.randn(50, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
    fair = crps_ensemble(np.stack([first, second]), value.numpy(), fair=True)
    np.testing.assert_allclose(pair_crps(first, second, value), fair, atol=1e-6)


def test_the_numbers_of_reports_spread_over_orders_of_magnitude_and_they_are_the_truth_with_errors():
    truth = CASES.case(1, WHOLE).truth["field"][None, None].astype(np.float32)
    counts, ratios = [], []
    for number in range(200):
        reports, noise = reports_of_truth(torch.from_numpy(truth), None, [3, number], SMALL, HERE)
        counts.append(len(reports.rows))
        assert noise.shape == (2, counts[-1]) and reports.channel.eq(0).all()
        at = at_places(torch.from_numpy(truth), reports.places, HERE)[0, 0]
        ratios.append(((reports.value - at) / reports.error).numpy())
    deviation = np.concatenate(ratios).std()
    assert deviation == pytest.approx(1.0, abs=0.05)
    shares = [np.mean([low <= count < high for count in counts]) for low, high in ((0, 1), (1, 7), (7, 61))]
    assert 50 < max(counts) <= 60
    np.testing.assert_allclose(shares, np.diff(np.log([1, 2, 8, 62])) / np.log(62), atol=0.1)


def test_a_report_where_the_truth_is_not_known_tells_nothing():
    truth, mask = torch.ones(1, 1, 32, 32), torch.ones(1, 1, 32, 32)
    mask[..., :16] = 0.0
    reports, _ = reports_of_truth(truth * mask, mask, [1, 4], replace(SMALL, reports=4000), HERE)
    column = reports.places[:, 1]
    inside = (column >= 16.0) & (column <= 31.0)
    assert len(reports.rows) > 10 and (reports.error[~inside] == NOTHING).all() and (reports.error[inside] <= 1.0).all()


def test_the_loss_of_members_of_the_exact_posterior_is_their_deviation_and_others_have_a_larger_one():
    changes = {"smoothed": (), "report_error": (1e3, 1e3), "reports": 1}
    exact = score(lambda members, mean: members, count=120, **changes)
    expected = np.sqrt(EXACT.covariance.variance / 0.16 / np.pi)  # no report tells anything: E|X - Y| / 2 = s / sqrt pi
    assert exact == pytest.approx(expected, rel=0.06)
    rules = {
        "too narrow": lambda members, mean: mean + 0.5 * (members - mean),
        "too wide": lambda members, mean: mean + 1.6 * (members - mean),
        "shifted": lambda members, mean: members + 0.5,
    }
    usual = score(lambda members, mean: members)
    for name, rule in rules.items():
        assert score(rule) > 1.04 * usual, name


def test_members_that_are_right_at_points_but_not_coherent_lose_on_averages():
    def scrambled(members, mean):
        order = torch.randperm(32 * 32, generator=torch.Generator().manual_seed(1))
        return (members - mean).flatten(2)[:, :, order].view_as(members) + mean

    changes = {"reports": 1, "count": 40}  # nearly the same deviation everywhere
    at_points = score(scrambled, smoothed=(), **changes) / score(Unchanged().rule, smoothed=(), **changes)
    averaged = score(scrambled, smoothed=(8,), **changes) / score(Unchanged().rule, smoothed=(8,), **changes)
    assert at_points == pytest.approx(1.0, abs=0.05) and averaged > at_points + 0.04


def test_without_a_correction_members_are_those_of_interpolation_with_its_error():
    method = method_of(Unchanged()).drawing(Sampling(members=200, at_once=200))
    case = CASES.case(3, WHOLE)
    answer = method.analyse(case)
    error = EXACT.error(case.place.astype(int))
    assert np.sqrt(np.mean(answer.error["field"] ** 2) / np.mean(error**2)) == pytest.approx(1.0, abs=0.05)
    posterior, unit = method.posterior(case, method.assumed_errors(case))
    gain, observed = posterior.gain, posterior.reports.observed(HERE)
    increment = gain.increment(float("inf"), observed.value[None])[0, 0].numpy() * unit[0]
    mean = answer.fields().values["field"] - case.background["field"]
    assert np.sqrt(np.mean((mean - increment) ** 2)) < 0.15 * np.sqrt(np.mean(error**2))  # of 200 members: 0.07


def test_without_reports_and_with_an_unknown_truth_members_and_losses_are_numbers():
    method = method_of().drawing(Sampling(members=3))
    case = CASES.case(0, WHOLE, withheld=np.ones(PLANE.observations, bool))
    assert np.isfinite(method.analyse(case).fields().error["field"]).all()
    sample = method.encode(CASES.case(1, WHOLE), 4)
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 4:] = 1.0
    unknown = replace(sample, target=torch.where(mask > 0, sample.target, torch.nan), mask=mask)
    total, weight = method.loss(unknown, HERE)
    assert bool(torch.isfinite(total)) and weight == method.weight(unknown) == 3 * 32 * 28


@pytest.mark.parametrize("transformer", [None, TransformerSizes(width=8, heads=2, depth=2, window=2)])
def test_losses_gradients_and_members_on_tiles_are_those_of_one_rank(transformer):
    method = method_of(transformer=transformer).drawing(Sampling(members=3, at_once=2))
    whole = Sample.join([method.encode(CASES.case(number, WHOLE), number) for number in (1, 2)])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def work(here):
        own = copy_of(method)
        part = replace(whole, **{n: getattr(whole, n)[..., *here.box.slices] for n in ("inputs", "target")})
        loss = own.loss(part, here)[0]
        loss.backward()
        gradient = torch.cat([weight.grad.flatten() for weight in own.network.parameters()])
        answer = own.analyse(CASES.case(2, here.box), here)
        return here.box, float(loss.detach()), gradient, answer.members["field"]

    _, loss, gradient, fields = work(HERE)
    for table in ((1, 2), (3, 1), (2, 2)):
        parts = run_tiles(PLANE.shape, table, work, align=method.alignment, periodic=(True, True))
        assert sum(each for _, each, _, _ in parts) == pytest.approx(loss, rel=1e-5)
        together = sum(each for _, _, each, _ in parts)
        torch.testing.assert_close(together, gradient, rtol=0, atol=1e-4 * float(gradient.abs().max()))
        for box, _, _, part in parts:
            np.testing.assert_allclose(part, fields[:, *box.slices], atol=1e-4 * np.ptp(fields))
    torch.set_num_threads(threads)


def copy_of(method: OnePassMethod) -> OnePassMethod:
    own = OnePassMethod(method.settings, UNITS).drawing(method.sampling)
    own.network.load_state_dict(method.network.state_dict())
    return own


def test_members_are_a_function_of_seed_and_number_and_the_network_is_evaluated_once_for_each():
    method = method_of().drawing(Sampling(members=4, at_once=4, steps=9, seed=3))
    case, calls = CASES.case(1, WHOLE), []
    method.network.register_forward_hook(lambda *_: calls.append(1))
    together = method.analyse(case).members["field"]
    assert len(calls) == 1
    again = method.drawing(Sampling(members=4, at_once=3, steps=0, seed=3)).analyse(case).members["field"]
    np.testing.assert_allclose(again, together, atol=1e-5)
    other = method.drawing(Sampling(members=4, at_once=4, seed=4)).analyse(case).members["field"]
    assert np.abs(other[0] - together[0]).max() > 0.1
    assert np.abs(together[0] - together[1]).max() > 0.1


def test_noise_of_training_is_that_of_the_key_and_work_is_counted_without_data():
    method = method_of()
    sample = method.encode(CASES.case(1, WHOLE), 4)
    first, second = (float(method.loss(sample, HERE)[0].detach()) for _ in range(2))
    assert first == second != float(method.loss(method.encode(CASES.case(1, WHOLE), 5), HERE)[0].detach())
    assert normal(sample.key, WHOLE, 1, 0).shape == (1, 1, 32, 32)
    bare = method.without_data((32, 32), 2)
    method.network.to("meta")
    assert method.loss(bare, HERE)[0].device.type == "meta"


def test_with_a_limit_of_seconds_fewer_members_are_drawn_and_no_step_is_promised(caplog):
    method = method_of().drawing(Sampling(members=400, at_once=2, seconds=0.05))
    assert 2 <= method.analyse(CASES.case(1, WHOLE)).count < 400
    assert "members of 0 steps instead of 400 of 0" in caplog.text


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "scales: expected the covariance of the departures"),
        ({"reports": 0}, "reports: expected at least 1, got 0"),
        ({"report_error": [0.5, 0.1]}, "report_error: expected 0 < least <= largest"),
        ({"smoothed": [1]}, "smoothed: expected squares of at least 2 points"),
        ({"transformer": {"width": 30}}, "width: expected a multiple of 4 and of the 4 heads, got 30"),
        ({"transformer": {"depth": 0}}, "transformer: depth: expected at least 1, got 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, expected):
    scales = {"scales": [[1.0, 3.0]]} if settings else {}
    with pytest.raises(config.ConfigError, match=expected):
        build_one_pass({**scales, **settings}, "train")
