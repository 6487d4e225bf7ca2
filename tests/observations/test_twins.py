"""Twins: one station under several names is one for duplicates and for withholding, in one source and in several."""

import numpy as np
import pytest

from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.observations.quality import check_reports
from mlrtma_dist.observations.readers import PRECEDENCE, read_observations
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.observations.twins import twin_names, twin_numbers
from mlrtma_dist.observations.withhold import folds, hash_uniform, withhold

NOON = np.datetime64("2022-08-24T12:00:00")
KM = 1 / 111.2  # degrees of latitude


def table(*rows):
    """Rows of (station, network, km north of 40N, minutes after noon, variable, value[, elevation[, precedence]])."""
    rows = [(*row, *(100.0, 0)[len(row) - 6 :]) for row in rows]
    columns = list(zip(*rows, strict=True))
    return Observations.build(
        station=list(columns[0]),
        network=list(columns[1]),
        latitude=[40.0 + north * KM for north in columns[2]],
        longitude=-100.0,
        time=NOON + np.array(columns[3]) * np.timedelta64(60, "s"),
        variable=list(columns[4]),
        value=list(columns[5]),
        elevation=list(columns[6]),
        precedence=list(columns[7]),
    )


def groups(observations):
    """Which names stand together."""
    number = twin_numbers(observations)
    return sorted(sorted({*observations.station[number == k].tolist()}) for k in np.unique(number))


PAIR = (("72565", "181", 0.0, 0, "t2m", 288.4), ("KDEN", "187", 0.8, -7, "t2m", 288.15))


def test_a_wmo_number_and_an_icao_name_at_one_place_with_one_temperature_are_one_station():
    assert groups(table(*PAIR)) == [["72565", "KDEN"]]


@pytest.mark.parametrize(
    "other",
    [
        ("KDEN", "187", 3.5, -7, "t2m", 288.15),  # too far
        ("KDEN", "187", 0.8, -7, "t2m", 286.9),  # another temperature
        ("KDEN", "187", 0.8, -40, "t2m", 288.15),  # at another time
        ("KDEN", "181", 0.8, -7, "t2m", 288.15),  # a network does not list a station twice
        ("KDEN", "281", 0.8, -7, "t2m", 288.15),  # its wind type is the same network
        ("KDEN", "187", 0.8, -7, "t2m", 288.15, 300.0),  # on the hill above
        ("KDEN", "187", 0.8, -7, "psfc", 83000.0),  # nothing to compare
    ],
)
def test_neighbours_that_only_look_alike_stay_two_stations(other):
    assert groups(table(PAIR[0], other)) == [["72565"], ["KDEN"]]


def test_all_that_both_measured_must_agree_and_only_the_reports_nearest_in_time_are_compared():
    agreeing = table(*PAIR, ("72565", "181", 0.0, 30, "t2m", 295.0), ("KDEN", "187", 0.8, -9, "t2m", 280.0))
    assert groups(agreeing) == [["72565", "KDEN"]]
    windy = table(*PAIR, ("72565", "181", 0.0, 0, "u10", 5.0), ("KDEN", "187", 0.8, -7, "u10", -5.0))
    assert groups(windy) == [["72565"], ["KDEN"]]


def test_three_names_of_three_sources_are_one_and_a_dense_network_does_not_grow_together():
    three = table(*PAIR, ("DEN", "sao", 0.4, -7, "t2m", 288.15))
    assert groups(three) == [["72565", "DEN", "KDEN"]]
    dense = [(f"N{k:02d}", "188", 2.0 * k, 0, "t2m", 288.0) for k in range(20)]
    chain = table(*dense, ("KDEN", "187", 9.0, 0, "t2m", 288.0))
    sizes = sorted(len(g) for g in groups(chain))
    assert sizes == [1] * 19 + [2]


def test_rows_without_a_place_or_a_value_are_of_their_own_name_alone():
    lost = Observations.build(
        station=["A", "B", "C"], network=["1", "2", "3"], latitude=[np.nan, np.nan, 40.0], longitude=[0.0, np.nan, 0.0],
        time=[NOON, NOON, np.datetime64("NaT")], variable=["t2m"] * 3, value=[np.nan, 288.0, 288.0],
    )  # fmt: skip
    assert len(np.unique(twin_numbers(lost))) == 3
    assert twin_numbers(Observations.empty()).tolist() == [] and twin_names(Observations.empty()).tolist() == []


def test_withholding_takes_twins_together_and_leaves_other_stations_where_they_were():
    observations = table(*PAIR, ("KLAX", "187", 50.0, 0, "t2m", 288.0))
    for seed in range(40):
        fold = folds(observations, count=10, seed=seed)
        assert fold[0] == fold[1]
        assert fold[2] == int(hash_uniform("KLAX", seed=seed, purpose="folds") * 10)
        out = withhold(observations, fraction=0.5, seed=seed)
        assert out[0] == out[1]
    assert twin_names(observations).tolist() == ["72565", "72565", "KLAX"]


