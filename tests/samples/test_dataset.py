"""The dataset: what a case looks like to a network, its symmetries, and reading ahead."""

import itertools
import threading

import numpy as np
import pytest
from invented import Invented, Reports, plane

from mlrtma_dist.config import ConfigError, build
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.case import Contents
from mlrtma_dist.methods.encode import encode
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.methods.unet import UNetMethod, UNetSettings
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.dataset import Dataset
from mlrtma_dist.samples.pipeline import read_ahead
from mlrtma_dist.samples.statistics import gather_statistics
from mlrtma_dist.samples.store import Store
from mlrtma_dist.samples.symmetry import Symmetry
from mlrtma_dist.simulation.gaussian_plane import Field, GaussianPlane

PLANE = GaussianPlane(size=32, truth=Field(8.0, 2.0), observations=60, seed=4)
CASES = 6
UNITS = Statistics(("background_field", "truth_field"), (0.0, 0.5), (1.0, 2.0), CASES, "", "")
SMALL = UNetSettings(widths=(8, 8), groups=2)
WRAPS = plane(PLANE.shape, periodic=True)


def built(path, source, edge: int = 16) -> Store:
    """A store of a source's cases."""
    with Ranks.start(device="cpu") as ranks:
        build_store(path, source, ranks, edge=edge)
    return Store(path)


def dataset(*stores: Store, tile: Tile | None = None, **more) -> Dataset:
    """The stores' cases as the samples of a small U-net."""
    return Dataset(stores, tile or whole(), UNetMethod(SMALL, UNITS), **more)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return built(tmp_path_factory.mktemp("dataset") / "plane.h5", PLANE.on(WRAPS, count=CASES))


def whole() -> Tile:
    return Tile.whole(PLANE.shape, (True, True))


def test_a_case_is_background_departure_and_mask_in_units_of_the_truth(store):
    sample = dataset(store).batch([2])
    ((truth,), (background,), table) = (each.values() if isinstance(each, dict) else each for each in PLANE.draw(2))
    np.testing.assert_allclose(sample.target[0, 0], (truth - 0.5) / 2, atol=1e-6)
    np.testing.assert_allclose(sample.inputs[0, 0], (background - 0.5) / 2, atol=1e-6)
    departure, mask = np.zeros((2, 32, 32))
    at = tuple(table.place.T)
    departure[at], mask[at] = (table.value - background[at]) / 2, 1.0
    np.testing.assert_allclose(sample.inputs[0, 1], departure, atol=1e-6)
    np.testing.assert_array_equal(sample.inputs[0, 2], mask)
    assert sample.mask is None and sample.time[0] == PLANE.on(WRAPS, count=3).time[2]


