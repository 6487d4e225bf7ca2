"""The diffusion assimilation: loss and keys, noise levels, tiles, reports, and members beside the exact posterior."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from invented import plane

from mlrtma_dist import config
from mlrtma_dist.diffusion.observed import Observed
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.deadline import within
from mlrtma_dist.methods.diffusion import DiffusionMethod, build_diffusion
from mlrtma_dist.methods.diffusion_reports import Departures, fitted_deviation, tempered
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.diffusion_settings import DiffusionSettings
from mlrtma_dist.methods.learned import ContentsError
from mlrtma_dist.methods.optimal import OptimalAnalysis
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.memory import run_tiles
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane

PLANE = GaussianPlane(size=32, observations=40, seed=6)
HERE = Alone(PLANE.shape, (True, True))
UNITS = Statistics(("background_field", "truth_field"), (0.0, 0.0), (1.0, 1.0), 4, "", "")
CASES = PLANE.on(plane(PLANE.shape, periodic=True), count=40)
WHOLE = Box.whole(PLANE.shape)
SMALL = DiffusionSettings(
    widths=(8, 16), groups=4, levels=3, scales=((1.0, 3.0),), field_scales=((6.25, 6.0),), sigma_max=40.0
)


def method_of(settings: DiffusionSettings = SMALL) -> DiffusionMethod:
    method = DiffusionMethod(settings, UNITS)
    randomise(method.network, 3)
    return method


class GaussianNetwork(torch.nn.Module):
    """The exact denoiser of the plane's departures from the background, whole planes only."""

    alignment = 1

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        truth, error = (torch.from_numpy(each.power / 0.16) for each in PLANE.covariances)
        self.share, self.left = error / (truth + error), truth * error / (truth + error)

    def forward(self, noised, sigma, condition, neighbourhood):
        """E[d | d_t, x_b]: the mean given the background is -B (S + B)^-1 x_b."""
        mean = torch.fft.irfft2(-self.share * torch.fft.rfft2(condition.double() / 0.4), s=PLANE.shape)
        level = sigma.double().square()[:, None, None, None]
        spectrum = torch.fft.rfft2(noised.double() - mean) * (self.left / (self.left + level))
        return (mean + torch.fft.irfft2(spectrum, s=PLANE.shape)).to(noised.dtype)


def test_a_case_is_the_background_and_the_departure_of_the_truth_from_it_and_draws_have_keys_of_their_own():
    case = CASES.case(1, WHOLE)
    sample = method_of().encode(case, draw=5)
    departure = (case.truth["field"] - case.background["field"]) / 0.4
    np.testing.assert_allclose(sample.inputs[0, 0], case.background["field"], atol=1e-6)
    np.testing.assert_allclose(sample.target[0, 0], departure, atol=1e-5)
    keys = [
        method_of().encode(CASES.case(number, WHOLE), draw).key.tolist() for number, draw in ((1, 5), (1, 6), (2, 5))
    ]
    assert keys[0] == sample.key.tolist() and len({str(key) for key in keys}) == 3


def test_the_loss_is_a_sum_over_points_and_levels_which_are_spread_evenly_over_the_range():
    method = method_of()
    sample = Sample.join([method.encode(CASES.case(number, WHOLE), number) for number in range(2)])
    total, weight = method.loss(sample, HERE)
    assert weight == method.weight(sample) == 3 * 2 * 32 * 32
    again, _ = method.loss(sample, HERE)
    assert float(total.detach()) == float(again.detach())  # all that is random is a function of the keys
    logarithms = torch.stack(method._sigmas(sample.key)).log().sort(dim=0).values
    assert float(logarithms.min()) >= np.log(0.02) and float(logarithms.max()) <= np.log(40.0)
    torch.testing.assert_close(logarithms.diff(dim=0), torch.full((2, 2), np.log(2000.0) / 3.0, dtype=torch.float64))
    mask = torch.zeros(2, 1, 32, 32)
    mask[:, :, :5] = 1.0
    part, weight = method.loss(replace(sample, target=torch.where(mask > 0, sample.target, torch.nan), mask=mask), HERE)
    assert weight == 3 * 2 * 5 * 32 and bool(torch.isfinite(part))


