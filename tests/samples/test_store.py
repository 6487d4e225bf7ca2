"""The store: one content on any ranks, each observation owned once, and no rank reads much more than its own."""

from pathlib import Path

import numpy as np
import pytest
from launch import launch

from mlrtma_dist.grid.box import cell_of
from mlrtma_dist.io.hdf5 import StoreError
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.samples.build import Case, build_store
from mlrtma_dist.samples.store import EDGE, Layout, Store, Table, joined_spans, runs

BUILD = Path(__file__).parent / "kernels" / "build"
CONUS = (1597, 2345)
LAYOUTS = {"1": (1, 1, 1), "2 cases": (2, 1, 1), "2 x 2": (4, 2, 2)}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """What each layout of ranks made and read: its words, and the samples put together from the tiles' parts."""
    folder, found = tmp_path_factory.mktemp("stores"), {}
    for name, (ranks, y, x) in LAYOUTS.items():
        path = folder / f"{name.replace(' ', '_')}.h5"
        said = launch(str(BUILD), ranks if ranks > 1 else 0, path, y, x, ranks)
        inputs, target = np.full((5, 3, 48, 48), np.nan), np.full((5, 1, 48, 48), np.nan)
        for rank in range(ranks):
            with np.load(f"{path}.{rank}.npz") as part:
                y0, y1, x0, x1 = part["box"]
                inputs[..., y0:y1, x0:x1], target[..., y0:y1, x0:x1] = part["inputs"], part["target"]
        found[name] = said | {"inputs": inputs, "target": target}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "1"])
def test_any_ranks_make_the_store_of_one(built, layout):
    assert built[layout]["ranks"] == LAYOUTS[layout][0]
    assert built[layout]["hash"] == built["1"]["hash"]


@pytest.mark.slow
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "1"])
def test_tiles_read_the_parts_of_the_whole_sample_under_every_symmetry(built, layout):
    np.testing.assert_allclose(built[layout]["inputs"], built["1"]["inputs"], atol=1e-6)
    np.testing.assert_allclose(built[layout]["target"], built["1"]["target"], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "1"])
def test_statistics_of_any_ranks_are_those_of_one(built, layout):
    np.testing.assert_allclose(built[layout]["statistics"], built["1"]["statistics"], rtol=1e-12)


def conus_case(number: int, box) -> Case:
    """A field that says where it is, and 5000 observations of it."""
    rows, columns = np.meshgrid(np.arange(box.y0, box.y1), np.arange(box.x0, box.x1), indexing="ij")
    place = np.random.default_rng(number).uniform(-0.5, np.array(CONUS) - 0.5, (5000, 2))
    values = place[:, 0] * 10000.0 + place[:, 1]
    return Case((rows * 2345.0 + columns)[None], Table(place, values, np.ones(5000), np.zeros(5000, int)))


@pytest.fixture(scope="module")
def conus(tmp_path_factory):
    path = tmp_path_factory.mktemp("conus") / "conus.h5"
    with Ranks.start(device="cpu") as world:
        layout = Layout("conus", CONUS, False, ("t2m",), ("t2m",))
        build_store(path, layout, np.zeros(1, "datetime64[s]"), conus_case, world)
    return path


def test_a_rank_of_two_by_two_reads_hardly_more_than_its_quarter_of_conus(conus):
    assert EDGE <= 64
    whole = np.prod(CONUS) * 4 + 5000 * 17
    for position in np.ndindex(2, 2):
        store = Store(conus)
        store.reader.bytes_read = 0
        tile = Tile.split(CONUS, (2, 2), position, align=EDGE)
        rows, columns = tile.slab(32)
        field = store.fields(0, rows, columns)
        assert field[0, 0, 0] == rows.start * 2345 + columns.start
        assert field[0, -1, -1] == (rows.stop - 1) * 2345 + columns.stop - 1
        assert field[0].size * 4 <= store.reader.bytes_read <= 1.2 / 4 * whole
        assert len(store.observations(0, rows, columns)) > 1000
        assert store.reader.bytes_read <= 1.2 / 4 * whole


