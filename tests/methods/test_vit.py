"""The vision transformer on reports: what it may know, equality on tiles, its answer, and a training that improves."""

import copy
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from report_cases import TINY, VARIABLES, hour, toy

from mlrtma_dist import names
from mlrtma_dist.fields import climatology
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.analyse import at_reports
from mlrtma_dist.methods import vit_answer
from mlrtma_dist.methods.case import Contents
from mlrtma_dist.methods.events import below
from mlrtma_dist.methods.learned import ContentsError
from mlrtma_dist.methods.method import Share
from mlrtma_dist.methods.report_sample import ReportSample
from mlrtma_dist.methods.vit import build_vit
from mlrtma_dist.methods.vit_answer import SPACING, Values, ascending, between, make_ordered, summary
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.memory import run_tiles
from mlrtma_dist.parallel.reduce import sum_gradients

SHAPE = (120, 160)

pytestmark = pytest.mark.usefixtures("one_thread")


def method_of(seed=1, **more):
    method = build_vit(TINY | more, "test")
    randomise(method.network, seed)
    method.settle(toy().domain)
    return method


def gradients(method, sample, here):
    """The loss and its gradients, summed over tiles."""
    method.network.zero_grad(set_to_none=True)
    loss, weight = method.loss(sample, here)
    loss.backward()
    if hasattr(here, "transport"):
        sum_gradients(method.network, here.transport)
    return float(loss.detach()), weight, {name: each.grad for name, each in method.network.named_parameters()}


@pytest.mark.parametrize("table", [(2, 1), (1, 3), (2, 2)])
def test_loss_and_gradients_on_tiles_are_those_of_one_rank(table):
    method, draw = method_of(), 2
    whole = ReportSample.join([method.encode(hour(), draw), method.encode(hour(40, seed=5), 0)])
    loss, weight, expected = gradients(copy.deepcopy(method), whole, Alone(SHAPE))
    assert weight > 50

    def work(here):
        own = [method.encode(hour(box=here.box), draw), method.encode(hour(40, seed=5, box=here.box), 0)]
        return gradients(copy.deepcopy(method), ReportSample.join(own), here)

    parts = run_tiles(SHAPE, table, work, align=method.alignment)
    assert sum(part[1] for part in parts) == weight and min(part[1] for part in parts) < weight
    np.testing.assert_allclose(sum(part[0] for part in parts), loss, rtol=1e-5)
    for name, gradient in expected.items():
        span = max(float(gradient.abs().max()), 1e-3 * loss)
        assert gradient.abs().max() > 0 or name.endswith("key.bias"), f"{name}: no gradient"
        for part in parts:
            assert float((part[2][name] - gradient).abs().max()) < 2e-5 * span, name


def test_withheld_reports_have_no_influence_on_the_answer_and_used_ones_have():
    method, case = method_of(), hour()
    points = case.points[case.withheld & (case.observations.variable == "t2m")]
    expected = method.analyse(case).at("t2m", points)
    for rows, same in ((case.withheld, True), (case.used, False)):
        changed = replace(case, observations=replace(case.observations, value=case.observations.value + 2.0 * rows))
        value, error = method.analyse(changed).at("t2m", points)
        assert np.array_equal(value, expected[0]) == same and np.array_equal(error, expected[1]) == same