def test_of_one_report_in_several_sources_that_of_the_first_in_precedence_stays():
    sources = {kind: number for number, kind in enumerate(PRECEDENCE)}
    rows = [
        ("KDEN", "187", 0.0, -7, "t2m", 288.2, 100.0, sources["prepbufr"]),
        ("KDEN", "madis", 0.3, -7, "t2m", 288.25, 100.0, sources["madis"]),
        ("KDEN", "metar", 0.4, -7, "t2m", 288.15, np.nan, sources["metar"]),
        ("DEN", "sao", 0.8, -7, "t2m", 288.15, 100.0, sources["sao"]),
    ]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        checked = check_reports(table(*(rows[k] for k in order)), time=NOON)
        assert checked.network[checked.good].tolist() == ["187"]
        assert ((checked.flags & int(Flag.DUPLICATE)) != 0).sum() == 3
    turned = [(*row[:7], 4 - row[7]) for row in rows]
    checked = check_reports(table(*turned), time=NOON)
    assert checked.network[checked.good].tolist() == ["sao"]


def test_a_nearer_report_of_a_lesser_source_stays_and_a_rejected_one_gives_way():
    near = table(("KDEN", "187", 0.0, -20, "t2m", 288.2, 100.0, 0), ("KDEN", "sao", 0.0, -2, "t2m", 288.2, 100.0, 3))
    assert check_reports(near, time=NOON).good.tolist() == [False, True]
    same = table(("KDEN", "187", 0.0, -2, "t2m", 288.2, 100.0, 0), ("KDEN", "sao", 0.0, -2, "t2m", 288.2, 100.0, 3))
    rejected = same.flagged(np.array([True, False]), Flag.PROVIDER)
    assert check_reports(rejected, time=NOON).good.tolist() == [False, True]


def test_a_withheld_report_takes_no_other_one_from_the_analysis():
    both = table(*PAIR, ("KDEN", "187", 0.8, -3, "t2m", 288.15))
    checked = check_reports(both, time=NOON, withheld=np.array([True, False, False]))
    assert checked.good.tolist() == [True, False, True]  # the nearest of those that are not withheld
    assert check_reports(both, time=NOON, withheld=np.ones(3, dtype=bool)).good.sum() == 1
    copies = table(("A", "1", 0.0, 0, "t2m", 288.0, 100.0), ("B", "1", 0.01, 0, "t2m", 288.0, 100.0))
    assert check_reports(copies, time=NOON).good.tolist() == [True, False]
    assert check_reports(copies, time=NOON, withheld=np.array([True, False])).good.all()


def test_the_twins_of_a_real_file_are_found_whatever_the_order_of_rows(rap):
    names = twin_names(rap)
    stations = np.unique(np.stack([rap.station, names]), axis=1)
    assert stations.shape[1] == len(np.unique(rap.station))
    assert 1000 < stations.shape[1] - len(np.unique(names)) < 1300
    number_of = dict(stations.T.tolist())
    # WMO numbers of airports in Texas, New Mexico and Spain (WMO No. 9, volume A)
    for number, name in (("72263", "KSJT"), ("72365", "KABQ"), ("72250", "KBRO"), ("08221", "LEMD")):
        assert number_of[number] == number_of[name] == number
    order = np.random.default_rng(0).permutation(len(rap))
    np.testing.assert_array_equal(twin_names(rap[order]), names[order])


def test_no_station_of_a_real_file_verifies_itself_under_another_name(rap):
    """A withheld station's twin in another fold has, to within rounding, its very value."""
    conus = rap[(rap.latitude > 23) & (rap.latitude < 51) & (rap.longitude > -128) & (rap.longitude < -65)].of("t2m")
    fold = folds(conus, count=10, seed=0)
    unaware = folds(conus.station, count=10, seed=0)
    first = {name: k for k, name in reversed(list(enumerate(conus.station.tolist())))}
    names = (("72263", "KSJT"), ("72365", "KABQ"), ("72250", "KBRO"), ("72353", "KOKC"))
    pairs = [(first[a], first[b]) for a, b in names]
    assert all(fold[a] == fold[b] for a, b in pairs)
    assert any(unaware[a] != unaware[b] for a, b in pairs)


def test_a_file_given_twice_in_two_formats_is_used_once(real_file, tmp_path, rap):
    chosen = rap[(rap.variable == "t2m") & (rap.flags == 0) & (rap.latitude > 40) & (rap.longitude < -100)]
    write_csv(tmp_path / "copy.csv", chosen)
    both = Observations.concatenate([read_observations(tmp_path / "copy.csv"), chosen])
    six = np.datetime64("2022-08-24T06:00")
    checked, alone = check_reports(both, time=six), check_reports(chosen, time=six)
    used = checked[checked.good]
    assert set(used.source) == set(chosen.source)
    assert len(used) == alone.good.sum() > 500