def test_the_exact_denoiser_has_the_least_loss_and_it_is_what_theory_says():
    method = method_of(replace(SMALL, levels=16))
    network = GaussianNetwork()
    method.network = network
    losses = []
    for number in range(40):  # few waves are long: it takes many cases
        total, weight = method.loss(method.encode(CASES.case(number, WHOLE), 1), HERE)
        losses.append(float(total) / weight)
    levels = torch.from_numpy(np.geomspace(0.02, 40.0, 200))[:, None, None]
    whole = torch.fft.fft2(torch.fft.irfft2(network.left, s=PLANE.shape)).real  # eigenvalues of all waves
    expected = ((1.0 + levels**2) * whole / (whole + levels**2)).mean()
    assert np.mean(losses) == pytest.approx(float(expected), rel=0.04)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(members=3, steps=2, at_once=2, warm_start=2.0, guidance="jfps"),
        Sampling(members=2, steps=2, warm_start=None, guidance="mmps", iterations=2, sampler="stochastic"),
        Sampling(members=2, steps=3, guidance="pigdm", sampler="dpm"),
        Sampling(members=2, steps=0),
    ],
    ids=lambda sampling: f"{sampling.guidance} {sampling.steps}",
)
def test_members_on_tiles_are_those_of_one_rank(sampling):
    method = method_of(replace(SMALL, widths=(8, 8))).drawing(sampling)
    case = CASES.case(2, WHOLE)

    def work(here):
        own = CASES.case(2, here.box)
        answer = method.analyse(own, here)
        return here.box, np.stack([each.values["field"] for each in answer.members]), answer.at("field", own.points)[0]

    alone = method.analyse(case)
    fields = np.stack([each.values["field"] for each in alone.members])
    for table in ((1, 2), (2, 2)):
        parts = run_tiles(PLANE.shape, table, work, periodic=(True, True))
        at = np.nansum([points for _, _, points in parts], axis=0)
        for box, part, _ in parts:
            np.testing.assert_allclose(part, fields[:, *box.slices], atol=1e-4 * np.ptp(fields))
        np.testing.assert_allclose(at, alone.at("field", case.points)[0], atol=1e-4 * np.ptp(fields))


@pytest.mark.parametrize(("guidance", "steps"), [("jfps", 8), ("mmps", 8), ("jfps", 0)])
def test_with_the_exact_denoiser_the_members_are_those_of_the_exact_posterior(guidance, steps):
    method = method_of()
    method.network = GaussianNetwork()
    method.drawing(Sampling(members=160, steps=steps, guidance=guidance, sampler="dpm", at_once=160, iterations=8))
    bayes = OptimalAnalysis.bayes(*PLANE.covariances, PLANE.observation_error)
    case = CASES.case(3, WHOLE)
    places = case.place.astype(int)
    mean = bayes.analyse(case.background["field"].astype(float), places, case.observations.value)
    error = bayes.error(places)
    answer = method.analyse(case)
    fields = answer.fields()
    sampled = np.sqrt(np.mean((fields.values["field"] - mean) ** 2))
    assert sampled < 0.2 * np.sqrt(np.mean(error**2))  # of members alone: 0.08
    assert np.sqrt(np.mean(fields.error["field"] ** 2) / np.mean(error**2)) == pytest.approx(1.0, abs=0.05)
    value, spread = answer.at("field", case.points)
    np.testing.assert_allclose(value, fields.values["field"][tuple(places.T)], atol=1e-5)
    np.testing.assert_allclose(spread, fields.error["field"][tuple(places.T)], atol=1e-5)
    assert (answer.observation_error == PLANE.observation_error).all() and (answer.weight == 1.0).all()


CASE = CASES.case(0, WHOLE, withheld=np.ones(PLANE.observations, bool))


def prior_mean() -> torch.Tensor:
    """Of the departures of the case, without a report."""
    condition = method_of().encode(CASE).inputs
    return GaussianNetwork()(torch.zeros(1, 1, 32, 32), torch.tensor([1e4]), condition, HERE)[0, 0].detach()