def test_an_answer_on_tiles_is_that_of_one_rank():
    method, case = method_of(), hour()
    answer = method.analyse(case)
    points = case.points[case.withheld]
    fields, at = answer.fields(), answer.at("u10", points)

    def work(here):
        own = method_of().analyse(replace(case, box=here.box), here)
        return here.box, own.fields(), own.at("u10", points)

    for box, own, own_at in run_tiles(SHAPE, (2, 2), work, align=method.alignment):
        for name in VARIABLES:
            np.testing.assert_allclose(own.values[name], fields.values[name][box.slices], rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(own.error[name], fields.error[name][box.slices], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(own_at, at, atol=1e-5)


def test_at_reports_the_network_is_asked_once_for_all_variables(monkeypatch):
    case = hour()
    answer = method_of().analyse(case)
    asked, decode = [], type(answer)._part
    monkeypatch.setattr(
        type(answer), "_part", lambda self, points, share: asked.append(len(points)) or decode(self, points, share)
    )
    value, error = at_reports(case, answer, case.used)
    assert asked == [len(np.unique(case.points[case.used].position, axis=0))]
    for name in answer.variables:
        rows = case.used & (case.observations.variable == name)
        expected, deviation = answer.at(name, case.points[rows])
        np.testing.assert_allclose(value[rows], expected, rtol=1e-5, atol=1e-4, err_msg=name)
        np.testing.assert_allclose(error[rows], deviation, rtol=1e-4, err_msg=name)
    assert np.isnan(value[~case.used]).all()


def test_fields_are_the_answer_at_the_points_where_the_network_is_asked():
    method, case = method_of(), hour()
    answer, step = method.analyse(case), int(SPACING / 5e3)
    fields, rows = answer.fields(), np.arange(0, 120, step)
    points = case.grid_points()[np.add.outer(rows * 160, np.arange(0, 160, step)).ravel()]
    for name in ("t2m", "u10"):
        value, error = answer.at(name, points)
        asked = (slice(None, None, step), slice(None, None, step))
        np.testing.assert_allclose(fields.values[name][asked].ravel(), value, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(fields.error[name][asked].ravel(), error, rtol=1e-4)
    probability = below(answer, "visibility", points, np.log(names.EVENTS["visibility"]))
    np.testing.assert_allclose(
        fields.probability["visibility"][(slice(None), *asked)].reshape(4, -1).T, probability, atol=1e-5
    )
    assert np.all(np.diff(probability, axis=1) >= 0)


@pytest.mark.parametrize("classical", [False, True])
def test_parts_of_the_points_on_several_threads_are_those_of_one_to_the_last_bit(monkeypatch, classical):
    monkeypatch.setattr(vit_answer, "AT_ONCE", 150)
    answer, workers, decode = method_of(classical=classical).analyse(hour()), set(), vit_answer.TransformerAnswer._part

    def recorded(self, points, share):
        workers.add(threading.get_ident())
        assert torch.get_num_threads() == 1
        return decode(self, points, share)

    one = answer.fields(Share(threads=1))
    monkeypatch.setattr(vit_answer.TransformerAnswer, "_part", recorded)
    answer._last.clear()
    three = answer.fields(Share(threads=3))
    assert len(workers) > 1
    for kind in ("values", "error", "probability"):
        for name, field in getattr(one, kind).items():
            np.testing.assert_array_equal(field, getattr(three, kind)[name], err_msg=f"{kind} {name}")


def test_between_these_points_the_vertical_gradient_carries_the_analysis_to_the_terrain():
    method, case = method_of(), hour()
    higher = replace(case.static, terrain=case.static.terrain.copy())
    higher.terrain[41, 41] += 100.0  # not a point that is asked
    answer = method.analyse(replace(case, static=higher))
    one, two = (method.analyse(replace(case, static=each)).fields().values["t2m"] for each in (case.static, higher))
    row = answer._values(replace(case, static=higher).grid_points(slice(40, 41), slice(40, 41)))
    assert abs(two[41, 41] - one[41, 41]) > 0.1
    assert row.gradient["t2m"][0] / 10.0 == pytest.approx(two[41, 41] - one[41, 41], abs=0.5)


def test_without_any_report_the_answer_is_climatology_with_its_error():
    method, case = method_of(), hour()
    empty = replace(case, used=np.zeros(len(case.used), bool))
    points = case.points[:5]
    value, error = method.analyse(empty).at("t2m", points)
    np.testing.assert_allclose(value, climatology.mean("t2m", points.latitude, points.elevation, case.time), atol=1e-6)
    assert np.all(error > 0.9 * climatology.deviation("t2m", points.latitude))
    fields = method.analyse(empty).fields()
    assert np.isfinite(fields.values["visibility"]).all() and (fields.error["u10"] > 2.5).all()


def test_a_temperature_that_no_station_reports_is_raised_to_the_dew_points_that_stations_report():
    temperature, dew_point = np.array([280.0, 290.0]), np.array([284.0, 284.0])
    alone, both = ([284.0, 290.0], [284.0, 284.0]), ([280.0, 290.0], [280.0, 284.0])
    for reported, expected in (({"d2m"}, alone), ({"t2m", "d2m"}, both)):
        at = Values({"t2m": temperature, "d2m": dew_point}, {}, {}, {})
        make_ordered(at, reported)
        assert (at.value["t2m"].tolist(), at.value["d2m"].tolist()) == expected
    assert temperature[0] == 280.0 and dew_point[0] == 284.0  # what was given is as it was


def test_a_variable_that_no_station_reports_is_climatology_and_trains_nothing():
    method, case = method_of(), hour()
    names = case.observations.variable
    without = replace(case, used=case.used & (names != "t2m"))
    points = case.points[case.withheld & (names == "t2m")]
    expected = climatology.mean("t2m", points.latitude, points.elevation, case.time)
    answer = method.analyse(without)
    np.testing.assert_allclose(answer.at("t2m", points)[0], expected, atol=1e-6)
    assert np.abs(method.analyse(case).at("t2m", points)[0] - expected).max() > 0.5
    sample = method.encode(without, 0)
    assert sample.mask[:, VARIABLES.index("t2m")].sum() == 0 < sample.mask.sum()


def test_a_case_without_a_target_on_the_tile_has_no_weight_and_trains_nothing():
    method = method_of()
    case = hour()
    sample = method.encode(
        replace(case, observations=replace(case.observations, flags=case.withheld * np.uint32(1))), 0
    )
    loss, weight, of_weights = gradients(method, sample, Alone(SHAPE))
    assert loss == weight == 0.0 and all(float(each.abs().max()) == 0.0 for each in of_weights.values())


def test_samples_of_unequal_numbers_of_stations_side_by_side_have_the_sum_of_their_losses():
    method = method_of()
    samples = [method.encode(hour(60), 0), method.encode(hour(25, seed=2, withheld=5), 1)]
    parts = [method.loss(each, Alone(SHAPE)) for each in samples]
    loss, weight = method.loss(ReportSample.join(samples), Alone(SHAPE))
    np.testing.assert_allclose(float(loss.detach()), sum(float(each.detach()) for each, _ in parts), rtol=1e-5)
    assert weight == sum(each for _, each in parts)
    hour_alone = method.heads._of_hour(samples[1].stations)
    torch.testing.assert_close(method.heads._of_hour(ReportSample.join(samples).stations)[1:], hour_alone)


def test_a_point_that_is_moved_off_its_station_has_the_same_target_where_only_the_first_guess_slopes():
    method, draw = method_of(), 4
    here, moved = method.encode(hour(), draw), method_of(rise=500.0).encode(hour(), draw)
    still = method_of(rise=0.0).encode(hour(), draw)
    assert float(moved.rise.abs().max()) > 2.0 * float(here.rise.abs().max()) > 0.0 == float(still.rise.abs().max())
    # the regression is linear in height: carried back, the departure is that at the station's own height
    torch.testing.assert_close(moved.target[:, 0], still.target[:, 0], atol=2e-3, rtol=1e-3)


def test_a_plane_is_interpolated_exactly_from_some_of_its_points():
    rows, columns = np.array([4, 8, 12, 13]), np.array([0, 4, 8])
    field = np.add.outer(np.arange(14) * 2.0, np.arange(9) * 0.5)
    filled = between(Box(6, 14, 1, 9), rows, columns)(field[np.ix_(rows, columns)].ravel())
    np.testing.assert_allclose(filled, field[6:14, 1:9], rtol=1e-6)


def test_probabilities_are_put_in_order_and_summed_up():
    ordered = ascending(np.array([[0.2, 0.1, 0.4, 0.9]]))
    np.testing.assert_allclose(ordered, [[0.15, 0.15, 0.4, 0.9]])
    mean, error = summary("sky_cover", np.array([[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0], [0.5, 0.5, 0.5, 0.5]]))
    np.testing.assert_allclose(mean, [1.0, 0.0, 0.5])
    np.testing.assert_allclose(error, [0.0, 0.0, 0.5], atol=1e-9)
    fog, clear = summary("visibility", np.array([np.linspace(0.6, 1, 8), np.zeros(8)]))[0]
    assert np.exp(fog) < 400.0 and np.exp(clear) == pytest.approx(16093.0)


def test_cases_without_a_variable_or_the_earth_are_refused_in_words():
    method = method_of()
    domain = toy().domain
    with pytest.raises(ContentsError, match="no reports of u10, v10, visibility, but of t2m"):
        method.check(Contents(domain, ("t2m",), ("K",), ("t2m",), True, False))
    plane = replace(domain, projection="plane", terrain=None, land=None)
    with pytest.raises(ContentsError, match="is a plane"):
        method.check(Contents(plane, VARIABLES, ("1",) * 4, VARIABLES, True, False))


def test_work_and_memory_can_be_counted_without_data():
    method = method_of()
    method.network.to("meta")
    loss, _ = method.loss(method.without_data((60, 80), 2), Alone((60, 80)))
    loss.backward()
    assert loss.device.type == "meta"


def test_a_small_training_improves_on_hours_that_it_never_saw():
    torch.manual_seed(0)
    method = build_vit(TINY | {"width": 16, "hidden": 32}, "test")
    method.settle(toy().domain)
    here, unseen = Alone(SHAPE), ReportSample.join([method.encode(hour(seed=seed), 0) for seed in (100, 101, 102)])

    @torch.no_grad()
    def score():
        loss, weight = method.loss(unseen, here)
        return float(loss) / weight

    before = score()
    update = torch.optim.AdamW(method.network.parameters(), lr=2e-3)
    for step in range(60):
        loss, weight = method.loss(method.encode(hour(seed=step % 10), 1 + step), here)
        update.zero_grad()
        (loss / weight).backward()
        update.step()
    assert score() < 0.95 * before


def test_a_draw_whose_targets_nobody_reports_has_a_weight_all_the_same():
    method, case = method_of(), hour()
    without = replace(case, used=np.zeros(len(case.used), bool))
    assert method.weight(method.encode(without, 0)) > 0


def test_variables_with_limits_alone_are_analysed_and_trained():
    method = build_vit(TINY | {"variables": ["visibility"], "rounds": 2}, "test")
    method.settle(toy().domain)
    assert all(each.numel() for each in method.network.parameters()), "DeepSpeed loses weights of no elements"
    loss, weight, of_weights = gradients(method, method.encode(hour(), 1), Alone(SHAPE))
    assert np.isfinite(loss) and weight > 0 and float(of_weights["decoder.head.weight"].abs().max()) > 0
    fields = method.analyse(hour()).fields()
    assert set(fields.values) == {"visibility"} and np.isfinite(fields.values["visibility"]).all()