def test_observations_of_one_cell_are_averaged_and_no_observation_is_zero():
    cell = np.array([[4, 7], [4, 7], [5, 8], [4, 7]])
    channels = np.full((4, 2, 3), np.nan, np.float32)
    encode(cell, np.array([1.0, 2.0, 5.0, 9.0]), np.array([0, 0, 0, 1]), Box(4, 6, 7, 10), channels)
    np.testing.assert_array_equal(channels[0], [[1.5, 0, 0], [0, 5, 0]])
    np.testing.assert_array_equal(channels[1], [[9, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(channels[2:], channels[:2] != 0)


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("mirror", [(False, False), (True, False), (False, True), (True, True)])
def test_a_symmetry_moves_field_and_observations_alike(transpose, mirror):
    symmetry = Symmetry(9, (4, 7), mirror, transpose, -1)
    field, box = np.random.default_rng(1).standard_normal((9, 9)), Box(2, 6, 3, 9)
    moved = np.empty((9, 9))
    places = np.stack(np.divmod(np.arange(81), 9), 1)
    moved[tuple(symmetry.place(places).astype(int).T)] = -field.ravel()
    rows, columns = symmetry.source(box)
    read = field[np.ix_(np.array(rows) % 9, np.array(columns) % 9)]
    np.testing.assert_array_equal(symmetry.field(read), moved[2:6, 3:9])


def test_variants_differ_from_the_case_and_from_each_other_and_come_back_with_the_seed(store):
    data = dataset(store, variants=3, seed=1)
    assert len(data.time) == 3 * CASES
    targets = [data.batch([index]).target.numpy() for index in (1, 1 + CASES, 1 + 2 * CASES)]
    # a shift, a mirror or a turn only moves values, a change of sign turns them about the mean
    for one in targets[1:]:
        assert np.std(np.abs(one)) == pytest.approx(np.std(np.abs(targets[0])), rel=1e-4)
    assert min(np.abs(a - b).max() for a, b in itertools.combinations(targets, 2)) > 0.5
    again = dataset(store, variants=3, seed=1).batch([1 + CASES]).target.numpy()
    np.testing.assert_array_equal(again, targets[1])


def test_cases_to_validate_with_are_shown_once_as_they_are(store):
    data = dataset(store, variants=4, plain_from=store.time[4])
    times, counts = np.unique(data.time, return_counts=True)
    assert counts.tolist() == [4, 4, 4, 4, 1, 1]
    last = int(np.flatnonzero(data.time == times[-1])[0])
    np.testing.assert_array_equal(data.batch([last]).target, dataset(store).batch([5]).target)


def test_cases_of_stores_to_validate_with_are_the_last_and_shown_once_as_they_are(store):
    samples = dataset(store, store, variants=3, held_out=1)
    assert len(samples.time) == CASES + CASES + 2 * CASES, (
        "all as they are, then the first store's under two symmetries"
    )
    assert np.flatnonzero(samples.validates).tolist() == list(range(CASES, 2 * CASES))
    assert set(samples.time[~samples.validates]) == set(store.time)


def test_a_method_that_draws_is_given_the_whole_case_and_the_number_of_the_draw(tmp_path):
    domain = plane((32, 40))
    contents = Contents(domain, ("field",), ("1",), ("field",), False, True)
    reports = Reports(np.array([[3.0, 4.0], [30.0, 38.0]]), np.ones(2), np.ones(2), np.zeros(2, int))
    cases = Invented(contents, lambda number, box: np.zeros((1, *box.shape)), lambda number: reports, count=2)
    drawn = []

    class Drawing(UNetMethod):
        draws = whole_reports = True

        def encode(self, case, draw=0):
            drawn.append((str(case.time), draw, len(case.observations), case.box.shape))
            return super().encode(case)

    units = Statistics(("truth_field",), (0.0,), (1.0,), 2, "", "", ("field",), (0.0,), (1.0,))
    method = Drawing(UNetSettings(widths=(8, 8), groups=2, background_deviation=None), units)
    samples = Dataset(
        (built(tmp_path / "cases.h5", cases),), Tile.split((32, 40), (2, 1), (0, 0), 2), method, variants=3
    )
    samples.batch([0, 3])
    assert [draw for _, draw, _, _ in drawn] == [0, 1] and len(samples.time) == 6
    assert all(count == 2 and shape == (16, 40) for _, _, count, shape in drawn), "reports of both tiles"


def test_variants_are_refused_where_the_plane_is_not_the_same_in_all_directions(store, tmp_path):
    contents = Contents(plane(PLANE.shape), ("field",), ("1",), ("field",), background=True, truth=True)
    flat = built(tmp_path / "flat.h5", Invented(contents, lambda number, box: np.zeros((2, *box.shape))))
    with pytest.raises(ConfigError, match="variants: expected 1 on plane, got 2"):
        dataset(flat, tile=Tile.whole(PLANE.shape), variants=2)
    with pytest.raises(ConfigError, match="expected a tile of plane"):
        dataset(store, tile=Tile.whole((32, 31)))


def test_variants_without_turns_are_shifts():
    drawn = [Symmetry.draw(32, 1, case, 1, turns=False) for case in range(50)]
    assert all(each == Symmetry(32, each.shift) for each in drawn)
    assert len({each.shift for each in drawn}) > 40


def test_statistics_are_those_of_all_values(store):
    units = gather_statistics((store,), np.arange(1, 5), whole(), Transport.alone())
    fields = np.stack([drawn_fields(number) for number in range(1, 5)])
    np.testing.assert_allclose(units.mean, fields.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(units.deviation, fields.std((0, 2, 3)), rtol=1e-12)
    assert (units.cases, units.start, units.end) == (4, "2000-01-01T01:00:00", "2000-01-01T04:00:00")


def drawn_fields(number: int) -> np.ndarray:
    """Background and truth of a case of the plane as a store keeps them, shape (2, y, x)."""
    truth, background, _ = PLANE.draw(number)
    return np.stack([background["field"], truth["field"]]).astype(np.float32).astype(np.float64)


def test_several_stores_are_one_after_the_other_with_statistics_over_all(store, tmp_path):
    later = built(tmp_path / "later.h5", PLANE.on(WRAPS, first=CASES, count=3))
    data = dataset(store, later)
    np.testing.assert_array_equal(data.time, PLANE.on(WRAPS, count=CASES + 3).time)
    together = built(tmp_path / "together.h5", PLANE.on(WRAPS, count=CASES + 3))
    one, other = (each.batch([1, CASES, CASES + 2]) for each in (data, dataset(together)))
    for name in ("inputs", "target"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    cases = np.arange(2, CASES + 2)
    parts, everything = (
        gather_statistics(stores, cases, whole(), Transport.alone()) for stores in ((store, later), (together,))
    )
    assert parts == everything
    combined = dataset(store, later, variants=2, plain_from=later.time[1])
    assert [np.sum(combined.time == time) for time in data.time] == [2] * (CASES + 1) + [1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variables": ("depth",), "observed": ("depth",)}, r"differ in variables: \('field',\) and \('depth',\)"),
        ({"units": ("K",)}, r"differ in units: \('1',\) and \('K',\)"),
        ({"background": False}, "differ in fields"),
        ({"domain": plane((32, 16), periodic=True)}, r"differ in shape: \(32, 32\) and \(32, 16\)"),
    ],
)
def test_a_store_of_other_contents_is_refused_with_both_names(store, tmp_path, change, message):
    contents = {"domain": WRAPS, "variables": ("field",), "units": ("1",), "observed": ("field",)}
    other = Contents(**{**contents, "background": True, "truth": True, **change})
    different = built(
        tmp_path / "different.h5", Invented(other, lambda number, box: np.zeros((len(other.fields), *box.shape)))
    )
    with pytest.raises(ConfigError, match=f"plane.h5 and .*different.h5 {message}.*of the same contents"):
        dataset(store, different)
    with pytest.raises(ConfigError, match="samples: expected at least one store"):
        dataset()


def test_batches_come_in_order_read_ahead_by_threads_and_only_as_far_as_allowed():
    read, threads = [], set()

    def slow(key):
        read.append(key)
        threads.add(threading.current_thread())
        return key * key

    stream = read_ahead(slow, iter(range(100)), depth=3, readers=2)
    assert [next(stream) for _ in range(5)] == [0, 1, 4, 9, 16]
    stream.close()
    assert threading.main_thread() not in threads and 1 <= len(threads) <= 2
    assert 5 <= len(read) <= 5 + 3 + 1
    assert list(read_ahead(slow, range(4), depth=3)) == [0, 1, 4, 9]


def test_an_error_of_the_reading_thread_is_raised_where_its_batch_is_asked_for():
    stream = read_ahead(lambda key: 1 // key, [2, 1, 0, 5], depth=2)
    assert [next(stream), next(stream)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(stream)


def test_a_plane_of_fields_without_a_length_or_a_deviation_is_refused_by_its_key():
    for key in ("length", "deviation"):
        field = {"length": 3.0, "deviation": 1.0, key: 0.0}
        with pytest.raises(ConfigError, match="here: truth: expected length and deviation above 0"):
            build(GaussianPlane, {"truth": field}, "here")
