"""Imagery as a source of the vision transformer: what is given of it, equality on tiles, and answers without it."""

import copy
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from report_cases import TINY, VARIABLES, hour, toy

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.imagery import NO_IMAGERY, Imagery
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.case import Contents
from mlrtma_dist.methods.image_encoding import AROUND, ImageryChannel, Images, missing_channels
from mlrtma_dist.methods.learned import ContentsError
from mlrtma_dist.methods.report_sample import ReportSample
from mlrtma_dist.methods.vit import build_vit
from mlrtma_dist.methods.vit_entries import taken_over
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.memory import run_tiles
from mlrtma_dist.parallel.reduce import sum_gradients

SHAPE = (120, 160)
WHOLE = Box.whole(SHAPE)
CHANNELS = {"bright": {"unit": "1", "mean": 0.4, "scale": 0.2}, "warm": {"unit": "K", "mean": 270.0, "scale": 20.0}}
TYPICAL = {name: ImageryChannel(**each) for name, each in CHANNELS.items()}

pytestmark = pytest.mark.usefixtures("one_thread")


def images(seed=0) -> Imagery:
    """Two channels with every tenth pixel missing, and a corner of one of them."""
    random = np.random.default_rng(seed)
    fields = {"bright": random.uniform(0, 1, SHAPE), "warm": random.normal(270.0, 20.0, SHAPE)}
    for field in fields.values():
        field[random.random(SHAPE) < 0.1] = np.nan
    fields["warm"][:32, 96:] = np.nan
    fields["bright"][40, 51] = 0.7
    return Imagery(WHOLE, {name: field.astype(np.float32) for name, field in fields.items()})


def method_of(seed=1, **more):
    method = build_vit(TINY | {"imagery": CHANNELS, "imagery_dropped": 0.0} | more, "test")
    randomise(method.network, seed)
    method.settle(toy().domain)
    return method


def seen(number=60, seed=0, box=None, imagery=None):
    return replace(hour(number, seed, box), imagery=images(seed) if imagery is None else imagery)


