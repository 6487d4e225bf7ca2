"""Gross error and buddy checks: seeded errors in simulated fields, hand-made neighbourhoods, a real hour."""

import csv

import numpy as np
import pytest
from scipy.stats import binom

from mlrtma_dist.grid.domain import wrap_longitude
from mlrtma_dist.grid.points import cartesian
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.buddies import BuddyLimits, check_buddies
from mlrtma_dist.observations.departures import check_departures, observation_error, verifiable
from mlrtma_dist.observations.neighbours import leave_one_out, nearest_judges
from mlrtma_dist.observations.quality import check_reports
from mlrtma_dist.observations.quality_summary import summarise
from mlrtma_dist.observations.table import Flag, Observations

HOUR = np.datetime64("2022-08-24T06:00:00")


def smooth_field(random, position, deviation, length, waves=400):
    """A Gaussian random field with covariance deviation^2 exp(-(distance / length)^2 / 2), by random waves."""
    phase = position @ (random.normal(size=(3, waves)) / length) + random.uniform(0.0, 2.0 * np.pi, waves)
    return deviation * np.sqrt(2.0 / waves) * np.cos(phase).sum(axis=1)


def simulate(random, *, names, size, deviation=2.0, length=400e3, share=0.05):
    """Stations over North America that report smooth departures, their errors, and seeded errors of 5 sigma.

    Returns:
        The table (u10 above v10 for a wind), departures, positions, heights, mask of the bad rows.
    """
    latitude, longitude = random.uniform(25.0, 49.0, size), random.uniform(-120.0, -70.0, size)
    position, height = cartesian(latitude, longitude), random.gamma(1.0, 200.0, size)
    bad, turn = random.random(size) < share, random.uniform(0.0, 2.0 * np.pi, size)
    error = VARIABLES[names[0]].error
    shift = [np.sign(np.cos(turn))] if len(names) == 1 else [np.cos(turn), np.sin(turn)]
    tables, departures = [], []
    for name, direction in zip(names, shift, strict=True):
        noise = error * (random.normal(size=size) + 5.0 * direction * bad)
        departures.append(smooth_field(random, position, deviation, length) + noise)
        tables.append(
            Observations.build(
                station=[str(k) for k in range(size)],
                latitude=latitude,
                longitude=longitude,
                elevation=height,
                time=HOUR,
                variable=[name] * size,
                value=departures[-1],
            )
        )
    many = len(names)
    return (
        Observations.concatenate(tables),
        np.concatenate(departures),
        np.tile(position, (many, 1)),
        np.tile(height, many),
        np.tile(bad, many),
    )


def judge(table, departure, position, height, **more):
    spread = np.full(len(table), 2.0)
    checked = check_departures(table, departure, spread, **{k: v for k, v in more.items() if k == "withheld"})
    return check_buddies(checked, departure, position, height, **more)


@pytest.mark.parametrize("names", [("t2m",), ("u10", "v10")])
def test_of_5_sigma_errors_95_percent_are_found_and_1_percent_of_the_good_flagged(names, seed):
    table, departure, position, height, bad = simulate(np.random.default_rng(seed), names=names, size=10_000)
    flagged = ~judge(table, departure, position, height).good
    bad, flagged = bad[:10_000], flagged[:10_000]  # both components of a wind are one report
    # What chance does to rates of exactly 0.95 and 0.01 once in 10^5 runs: about 0.91 and 0.0145 here.
    assert (flagged & bad).sum() >= binom.ppf(1e-5, bad.sum(), 0.95)
    assert (flagged & ~bad).sum() <= binom.ppf(1 - 1e-5, (~bad).sum(), 0.01)