@pytest.mark.parametrize("align", [8, 15])
def test_every_observation_is_read_by_one_tile_whatever_the_tiles_lines(conus, align):
    store, values = Store(conus), []
    for position in np.ndindex(3, 2):
        table = store.observations(0, *Tile.split(CONUS, (3, 2), position, align=align).slab(0))
        values += table.value.tolist()
    expected = conus_case(0, Tile.whole((2, 2)).box).observations.value.astype(np.float32)
    assert sorted(values) == sorted(expected.tolist())


def test_cells_are_half_open_and_wrap_where_the_domain_does():
    place = np.array([[0.5, 1.49], [1.5, -0.5], [3.4999, 2.5]])
    np.testing.assert_array_equal(cell_of(place, (4, 4), False), [[1, 1], [2, 0], [3, 3]])
    np.testing.assert_array_equal(cell_of(np.array([[-0.6, 3.5]]), (4, 4), True), [[3, 0]])
    with pytest.raises(StoreError, match=r"\[-0.6, 3.0\] lies outside"):
        cell_of(np.array([[1.0, 1.0], [-0.6, 3.0]]), (4, 4), False)


@pytest.mark.slow
def test_fields_wrap_on_a_periodic_domain(built, tmp_path):
    values = np.arange(48.0).reshape(6, 8)
    with Ranks.start(device="cpu") as world:
        build_store(
            tmp_path / "wrapped.h5",
            Layout("plane", (6, 8), True, ("a",), ("a",), edge=4),
            np.zeros(1, "datetime64[s]"),
            lambda number, box: Case(values[None], Table(np.empty((0, 2)), *np.empty((3, 0)))),
            world,
        )
    store = Store(tmp_path / "wrapped.h5")
    expected = np.take(np.take(values, range(-3, 8), 0, mode="wrap"), range(5, 14), 1, mode="wrap")
    np.testing.assert_array_equal(store.fields(0, range(-3, 8), range(5, 14))[0], expected)
    assert len(store.observations(0, range(6), range(8))) == 0


def test_an_observation_of_another_tile_is_refused(tmp_path):
    table = Table(np.array([[7.6, 0.0]]), *np.zeros((3, 1)))
    with Ranks.start(device="cpu") as world, pytest.raises(StoreError, match="outside the domain"):
        layout = Layout("plane", (8, 8), False, ("a",), ("a",), edge=4)
        case = Case(np.zeros((1, 8, 8)), table)
        build_store(tmp_path / "a.h5", layout, np.zeros(1, "datetime64[s]"), lambda number, box: case, world)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_format_is_refused(tmp_path):
    from mlrtma_dist.io import hdf5

    hdf5.create(tmp_path / "other.h5", {}, {"format": "something else"}, None)
    with pytest.raises(StoreError, match="expected the format 'mlrtma samples 2', got 'something else'"):
        Store(tmp_path / "other.h5")


def test_a_store_of_the_first_format_has_its_variables_observed_without_units(tmp_path):
    from mlrtma_dist.io import hdf5

    layout = Layout("plane", (8, 8), True, ("background", "truth"), ("field",), edge=4)
    said = {name: value for name, value in layout.attributes().items() if name not in ("observed", "units")}
    hdf5.create(tmp_path / "old.h5", layout.arrays(1), said | {"format": "mlrtma samples 1"}, None)
    found = Store(tmp_path / "old.h5").layout
    assert found == layout and (found.observed, found.units, found.backgrounds) == (("field",), ("1",), 1)


def test_runs_of_consecutive_numbers_and_spans_that_lie_close():
    assert runs([0, 1, 2, 5, 7, 8]) == [(0, 3), (5, 6), (7, 9)]
    assert joined_spans([(0, 3), (5, 6), (16, 19), (19, 21)], 10) == [(0, 6), (16, 21)]
