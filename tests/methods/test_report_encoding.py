"""What a network that reads reports is given: departures, set convolutions, neighbours; and how reports are divided."""

from dataclasses import replace

import numpy as np
import pytest
from report_cases import VARIABLES, hour

from mlrtma_dist.fields.static import make_static, station_points, with_broad_ground
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Size
from mlrtma_dist.methods.draws import divide, heights
from mlrtma_dist.methods.predictands import PREDICTANDS, Channels, Classes, limits, values
from mlrtma_dist.methods.report_encoding import WIDTHS, read_reports, set_convolutions, token_fields, tokens_of
from mlrtma_dist.names import EVENTS
from mlrtma_dist.observations.table import Observations

CHANNELS = Channels(VARIABLES)
PATCH = 8


@pytest.mark.parametrize("name", PREDICTANDS)
def test_limits_lie_between_the_values_of_the_classes_and_hold_those_of_the_events(name):
    each = PREDICTANDS[name]
    if isinstance(each, Classes):
        assert len(each.values) == len(each.limits) + 1 == len(each.frequency) + 1
        assert np.all(values(name)[:-1] < limits(name)) and np.all(limits(name) < values(name)[1:])
        assert np.all(np.diff(each.frequency) > 0) and set(EVENTS.get(name, ())) - {5.0} <= set(each.limits)


def test_a_report_is_its_departure_or_one_indicator_for_each_limit():
    fog = np.log([500.0])
    assert CHANNELS.of("t2m", np.array([1.5]), np.array([290.0])).tolist() == [[1.5]]
    assert CHANNELS.of("visibility", fog, fog).tolist() == [[0, 1, 1, 1, 1, 1, 1, 1]]
    assert CHANNELS.count == 3 + 8 and CHANNELS.slices["visibility"] == slice(3, 11)


def test_departures_are_from_a_regression_on_the_given_reports_alone():
    case = hour()
    inputs = case.used
    reports = read_reports(case, inputs, CHANNELS)
    rows = np.flatnonzero(inputs & (case.observations.variable == "t2m"))
    guess = reports.guess.mean("t2m", with_broad_ground(case.static, case.points)[rows])
    np.testing.assert_allclose(
        np.sort(reports.values[:, 0]), np.sort((case.value[rows] - guess) / PREDICTANDS["t2m"].scale), rtol=1e-9
    )
    changed = replace(case, observations=replace(case.observations, value=case.observations.value + 9.0 * ~inputs))
    again = read_reports(changed, inputs, CHANNELS)
    np.testing.assert_array_equal(again.plain, reports.plain)
    assert len(reports.points) == 48


def test_the_nearest_stations_of_a_station_are_others_and_fewer_are_marked():
    reports = read_reports(hour(), hour().used, CHANNELS)
    near = reports.near(reports.points.position, 6, skip=1)
    assert not (near == np.arange(48)[:, None]).any() and near.min() >= 0
    few = read_reports(hour(stations=3, withheld=0), np.ones(12, bool), CHANNELS)
    assert (few.near(few.points.position, 6, skip=1) == -1).sum(1).tolist() == [4, 4, 4]
    none = read_reports(hour(), np.zeros(240, bool), CHANNELS)
    assert (none.near(np.zeros((2, 3)), 6) == -1).all() and none.stations().values.shape == (1, 1, 11)


def test_set_convolutions_are_the_sums_over_all_stations():
    case = hour()
    reports = read_reports(case, case.used, CHANNELS)
    rows, columns = 15, 20
    fields = set_convolutions(reports, case.domain, PATCH, (0, rows), (0, columns)).reshape(3, 2, 4, rows, columns)
    y, x = (np.arange(count) * PATCH + 3.5 for count in (rows, columns))
    for width, (density, mean) in zip(WIDTHS, fields, strict=True):
        distance = (y[5] - reports.place[:, 0]) ** 2 + (x[7] - reports.place[:, 1]) ** 2
        weight = np.exp(-0.5 * distance * (case.domain.spacing_metres / width) ** 2)
        total = (weight * np.clip(reports.plain[:, 1], -4, 4)).sum() / max(weight.sum(), 0.1)
        np.testing.assert_allclose([density[1, 5, 7], mean[1, 5, 7]], [np.log1p(weight.sum()), total], rtol=1e-4)