def test_in_an_hour_with_a_bad_first_guess_good_reports_stay_and_40_kelvin_do_not():
    table, departure, position, height, _ = simulate(
        np.random.default_rng(5), names=("t2m",), size=3000, deviation=5.0, share=0.0
    )
    departure[:20] += 40.0
    gross = check_departures(table, departure, np.zeros(3000)).flags & np.uint32(Flag.GROSS) != 0
    assert gross[:20].all()
    # Only the fixed limit of 15 K flags: 1 - P(|N(0, 5^2 + 1)| < 15) is 0.3 %, and the field is smooth, so it clusters.
    assert gross[20:].sum() == (np.abs(departure[20:]) > VARIABLES["t2m"].gross).sum()
    everything = judge(table, departure, position, height)
    assert (~everything.good[20:]).mean() < 0.015


def test_a_bad_station_does_not_condemn_its_neighbours_and_the_isolated_pass():
    latitude = np.append(40.0 + 0.1 * np.arange(10), [60.0, 61.9])
    table = Observations.build(
        station=[str(k) for k in range(12)],
        latitude=latitude,
        longitude=-100.0,
        elevation=300.0,
        time=HOUR,
        variable=["t2m"] * 12,
        value=288.0,
    )
    departure = np.array([0.3, -0.2, 0.1, 12.0, 0.4, -0.5, 0.2, 0.0, -0.1, 0.3, 9.0, -9.0])
    checked = check_buddies(table, departure, cartesian(latitude, np.full(12, -100.0)), np.full(12, 300.0))
    assert np.flatnonzero(~checked.good).tolist() == [3]
    assert checked.flags[3] == Flag.BUDDY


def test_both_components_of_a_wind_are_flagged_for_their_vector():
    random = np.random.default_rng(1)
    table, departure, position, height, _ = simulate(random, names=("u10", "v10"), size=3000, length=2000e3, share=0.0)
    departure[7] += 12.0
    checked = check_buddies(table, departure, position, height)
    assert checked.flags[7] == checked.flags[3007] == Flag.BUDDY
    departure[7] = departure[3007] = 15.0  # 21 m/s together, beyond the fixed 20
    gross = check_departures(table, departure, np.zeros(6000))
    assert gross.flags[7] == gross.flags[3007] == Flag.GROSS
    assert np.flatnonzero(~verifiable(table, departure)).tolist() == [7, 3007]


def test_withheld_stations_change_nothing_for_the_others_and_are_judged_themselves():
    random = np.random.default_rng(8)
    table, departure, position, height, bad = simulate(random, names=("t2m",), size=3500, length=1000e3)
    withheld = random.random(3500) < 0.3
    wild = np.where(withheld, random.normal(0.0, 14.0, 3500), departure)
    tame = np.where(withheld, 0.0, departure)
    one, two = (judge(table, d, position, height, withheld=withheld) for d in (wild, tame))
    absent = judge(table[~withheld], departure[~withheld], position[~withheld], height[~withheld])
    assert np.array_equal(one.flags[~withheld], two.flags[~withheld])
    assert np.array_equal(one.flags[~withheld], absent.flags)
    same = judge(table, departure, position, height, withheld=withheld)
    rejected = ~same.good & withheld
    assert (rejected & bad).sum() > 0.8 * (withheld & bad).sum() and (rejected & ~bad).sum() < 0.03 * withheld.sum()


def test_what_carries_a_flag_already_neither_judges_nor_is_judged():
    table, departure, position, height, _ = simulate(np.random.default_rng(2), names=("t2m",), size=600, share=0.0)
    rejected = np.arange(600) % 3 == 0
    table = table.flagged(rejected, Flag.PROVIDER)
    one = check_buddies(table, np.where(rejected, 14.0, departure), position, height)
    assert (one.flags[rejected] == Flag.PROVIDER).all()
    rest = check_buddies(table[~rejected], departure[~rejected], position[~rejected], height[~rejected])
    assert np.array_equal(one.flags[~rejected], rest.flags)


