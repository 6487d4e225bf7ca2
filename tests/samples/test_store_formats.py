"""What a store keeps of cases: every column of the reports, the domain and the world; older formats are read."""

from dataclasses import replace

import numpy as np
import pytest
from invented import Invented, Reports, plane

from jobs import samples
from mlrtma_dist import config
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.io import hdf5
from mlrtma_dist.io.hdf5 import StoreError
from mlrtma_dist.methods.case import Contents
from mlrtma_dist.observations.table import Flag
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.layout import Layout
from mlrtma_dist.samples.store import Store
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane
from mlrtma_dist.simulation.shallow_plane import ShallowPlane
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather

NAMES = ("t2m", "visibility")
# Case 3 of the shipped recipes as commit 5189183 stored it: fields at point (5, 7), sum of values, of places, and the
# first report's place and value. Stores of this software are bit-identical on one machine; others differ in rounding.
STORED = {
    "exercise1_small": (
        (-0.8492549061775208, -0.6701102256774902),
        0.20083277160301805,
        12292.0,
        (0.0, 9.0),
        0.24841253459453583,
    ),
    "exercise2_small": (
        (4.8533935546875, 2.9409284591674805, -2.077666759490967),
        1020.9606265816838,
        27979.0,
        (0.0, 5.0),
        8.0944051,
    ),
    "weather_toy": (
        (287.8894348, 281.8649598, -1.9852711, 7.8812437, 288.5464478, 282.7702637, 0.806345284, 10.1569109),
        167181.32035622746,
        169453.390625,
        (12.873046875, 31.20703125),
        293.75,
    ),
}


def stations_of_toy() -> Reports:
    """Reports with a value in every column, some between points, one flagged, one by a doubt that may be used."""
    place = np.array([[3.25, 4.75], [60.5, 80.0], [110.123456789, 3.0], [-0.5, 159.25]])
    time = np.datetime64("2026-01-01", "s") + np.array([0, 725, -1800, 3]).astype("timedelta64[s]")
    columns = {
        "station": np.array(["KDEN", "ZÜRICH", "A" * 32, ""]),
        "network": np.array(["METAR", "MESONET", "", "SHIP"]),
        "elevation": np.array([1655.3, 12.5, np.nan, -3.0]),
        "time": time,
        "flags": np.array([0, Flag.GROSS, Flag.BUDDY, 0], np.uint32),
    }
    return Reports(
        place, np.array([281.25, 1e4, 290.5, 273.0]), np.array([1.5, 2e3, 1.0, 0.5]), np.array([0, 1, 0, 0]), columns
    )


def source_of_toy(reports: Reports | None = None) -> Invented:
    """Two cases on the toy domain, of two variables with backgrounds."""
    contents = Contents(load_domain("toy"), NAMES, ("K", "m"), NAMES, background=True, truth=True)

    def fields(number: int, box: Box) -> np.ndarray:
        rows, columns = np.meshgrid(np.arange(box.y0, box.y1), np.arange(box.x0, box.x1), indexing="ij")
        return np.stack([270.0 + rows / 8 + number, 9e3 + columns, 271.0 + columns / 8, 8e3 + rows]).astype(np.float32)

    return Invented(contents, fields, lambda number: reports or stations_of_toy(), count=2)


@pytest.fixture(scope="module")
def toy_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("formats") / "toy.h5"
    with Ranks.start(device="cpu") as ranks:
        build_store(path, source_of_toy(), ranks)
    return Store(path)


def test_every_column_of_the_reports_comes_back_as_it_was(toy_store):
    expected, stored = source_of_toy().reports(1), toy_store.reports(1)
    order = [list(stored.station).index(name) for name in expected.station]
    stored = stored[np.array(order)]
    for name in ("station", "network", "time", "variable", "value", "error", "flags", "latitude", "longitude"):
        np.testing.assert_array_equal(getattr(stored, name), getattr(expected, name), err_msg=name)
    np.testing.assert_array_equal(stored.elevation, expected.elevation.astype(np.float32))


def test_a_case_of_a_store_is_the_case_it_was_made_of(toy_store):
    box, withheld = Box(32, 90, 10, 77), np.array([True, False, False, False])
    case, expected = toy_store.case(1, box, withheld), source_of_toy().case(1, box)
    assert (case.time, case.box, case.variables, case.units) == (
        expected.time,
        box,
        NAMES,
        {"t2m": "K", "visibility": "m"},
    )
    for group in ("background", "truth"):
        for name in NAMES:
            np.testing.assert_array_equal(getattr(case, group)[name], getattr(expected, group)[name])
    np.testing.assert_array_equal(case.used, case.observations.usable & ~withheld)
    assert sorted(case.observations.flags[~case.observations.usable]) == [Flag.GROSS]
    row, column = case.domain.index(case.observations.latitude, case.observations.longitude)
    np.testing.assert_allclose(case.grid_place, np.stack([row, column], 1), atol=1e-6)