def with_others(value: float, error: float, operator, **sampling) -> torch.Tensor:
    """Members of the posterior of the case without reports, given one more observation of the departures."""
    method = method_of()
    method.network = GaussianNetwork()
    posterior, _ = method.posterior(CASE, method.assumed_errors(CASE))
    others = Observed(torch.tensor([value]), torch.tensor([error**2]), operator, lambda tensor: tensor)
    chosen = Sampling(members=100, at_once=100, warm_start=None, **{"steps": 16, **sampling})
    return replace(posterior, others=others).members(chosen)[:, 0]


def test_an_areal_mean_which_training_never_saw_is_assimilated_exactly():
    prior = prior_mean()
    members = with_others(1.0, 0.1, lambda field: field[:, 0, 4:12, 4:12].mean((1, 2))[:, None])
    left = OptimalAnalysis.bayes(*PLANE.covariances, 1.0).covariance.apply(np.eye(32**2).reshape(-1, 32, 32)) / 0.16
    weights = np.zeros((32, 32))
    weights[4:12, 4:12] = 1.0 / 64.0
    across = np.tensordot(left.reshape(32**2, -1), weights.ravel(), 1)
    gain = across / (across @ weights.ravel() + 0.01)
    expected = prior.numpy() + (gain * (1.0 - float((prior.numpy() * weights).sum()))).reshape(32, 32)
    assert np.sqrt(np.mean((members.mean(0).numpy() - expected) ** 2)) < 0.2  # of 100 members of deviation 0.8: 0.08
    means = members[:, 4:12, 4:12].mean((1, 2))
    assert float(means.mean()) == pytest.approx(float((expected * weights).sum()), abs=0.04)
    assert float(means.std()) == pytest.approx(0.1, abs=0.04)


@pytest.mark.parametrize(
    ("sampling", "least", "most"),
    [
        ({"guidance": "sda", "sampler": "stochastic", "steps": 48}, 0.5, 1.5),
        ({"guidance": "mmps", "sampler": "stochastic", "steps": 32}, 0.3, 1.3),  # it favours the nearer of two modes
    ],
    ids=["sda", "mmps"],
)
def test_a_magnitude_without_a_sign_leaves_members_of_both_signs(sampling, least, most):
    prior = prior_mean()
    row, column = divmod(int((prior.abs() - 0.15).abs().argmin()), 32)
    at = with_others(2.0, 0.1, lambda d: d[:, 0, row, column].square().add(1e-6).sqrt()[:, None], **sampling)
    at = at[:, row, column]
    assert float((at.abs() - 2.0).abs().median()) < 0.12
    variance = OptimalAnalysis.bayes(*PLANE.covariances, 1.0).covariance.variance / 0.16
    expected = 1.0 / (1.0 + np.exp(-2.0 * 2.0 * float(prior[row, column]) / variance))  # P(+2) over P(+2) + P(-2)
    assert least * expected < float((at > 0).double().mean()) < most * expected


def test_without_reports_members_are_of_the_distribution_given_the_background():
    method = method_of()
    method.network = GaussianNetwork()
    method.drawing(Sampling(members=60, steps=8, guidance="jfps", sampler="dpm", at_once=60))
    case = CASES.case(0, WHOLE, withheld=np.ones(PLANE.observations, bool))
    fields = method.analyse(case).fields()
    assert np.isnan(method.analyse(case).observation_error).all()
    expected = OptimalAnalysis.bayes(*PLANE.covariances, PLANE.observation_error).covariance.variance
    assert np.mean(fields.error["field"] ** 2) == pytest.approx(expected, rel=0.1)


def test_a_case_without_first_guess_and_a_sampling_without_covariance_are_refused_with_the_way_out():
    case = CASES.case(0, WHOLE)
    with pytest.raises(ContentsError, match="has no first guess, its condition"):
        method_of().analyse(replace(case, first_guess=None))
    with pytest.raises(InputError, match=r"settings.scales do not give. Set diffusion.warm_start=null"):
        method_of(replace(SMALL, scales=())).analyse(case)
    cold = method_of(replace(SMALL, scales=())).drawing(Sampling(members=2, steps=1, warm_start=None))
    assert len(cold.analyse(case).members) == 2


