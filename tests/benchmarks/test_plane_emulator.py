"""Emulators of shallow water on a plane: what measures them, and 4D-Var's rivals beside closed forms."""

import numpy as np
import pytest
import torch
from benchmark_module import benchmark_module

from mlrtma_dist.linalg.localisation import gaspari_cohn
from mlrtma_dist.physics.linearise import Linearised


@pytest.fixture(scope="module")
def adjoints():
    return benchmark_module("plane_adjoints")


@pytest.fixture(scope="module")
def rivals():
    return benchmark_module("fourdvar_rivals")


@pytest.fixture(scope="module")
def states(adjoints):
    plane = adjoints.plane
    start = plane.trajectories(5, 1)[0]
    return adjoints.path(adjoints.emulators.true_step, start, adjoints.STEPS)


def test_emulators_begin_as_no_change_and_ten_minutes_five_times_are_the_time_between_observations(adjoints, states):
    emulators = adjoints.emulators
    for kind in emulators.KINDS:
        emulator = emulators.Emulator(kind)
        torch.testing.assert_close(emulator.path(states[0]), states[0].expand(5, -1, -1, -1, -1), rtol=0, atol=0)
    torch.testing.assert_close(states[5], adjoints.plane.forward(states[0]), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(emulators.true_path(states[0])[-1], states[1], rtol=1e-12, atol=1e-12)


@pytest.mark.slow
def test_the_true_model_has_no_error_and_hardly_anything_from_afar(adjoints, states):
    root = lambda noise: adjoints.DEVIATION * noise  # noqa: E731
    true = adjoints.emulators.true_step
    *errors, far = adjoints.measures(true, states, root, adjoints.derivatives(true, states, root))
    assert errors == pytest.approx([0.0] * 6, abs=1e-12)
    assert 0.0 < far < 0.02


@pytest.mark.slow
def test_a_multiple_of_the_state_in_the_step_is_the_error_of_tangent_and_adjoint(adjoints, states):
    true, mean = adjoints.emulators.true_step, states[0].mean()
    wrong = lambda x: true(x) + 0.1 * (x - mean)  # noqa: E731
    root = lambda noise: adjoints.DEVIATION * noise  # noqa: E731
    row = adjoints.measures(wrong, states, root, adjoints.derivatives(true, states, root))
    noise = torch.randn(states[0].shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    exact = adjoints.tangents(true, states[:1], adjoints.DEVIATION * noise)[0]
    assert row[2] == pytest.approx(0.1 * adjoints.norm(adjoints.DEVIATION * noise) / adjoints.norm(exact))
    assert row[0] == pytest.approx(0.1 * adjoints.norm(states[0] - mean) / adjoints.norm(states[1] - states[0]))


def test_one_report_changes_the_members_mean_as_the_kalman_gain_says_also_across_the_side(adjoints, rivals):
    plane = adjoints.plane
    members = plane.trajectories(0, 8)[0]
    one = plane.Reports(
        torch.tensor([[1, 2]]), torch.tensor([0]), torch.tensor([5.0]).double(), torch.tensor([1.5]).double()
    )
    analysed = rivals.letkf(members, one, rivals.Choice(1.0, 16.0))
    deviations = members - members.mean(0)
    y = deviations[:, 0, 1, 2]
    departure = 5.0 - float(members[:, 0, 1, 2].mean() - plane.WORLD.depth)
    for row, column, distance in ((1, 2, 0.0), (31, 2, 2.0), (4, 30, 5.0), (16, 16, 20.0)):
        weight = float(gaspari_cohn(np.array(distance / 16.0)))
        for field in range(3):
            covariance = float((deviations[:, field, row, column] * y).sum() / 7.0)
            gain = weight * covariance / (weight * float(y.square().sum() / 7.0) + 1.5**2)
            increment = float((analysed - members)[:, field, row, column].mean())
            assert increment == pytest.approx(gain * departure, abs=1e-9)


def test_channels_of_the_u_net_are_reports_at_their_places_and_draws_have_the_world_s_numbers(adjoints, rivals):
    plane, scales = adjoints.plane, rivals.Scales(torch.tensor([2.0, 1.0, 1.0, 1.0, 1.0]))
    state = plane.trajectories(3, 1)[:, 0]
    reports = [[plane.Reports.draw(3, k, state[k])] for k in range(plane.TIMES)]
    channels = scales.of_reports(reports).unflatten(1, (plane.TIMES, 2, 5))[0]
    counts = torch.tensor(plane.WORLD.observations, dtype=torch.float32)
    torch.testing.assert_close(channels[:, 1].sum((-1, -2)), counts.expand(plane.TIMES, 5))
    last = reports[2][0]
    row, column = last.place[0].tolist()
    assert float(channels[2, 0, 0, row, column]) == pytest.approx(float(last.value[0]) / 2.0, rel=1e-6)
    values, seen = rivals.observed(torch.zeros(2, 3, 5, 32, 32), torch.Generator().manual_seed(1))
    torch.testing.assert_close(seen.float().sum((-1, -2)), counts.expand(2, 3, 5))
    assert float(values[:, :, 3].std()) == pytest.approx(plane.WORLD.observation_error[3], rel=0.05)


@pytest.fixture(scope="module")
def data(adjoints):
    """Four pairs, perturbed ones and directions."""
    trajectories = adjoints.plane.trajectories(0, 4)
    return adjoints.emulators.Data.of(trajectories[:1], adjoints.plane.Climate.of(trajectories, 2).root)


@pytest.mark.parametrize("kind", ["U-net", "product"])
def test_derivatives_of_a_network_that_is_still_the_identity_err_by_what_the_model_changes(adjoints, data, kind):
    emulators, chosen = adjoints.emulators, torch.arange(4)
    emulator = emulators.Emulator(kind)
    losses = [emulators._loss(emulator, data, emulators.Recipe(derivatives=weight), chosen) for weight in (0.0, 2.0)]
    dx, y, tangent, adjoint = data.directions[:, :2]
    expected = 2.0 * ((dx - tangent).square().mean() + (y - adjoint).square().mean())
    assert (losses[1] - losses[0]).item() == pytest.approx(float(expected), rel=1e-4)
    losses[1].backward()
    assert float(emulator.network.head.weight.grad.abs().max()) > 0.0


@pytest.mark.slow
def test_training_lowers_the_error_of_the_data(adjoints, data):
    emulators = adjoints.emulators
    recipe = emulators.Recipe(derivatives=1.0, residual=0.1, perturbed=True, steps=40, batch=4)
    emulator, _ = emulators.train("product", data, recipe)
    before, after = data.perturbed[:, 0], data.perturbed[:, -1]
    with torch.no_grad():
        assert float((emulator(before) - after).square().mean()) < 0.8 * float((before - after).square().mean())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["U-net", "product"])
def test_training_on_derivatives_lowers_the_error_of_the_tangent_linear(adjoints, data, kind):
    emulator, _ = adjoints.emulators.train(kind, data, adjoints.emulators.Recipe(derivatives=10.0, steps=60, batch=4))
    dx, _, tangent, _ = data.directions
    learnt = Linearised(emulator, data.usual[:, 0]).tangent(adjoints.DEVIATION * dx) / adjoints.DEVIATION
    assert float((learnt - tangent).square().mean()) < 0.7 * float((dx - tangent).square().mean())


def test_first_members_see_the_linearised_operators_about_the_analysis(adjoints, rivals):
    plane, random = adjoints.plane, torch.Generator().manual_seed(2)
    states = plane.trajectories(3, 2)[0]
    reports = plane.Reports.draw(3, 0, states[0])
    linear = rivals._linear(states[0], reports, 1, random).operator
    departure = states[1:] - states[:1]
    exact = reports.at(0, reports.error).operator
    difference = (exact(states[:1] + 1e-6 * departure) - exact(states[:1])) / 1e-6
    torch.testing.assert_close(linear(torch.cat([states[:1], departure])), difference, rtol=1e-4, atol=1e-4)


def test_a_kept_network_is_trained_again_for_data_of_another_number_of_cases(adjoints, monkeypatch, tmp_path):
    emulators, trainings = adjoints.emulators, []

    def train(kind, data, recipe):
        trainings.append(data)
        return emulators.Emulator(kind), 0.0

    monkeypatch.setattr(emulators, "train", train)
    for cases in (8, 8, 640):
        emulators.trained("product", "forecast", lambda number=cases: number, cases, tmp_path)
    assert trainings == [8, 640]
