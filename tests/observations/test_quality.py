"""Quality control of the reports by themselves: every check on tables written by hand, and the counts."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.quality import (
    check_consistency,
    check_duplicates,
    check_elevation,
    check_outside,
    check_position,
    check_range,
    check_reports,
    check_time,
)
from mlrtma_dist.observations.quality_summary import ORDER, summarise, table, total
from mlrtma_dist.observations.reports import measurements, station_numbers, wind_partner
from mlrtma_dist.observations.table import Flag, Observations

NOON = np.datetime64("2022-08-24T12:00:00")


def minutes(*values):
    return NOON + np.array(values) * np.timedelta64(60, "s")


def make(**columns):
    """A table at 40N 100W at noon unless said otherwise."""
    size = len(columns["value"])
    usual = {
        "station": [f"S{k}" for k in range(size)],
        "latitude": 40.0,
        "longitude": -100.0,
        "time": NOON,
        "variable": ["t2m"] * size,
    }
    return Observations.build(**{**usual, **columns})


def carries(observations, flag):
    return ((observations.flags & np.uint32(flag)) != 0).tolist()


@st.composite
def tables(draw):
    """Any table: wild values, few stations so that they repeat, every variable, missing everything."""
    size = draw(st.integers(0, 20))
    number = st.one_of(st.floats(), st.sampled_from([np.nan, np.inf, 288.0, 1.0, 5000.0, 100000.0]))
    column = lambda items: draw(st.lists(items, min_size=size, max_size=size))  # noqa: E731
    times = np.array(column(st.sampled_from([0, 10, -10, 90])), dtype="timedelta64[m]") + NOON
    times[np.array(column(st.integers(0, 9)), dtype=int) == 0] = np.datetime64("NaT")
    return Observations.build(
        station=np.array(column(st.sampled_from(["A", "B", "C", "SHIP"])), dtype=str),
        network=np.array(column(st.sampled_from(["187", "287"])), dtype=str),
        latitude=column(st.sampled_from([40.0, 40.0004, 41.0, 95.0, np.nan])),
        longitude=column(st.sampled_from([-100.0, -100.5, -790.0, np.nan])),
        time=times,
        variable=np.array(column(st.sampled_from(sorted(VARIABLES))), dtype=str),
        value=column(number),
        elevation=column(number),
        flags=np.array(column(st.sampled_from([0, 0, 1])), dtype=np.uint32),
    )


@settings(max_examples=15, deadline=None)
@given(tables())
def test_checks_change_nothing_but_flags_drop_no_row_and_take_no_flag_back(observations):
    checked = check_reports(observations, time=NOON, domain=load_domain("conus"))
    assert len(checked) == len(observations)
    for field in fields(Observations):
        if field.name != "flags":
            np.testing.assert_array_equal(getattr(checked, field.name), getattr(observations, field.name))
    assert np.array_equal(checked.flags & observations.flags, observations.flags)
    good = checked[checked.good]
    assert np.isfinite(good.value).all() and np.isfinite(good.latitude).all() and not np.isnat(good.time).any()


@settings(max_examples=15, deadline=None)
@given(tables())
def test_the_counts_of_the_summary_add_up_to_the_number_read(observations):
    checked = check_reports(observations, time=NOON)
    tallies = summarise(checked)
    assert sum(t.good + sum(t.first.values()) for t in tallies) == sum(t.read for t in tallies) == len(observations)
    assert sum(t.good for t in tallies) == checked.good.sum()
    for flag in ORDER:
        assert sum(t.each[flag.name] for t in tallies) == sum(carries(checked, flag))
    assert table(tallies).splitlines()[-1].split()[:4] == [
        "all",
        "all",
        str(len(observations)),
        str(int(checked.good.sum())),
    ]


def test_the_summary_knows_every_flag_counts_by_first_reason_and_refuses_unknown_bits():
    assert set(ORDER) == set(Flag) and len(ORDER) == len(Flag)
    both = make(value=[1.0, 2.0], network=["187", "187"], flags=[int(Flag.RANGE | Flag.GROSS), 0])
    (tally,) = summarise(both)
    assert (tally.read, tally.good, tally.first["RANGE"], tally.first["GROSS"], tally.each["GROSS"]) == (2, 1, 1, 0, 1)
    assert total([tally, tally]).read == 4
    with pytest.raises(ValueError, match="no Flag"):
        summarise(replace(both, flags=np.array([1 << 20, 0], dtype=np.uint32)))


def test_values_outside_nature_not_finite_or_9999_are_out_of_range():
    observations = make(value=[288.0, 9999.0, np.nan, np.inf, -5.0, 193.15])
    assert carries(check_range(observations), Flag.RANGE) == [False, True, True, True, True, False]


def test_a_visibility_of_nought_or_of_75_km_is_good_and_a_negative_one_is_not():
    observations = make(value=[0.0, 75e3, -1.0, 99999.0, 20000.0, 1e6], variable=["visibility"] * 4 + ["ceiling"] * 2)
    assert carries(check_range(observations), Flag.RANGE) == [False, False, True, True, False, True]


def test_a_variable_nobody_knows_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match="unknown variable 'soil'.*t2m"):
        check_range(make(value=[1.0], variable=["soil"]))


def test_impossible_and_missing_positions_are_flagged():
    observations = make(
        value=[288.0] * 6, latitude=[40, 90.1, np.nan, 40, 40, -90], longitude=[-100, 0, 0, -790, np.nan, 179.9]
    )
    assert carries(check_position(observations), Flag.POSITION) == [False, True, True, True, True, False]


def test_the_edge_of_the_window_is_inside_and_a_missing_time_is_not():
    observations = make(value=[288.0] * 4, time=np.append(minutes(30, -31, 0), np.datetime64("NaT")))
    assert carries(check_time(observations, time=NOON), Flag.TIME) == [False, True, False, True]


def test_reports_beyond_the_margin_of_the_domain_are_outside():
    # The eastern edge of the Guam grid is near 147.1E at 13.5N; one degree is 108 km there.
    observations = make(value=[300.0] * 4, latitude=13.5, longitude=[144.8, 147.0, 150.0, -100.0])
    guam = load_domain("guam")
    inside = guam.contains(observations.latitude, observations.longitude)
    assert carries(check_outside(observations, domain=guam, margin=0.0), Flag.OUTSIDE) == (~inside).tolist()
    assert inside.tolist()[0] and not inside[2:].any()
    assert carries(check_outside(observations, domain=guam, margin=500e3), Flag.OUTSIDE) == [False, False, False, True]


def test_a_dew_point_above_the_temperature_is_flagged_beyond_rounding_and_the_temperature_is_not():
    observations = make(
        station=["A", "A", "B", "B", "C", "D"],
        variable=["t2m", "d2m", "t2m", "d2m", "d2m", "t2m"],
        value=[288.0, 288.5, 288.0, 288.7, 300.0, 280.0],
    )
    assert carries(check_consistency(observations), Flag.CONSISTENCY) == [False, False, False, True, False, False]


def test_a_gust_below_the_mean_wind_is_flagged():
    observations = make(
        station=["A", "A", "A", "B", "B", "B"],
        network=["287", "287", "187"] * 2,
        variable=["u10", "v10", "gust"] * 2,
        value=[6.0, 8.0, 9.0, 6.0, 8.0, 9.5],
    )
    assert carries(check_consistency(observations), Flag.CONSISTENCY) == [False, False, True, False, False, False]


def test_of_one_station_the_good_report_nearest_the_hour_stays_and_of_equals_the_later_row():
    observations = make(
        station=["A"] * 4 + ["B"] * 2,
        time=minutes(-20, 5, 1, -5, 0, 0),
        value=[288.0, 288.1, 9999.0, 288.3, 280.0, 280.5],
    )
    checked = check_duplicates(check_range(observations), time=NOON)
    assert carries(checked, Flag.DUPLICATE) == [True, True, True, False, True, False]


def test_one_report_of_each_station_and_variable_stays_whatever_the_order_of_rows():
    random = np.random.default_rng(3)
    observations = make(
        station=random.choice(["A", "B", "C", "D"], 200),
        time=minutes(*random.permutation(200)),
        value=random.uniform(270, 300, 200),
        variable=random.choice(["t2m", "d2m"], 200),
    )
    order = random.permutation(200)
    whole, mixed = check_duplicates(observations, time=NOON), check_duplicates(observations[order], time=NOON)
    assert whole.good.sum() == 8
    assert np.array_equal(whole.flags[order], mixed.flags)


def test_two_names_at_one_place_with_one_value_and_time_are_one_station():
    observations = make(  # 0.0005 degree of latitude are 56 m, 0.005 are 556 m
        latitude=[40.0, 40.0005, 40.005, 40.0, 40.0],
        value=[288.0, 288.0, 288.0, 288.1, 288.0],
        time=minutes(0, 0, 0, 0, 1),
    )
    assert carries(check_duplicates(observations, time=NOON), Flag.DUPLICATE) == [False, True, False, False, False]


def test_a_copy_of_a_rejected_report_stays():
    observations = make(value=[288.0, 288.0], flags=[int(Flag.PROVIDER), 0])
    assert carries(check_duplicates(observations, time=NOON), Flag.DUPLICATE) == [False, False]


def test_winds_of_two_names_are_copies_only_if_both_components_are():
    observations = make(
        station=["A", "A", "B", "B", "C", "C"], variable=["u10", "v10"] * 3, value=[1.0, 2.0, 1.0, 5.0, 1.0, 2.0]
    )
    assert carries(check_duplicates(observations, time=NOON), Flag.DUPLICATE) == [False] * 4 + [True] * 2


def test_ships_that_share_a_name_are_told_apart_by_place():
    observations = make(station=["SHIP"] * 3, latitude=[40.0, 40.1, 10.0], value=[288.0, 288.1, 300.0])
    number = station_numbers(observations, 50e3)
    assert number[0] == number[1] != number[2]
    assert carries(check_duplicates(observations, time=NOON), Flag.DUPLICATE) == [True, False, False]


def test_the_components_of_a_wind_find_each_other_and_share_their_flags():
    observations = make(
        station=["A", "B", "A", "B", "A", "A", "C"],
        variable=["u10", "u10", "v10", "v10", "u10", "v10", "u10"],
        value=[1.0, 500.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    )
    assert wind_partner(observations).tolist() == [2, 3, 0, 1, 5, 4, -1]
    assert carries(check_range(observations), Flag.RANGE) == [False, True, False, True, False, False, False]
    assert {kind: rows.shape for kind, rows in measurements(observations).items()} == {"u10": (1, 1), "wind": (3, 2)}


def test_a_station_far_above_its_terrain_is_flagged_less_readily_in_mountains_and_never_without_a_height():
    observations = make(value=[288.0] * 4, elevation=[500.0, 500.0, np.nan, 500.0])
    checked = check_elevation(
        observations,
        terrain=np.array([100.0, 100.0, 100.0, np.nan]),
        terrain_range=np.array([50.0, 800.0, 0.0, np.nan]),
    )
    assert carries(checked, Flag.ELEVATION) == [True, False, False, False]
    with pytest.raises(ValueError, match=r"terrain: expected one value per report, shape \(4,\)"):
        check_elevation(observations, terrain=np.zeros(3), terrain_range=np.zeros(4))


def test_flagged_copies_of_a_table_are_grouped_once_and_other_tables_anew():
    observations = make(station=["A", "A", "B"], variable=["u10", "v10", "u10"], value=[1.0, 2.0, 3.0])
    flagged = observations.flagged(np.array([False, True, False]), Flag.RANGE)
    for function, arguments in ((wind_partner, ()), (measurements, ()), (station_numbers, (50e3,))):
        assert function(flagged, *arguments) is function(observations, *arguments)
    assert station_numbers(observations, 1e3) is not station_numbers(observations, 50e3)
    other = observations[np.array([True, False, True])]
    assert wind_partner(other).tolist() == [-1, -1] != wind_partner(observations).tolist()
    assert wind_partner(replace(observations, time=np.arange(3).astype("datetime64[s]"))).tolist() == [-1] * 3
    with pytest.raises(ValueError, match="read-only"):
        wind_partner(observations)[0] = 2