@pytest.mark.parametrize("patch", [2, 8, 32])
def test_cells_of_tokens_are_means_and_shares_of_the_pixels_present(patch):
    encoded, box = Images.of(seen(), TYPICAL), Box(0, 120, 96, 160)
    mean, share = encoded.tokens(box, patch).reshape(2, 2, 4, 4, -(-120 // patch), -(-64 // patch))
    bright = (images().values["bright"].astype(np.float64) - 0.4) / 0.2
    for row, column, y, x in ((0, 0, 0, 0), (1, 1, 3, 2), (3, 1, 1, 3)):
        if patch == 2:
            pixels = bright[row * 2 + y // 2, 96 + column * 2 + x // 2].reshape(1, 1)
        else:
            cell = patch // 4
            top, left = row * patch + y * cell, 96 + column * patch + x * cell
            pixels = bright[top : top + cell, left : left + cell]
        count = cell**2 if patch > 2 else 1
        present = np.isfinite(pixels)
        assert share[0, y, x, row, column] == pytest.approx(present.sum() / count)
        expected = pixels[present].mean() if present.any() else 0.0
        assert mean[0, y, x, row, column] == pytest.approx(expected, abs=1e-5)
    assert share[1, :, :, 0, -1].max() == mean[1, :, :, 0, -1].max() == 0.0  # the corner that is missing
    if patch == 32:  # 120 rows are three tokens and three cells of a fourth
        assert share[0, 2, 0, 3, 0] > 0.5 and share[0, 3, 0, 3, 0] == 0.0


def test_tokens_of_a_tile_are_those_of_the_domain():
    encoded = Images.of(seen(), TYPICAL)
    np.testing.assert_array_equal(encoded.tokens(Box(48, 120, 72, 160), 8), encoded.tokens(WHOLE, 8)[:, 6:, 9:])


def test_a_point_is_given_its_pixel_and_the_mean_around_it():
    encoded, reach = Images.of(seen(), TYPICAL), int(AROUND / 5e3)
    place = np.array([[40.4, 50.6], [0.0, 0.0], [5.0, 120.0], [-0.6, 3.0], [np.nan, np.inf]])
    result = encoded.points(place).reshape(5, 2, 4)
    bright = (images().values["bright"] - np.float32(0.4)) / np.float32(0.2)
    square = bright[40 - reach : 41 + reach, 51 - reach : 52 + reach].astype(np.float64)
    np.testing.assert_allclose(result[0, 0, 2:], [np.nanmean(square), np.isfinite(square).mean()], rtol=1e-6)
    assert result[0, 0, :2] == pytest.approx([1.5, 1.0])
    assert result[1, 0, 3] < 0.4  # a quarter of the square lies on the domain
    assert (result[2, 1] == 0.0).all() and result[2, 0, 3] > 0.5  # one channel is missing there
    assert result[3, 0, 1] == 0.0 < result[3, 0, 3] and (result[4] == 0.0).all()


@pytest.mark.parametrize("table", [(2, 1), (1, 3), (2, 2)])
def test_loss_and_gradients_with_imagery_on_tiles_are_those_of_one_rank(table):
    method = method_of()

    def gradients(samples, here):
        own = copy.deepcopy(method)
        loss, weight = own.loss(ReportSample.join(samples), here)
        loss.backward()
        if hasattr(here, "transport"):
            sum_gradients(own.network, here.transport)
        return float(loss.detach()), weight, {name: each.grad for name, each in own.network.named_parameters()}

    def samples(box):
        return [method.encode(seen(box=box), 2), method.encode(seen(40, 5, box, NO_IMAGERY), 0)]

    loss, weight, expected = gradients(samples(WHOLE), Alone(SHAPE))
    labels = method.entries["encoder.token.weight"][1]
    of_images = [number for number, label in enumerate(labels) if label.startswith("image ")]
    assert expected["encoder.token.weight"][:, of_images].abs().amax((0, 2, 3)).min() > 0.0
    parts = run_tiles(SHAPE, table, lambda here: gradients(samples(here.box), here), align=method.alignment)
    assert sum(part[1] for part in parts) == weight and min(part[1] for part in parts) < weight
    np.testing.assert_allclose(sum(part[0] for part in parts), loss, rtol=1e-5)
    for name, gradient in expected.items():
        span = max(float(gradient.abs().max()), 1e-3 * loss)
        for part in parts:
            assert float((part[2][name] - gradient).abs().max()) < 2e-5 * span, name


@pytest.mark.parametrize("table", [(2, 1), (1, 3), (2, 2)])
def test_an_answer_with_imagery_on_tiles_is_that_of_one_rank(table):
    method, case = method_of(), seen()
    answer, points = method.analyse(case), case.points[case.withheld]
    fields, at = answer.fields(), answer.at("visibility", points)

    def work(here):
        own = method_of().analyse(replace(case, box=here.box), here)
        return here.box, own.fields(), own.at("visibility", points)

    for box, own, own_at in run_tiles(SHAPE, table, work, align=method.alignment):
        for name in VARIABLES:
            np.testing.assert_allclose(own.values[name], fields.values[name][box.slices], rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(own.error[name], fields.error[name][box.slices], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(own_at, at, atol=1e-5)


def test_a_case_without_imagery_is_one_whose_pixels_are_all_missing():
    method = method_of()
    gone = Imagery(WHOLE, {name: np.full(SHAPE, np.nan, np.float32) for name in CHANNELS})
    one_left = Imagery(WHOLE, {"bright": images().values["bright"]})
    infinite = Imagery(WHOLE, {name: np.full(SHAPE, np.inf, np.float32) for name in CHANNELS})
    cases = {"absent": NO_IMAGERY, "gone": gone, "infinite": infinite, "one left": one_left, "whole": images()}
    answers = {name: method.analyse(seen(imagery=each)).fields().values["t2m"] for name, each in cases.items()}
    assert all(np.isfinite(each).all() for each in answers.values())
    np.testing.assert_array_equal(answers["gone"], answers["absent"])
    np.testing.assert_array_equal(answers["infinite"], answers["absent"])
    for one, two in (("one left", "absent"), ("whole", "one left")):
        assert np.abs(answers[one] - answers[two]).max() > 1e-3


def test_a_network_without_imagery_in_its_settings_is_what_it_was_and_sees_none():
    plain, named = (build_vit(TINY | more, "test") for more in ({}, {"imagery": {}, "imagery_dropped": 0.5}))
    assert plain.network.config == named.network.config and plain.entries == named.entries
    for method in (plain, named):
        method.settle(toy().domain)
    for name, weight in plain.network.state_dict().items():
        assert torch.equal(weight, named.network.state_dict()[name])
    assert plain.network.config.fields == 7 + 1 + 4 + 2 * 4 * 3 and plain.network.config.features == 7 + 4 + 1
    without, with_images = (plain.analyse(case).fields() for case in (hour(), seen()))
    for name in VARIABLES:
        np.testing.assert_array_equal(without.values[name], with_images.values[name])


def test_a_network_that_takes_over_weights_of_one_without_imagery_gives_its_answer_at_first():
    before, now = method_of(imagery={}), method_of(seed=2)
    first = {name: each.detach() for name, each in now.network.named_parameters()}
    weights = {name: each.detach() for name, each in before.network.named_parameters()}
    now.network.load_state_dict(taken_over(weights, before.entries, now.entries, first))
    expected, answer = (method.analyse(seen()).fields().values for method in (before, now))
    for name in VARIABLES:
        np.testing.assert_allclose(answer[name], expected[name], rtol=1e-6, atol=1e-5)


def test_draws_of_a_training_lack_imagery_as_often_as_they_shall_and_draw_0_never():
    random = np.random.default_rng(0)
    drawn = [missing_channels(TYPICAL, 0.3, random) for _ in range(2000)]
    share = {count: np.mean([len(each) == count for each in drawn]) for count in (0, 1, 2)}
    assert share[2] == pytest.approx(0.3, abs=0.03) and share[1] == pytest.approx(0.3, abs=0.03)
    assert {name for each in drawn if len(each) == 1 for name in each} == set(CHANNELS)
    alone = {"bright": TYPICAL["bright"]}
    assert np.mean([len(missing_channels(alone, 0.3, random)) for _ in range(2000)]) == pytest.approx(0.3, abs=0.03)
    always = method_of(imagery_dropped=0.5)
    of_images = slice(-2 * 2 * 16, None)
    has_images = [float(always.encode(seen(), draw).inputs[:, of_images].abs().max()) > 0 for draw in range(12)]
    assert has_images[0] and not all(has_images)


def test_another_unit_is_refused_and_a_source_without_any_channel_is_a_warning(caplog):
    method, units = method_of(), ("K", "m s-1", "m s-1", "m")
    contents = Contents(toy().domain, VARIABLES, units, VARIABLES, True, False)
    with pytest.raises(ContentsError, match=r"settings.imagery.warm: the network takes it in K, .* have it in degC"):
        method.check(replace(contents, imagery=("warm",), imagery_units=("degC",)))
    with caplog.at_level(logging.WARNING):
        method.check(replace(contents, imagery=("warm",), imagery_units=("K",)))
        assert not caplog.messages
        method.check(contents)
    assert "imagery of bright, warm; the cases of toy have none of it" in caplog.messages[0]
    with pytest.raises(InputError, match="imagery bright of 2026-01-01T06:00:00: expected all"):
        method.analyse(seen(imagery=Imagery(Box(0, 10, 0, 10), {"bright": np.zeros((10, 10))})))


@pytest.mark.parametrize(
    "more, words",
    [
        ({"imagery": {"a": {"unit": "1", "mean": 0, "scale": 0}}}, "scale: expected more than 0"),
        ({"imagery_dropped": 0.6}, "imagery_dropped: expected from 0 to 0.5"),
    ],
)
def test_settings_of_imagery_that_make_no_sense_are_refused(more, words):
    with pytest.raises(ValueError, match=words):
        build_vit(TINY | more, "test")
