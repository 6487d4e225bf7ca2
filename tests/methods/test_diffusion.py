"""The diffusion assimilation: what it learns from, its loss and noise levels, its reports and settings."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from denoised_plane import CASES, HERE, PLANE, SMALL, UNITS, WHOLE, GaussianNetwork, method_of

from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.denoising import LEVEL, drawn_levels
from mlrtma_dist.methods.diffusion import DiffusionMethod, build_diffusion
from mlrtma_dist.methods.diffusion_reports import Departures, fitted_deviations, robust_deviations, tempered
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.ensemble_answer import EnsembleAnswer
from mlrtma_dist.methods.learned import ContentsError
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.statistics import Statistics


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


def test_each_variable_has_departures_of_its_own_size():
    settings = replace(SMALL, variables=2, background_deviation=(0.4, 0.2), scales=((1.0, 3.0),))
    fields = tuple(f"{part}_{name}" for part in ("background", "truth") for name in ("field", "other"))
    method = DiffusionMethod(settings, Statistics(fields, (0.0,) * 4, (1.0, 3.0, 1.0, 3.0), 4, "", ""))
    case = CASES.case(1, WHOLE)
    background, truth = (
        {"field": each["field"], "other": 3.0 * each["field"]} for each in (case.background, case.truth)
    )
    case = replace(case, background=background, truth=truth, variables=("field", "other"))
    target = method.encode(case).target[0]
    torch.testing.assert_close(target[1], 2.0 * target[0], atol=1e-5, rtol=1e-5)
    _, unit = method.posterior(case, method.assumed_errors(case))
    np.testing.assert_allclose(unit, [0.4, 0.6])


def test_the_loss_is_a_sum_over_points_and_levels_which_are_spread_evenly_over_the_range():
    method = method_of()
    sample = Sample.join([method.encode(CASES.case(number, WHOLE), number) for number in range(2)])
    total, weight = method.loss(sample, HERE)
    assert weight == method.weight(sample) == 3 * 2 * 32 * 32
    again, _ = method.loss(sample, HERE)
    assert float(total.detach()) == float(again.detach())  # all that is random is a function of the keys
    logarithms = torch.stack(drawn_levels(method.settings, sample.key, LEVEL)).log().sort(dim=0).values
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
    whole = torch.fft.fft2(
        torch.fft.irfft2(torch.from_numpy(network.left), s=PLANE.shape)
    ).real  # eigenvalues of all waves
    expected = ((1.0 + levels**2) * whole / (whole + levels**2)).mean()
    assert np.mean(losses) == pytest.approx(float(expected), rel=0.04)


def test_a_case_without_first_guess_and_a_sampling_without_covariance_are_refused_with_the_way_out():
    case = CASES.case(0, WHOLE)
    with pytest.raises(ContentsError, match="has no first guess, its condition"):
        method_of().analyse(replace(case, first_guess=None))
    with pytest.raises(InputError, match=r"settings.scales do not give. Set diffusion.warm_start=null"):
        method_of(replace(SMALL, scales=())).analyse(case)
    cold = method_of(replace(SMALL, scales=())).drawing(Sampling(members=2, steps=1, warm_start=None, guidance="mmps"))
    assert len(cold.analyse(case).members["field"]) == 2


def test_a_wrong_report_counts_as_inexact_and_the_others_as_they_are():
    case = CASES.case(1, WHOLE)
    method = method_of()
    unit, errors = np.array([0.4]), method.assumed_errors(case)
    covariance = method.covariance(HERE)
    reports = Departures.of(case, ("field",), unit, errors)
    value = reports.value.clone()
    value[7] += 20.0
    wrong = tempered(covariance, replace(reports, value=value))
    assert float(wrong.error[7]) > 4.0 and float(wrong.error.median()) == pytest.approx(0.25)
    assert torch.equal(tempered(covariance, reports).error > 1.0, torch.zeros(40, dtype=torch.bool))


def test_the_deviation_of_each_variables_departures_is_fitted_to_its_reports():
    method = method_of()
    covariance = method.covariance(HERE)
    factors = []
    for number in range(12):
        case = CASES.case(number, WHOLE)
        reports = Departures.of(case, ("field",), np.array([0.1]), method.assumed_errors(case))
        factors.append(fitted_deviations(covariance, reports)[0])
    assert 3.0 < np.median(factors) < 7.0  # the departures' own deviation is four of these units, about a mean not 0
    two = DiffusionMethod(replace(SMALL, variables=2)).covariance(HERE)
    other = replace(reports, channel=torch.ones_like(reports.channel), value=0.1 * reports.value)
    names = ("places", "channel", "value", "error")
    both = replace(reports, **{name: torch.cat([getattr(reports, name), getattr(other, name)]) for name in names})
    first, second = fitted_deviations(two, both)
    assert first == factors[-1] and second < 0.5 * first
    assert fitted_deviations(two, reports).tolist() == [first, 1.0]  # nothing is reported of the second
    scaled = both.scaled(np.array([2.0, 4.0]))
    assert torch.equal(scaled.value[:3] * 2.0, both.value[:3]) and torch.equal(scaled.error[-3:] * 4.0, both.error[-3:])


def test_one_report_that_happens_to_fit_narrows_the_deviation_little_and_one_that_does_not_widens_no_other():
    method = method_of()
    covariance, case = method.covariance(HERE), CASES.case(3, WHOLE)
    reports = Departures.of(case, ("field",), np.array([0.4]), method.assumed_errors(case))
    tensors = {name: getattr(reports, name)[:1] for name in ("places", "channel", "value", "error")}
    one = replace(reports, rows=reports.rows[:1], **tensors)
    fitting = replace(one, value=torch.zeros_like(one.value))
    # of a departure of 0 with the error r the factor f is most likely where ln f / 0.7^2 = - f^2 / (f^2 + r^2)
    r, factors = float(one.error[0]), np.geomspace(0.25, 8.0, 4001)
    best = factors[np.argmin(np.abs(np.log(factors) / 0.49 + factors**2 / (factors**2 + r**2)))]
    assert fitted_deviations(covariance, fitting)[0] == pytest.approx(best, rel=0.06)  # a step of the grid
    assert robust_deviations(covariance, fitting)[0] > 0.5
    value = reports.value.clone()
    value[5] += 50.0
    plain = robust_deviations(covariance, reports)[0]
    assert robust_deviations(covariance, replace(reports, value=value))[0] < 1.3 * plain
    assert fitted_deviations(covariance, replace(reports, value=value))[0] > 1.5 * plain


def test_any_number_of_variables_is_analysed():
    config = DiffusionMethod(replace(SMALL, variables=5)).network.network.config
    assert (config.channels_in, config.channels_out) == (10, 5)


def test_without_a_background_the_fields_themselves_are_modelled():
    units = Statistics(("truth_field",), (0.5,), (2.0,), 4, "", "")
    settings = replace(SMALL, background_deviation=None, scales=((1.0, 6.0),), field_scales=())
    method = DiffusionMethod(settings, units).drawing(Sampling(members=40, steps=0))
    case = replace(CASES.case(1, WHOLE), first_guess=None, background={})
    sample = method.encode(case)
    assert sample.inputs.shape == (1, 0, 32, 32)
    np.testing.assert_allclose(sample.target[0, 0], (case.truth["field"] - 0.5) / 2.0, atol=1e-5)
    assert bool(torch.isfinite(method.loss(sample, HERE)[0]))
    answer = method.analyse(case)
    value, spread = answer.at("field", case.points)
    reports = case.observations.value[case.used]
    assert np.sqrt(np.mean((value - reports) ** 2)) < 0.2 < np.std(reports) and (spread < 0.3).all()


def test_no_member_has_a_dew_point_above_its_temperature():
    generator = np.random.default_rng(1)
    members = {name: generator.normal(280.0, 2.0, (5, 32, 32)).astype(np.float32) for name in ("t2m", "d2m")}
    case = replace(CASES.case(0, WHOLE), first_guess=None, background={})
    answer = EnsembleAnswer.of(case, 5, [(range(5), members)], np.full(len(case.used), np.nan), None)
    assert (answer.members["d2m"] <= answer.members["t2m"]).all()
    assert (answer.fields().values["d2m"] < answer.fields().values["t2m"] + 1e-3).all()
    assert answer.members_at("t2m", case.points).shape == (5, 40)


def test_variables_that_are_used_as_logarithms_are_refused():
    contents = replace(CASES.contents, variables=("visibility",), observed=("visibility",))
    with pytest.raises(ContentsError, match="own unit, got visibility, whose departures are of logarithms"):
        DiffusionMethod(SMALL).check(contents)


def test_the_ground_is_a_condition_and_samples_of_work_have_as_many_channels():
    method = DiffusionMethod(replace(SMALL, ground=True), UNITS)
    sample = method.encode(CASES.case(1, WHOLE))
    bare = method.without_data((32, 32), 2)
    assert sample.inputs.shape == (1, 4, 32, 32) and bare.inputs.shape == (2, 4, 32, 32)
    method.network.to("meta")
    assert method.loss(bare, HERE)[0].device.type == "meta"  # work and memory are counted so


def test_a_shifted_plane_takes_its_ground_along():
    method, case = DiffusionMethod(replace(SMALL, ground=True), UNITS), CASES.case(1, WHOLE)
    terrain = np.random.default_rng(1).normal(500.0, 200.0, (32, 32)).astype(np.float32)
    case = replace(case, static=replace(case.static, terrain=terrain))
    moved = {
        part: {"field": np.roll(getattr(case, part)["field"], (-5, -9), (0, 1))} for part in ("background", "truth")
    }
    shifted = method.encode(replace(case, box=Box(5, 37, 9, 41), **moved))
    expected = torch.roll(method.encode(case).inputs, (-5, -9), (-2, -1))
    assert float(expected[0, 1].std()) > 0.1 and torch.equal(shifted.inputs, expected)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"levels": 0}, "levels: expected at least 1, got 0"),
        ({"sigma_min": 90.0}, "expected 0 < sigma_min < sigma_max, got 90 and 80"),
        ({"scales": [[1.0, 0.0]]}, "scales: expected pairs of variance and length above 0"),
        ({"background_deviation": -1.0}, "background_deviation: expected more than 0, got -1"),
        ({"background_deviation": [0.4, 0.3]}, "background_deviation: expected one, or one of each of 1, got"),
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
        ({"seed": 2**32}, "seed: expected 0 to 4294967295, got 4294967296"),
        ({"guidance": "magic"}, "guidance: expected one of mmps, jfps, pigdm, sda, dps, got 'magic'"),
        ({"warm_start": 0.0}, "warm_start: expected more than 0, or null, got 0"),
    ],
)
def test_samplings_that_cannot_be_are_refused(keys, expected):
    with pytest.raises(ValueError, match=expected):
        Sampling(**keys)
