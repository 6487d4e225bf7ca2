"""Withholding: stable, independent of row order, whole stations, whole boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from mlrtma_dist.grid.domain import EARTH_RADIUS
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import boxes, folds, hash_uniform, withhold

NAMES = np.array([f"S{k:05d}" for k in range(4000)])


def scattered(size, seed):
    """Names, latitudes and longitudes of stations strewn over North America."""
    random = np.random.default_rng(seed)
    return NAMES[:size], random.uniform(23.0, 60.0, size), random.uniform(-130.0, -65.0, size)


def test_the_hash_of_a_station_is_the_same_number_on_every_machine_and_for_ever():
    # Written down once; whoever changes them breaks every comparison with earlier scores.
    expected = {"KDEN": "0x1.18914115f4063p-1", "72469": "0x1.74ee8c6cdcb7bp-1", "CYYZ": "0x1.37df5386448e0p-3"}
    assert {name: hash_uniform(name, seed=1, purpose="withhold").hex() for name in expected} == expected
    assert hash_uniform(" KDEN  ", seed=1, purpose="withhold").hex() == expected["KDEN"]
    assert folds(np.array(["KDEN", "72469", "SHIP"]), count=10, seed=1).tolist() == [0, 6, 2]
    assert withhold(np.array(["KDEN", "72469", "CYYZ"]), fraction=0.5, seed=1).tolist() == [False, False, True]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text("ABCK0123456789", min_size=1, max_size=8), min_size=1, max_size=60),
    st.randoms(use_true_random=False),
)
def test_a_station_is_wholly_in_or_out_whatever_the_order_of_rows(names, random):
    stations = np.array(names)
    latitude = np.array([random.uniform(-90, 90) for _ in names])
    longitude = np.array([random.uniform(-180, 180) for _ in names])
    order = np.array(random.sample(range(len(names)), len(names)))
    for block in (None, 300.0):
        whole = folds(stations, count=7, seed=3, block_km=block, latitude=latitude, longitude=longitude)
        mixed = folds(
            stations[order], count=7, seed=3, block_km=block, latitude=latitude[order], longitude=longitude[order]
        )
        assert np.array_equal(whole[order], mixed)
        assert all(len(set(whole[stations == name])) == 1 for name in stations)


def test_mass_and_wind_reports_of_a_table_are_withheld_together():
    table = Observations.build(
        station=["A", "B", "C", "A", "B", "C"],
        network=["187"] * 3 + ["287"] * 3,
        latitude=40.0,
        longitude=-100.0,
        time=np.datetime64("2022-08-24T06:00"),
        variable=["t2m"] * 3 + ["u10"] * 3,
        value=1.0,
    )
    chosen = np.stack([withhold(table, fraction=0.5, seed=seed).reshape(2, 3) for seed in range(20)])
    assert np.array_equal(chosen[:, 0], chosen[:, 1])
    assert 0 < chosen.sum() < chosen.size


def test_the_withheld_fraction_and_the_folds_are_what_chance_allows(seed):
    out = withhold(NAMES, fraction=0.1, seed=seed).sum()
    low, high = binom.ppf([1e-6, 1 - 1e-6], len(NAMES), 0.1)
    assert low <= out <= high
    sizes = np.bincount(folds(NAMES, count=10, seed=seed), minlength=10)
    assert sizes.sum() == len(NAMES) and len(sizes) == 10
    assert low <= sizes.min() and sizes.max() <= high


def test_another_seed_and_the_folds_of_the_same_seed_choose_independently():
    one, two = withhold(NAMES, fraction=0.5, seed=1), withhold(NAMES, fraction=0.5, seed=2)
    fold = folds(NAMES, count=2, seed=1) == 0
    low, high = binom.ppf([1e-6, 1 - 1e-6], len(NAMES), 0.5)
    assert low <= (one == two).sum() <= high
    assert low <= (one == fold).sum() <= high


def test_a_fraction_of_nought_withholds_nobody_and_of_one_everybody():
    assert not withhold(NAMES, fraction=0.0, seed=5).any()
    assert withhold(NAMES, fraction=1.0, seed=5).all()


def test_withheld_and_used_stations_never_share_a_box():
    names, latitude, longitude = scattered(4000, 7)
    out = withhold(names, fraction=0.3, seed=11, block_km=250.0, latitude=latitude, longitude=longitude)
    row, column = boxes(latitude, longitude, 250.0)
    box = row * 10000 + column
    assert 0.1 < out.mean() < 0.5
    assert not set(box[out]) & set(box[~out])


def test_boxes_are_contiguous_and_nearly_square_and_of_nearly_equal_area():
    random = np.random.default_rng(1)
    latitude = np.degrees(np.arcsin(random.uniform(-0.94, 0.94, 200_000)))  # equally dense on the sphere, to 70 degrees
    longitude = random.uniform(-180.0, 180.0, 200_000)
    row, column = boxes(latitude, longitude, 1000.0)
    box = row * 10000 + column
    for number in np.unique(box)[::37]:
        inside = box == number
        height = np.radians(np.ptp(latitude[inside])) * EARTH_RADIUS
        width = (
            np.radians(np.ptp(longitude[inside])) * EARTH_RADIUS * np.cos(np.radians(np.abs(latitude[inside]).min()))
        )
        assert height <= 1.01e6 and width <= 1.3e6
    counts = np.unique(box, return_counts=True)[1]
    full = counts[(counts > 0.3 * np.median(counts))]  # bands cut at 70 degrees left aside
    assert full.max() / np.median(full) < 1.35 and len(full) > 0.85 * len(counts)


def test_no_box_is_cut_at_the_date_line_and_positions_on_the_edges_of_the_earth_have_one():
    row, column = boxes(np.array([0.0, 0.0, 90.0, -90.0]), np.array([180.0, -180.0, 12.0, 12.0]), 500.0)
    assert column[0] == column[1]
    assert row[2] == boxes(np.array([89.9]), np.array([0.0]), 500.0)[0][0] and row[3] == 0


def test_a_ship_stays_in_one_fold_and_a_station_without_position_has_one():
    names = np.array(["SHIP", "SHIP", "SHIP", "LOST"])
    latitude, longitude = np.array([10.0, 40.0, 40.0, np.nan]), np.array([-150.0, -60.0, -70.0, np.nan])
    fold = folds(names, count=50, seed=2, block_km=200.0, latitude=latitude, longitude=longitude)
    alone = folds(names[:1], count=50, seed=2, block_km=200.0, latitude=latitude[:1], longitude=longitude[:1])
    assert len(set(fold[:3])) == 1 and fold[0] == alone[0]
    assert 0 <= fold[3] < 50


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: withhold(NAMES, fraction=1.5, seed=1), "fraction of stations in"),
        (lambda: folds(NAMES, count=1, seed=1), "at least 2 folds"),
        (lambda: folds(NAMES, count=5, seed=1, block_km=100.0), "need the latitude and longitude"),
        (lambda: withhold(NAMES, fraction=0.1, seed=1, block_km=-5.0), "positive size in km"),
    ],
)
def test_what_cannot_be_withheld_is_refused_with_a_reason(call, words):
    with pytest.raises(ValueError, match=words):
        call()