def test_the_buddy_check_does_not_depend_on_the_order_of_rows():
    random = np.random.default_rng(4)
    table, departure, position, height, _ = simulate(random, names=("u10", "v10"), size=500)
    order = random.permutation(1000)
    whole = check_buddies(table, departure, position, height)
    mixed = check_buddies(table[order], departure[order], position[order], height[order])
    assert np.array_equal(whole.flags[order], mixed.flags) and not whole.good.all()


def test_cloud_and_gust_are_left_to_the_fixed_limit():
    names = ["visibility", "ceiling", "sky_cover", "gust"] * 10
    table = Observations.build(
        station=[str(k) for k in range(40)],
        latitude=40.0 + 0.01 * np.arange(40),
        longitude=-100.0,
        time=HOUR,
        variable=names,
        value=1.0,
    )
    departure = np.tile([-5.0, -6.0, 1.0, 25.0], 10) * (np.arange(40) < 4)
    checked = judge(table, departure, cartesian(table.latitude, table.longitude), np.zeros(40))
    assert checked.good.all()
    departure[3] = 31.0
    assert check_departures(table, departure, np.zeros(40)).flags[3] == Flag.GROSS


def test_the_prediction_is_optimal_interpolation_by_hand():
    random = np.random.default_rng(11)
    place = random.uniform(0.0, 200e3, (30, 4))
    departure, error = random.normal(size=(30, 2)), random.uniform(0.5, 1.5, 30)
    near = nearest_judges(place, np.arange(30) > 3, count=6, radius=120e3)
    distance = np.linalg.norm(place[:, None] - place[None], axis=-1)
    residual, doubt = leave_one_out(
        np.arange(30), near, departure, error, place, variance=4.0, length=100e3, poor=np.inf
    )
    for k in range(30):
        expected = [j for j in np.argsort(distance[k]) if j != k and j > 3 and distance[k, j] <= 120e3][:6]
        assert near[k][near[k] >= 0].tolist() == expected
        B = 4.0 * np.exp(-distance[np.ix_(expected, expected)] / 100e3)
        b = 4.0 * np.exp(-distance[k, expected] / 100e3)
        weights = np.linalg.solve(B + np.diag(error[expected] ** 2), b)
        assert residual[k] == pytest.approx(np.linalg.norm(departure[k] - weights @ departure[expected]), abs=1e-9)
        assert doubt[k] == pytest.approx(4.0 - weights @ b, abs=1e-9)


def test_only_the_rule_fixed_before_looking_takes_a_station_out_of_verification():
    flags = [0, *(int(f) for f in Flag), 0, 0]
    size = len(flags)
    table = Observations.build(
        station=[str(k) for k in range(size)],
        latitude=40.0,
        longitude=-100.0,
        time=HOUR,
        variable=["t2m"] * size,
        value=288.0,
        flags=flags,
    )
    departure = np.zeros(size)
    departure[-2:] = [15.1, np.nan]
    kept = verifiable(table, departure)
    stay = {Flag.ELEVATION, Flag.GROSS, Flag.BUDDY, Flag.CONSISTENCY, Flag.STATION_LIST, Flag.STUCK, Flag.STEP}
    assert kept.tolist() == [True, *(f in stay for f in Flag), False, True]


def test_the_source_s_error_counts_and_metres_do_not_become_logarithms():
    table = Observations.build(
        station=["A"] * 4,
        latitude=0.0,
        longitude=0.0,
        time=HOUR,
        variable=["t2m", "t2m", "t2m", "visibility"],
        value=1.0,
        error=[2.5, np.nan, 0.0, 1000.0],
    )
    assert observation_error(table).tolist() == [2.5, 1.0, 1.0, 0.4]


