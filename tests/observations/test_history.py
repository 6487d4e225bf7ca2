"""A station against its own other reports: stuck values and spikes by hand, and a real day."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.observations.history import HistoryLimits, check_history
from mlrtma_dist.observations.quality import check_position, check_range, check_reports
from mlrtma_dist.observations.readers import read_observations
from mlrtma_dist.observations.table import Flag, Observations

MIDNIGHT = np.datetime64("2022-08-24T00:00:00")
LIMITS = HistoryLimits()


def series(values, *, variable="t2m", hours=None, station="A", network="metar", **more):
    hours = np.arange(len(values)) if hours is None else np.asarray(hours)
    time = MIDNIGHT + np.round(hours * 3600).astype("timedelta64[s]")
    size = len(values)
    return Observations.build(
        station=[station] * size,
        network=network,
        latitude=40.0,
        longitude=-100.0,
        time=time,
        variable=[variable] * size,
        value=values,
        **more,
    )


def flagged_rows(observations, flag, limits=LIMITS):
    return np.flatnonzero(check_history(observations, limits).flags & np.uint32(flag)).tolist()


@pytest.mark.parametrize(("variable", "value"), [("t2m", 288.0), ("d2m", 280.0), ("psfc", 98000.0)])
def test_a_value_that_stands_for_its_hours_is_stuck_and_one_change_frees_it(variable, value):
    hours = int(LIMITS.stuck[variable])
    still = np.full(hours + 1, value)
    assert flagged_rows(series(still, variable=variable), Flag.STUCK) == list(range(hours + 1))
    assert flagged_rows(series(still[:-1], variable=variable), Flag.STUCK) == []
    moved = still.copy()
    moved[hours // 2] += 0.5
    assert flagged_rows(series(moved, variable=variable), Flag.STUCK) == []


def test_few_reports_and_gaps_show_no_stuck_sensor():
    assert flagged_rows(series(np.full(5, 288.0), hours=[0, 5, 10, 15, 20]), Flag.STUCK) == []
    assert flagged_rows(series(np.full(20, 288.0), hours=[*range(10), *range(14, 24)]), Flag.STUCK) == []
    assert flagged_rows(series(np.full(20, 288.0), variable="visibility"), Flag.STUCK) == []


def test_a_wind_that_never_turns_is_stuck_in_both_components_and_a_calm_is_not():
    def wind(east, north, size=8):
        return Observations.concatenate(
            [series(np.full(size, east), variable="u10"), series(np.full(size, north), variable="v10")]
        )

    assert flagged_rows(wind(3.0, 4.0), Flag.STUCK) == list(range(16))
    assert flagged_rows(wind(0.0, 0.0), Flag.STUCK) == []
    turning = wind(3.0, 4.0)
    turning = replace(turning, value=np.where(turning.variable == "v10", 4.0 + np.arange(16) % 2, turning.value))
    assert flagged_rows(turning, Flag.STUCK) == []  # the eastward component alone stands still


def test_a_spike_is_flagged_and_not_what_stands_beside_it():
    assert flagged_rows(series([288.0, 289.0, 261.0, 290.0, 291.0]), Flag.STEP) == [2]
    assert flagged_rows(series([98000.0, 98100.0, 88000.0, 98200.0], variable="psfc"), Flag.STEP) == [2]
    # the limit: 19.4 K within an hour, and twice that after two
    assert flagged_rows(series([280.0, 280.0 + 19.3, 280.0]), Flag.STEP) == []
    assert flagged_rows(series([280.0, 280.0 + 19.5, 280.0]), Flag.STEP) == [1]
    assert flagged_rows(series([280.0, 280.0 + 30.0, 280.0], hours=[0, 2, 4]), Flag.STEP) == []


def test_a_front_is_no_spike_and_the_last_report_is_judged_by_two():
    assert flagged_rows(series([293.0, 292.0, 272.0, 271.0, 270.0]), Flag.STEP) == []  # it does not come back
    assert flagged_rows(series([288.0, 288.5, 261.0]), Flag.STEP) == [2]
    assert flagged_rows(series([261.0, 288.5, 288.0]), Flag.STEP) == [0]
    assert flagged_rows(series([288.0, 261.0]), Flag.STEP) == []  # nobody can tell which
    assert flagged_rows(series([288.0, 261.0, 288.0], hours=[0, 4, 8]), Flag.STEP) == []  # too long ago


def test_where_many_report_a_spike_is_told_by_what_is_usual_among_them():
    random = np.random.default_rng(5)
    stations = [series(288.0 + random.normal(0.0, 0.3, 12), station=str(k)) for k in range(60)]
    table = Observations.concatenate(stations)
    wrong = np.array([5, 125, 400])  # none beside the end of its series
    value = table.value.copy()
    value[wrong] += [4.0, -4.0, 5.0]  # far below 19.4 K
    assert flagged_rows(replace(table, value=value), Flag.STEP) == wrong.tolist()
    assert flagged_rows(table, Flag.STEP) == []
    # four stations tell nothing of what is usual
    assert flagged_rows(replace(table, value=value)[:48], Flag.STEP) == []


def test_stations_networks_and_flagged_reports_are_kept_apart():
    mixed = Observations.concatenate(
        [
            series([288.0, 289.0]),
            series([250.0, 251.0], station="B", hours=[0.5, 1.5]),
            series([240.0], network="other", hours=[0.7]),
        ]
    )
    assert flagged_rows(mixed, Flag.STEP | Flag.STUCK) == []
    rejected = series([288.0, 250.0, 288.0, 289.0], flags=[0, int(Flag.RANGE), 0, 0])
    assert flagged_rows(rejected, Flag.STEP) == []
    late = series([288.0, 261.0, 289.0], flags=[int(Flag.TIME), 0, int(Flag.TIME)])
    assert flagged_rows(late, Flag.STEP) == [1]  # hours outside the window are history


def test_copies_share_what_is_found_and_corrections_count_for_what_they_correct():
    copies = series([288.0, 261.0, 261.0, 289.0, 288.0], hours=[0, 1, 1, 2, 3])
    assert flagged_rows(copies, Flag.STEP) == [1, 2]
    corrected = series([288.0, 261.0, 288.5, 289.0], hours=[0, 1, 1, 2])
    assert flagged_rows(corrected, Flag.STEP) == []


def test_the_order_of_rows_changes_nothing():
    random = np.random.default_rng(3)
    table = Observations.concatenate(
        [series(np.where(random.random(40) < 0.1, 250.0, 288.0 + np.arange(40) % 3), station=str(k)) for k in range(20)]
    )
    order = random.permutation(len(table))
    whole, mixed = check_history(table), check_history(table[order])
    np.testing.assert_array_equal(whole.flags[order], mixed.flags)
    assert not whole.good.all()


def test_of_a_real_day_blunders_are_found_and_less_than_three_in_a_thousand_flagged(real_file):
    hours = [read_observations(real_file("sao", f"950318{hour:02d}_sao.cdf")) for hour in (10, 11, 12, 13, 14)]
    table = check_range(check_position(Observations.concatenate(hours)))
    checked = check_history(table)
    wrong = checked.flags & np.uint32(Flag.STEP | Flag.STUCK) != 0
    # Tuscaloosa said 261 K between 287 and 289 K
    tuscaloosa = wrong & (checked.station == "TCL") & (checked.variable == "t2m")
    np.testing.assert_allclose(checked.value[tuscaloosa], 260.9, atol=0.1)
    assert tuscaloosa.sum() == 1 and wrong.sum() < 3e-3 * table.good.sum()


def test_history_is_part_of_the_whole_check():
    checked = check_reports(series([288.0, 261.0, 289.0]), time=MIDNIGHT + np.timedelta64(1, "h"))
    assert (checked.flags & np.uint32(Flag.STEP) != 0).tolist() == [False, True, False]