def test_what_is_ready_in_time_is_fewer_steps_then_none_then_fewer_members():
    sampling = Sampling(members=20, steps=8, at_once=10, sampler="dpm", seconds=100.0)  # two batches
    chosen = {
        cost: (each.steps, each.members)
        for cost in ((0.1, 1.0), (1.0, 8.0), (1.0, 46.0), (1.0, 60.0), (30.0, 1.0), (50.0, 1.0), (200.0, 9.0))
        for each in [within(sampling, *cost)]
    }
    assert chosen == {
        (0.1, 1.0): (8, 20),
        (1.0, 8.0): (5, 20),  # 2 (1 + 5 * 8) = 82 of the 91 s that are left, 6 steps would take 98
        (1.0, 46.0): (0, 20),
        (1.0, 60.0): (0, 20),
        (30.0, 1.0): (4, 20),
        (50.0, 1.0): (0, 2),  # 49 s are left, which no batch fits into
        (200.0, 9.0): (0, 2),
    }
    cold = within(replace(sampling, warm_start=None, sampler="heun"), 30.0, 4.0)
    assert cold.steps == 4  # 2 * 7 * 4 = 56 of 66 s; nothing is interpolated


def test_with_a_limit_of_seconds_members_are_drawn_by_measured_cost_and_the_log_says_so(caplog):
    method = method_of().drawing(Sampling(members=4, steps=500, seconds=0.5, guidance="jfps"))
    answer = method.analyse(CASES.case(1, WHOLE))
    assert len(answer.members) == 4 and "members of" in caplog.text and "all may take 0.5 s" in caplog.text
    assert len(method.drawing(Sampling(members=4, steps=1, seconds=1e3)).analyse(CASES.case(1, WHOLE)).members) == 4


def test_a_wrong_report_counts_as_inexact_and_the_others_as_they_are():
    case = CASES.case(1, WHOLE)
    method = method_of()
    unit, errors = np.array([0.4]), method.assumed_errors(case)
    covariance = method.covariance(case.domain)
    reports = Departures.of(case, ("field",), unit, errors)
    value = reports.value.clone()
    value[7] += 20.0
    wrong = tempered(covariance, replace(reports, value=value))
    assert float(wrong.error[7]) > 4.0 and float(wrong.error.median()) == pytest.approx(0.25)
    assert torch.equal(tempered(covariance, reports).error > 1.0, torch.zeros(40, dtype=torch.bool))


def test_the_deviation_of_departures_is_fitted_to_the_reports():
    case = CASES.case(1, WHOLE)
    method = method_of()
    covariance = method.covariance(case.domain)
    factors = []
    for number in range(12):
        case = CASES.case(number, WHOLE)
        reports = Departures.of(case, ("field",), np.array([0.1]), method.assumed_errors(case))
        factors.append(fitted_deviation(covariance, reports))
    assert 3.0 < np.median(factors) < 7.0  # the departures' own deviation is four of these units, about a mean not 0
    nothing = replace(
        reports, **{name: getattr(reports, name)[:0] for name in ("rows", "places", "channel", "value", "error")}
    )
    assert fitted_deviation(covariance, nothing) == 1.0


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"levels": 0}, "expected variables and levels >= 1, got 1 and 0"),
        ({"sigma_min": 90.0}, "expected 0 < sigma_min < sigma_max, got 90 and 80"),
        ({"scales": [[1.0, 0.0]]}, "scales: expected pairs of variance and length above 0"),
        ({"background_deviation": -1.0}, "background_deviation: expected more than 0, got -1"),
        ({"widths": [20, 20]}, "multiples of the 8 groups"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, expected):
    with pytest.raises(config.ConfigError, match=expected):
        build_diffusion(settings, "train")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"members": 1}, "members: expected at least 2, got 1"),
        ({"guidance": "magic"}, "guidance: expected one of mmps, jfps, pigdm, sda, dps, got 'magic'"),
        ({"warm_start": 0.0}, "warm_start: expected more than 0, or null, got 0"),
    ],
)
def test_samplings_that_cannot_be_are_refused(keys, expected):
    with pytest.raises(ValueError, match=expected):
        Sampling(**keys)
