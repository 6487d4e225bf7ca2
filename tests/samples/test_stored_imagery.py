"""A store keeps the imagery of its cases; one without imagery is the file that it was."""

from dataclasses import replace

import numpy as np
import pytest
from launch import launch

from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.io.hdf5 import content_hash
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.layout import Layout
from mlrtma_dist.samples.store import Store
from mlrtma_dist.simulation.cloud_imagery import CloudImagery
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather, Stations

EVERYWHERE = Box(0, 120, 0, 160)
LAW = SimulatedWeather(("t2m", "sky_cover", "ceiling"), stations=Stations(random=40), seed=3)
BUILD = """
import sys
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.simulation.cloud_imagery import CloudImagery
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather, Stations
law = SimulatedWeather(("t2m", "sky_cover", "ceiling"), stations=Stations(random=40), seed=3,
                       imagery=CloudImagery(absent=0.5, swath=0.5))
with Ranks.start(Mesh(*map(int, sys.argv[2:5])), device="cpu") as ranks:
    build_store(sys.argv[1], law.on(load_domain("toy"), count=3), ranks)
    if ranks.rank == 0:
        print("{}")
"""


def cases(count=3, **images):
    return replace(LAW, imagery=CloudImagery(**images) if images else None).on(load_domain("toy"), count=count)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "images.h5"
    with Ranks.start(device="cpu") as ranks:
        return path, build_store(path, cases(absent=0.5, swath=0.5), ranks)


def test_a_stored_case_has_the_images_of_its_source_also_where_it_has_none(built):
    path, summary = built
    store, source = Store(path), cases(absent=0.5, swath=0.5)
    assert store.contents.imagery == source.contents.imagery and store.contents.imagery_units == ("1", "K")
    whole = []
    for number in range(3):
        expected = source.case_of_tile(number, EVERYWHERE).imagery
        for box in (EVERYWHERE, Box(32, 96, 0, 64)):
            stored = store.case(number, box).imagery
            assert stored.box == EVERYWHERE and len(stored.values) == 2 and "other" not in stored.values
            for name in stored.values:
                np.testing.assert_array_equal(stored.values[name], expected.field_on(name, EVERYWHERE))
        whole.append(stored.field_on("cloud_brightness", EVERYWHERE))
    present = [np.isfinite(each).mean() for each in whole]
    assert min(present) == 0.0 < max(present)
    assert f"cloud_brightness: {{mean: {np.nanmean(whole):.4g}" in summary.text()


def test_images_are_read_when_they_are_taken_and_not_before(built):
    store = Store(built[0])
    imagery = store.case_of_tile(0, Box(0, 32, 0, 32)).imagery
    before = store.reader.bytes_read
    _ = imagery.values["window_temperature"]
    assert store.reader.bytes_read - before >= 4 * 120 * 160


def test_a_store_without_imagery_is_what_it_was(tmp_path):
    with Ranks.start(device="cpu") as ranks:
        build_store(tmp_path / "plain.h5", cases(count=1), ranks)
    store = Store(tmp_path / "plain.h5")
    assert not any("imagery" in name for name in store.reader.attributes) and not store.reader.has("imagery")
    assert store.contents.imagery == () and not store.case(0, EVERYWHERE).imagery.values
    plain, with_images = (Layout.of(each.contents).attributes() for each in (cases(), cases(absent=0.0)))
    assert plain == {name: value for name, value in with_images.items() if "imagery" not in name}
    assert set(with_images) - set(plain) == {"imagery", "imagery_units"}


@pytest.mark.slow
def test_ranks_on_tiles_make_the_store_with_images_of_one(built, tmp_path):
    program = tmp_path / "build.py"
    program.write_text(BUILD)
    launch(str(program.with_suffix("")), 2, tmp_path / "tiles.h5", 1, 2, 1)
    assert content_hash(tmp_path / "tiles.h5") == content_hash(built[0])
