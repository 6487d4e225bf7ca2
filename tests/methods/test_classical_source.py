"""The classical analysis as a source of a network: by the other reports at a station, never by its own."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from report_cases import TINY, VARIABLES, hour, toy

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.methods.classical_source import COLUMNS, ClassicalSource, degraded
from mlrtma_dist.methods.local import leave_one_out
from mlrtma_dist.methods.predictands import Channels
from mlrtma_dist.methods.report_encoding import read_reports
from mlrtma_dist.methods.vit import build_vit
from mlrtma_dist.methods.vit_entries import taken_over
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.memory import run_tiles

SCALE = (3.2, 2.5, 2.5, 0.4)


def case_of(**more):
    """An hour; its own first guess is not used."""
    return hour(**more)


def method_of():
    method = build_vit(TINY, "test", classical=True)
    randomise(method.network, 1)
    method.settle(toy().domain)
    return method


@pytest.mark.parametrize("columns", [None, 3])
def test_what_the_others_give_is_the_interpolation_without_the_report_and_its_variance(columns):
    covariance = Covariance((Component(4.0, "matern32", 200e3),))
    points, error = case_of().points[:40], np.full(40, 0.5)
    random = np.random.default_rng(2)
    departure = random.normal(size=40 if columns is None else (40, columns))
    increment, variance, _ = leave_one_out(covariance, points, departure, error, 100)
    for left_out in (0, 17):
        kept = np.delete(np.arange(40), left_out)
        inner = covariance.matrix(points[kept], points[kept]).astype(float) + 0.25 * np.eye(39)
        across = covariance.matrix(points[left_out : left_out + 1], points[kept]).astype(float)[0]
        expected = np.linalg.solve(inner, across)
        np.testing.assert_allclose(increment[left_out], expected @ departure[kept], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(variance[left_out], 4.0 + 0.25 - expected @ across, rtol=1e-5)


def test_a_report_changes_what_is_given_at_the_others_and_not_at_itself(monkeypatch):
    case, source = case_of(), ClassicalSource(VARIABLES, SCALE)
    row = np.flatnonzero(case.used & (case.observations.variable == "t2m"))[5]
    value = case.observations.value.copy()
    value[row] += 1.0
    changed = replace(case, observations=replace(case.observations, value=value))
    # the same covariance and first guess, both of which follow all reports of the hour
    guess = read_reports(case, case.used, Channels(VARIABLES)).guess
    monkeypatch.setattr(ClassicalSource, "_on_regression", lambda self, each: replace(each, first_guess=guess))
    monkeypatch.setitem(vars(source), "settings", replace(source.settings, amplitude=False))
    before, after = (source.by_others(each)[0] for each in (case, changed))
    assert abs(after[row] - before[row]) < 1e-6
    others = case.used & (case.observations.variable == "t2m")
    others[row] = False
    assert np.abs(after - before)[others].max() > 0.01 and np.isnan(before[case.withheld]).all()
    assert np.isfinite(before[case.used & (case.observations.variable != "visibility")]).all()


def test_the_first_guess_of_the_case_is_not_used():
    case, source = case_of(), ClassicalSource(VARIABLES, SCALE)
    other = replace(case, first_guess=read_reports(case, case.withheld, Channels(VARIABLES)).guess)
    np.testing.assert_array_equal(source.by_others(other), source.by_others(case))


def test_withheld_reports_have_the_analysis_itself():
    case, source = case_of(), ClassicalSource(VARIABLES, SCALE)
    value, error = source.at_withheld(case)
    rows = case.withheld & (case.observations.variable == "u10")
    np.testing.assert_array_equal(np.stack([value, error])[:, rows], source.answer(case).at("u10", case.points[rows]))
    assert np.isnan(value[case.used]).all()


def test_columns_are_departures_errors_and_presence_and_are_degraded_in_training():
    source = ClassicalSource(VARIABLES, SCALE)
    value = np.array([[280.0, np.nan, 1.0]])
    columns = source.columns(value, np.array([[1.6, 1.0, 2.5]]), np.array([[276.8, 0.0, 0.0]]))
    np.testing.assert_allclose(columns, [[1.0, 0.0, 0.4, 0.5, 0.0, 1.0, 1.0, 0.0, 1.0]])
    drawn = [degraded(np.repeat(columns, 50, 0), np.random.default_rng(seed)) for seed in range(400)]
    absent = [not each.any() for each in drawn]
    assert 0.2 < np.mean(absent) < 0.4 and columns.shape[1] == source.count == 3 * COLUMNS
    noise = np.concatenate([each[:, 0] - 1.0 for each, without in zip(drawn, absent, strict=True) if not without])
    assert abs(noise.std() / 0.1 - 1) < 0.05
    assert all((each[:, 1] == 0).all() for each in drawn), "no noise where there is nothing"


@pytest.mark.parametrize("draw", [0, 2])
def test_the_loss_on_tiles_is_that_of_one_rank(draw):
    method = method_of()
    loss, weight = method.loss(method.encode(case_of(), draw), Alone((120, 160)))

    def work(here):
        own = copy.deepcopy(method)
        part, own_weight = own.loss(own.encode(case_of(box=here.box), draw), here)
        return float(part.detach()), own_weight

    parts = run_tiles((120, 160), (2, 2), work, align=method.alignment)
    assert sum(each for _, each in parts) == weight > 0
    np.testing.assert_allclose(sum(part for part, _ in parts), float(loss.detach()), rtol=1e-5)


@torch.no_grad()
def test_the_mean_is_drawn_to_the_analysis_and_withheld_reports_have_no_influence():
    method, case = method_of(), case_of()
    points: Points = case.points[case.withheld & (case.observations.variable == "t2m")]
    classical = method.source.answer(case).at("t2m", points)[0]
    method.network.decoder.head.bias[-3:] = 50.0  # full trust
    method.network.decoder.head.weight[-3:] = 0.0
    np.testing.assert_allclose(method.analyse(case).at("t2m", points)[0], classical, atol=1e-3)
    method.network.decoder.head.bias[-3:] = -50.0
    alone = method.analyse(case).at("t2m", points)[0]
    assert np.abs(alone - classical).max() > 0.05
    changed = replace(
        case, observations=replace(case.observations, value=case.observations.value + 5.0 * case.withheld)
    )
    np.testing.assert_array_equal(method.analyse(changed).at("t2m", points)[0], alone)


@torch.no_grad()
def test_begun_from_a_network_without_it_the_mean_is_drawn_to_the_analysis_by_the_share_of_each_variable():
    method, case = method_of(), case_of()
    before = build_vit(TINY, "test")
    randomise(before.network, 3)
    before.settle(toy().domain)
    first = dict(method.network.named_parameters())
    weights = taken_over(dict(before.network.named_parameters()), before.entries, method.entries, first)
    method.network.load_state_dict(weights)
    points: Points = case.points[case.withheld & (case.observations.variable == "t2m")]
    for name, share in (("t2m", 0.7), ("u10", 0.15)):
        (value, error), (alone, error_alone) = (each.analyse(case).at(name, points) for each in (method, before))
        classical = method.source.answer(case).at(name, points)[0]
        np.testing.assert_allclose(value, share * classical + (1.0 - share) * alone, atol=1e-3)
        np.testing.assert_allclose(error, error_alone, rtol=1e-4)
        assert np.abs(alone - classical).max() > 0.05
