"""Several reports of one station as rows of their own: which, at which age, and nothing of them by default."""

from dataclasses import replace

import numpy as np
import pytest
from report_cases import TINY, hour, toy

from mlrtma_dist.methods.predictands import Channels
from mlrtma_dist.methods.regression_guess import on_regression
from mlrtma_dist.methods.report_encoding import FEW, read_reports
from mlrtma_dist.methods.report_sample import ReportSample
from mlrtma_dist.methods.report_times import other_times
from mlrtma_dist.methods.vit import build_vit
from mlrtma_dist.nn.layers import randomise
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.parallel.memory import run_tiles

VARIABLES = ("t2m", "u10", "v10", "visibility")
CHANNELS, SHAPE = Channels(VARIABLES), (120, 160)

pytestmark = pytest.mark.usefixtures("one_thread")


def hour_of_several(shift=0.0, box=None, ages=(-25, 28)):
    """The hour with two more reports of every station, flagged as duplicates, whose values differ by ``shift``."""
    case = on_regression(hour(box=box), VARIABLES)
    table, tables = case.observations, [case.observations]
    for minutes in ages:
        flags = table.flags | np.uint32(Flag.DUPLICATE)
        time = table.time + np.timedelta64(minutes, "m")
        tables.append(replace(table, time=time, flags=flags, value=table.value + shift))
    count = len(ages)
    return replace(
        case,
        observations=Observations.concatenate(tables),
        used=np.concatenate([case.used, *[np.zeros_like(case.used)] * count]),
        withheld=np.concatenate([case.withheld, *[case.withheld] * count]),
    )


def method_of(count, **more):
    method = build_vit(TINY | {"reports_per_station": count} | more, "test")
    randomise(method.network, 1)
    method.settle(toy().domain)
    return method


def test_of_a_station_the_nearest_others_in_time_are_given_and_none_of_a_withheld_one():
    case = hour_of_several()
    size = len(hour().observations)
    for count, expected in ((1, (0, 0)), (2, (192, 0)), (3, (192, 192)), (9, (192, 192))):
        others = other_times(case, case.used, count)
        assert tuple(others[size * n : size * (n + 1)].sum() for n in (1, 2)) == expected
        assert not others[:size].any() and not (others & case.withheld).any()
    chosen = case.used & (case.observations.variable == "t2m") & (case.station_number < 30)
    others = other_times(case, chosen, 2)
    assert others.sum() == chosen.sum() > 0
    assert set(case.station_number[others]) == set(case.station_number[chosen])
    assert set(case.observations.variable[others]) == {"t2m"}


def test_further_reports_are_those_of_the_window_of_methods_in_time():
    case = hour_of_several(ages=(-80,))
    table = case.observations
    early = table.time < case.time - np.timedelta64(1, "h")
    case = replace(
        case, observations=replace(table, flags=table.flags | np.where(early, Flag.TIME, 0).astype(np.uint32))
    )
    assert not other_times(case, case.used, 2).any()
    assert other_times(replace(case, in_time=np.timedelta64(90, "m")), case.used, 2).sum() == 192


def test_each_report_is_a_row_at_its_own_age_and_the_first_guess_is_that_of_the_nearest():
    case = hour_of_several(shift=1.0)
    one, three = (read_reports(case, case.used, CHANNELS, of_station=count) for count in (1, 3))
    assert len(one.points) == 48 and len(three.points) == 144
    assert np.unique(np.rint(three.age * 60.0)).tolist() == [-25.0, 0.0, 28.0] and not one.age.any()
    points = case.points[:9]
    np.testing.assert_array_equal(three.guess.mean("t2m", points), one.guess.mean("t2m", points))
    nearest = three.age == 0.0
    np.testing.assert_array_equal(np.sort(three.plain[nearest], axis=0), np.sort(one.plain, axis=0))
    later = three.age > 0.0
    t2m = VARIABLES.index("t2m")
    change = np.sort(three.plain[later, t2m]) - np.sort(three.plain[nearest, t2m])
    np.testing.assert_allclose(change, 1.0 / CHANNELS.scale[t2m], rtol=1e-6)
    features = three.stations().points.features
    assert np.isin(np.rint(features[0, :, -1].numpy() * 60.0), (-25, 0, 28)).all()


def test_the_neighbours_of_a_station_are_reports_of_others():
    case = hour_of_several()
    reports = read_reports(case, case.used, CHANNELS, of_station=3)
    near = reports.stations().points.near[0].numpy()
    assert near.shape == (144, FEW) and (near >= 0).all()
    assert not (reports.station[near] == reports.station[:, None]).any()
    few = on_regression(hour(stations=3, withheld=0), VARIABLES)
    alone = read_reports(few, few.used, CHANNELS, of_station=2).stations().points.near[0].numpy()
    assert ((alone >= 0).sum(1) == 2).all()


def test_by_default_other_reports_have_no_influence_and_with_the_setting_they_have():
    expected = method_of(1).analyse(on_regression(hour(), VARIABLES)).fields().values
    for shift in (0.0, 3.0):
        fields = method_of(1).analyse(hour_of_several(shift)).fields().values
        for name in VARIABLES:
            np.testing.assert_array_equal(fields[name], expected[name])
    one, two = (method_of(3).analyse(hour_of_several(shift)).fields().values["t2m"] for shift in (0.0, 3.0))
    assert np.abs(one - two).max() > 0.01
    assert method_of(3).entries == method_of(1).entries  # the same weights serve both


def test_with_several_reports_the_loss_on_tiles_is_that_of_one_rank():
    method = method_of(3)
    sample = method.encode(hour_of_several(0.5), 2)
    loss, weight = method.loss(ReportSample.join([sample]), Alone(SHAPE))

    def work(here):
        own, own_weight = method.loss(method.encode(hour_of_several(0.5, here.box), 2), here)
        return float(own.detach()), own_weight

    parts = run_tiles(SHAPE, (2, 2), work, align=method.alignment)
    assert sum(part[1] for part in parts) == weight > 0
    np.testing.assert_allclose(sum(part[0] for part in parts), float(loss.detach()), rtol=1e-5)


def test_no_other_report_of_a_target_is_given_in_any_draw():
    method, case = method_of(3), hour_of_several()
    for draw in range(4):
        sample = method.encode(case, draw)
        offset = sample.points.place[0][:, None] - sample.stations.points.place[0][None]
        assert float(offset.norm(dim=-1).min()) > 1.0


def test_no_report_of_a_station_is_refused_as_a_setting():
    with pytest.raises(ValueError, match="reports_per_station: expected more than 0, got 0"):
        method_of(0)