def test_arrays_of_another_length_and_missing_heights_are_refused():
    table, departure, position, height, _ = simulate(np.random.default_rng(2), names=("t2m",), size=20)
    with pytest.raises(ValueError, match=r"departure: expected one value per report, shape \(20,\), got \(19,\)"):
        check_departures(table, departure[:-1], np.zeros(20))
    with pytest.raises(ValueError, match=r"withheld: expected one value per report"):
        check_buddies(table, departure, position, height, withheld=np.zeros(3, dtype=bool))
    with pytest.raises(ValueError, match=r"row 4 \(station 4\) has no height"):
        check_buddies(table, departure, position, np.where(np.arange(20) == 4, np.nan, height), limits=BuddyLimits())


def rap_temperatures(path):
    """Temperatures and surface pressures of a decoded PrepBUFR file."""
    columns = {
        name: []
        for name in ("station", "network", "latitude", "longitude", "elevation", "time", "variable", "value", "flags")
    }
    with open(path, newline="") as lines:
        for row in csv.DictReader(lines):
            for name, value, mark in (("t2m", row["TOB"], row["TQM"]), ("psfc", row["POB"], row["PQM"])):
                if not value or row["TYP"][0] != "1":
                    continue
                height = float(row["ELV"])
                seconds = np.timedelta64(round(3600.0 * float(row["DHR"])), "s")
                cells = (
                    row["SID"],
                    row["TYP"],
                    float(row["YOB"]),
                    float(wrap_longitude(float(row["XOB"]))),
                    np.nan if height == 9999 else height,
                    HOUR + seconds,
                    name,
                    float(value) + 273.15 if name == "t2m" else 100.0 * float(value),
                    int(Flag.PROVIDER) if mark and int(mark) > 3 else 0,
                )
                for column, cell in zip(columns.values(), cells, strict=True):
                    column.append(cell)
    return Observations.build(**columns)


def robust_departures(table):
    """Departures from a Huber regression on place and height, the first guess where there is no other."""
    x, y, z = (table.longitude + 95.0) / 20.0, (table.latitude - 38.0) / 12.0, np.nan_to_num(table.elevation) / 1000.0
    design = np.stack([x**i * y**j for i in range(4) for j in range(4 - i)] + [z, z * x, z * y], axis=1)
    weight = table.good.astype(float)
    for _ in range(15):
        root = np.sqrt(weight)
        departure = table.value - design @ np.linalg.lstsq(design * root[:, None], table.value * root, rcond=None)[0]
        scale = 1.48 * np.median(np.abs(departure[table.good]))
        weight = table.good * np.minimum(1.0, 1.5 * scale / np.maximum(np.abs(departure), 1e-9))
    return departure, scale


def test_of_a_real_hour_the_known_blunders_are_flagged_and_nearly_all_temperatures_stay(real_file):
    table = rap_temperatures(real_file("prepbufr", "rap.20220824.t06z.adpsfc.decoded.csv"))
    box = (table.latitude > 23) & (table.latitude < 51) & (table.longitude > -128) & (table.longitude < -65)
    table = check_reports(table[box], time=HOUR)
    blunder = (table.station == "KCBK") & (table.variable == "psfc")  # 266 hPa in Kansas
    assert (table.flags[blunder] & np.uint32(Flag.RANGE) != 0).all() and blunder.sum() == 3
    warm = table.of("t2m")
    departure, scale = robust_departures(warm)
    height = np.nan_to_num(warm.elevation)
    checked = judge(warm, departure, cartesian(warm.latitude, warm.longitude), height)
    # KOAR said -18 degC in California in August; in Las Vegas it was 35 degC near midnight, and true.
    castle = (checked.station == "KOAR") & (checked.flags & np.uint32(Flag.GROSS) != 0)
    assert castle.any() and scale < 3.0
    vegas = np.isin(checked.station, ["KLAS", "KVGT", "72386"])
    assert checked.good[vegas].sum() == vegas.sum() - (checked.flags[vegas] & np.uint32(Flag.DUPLICATE) != 0).sum()
    good = warm.good
    assert (~checked.good[good]).mean() < 0.01
    assert sum(t.good + sum(t.first.values()) for t in summarise(checked)) == len(warm)
