"""The forecast emulator: its equation, its boundary, its loss, tiles, and what it learns of a field that moves."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lam_cases import DOMAIN, HERE, NAMES, SHAPE, UNITS, WHOLE, case_of, states
from moving_states import HOUR, START
from tables import MemoryTables, in_threads
from torch import nn

from mlrtma_dist import config
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.case import Contents
from mlrtma_dist.methods.lam import LamMethod, build_lam
from mlrtma_dist.methods.lam_network import rim_mask
from mlrtma_dist.methods.lam_settings import GraphSizes, LamSettings
from mlrtma_dist.methods.learned import ContentsError
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone


class Extrapolation(nn.Module):
    """What a network would be of a state that changes evenly: the change of one step is that of the step before."""

    alignment = 1

    def __init__(self):
        super().__init__()
        self.share = nn.Parameter(torch.ones(()))

    def forward(self, channels, neighbourhood):
        return self.share * channels[:, 2:4]


def extrapolating(**settings) -> LamMethod:
    method = LamMethod(LamSettings(variables=2, widths=(8, 8), **settings), UNITS)
    method.network = Extrapolation()
    return method


def test_with_the_network_of_even_change_every_step_of_a_forecast_is_exact_and_so_is_the_loss():
    fields, method = states(9), extrapolating(steps=3, rim=2)
    forecast = list(method.forecast(case_of(fields, 2), 6, lambda time: None))
    rim = rim_mask(SHAPE, WHOLE, 2)[0, 0].bool().numpy()
    for step, state in enumerate(forecast):
        for name in NAMES:
            np.testing.assert_allclose(state[name][~rim], fields[name][3 + step][~rim], atol=1e-3)
            np.testing.assert_allclose(state[name][rim], fields[name][2][rim], atol=1e-4)
    total, weight = method.loss(method.encode(case_of(fields, 6)), HERE)
    assert weight == 3 * 2 * (SHAPE[0] - 4) * (SHAPE[1] - 4) and float(total.detach()) < 1e-5 * weight
    answer = method.analyse(case_of(fields, 6))
    np.testing.assert_allclose(answer.fields().values["t2m"], fields["t2m"][6], atol=1e-3)


def test_a_network_that_gives_no_change_is_persistence_whose_loss_is_the_changes_in_their_unit():
    fields, method = states(5), extrapolating(steps=2, rim=0)
    method.network.share.data.zero_()
    total, weight = method.loss(method.encode(case_of(fields, 4)), HERE)
    changes = [(fields[name][1] - fields[name][0]) / unit for name, unit in zip(NAMES, (1.2, 0.5), strict=True)]
    expected = (1 + 4) * sum(float(np.square(each).sum()) for each in changes)
    assert float(total.detach()) == pytest.approx(expected, rel=1e-4) and weight == 2 * 2 * SHAPE[0] * SHAPE[1]


def test_outer_cells_are_those_of_the_boundary_after_each_step_and_no_part_of_the_loss():
    fields, other = states(6), states(6)
    other["t2m"] = other["t2m"] + 7.0
    method = extrapolating(steps=1, rim=3)
    outer = rim_mask(SHAPE, WHOLE, 3)[0, 0].bool().numpy()
    coming = {START + number * HOUR: {name: other[name][number] for name in NAMES} for number in range(6)}
    for number, state in enumerate(method.forecast(case_of(fields, 2), 3, coming.get)):
        np.testing.assert_allclose(state["t2m"][outer], other["t2m"][3 + number][outer], atol=1e-3)
        np.testing.assert_allclose(state["t2m"][~outer], fields["t2m"][3 + number][~outer], atol=1e-3)
    sample = method.encode(case_of(fields, 5))
    moved = replace(sample, target=sample.target + 5.0 * torch.from_numpy(outer))
    losses = [float(method.loss(each, HERE)[0].detach()) for each in (moved, sample)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_the_network_sees_the_boundary_in_the_outer_cells_alone_and_the_sun_at_both_ends_of_the_step():
    method = LamMethod(LamSettings(variables=2, widths=(8, 8), rim=3), UNITS)
    seen = []
    method.network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    fields = states(4)
    method.loss(method.encode(case_of(fields, 3)), HERE)
    channels, outer = seen[0][0], rim_mask(SHAPE, WHOLE, 3)[0, 0]
    assert len(channels) == method.settings.channels_in == 2 + 2 + 3 + 2 + 2 + 1
    change = torch.from_numpy((fields["t2m"][1] - fields["t2m"][0]) / 1.2).float()
    torch.testing.assert_close(channels[2], change, atol=1e-3, rtol=0)
    torch.testing.assert_close(channels[9], change * outer, atol=1e-3, rtol=0)
    torch.testing.assert_close(channels[11], outer)
    latitude, longitude = DOMAIN.latitude_longitude(np.array([0]), np.array([0]))
    hours = 3.0 + float(longitude.ravel()[0]) / 15.0 - 12.0  # of local solar time from noon, at the end of the step
    noon = np.sin(np.deg2rad(latitude.ravel()[0])) * np.sin(np.deg2rad(15.0))  # the declination of May 1 is 15 degrees
    swing = np.cos(np.deg2rad(latitude.ravel()[0])) * np.cos(np.deg2rad(15.0))
    assert float(channels[8, 0, 0]) == pytest.approx(noon + swing * np.cos(np.deg2rad(15.0 * hours)), abs=0.02)


def test_cases_shown_without_a_boundary_count_in_the_outer_cells_too_and_then_a_forecast_needs_none():
    fields, method = states(9), extrapolating(rim=2, rim_missing=0.5)
    everywhere, interior = 2 * SHAPE[0] * SHAPE[1], 2 * (SHAPE[0] - 4) * (SHAPE[1] - 4)
    samples = [method.encode(case_of(fields, 5), draw) for draw in range(40)]
    weights = [method.weight(sample) for sample in samples]
    assert set(weights) == {everywhere, interior} and 10 < weights.count(everywhere) < 30
    seen = []
    method.network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    total, weight = method.loss(Sample.join(samples), HERE)
    assert weight == sum(weights) and float(total.detach()) < 1e-5 * weight
    with_boundary = [bool(channels[-1].any()) for channels in seen[0]]
    assert with_boundary == [each == interior for each in weights]
    for number, state in enumerate(method.forecast(case_of(fields, 2), 5, lambda time: None)):
        np.testing.assert_allclose(state["u10"], fields["u10"][3 + number], atol=1e-3)


def test_a_boundary_may_be_unknown_inside_its_rim_and_must_not_be_in_it():
    fields, method = states(6), LamMethod(LamSettings(variables=2, widths=(8, 8), rim=3), UNITS)
    randomise(method.network, 4)
    inside = rim_mask(SHAPE, WHOLE, 3)[0, 0].numpy() == 0
    coming = {START + number * HOUR: {name: fields[name][number].copy() for name in NAMES} for number in range(6)}
    expected = list(method.forecast(case_of(fields, 2), 2, coming.get))
    for state in coming.values():
        state["t2m"][inside] = np.nan
    for one, other in zip(expected, method.forecast(case_of(fields, 2), 2, coming.get), strict=True):
        np.testing.assert_array_equal(one["t2m"], other["t2m"])
    coming[START + 4 * HOUR]["u10"][0, 5] = np.nan
    with pytest.raises(ContentsError, match="boundary of .*04:00:00 does not cover the outer 3 cells of d: name files"):
        list(method.forecast(case_of(fields, 2), 2, coming.get))


def test_an_analysis_of_a_case_always_has_its_truth_as_the_boundary():
    fields, method = states(12), LamMethod(LamSettings(variables=2, widths=(8, 8), rim=3, rim_missing=0.5), UNITS)
    randomise(method.network, 4)
    outer = rim_mask(SHAPE, WHOLE, 3)[0, 0].bool().numpy()
    for number in range(3, 12):  # of which a training would show about half without one
        analysed = method.analyse(case_of(fields, number)).fields().values["t2m"]
        np.testing.assert_allclose(analysed[outer], fields["t2m"][number][outer], atol=1e-3)
    with pytest.raises(ContentsError, match="has no truth, whose outer cells are the boundary"):
        method.analyse(replace(case_of(fields, 4), truth=None))


GRAPH = {"network": "graph", "graph": GraphSizes(spacing=3, levels=2, width=8, depth=1)}


@pytest.mark.parametrize("network", [{"fold": 2, "widths": (8, 8), "groups": 4}, GRAPH])
@pytest.mark.parametrize("table", [(1, 2), (3, 1), (2, 2)])
def test_loss_gradient_and_forecast_on_tiles_are_those_of_one_rank(table, network):
    settings, fields = LamSettings(variables=2, steps=2, rim=2, rim_missing=0.5, noise=0.2, **network), states(6)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def work(here, box):
        method = LamMethod(settings, UNITS)
        randomise(method.network, 3)
        loss, weight = method.loss(Sample.join([method.encode(case_of(fields, n, box), n) for n in (4, 5)]), here)
        loss.backward()
        gradient = torch.cat([each.grad.flatten() for each in method.network.parameters()])
        method.network.eval()
        *_, last = method.forecast(case_of(fields, 2, box), 2, lambda time: None, here)
        return box, float(loss.detach()), weight, gradient, last["t2m"]

    def on_tile(rank, meetings):
        here = MemoryTables(rank, meetings).tiled(SHAPE, table, LamMethod(settings).alignment)
        return work(here, here.box) if here is not None else None

    _, loss, weight, gradient, last = work(HERE, WHOLE)
    parts = [each for each in in_threads(on_tile, max(2, table[0] * table[1])) if each is not None]
    torch.set_num_threads(threads)
    assert len(parts) == table[0] * table[1] and sum(each[2] for each in parts) == weight
    assert sum(each[1] for each in parts) == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(
        sum(each[3] for each in parts), gradient, rtol=0, atol=1e-4 * float(gradient.abs().max())
    )
    for box, *_, own in parts:
        np.testing.assert_allclose(own, last[box.slices], atol=1e-4 * np.ptp(last))


@pytest.mark.slow
def test_a_short_training_learns_that_fields_move_on():
    """A random periodic field moves two points a step, which no point's own past tells."""
    plane = load_domain("plane_32")
    generator, static = np.random.default_rng(5), load_static(plane)
    settings = LamSettings(variables=1, rim=0, ground=False, sun=False, widths=(16, 16))
    method = LamMethod(settings, Statistics(("truth_field",), (0.0,), (1.0,), 9, "", "", change_deviation=(0.7,)))
    waves = np.fft.fftfreq(32) * 32
    smooth = np.exp(-0.06 * (waves[:, None] ** 2 + waves**2))

    def sample() -> Sample:
        spectrum = np.fft.fft2(generator.normal(size=(8, 32, 32))) * smooth
        field = np.fft.ifft2(spectrum).real
        field = torch.from_numpy((field / field.std()).astype(np.float32))[:, None]
        before, now, coming = (field.roll(2 * step, -1) for step in range(3))
        return Sample(torch.cat([before, now], 1), coming, None, np.zeros(8, "datetime64[s]"))

    here, optimizer = Alone(plane.shape, (True, True)), torch.optim.Adam(method.network.parameters(), 3e-3)
    assert static.domain.periodic
    for _ in range(150):
        optimizer.zero_grad()
        loss, weight = method.loss(sample(), here)
        (loss / weight).backward()
        optimizer.step()
    unseen = sample()
    error = (method.predict(unseen, here) - unseen.target).square().mean().sqrt()
    persistence = (unseen.inputs[:, 1:2] - unseen.target).square().mean().sqrt()
    extrapolation = (2 * unseen.inputs[:, 1:2] - unseen.inputs[:, :1] - unseen.target).square().mean().sqrt()
    assert float(error) < 0.25 * float(persistence) and float(error) < 0.5 * float(extrapolation)