def test_the_first_guess_of_a_stored_case_is_its_background_at_the_height_of_the_terrain(toy_store):
    case = toy_store.case(0, Box(20, 40, 30, 50))
    at_points = case.first_guess.mean("t2m", case.grid_points()).reshape(case.box.shape)
    np.testing.assert_allclose(at_points, case.background["t2m"], atol=1e-3)
    visibility = case.first_guess.mean("visibility", case.grid_points()).reshape(case.box.shape)
    np.testing.assert_allclose(visibility, np.log(case.background["visibility"]), atol=1e-5)


def test_a_tile_reads_the_reports_that_it_owns_and_no_whole_field(toy_store):
    rows = [toy_store.case_of_tile(0, box) for box in (Box(0, 60, 0, 160), Box(60, 120, 0, 160))]
    assert sorted(np.concatenate([case.observations.value for case in rows])) == [273.0, 281.25, 290.5, 1e4]
    np.testing.assert_array_equal(np.sort(rows[0].observations.value), [273.0, 281.25])  # 60.5 belongs to row 61
    before = toy_store.reader.bytes_read
    toy_store.case_of_tile(0, Box(0, 32, 0, 32))
    assert toy_store.reader.bytes_read - before < 0.25 * 4 * 120 * 160 * 4


def test_a_store_opens_without_a_configuration_on_the_domain_of_its_cases(toy_store, tmp_path, monkeypatch):
    expected = source_of_toy().contents
    monkeypatch.setattr(config, "configs_root", lambda: tmp_path)
    assert Store(toy_store.reader.path).contents == expected


def test_a_name_longer_than_its_column_is_refused_with_its_length(tmp_path):
    reports = stations_of_toy()
    reports.columns["station"] = np.array(["KDEN", "Ü" * 17, "B", "C"])
    with Ranks.start(device="cpu") as ranks, pytest.raises(StoreError, match="station 'ÜÜ.*at most 32 bytes .*got 34"):
        build_store(tmp_path / "long.h5", source_of_toy(reports), ranks)
    assert list(tmp_path.iterdir()) == []


def write_former(path, layout: Layout, number: int, place, value, variable) -> None:
    """A store of one case as format 1 or 2 had it: float32 places and no more columns than these."""
    attributes = layout.attributes() | {"format": f"mlrtma samples {number}"}
    later = ("grid",) if number == 2 else ("grid", "observed", "units")
    count, columns = len(value), {"place": "float32", "value": "float32", "error": "float32", "variable": "uint8"}
    arrays = {name: array for name, array in layout.arrays(1).items() if name in ("time", "fields", "first")}
    for name, dtype in columns.items():
        shape = (count, 2) if name == "place" else (count,)
        arrays[name] = hdf5.Array(shape, dtype, tuple(max(1, size) for size in shape), grows=True)
    hdf5.create(path, arrays, {k: v for k, v in attributes.items() if k not in later}, None)
    order = np.argsort(layout.chunk_of(place), kind="stable")
    first = np.searchsorted(layout.chunk_of(place)[order], np.arange(np.prod(layout.chunk_table) + 1))
    values = {"first": first[None], "place": place[order], "value": value[order], "variable": variable[order]}
    values["error"] = np.full(count, 0.25)
    values["fields"] = np.arange(np.prod(layout.shape) * len(layout.fields), dtype=float).reshape(1, -1, *layout.shape)
    slabs = [hdf5.Slab(name, (0,) * each.ndim, each.astype(arrays[name].dtype)) for name, each in values.items()]
    hdf5.write(path, slabs, None)


