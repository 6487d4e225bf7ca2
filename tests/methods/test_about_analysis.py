"""Members about an analysis of the reports: their mean and spread are those of the analysis, at stations, too."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from report_cases import hour

from mlrtma_dist.errors import InputError
from mlrtma_dist.methods.about_analysis import about_analysis
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.methods.diffusion import DiffusionMethod
from mlrtma_dist.methods.diffusion_sampling import Sampling
from mlrtma_dist.methods.diffusion_settings import DiffusionSettings
from mlrtma_dist.methods.learned import ContentsError
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.regression_guess import on_regression
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.methods.statistics import Statistics

VARIABLES = ("t2m", "u10")
SETTINGS = DiffusionSettings(
    variables=2, background="analysis", background_deviation=(1.0,), ground=True, widths=(8, 16), groups=4
)
UNITS = Statistics(
    tuple(f"{part}_{name}" for part in ("background", "error", "truth") for name in VARIABLES),
    (285.0, 1.0, 0.8, 1.5, 285.0, 1.0),
    (6.0, 3.0, 0.2, 0.3, 6.0, 3.0),
    4,
    "",
    "",
)
DRAWN = Sampling(members=60, steps=6, warm_start=None, guidance="mmps", at_once=20)


class White(torch.nn.Module):
    """The exact denoiser of white noise of deviation one, which needs no condition."""

    alignment = 1

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, noised, sigma, condition, neighbourhood):
        return noised / (1.0 + sigma.square()[:, None, None, None])


def case_of() -> Case:
    """An hour whose first guess is a regression on its reports."""
    return replace(on_regression(hour(), VARIABLES), variables=VARIABLES)


def threedvar():
    return build(["threedvar"], Means(load_settings("classical", VARIABLES)))["threedvar"]


def white() -> DiffusionMethod:
    method = DiffusionMethod(SETTINGS, UNITS)
    method.network = White()
    return method.drawing(DRAWN, threedvar())


def test_members_have_the_mean_and_the_spread_of_the_analysis_everywhere():
    case = case_of()
    analysis, answer = threedvar().analyse(case), white().analyse(case)
    fields, expected = answer.fields(), analysis.fields()
    for name in VARIABLES:
        error = expected.error[name]
        distance = (fields.values[name] - expected.values[name]) / error
        assert abs(distance.mean()) < 0.02 and distance.std() == pytest.approx(60**-0.5, rel=0.15)
        np.testing.assert_array_equal(fields.first_guess[name], expected.first_guess[name])  # of the analysis itself
        assert np.mean(fields.error[name] / error) == pytest.approx(1.0, abs=0.03)
        points = case.points[case.used & (case.observations.variable == name)]
        value, _ = analysis.at(name, points)
        mean, spread = answer.at(name, points)
        assert np.all(np.abs(mean - value) < 5.0 * spread / 60**0.5)  # at the stations' own heights


class WithoutFirstGuess:
    """3D-Var as a network answers: without fields of a first guess."""

    def analyse(self, case, neighbourhood=None):
        answer = threedvar().analyse(case)
        whole = answer.fields
        answer.__dict__["fields"] = lambda *arguments: replace(whole(*arguments), first_guess={})
        return answer


def test_members_about_an_analysis_without_first_guess_have_none():
    method = white()
    method.drawing(replace(DRAWN, members=4), WithoutFirstGuess())
    assert method.analyse(case_of()).fields().first_guess == {}


def test_a_case_becomes_its_condition_and_its_departures_in_units_of_the_error():
    case = case_of()
    case = about_analysis(case, threedvar(), "threedvar", VARIABLES)
    truth = {name: case.background[name] + 1.5 * case.background_error[name] for name in VARIABLES}
    sample = DiffusionMethod(SETTINGS, UNITS).encode(replace(case, truth=truth))
    assert sample.inputs.shape[1] == 2 + 2 + 3 == SETTINGS.conditions
    np.testing.assert_allclose(sample.target, 1.5, atol=2e-3)
    np.testing.assert_allclose(sample.inputs[0, 2], np.log(case.background_error["t2m"] / 0.8), rtol=1e-4, atol=1e-5)


def test_cases_of_the_other_kind_and_methods_without_an_error_are_refused_in_words():
    case = case_of()
    contents = Contents(case.domain, VARIABLES, ("K", "m s-1"), VARIABLES, background=True, truth=True)
    with pytest.raises(ContentsError, match="have not the error of the background. Set settings.background=analysis"):
        DiffusionMethod(SETTINGS).check(contents)
    plain = replace(SETTINGS, background="first_guess")
    with pytest.raises(ContentsError, match=r"have the error of the background.*else first_guess"):
        DiffusionMethod(plain).check(replace(contents, error=True))
    nearest = build(["nearest"], Means(load_settings("classical", VARIABLES)))["nearest"]
    with pytest.raises(InputError, match="method nearest gives no analysis with its error of t2m, u10"):
        about_analysis(case, nearest, "nearest", VARIABLES)
    with pytest.raises(InputError, match="members are drawn of t2m, u10, d2m together.* has no d2m: analyse them, too"):
        about_analysis(case, threedvar(), "threedvar", (*VARIABLES, "d2m"))
    with pytest.raises(InputError, match=r"the weights of vit_hybrid.*Set diffusion.about=threedvar"):
        white().drawing(replace(DRAWN, about="vit_hybrid")).analyse(case)