def test_cases_that_do_not_suit_and_states_that_are_missing_are_refused_with_the_way_out():
    method, fields = LamMethod(LamSettings(variables=2, widths=(8, 8)), UNITS), states(3)
    contents = Contents(DOMAIN, NAMES, ("K", "m s-1"), NAMES, background=False, truth=True)
    method.check(contents)
    with pytest.raises(ContentsError, match="settings.variables: expected 1, as the cases of d hold t2m"):
        method.check(replace(contents, variables=("t2m",), units=("K",)))
    with pytest.raises(ContentsError, match="trained on t2m, u10, the cases of d hold t2m, v10"):
        method.check(replace(contents, variables=("t2m", "v10")))
    plane = replace(contents, domain=load_domain("plane_32"))
    with pytest.raises(ContentsError, match="settings.sun: expected false on the plane"):
        method.check(plane)
    with pytest.raises(ContentsError, match="settings.rim: expected 0 on plane_32, which wraps, got 4"):
        LamMethod(LamSettings(variables=2, sun=False, widths=(8, 8))).check(plane)
    with pytest.raises(ContentsError, match="no state of 2024-04-30T23:00:00, which the forecast of 2024-05-01T01"):
        method.analyse(case_of(fields, 1))
    with pytest.raises(ContentsError, match="no state of 2024-05-01T02:00:00, with which a forecast begins"):
        next(method.forecast(replace(case_of(fields, 2), truth=None), 1))
    for settings, expected in (
        ({"rim": -1}, "rim"),
        ({"network": "tree"}, "network: expected one of"),
        ({"rim_missing": 1.0}, "rim_missing"),
    ):
        with pytest.raises(config.ConfigError, match=f"here: settings: .*{expected}"):
            build_lam(settings, "here")