@pytest.mark.parametrize("number", [1, 2])
def test_older_formats_are_read_and_what_they_lack_is_not_known(tmp_path, number):
    layout = Layout("plane_of_old", (8, 8), True, ("background", "truth"), ("field",), edge=4)
    place, value = np.array([[7.0, 1.0], [2.0, 3.0], [5.0, 6.0]]), np.array([3.0, 1.0, 2.0])
    write_former(tmp_path / "old.h5", layout, number, place, value, np.zeros(3, int))
    store = Store(tmp_path / "old.h5")
    assert store.layout == layout and (store.layout.observed, store.layout.units) == (("field",), ("1",))
    assert store.domain.shape == (8, 8) and store.domain.is_plane and store.domain.periodic and store.law is None
    for case in (store.case(0, Box.whole((8, 8))), store.case_of_tile(0, Box.whole((8, 8)))):
        reports = case.observations
        order = np.argsort(reports.value)
        np.testing.assert_array_equal(case.grid_place[order], place[[1, 2, 0]])
        assert (reports.error == 0.25).all() and case.used.all() and (reports.time == case.time).all()
        assert np.isnan(reports.latitude).all() and np.isnan(reports.elevation).all() and (reports.station == "").all()
        expected = case.truth["field"][tuple(place[0].astype(int))] - 64.0  # the background lies 64 below the truth
        assert case.background["field"][7, 1] == expected
        np.testing.assert_allclose(case.departure[order[2]], 3.0 - expected)


def test_an_older_format_on_the_earth_has_positions_by_its_domain(tmp_path):
    domain = load_domain("toy")
    layout = Layout("toy", domain.shape, False, ("background_t2m", "truth_t2m"), ("t2m",))
    place = np.array([[3.25, 4.5], [100.0, 80.75]])
    write_former(tmp_path / "old.h5", layout, 2, place, np.array([1.0, 2.0]), np.zeros(2, int))
    store = Store(tmp_path / "old.h5")
    reports = store.reports(0)
    np.testing.assert_allclose(np.stack([reports.latitude, reports.longitude]), domain.position(*place.T), atol=1e-9)
    assert store.domain == domain and store.contents.units == ("1",)


def test_a_file_of_another_format_is_refused_with_the_way_out(tmp_path):
    hdf5.create(tmp_path / "other.h5", {}, {"format": "something else"}, None)
    with pytest.raises(StoreError, match="expected the format 'mlrtma samples 3', got 'something else'.*anew with"):
        Store(tmp_path / "other.h5")


@pytest.mark.parametrize(
    ("text", "world"),
    [
        ("cases: {gaussian_plane: {size: 8, observations: 5}}", GaussianPlane(size=8, observations=5)),
        ("cases: 12\nshallow_plane: {seed: 9}", ShallowPlane(seed=9)),  # formats 1 and 2
        ("cases: 12\ntwins: {every: 5}", SimulatedWeather(every=5)),
        ("cases: {reports: null}", None),
    ],
)
def test_a_store_gives_back_the_world_that_made_it(tmp_path, text, world):
    cases = Invented(
        Contents(plane((8, 8)), ("a",), ("1",), ("a",), background=False, truth=True),
        lambda n, box: np.zeros((1, 8, 8)),
    )
    with Ranks.start(device="cpu") as ranks:
        build_store(tmp_path / "world.h5", cases, ranks, notes={"made_by": text})
    assert Store(tmp_path / "world.h5").law == world


@pytest.mark.parametrize("recipe", list(STORED))
def test_recipes_of_the_exercises_make_the_stores_they_made_before(tmp_path, recipe):
    fields, values, places, place, value = STORED[recipe]
    run = config.load(samples.Run, config.find("samples", recipe))
    run = replace(run, cases=replace(run.cases, count=4), output=str(tmp_path / "store.h5"))
    samples.make(run)
    store = Store(run.output)
    table = store.observations(3, *(range(size) for size in store.layout.shape))
    np.testing.assert_allclose(store.fields(3, range(5, 6), range(7, 8))[:, 0, 0], fields, rtol=1e-4, atol=1e-4)
    assert table.value.sum(dtype=float) == pytest.approx(values, rel=1e-5, abs=1e-3)
    assert table.place.sum() == pytest.approx(places, rel=1e-7)
    np.testing.assert_allclose(table.place[0], place, rtol=1e-6)
    assert table.value[0] == pytest.approx(value, rel=1e-5)


def test_layouts_that_cannot_be_are_refused():
    with pytest.raises(StoreError, match=r"background \(with or without its error\) for each or none"):
        Layout("plane", (8, 8), True, ("b", "h", "u"), ("h", "u"))
    with pytest.raises(StoreError, match="for each or none, got the fields error_h, h in 1"):
        Layout("plane", (8, 8), True, ("error_h", "h"), ("h",))
    with pytest.raises(StoreError, match="what is observed must be h"):
        Layout("plane", (8, 8), True, ("b", "h"), ("h",), observed=("h", "o1"))