def test_the_tokens_of_tiles_are_those_of_the_domain():
    whole, part = hour(), hour(box=Box(40, 120, 80, 160))
    fields, points = token_fields(read_reports(whole, whole.used, CHANNELS), whole, PATCH)
    own, own_points = token_fields(read_reports(part, part.used, CHANNELS), part, PATCH)
    np.testing.assert_allclose(own, fields[..., 5:15, 10:20], rtol=1e-5, atol=1e-5)
    place = points.place.reshape(15, 20, 3)[5:15, 10:20].reshape(1, -1, 3)
    np.testing.assert_array_equal(own_points.place, place)


def test_a_token_at_the_far_edge_has_the_means_of_the_points_that_it_has():
    case = hour(box=Box(112, 120, 0, 160))
    points, _ = tokens_of(case, 16)
    expected = case.static.terrain[112:120, 16:32].astype(float).mean()
    np.testing.assert_allclose(points.elevation[1], expected, rtol=1e-6)


def test_draw_0_is_the_case_as_it_is_and_others_divide_its_used_stations():
    case = hour()
    inputs, target = divide(case, 0)
    assert np.array_equal(inputs, case.used) and np.array_equal(target, case.withheld)
    alone = replace(case, withheld=np.zeros(len(case.used), bool))
    assert 0.15 < divide(alone, 0)[1].sum() / case.used.sum() < 0.25, "a case that withholds none"
    shares = []
    for draw in range(1, 200):
        inputs, target = divide(case, draw)
        assert not (inputs & target).any() and not ((inputs | target) & case.withheld).any() and target.any()
        stations = case.observations.station
        assert not set(stations[inputs]) & set(stations[target])
        shares.append(inputs.sum() / case.used.sum())
    shares = np.array(shares)
    assert shares.min() < 0.05 and shares.max() > 0.85 and 0.5 < np.mean((shares > 0.49) & (shares < 0.91)) < 0.9
    assert np.array_equal(divide(case, 7)[0], divide(hour(), 7)[0])


def test_all_names_of_a_station_are_on_one_side():
    case = hour(stations=20, withheld=0)
    table = case.observations
    second = replace(table, station=np.char.add("X", table.station), network=np.full(len(table), "other"))
    both = Observations.concatenate([table, second])
    twice = replace(case, observations=both, used=np.ones(len(both), bool), withheld=np.zeros(len(both), bool))
    for draw in range(1, 20):
        inputs, target = divide(twice, draw)
        assert np.array_equal(inputs[: len(table)], inputs[len(table) :])
        assert np.array_equal(target[: len(table)], target[len(table) :])


def test_heights_are_moved_for_half_of_the_points_and_never_in_draw_0():
    assert not heights(hour(), 0, 50, 100.0).any()
    moved = heights(hour(), 3, 4000, 100.0)
    assert 0.45 < (moved != 0).mean() < 0.55 and abs(moved[moved != 0].std() / 100.0 - 1.0) < 0.05


def test_broad_ground_is_that_of_the_grid_of_20_km_there_and_much_the_same_on_a_finer_one():
    case = hour()
    fine = case.static
    coarse_domain = replace(fine.domain, spacing=20000.0, size=Size(40, 30))
    coarse = make_static(coarse_domain, fine.terrain[::4, ::4], fine.land[::4, ::4])
    points = case.points[:60]
    own = station_points(coarse, points.latitude, points.longitude, points.elevation)
    broad = with_broad_ground(coarse, own)
    np.testing.assert_allclose(broad.relief, own.relief, rtol=1e-6, atol=1e-3)
    np.testing.assert_allclose(broad.land, own.land, rtol=1e-6, atol=1e-6)
    difference = with_broad_ground(fine, points).relief - own.relief
    assert difference.std() < 0.5 * (points.relief - own.relief).std()


def test_in_a_third_of_the_draws_variables_are_missing_at_all_or_half_of_the_stations_and_winds_together():
    case = hour()
    names = case.observations.variable
    complete = halves = without = alone = 0
    for draw in range(1, 400):
        inputs, target = divide(case, draw)
        stations = np.unique(case.station_number[inputs])
        if len(stations) < 20:
            continue
        share = {name: (inputs & (names == name)).sum() / len(stations) for name in np.unique(names[case.used])}
        assert share["u10"] == share["v10"] and target.any()
        assert all((target & (names == name)).any() for name in share), "targets are of all variables"
        complete += min(share.values()) > 0.9
        without += min(share.values()) == 0.0
        halves += 0.2 < min(share.values()) < 0.8
        alone += share["t2m"] > 0.9 and sum(share.values()) == share["t2m"]
        assert max(share.values()) > 0.9
    total = complete + without + halves
    assert 0.6 < complete / total < 0.9 and without > 10 and halves > 10 and alone > 2
