"""The world of Exercise 2: a case depends on its number alone, in balance, observed as said; no background."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from invented import plane

from mlrtma_dist.config import ConfigError
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.unet import UNetMethod, UNetSettings
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.observations.indirect import IndirectTypes
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport
from mlrtma_dist.physics.balance import balanced
from mlrtma_dist.physics.shallow_water import ShallowWater
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.dataset import Dataset
from mlrtma_dist.samples.statistics import gather_statistics
from mlrtma_dist.samples.store import Store
from mlrtma_dist.samples.symmetry import Symmetry
from mlrtma_dist.simulation import shallow_truths
from mlrtma_dist.simulation.shallow_plane import ShallowPlane

PLANE = ShallowPlane(
    size=32, steps=6, length=(8.0, 14.0), observations=(9, 10, 11, 30, 40), seed=3, indirect=IndirectTypes(3.0)
)
CASES = 5
SEA = plane(PLANE.shape, periodic=True, name="plane_small")


def data_of(store: Store, tile: Tile, units, **more) -> Dataset:
    """The cases of a store as the samples of a small U-net without background."""
    settings = UNetSettings(3, 5, widths=(8, 8), groups=2, background_deviation=None)
    return Dataset((store,), tile, UNetMethod(settings, units), **more)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("shallow") / "plane.h5"
    with Ranks.start(device="cpu") as world:
        build_store(path, PLANE.on(SEA, count=CASES), world, edge=16)
    return Store(path)


def test_a_case_is_that_of_its_number_alone_whatever_is_integrated_with_it():
    model, here = ShallowWater(spacing=PLANE.spacing, coriolis=PLANE.coriolis), Alone(PLANE.shape, (True, True))
    number = shallow_truths.TOGETHER + 5
    stream = torch.from_numpy(shallow_truths.stream_of(PLANE, number)[None])
    state = model.run(balanced(model, stream, PLANE.depth, here).float(), PLANE.step, PLANE.steps, here)
    h, u, v = model.to_centres(state, here)[0].double().numpy()
    np.testing.assert_allclose(PLANE.truth(number), [h - PLANE.depth, u, v], atol=1e-3)
    assert np.abs(PLANE.truth(number) - PLANE.truth(number + 1)).max() > 1.0
    assert np.abs(PLANE.truth(number) - replace(PLANE, seed=4).truth(number)).max() > 1.0


def test_truths_have_no_mean_height_and_winds_between_the_least_and_the_greatest():
    truths = np.stack([PLANE.truth(number) for number in range(32)])
    assert np.abs(truths[:, 0].mean((1, 2))).max() < 1e-3  # water is conserved
    speed = np.sqrt((truths[:, 1:] ** 2).sum(1).mean((1, 2)))
    assert 0.4 * PLANE.speed[0] < speed.min() < 0.7 * speed.max() < 2.0 * PLANE.speed[1]


def test_slow_winds_are_geostrophic():
    slow = replace(PLANE, speed=(0.2, 0.4))  # f v = g dh/dx up to a Rossby number of speed / (f L / 2) = 0.05
    h, _, v = np.stack([slow.truth(number) for number in range(8)]).swapaxes(0, 1)
    slope = (np.roll(h, -1, -1) - np.roll(h, 1, -1)) / (2 * slow.spacing)
    np.testing.assert_allclose(1e-4 * v, 9.80665 * slope, atol=0.15 * 1e-4 * np.abs(v).max())


def test_observations_are_their_types_of_the_truth_with_errors_of_the_stated_size():
    dense = replace(PLANE, observations=(500,) * 5, observation_error=(1.0, 2.0, 0.5, 0.3, 0.1))
    truth = dense.truth(7)
    table = dense.observe(7, truth)
    place, kind = table.place, table.kind
    error = table.value - IndirectTypes(3.0).values(truth[:, *place.T].T, kind)
    for number, deviation in enumerate(dense.observation_error):
        own = kind == number
        assert len(np.unique(place[own], axis=0)) == 500
        assert error[own].std() == pytest.approx(deviation, rel=0.12)
        assert abs(error[own].mean()) < 4 * deviation / np.sqrt(500)
        assert set(table.error[own]) == {deviation}


def test_boxes_hold_the_parts_of_the_whole_case():
    cases = PLANE.on(SEA, count=CASES)
    whole, part = cases.case(3, Box(0, 32, 0, 32)), cases.case(3, Box(8, 32, 0, 16))
    truth = PLANE.truth(3)
    for name, field in zip(("h", "u", "v"), truth, strict=True):
        np.testing.assert_array_equal(whole.truth[name], field)
        np.testing.assert_array_equal(part.truth[name], field[8:32, 0:16])
    assert not whole.background and whole.first_guess is None
    rows, columns = whole.place.T
    box_owns = (rows >= 8) & (columns < 16)
    np.testing.assert_array_equal(part.box.owns(part.place), box_owns)
    assert len(part.observations) == len(whole.observations) == 100 and box_owns.sum() > 10


def test_without_backgrounds_channels_are_values_and_masks_of_all_types_in_their_own_units(store):
    tile = Tile.whole(PLANE.shape, (True, True))
    units = gather_statistics((store,), np.arange(4), tile, Transport.alone())
    tables = [PLANE.observe(number, PLANE.truth(number)) for number in range(4)]
    for number in range(5):
        values = np.concatenate([table.value[table.kind == number] for table in tables])
        assert units.observed_mean[number] == pytest.approx(values.mean(), rel=1e-5, abs=1e-5)
        assert units.observed_deviation[number] == pytest.approx(values.std(), rel=1e-5)
    sample = data_of(store, tile, units).batch([4])
    truth = PLANE.truth(4)
    table = PLANE.observe(4, truth)
    assert sample.inputs.shape == (1, 10, 32, 32) and sample.target.shape == (1, 3, 32, 32)
    expected = (truth - np.array(units.mean)[:, None, None]) / np.array(units.deviation)[:, None, None]
    np.testing.assert_allclose(sample.target[0], expected, atol=1e-5)
    channels = np.zeros((10, 32, 32))
    index = (table.kind, *table.place.T)
    scale = np.array(units.observed_mean)[table.kind], np.array(units.observed_deviation)[table.kind]
    channels[:5][index], channels[5:][index] = (table.value - scale[0]) / scale[1], 1.0
    np.testing.assert_allclose(sample.inputs[0], channels, atol=1e-5)


def test_a_variant_of_several_fields_is_the_case_shifted_with_its_observations(store):
    tile = Tile.whole(PLANE.shape, (True, True))
    units = gather_statistics((store,), np.arange(4), tile, Transport.alone())
    data = data_of(store, tile, units, variants=2, seed=5)
    case, variant = data.batch([2]), data.batch([2 + CASES])
    shift = Symmetry.draw(32, 5, 2, 1, turns=False).shift
    for one, other in ((case.inputs, variant.inputs), (case.target, variant.target)):
        np.testing.assert_array_equal(np.roll(one, (-shift[0], -shift[1]), (-2, -1)), other)


def test_a_store_has_the_types_and_units_of_the_world_and_no_law_where_none_is_recorded(store):
    assert store.layout.observed == ("h", "u", "v", "o1", "o2") and store.layout.units == ("m", "m s-1", "m s-1")
    assert (store.layout.backgrounds, store.layout.targets) == (0, 3)
    assert store.law is None and PLANE.on(SEA).law is PLANE


def test_worlds_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="observations: expected one above 0 for each of h, u, v, o1, o2"):
        ShallowPlane(observations=(1, 2, 3))
    with pytest.raises(ValueError, match="speed: expected the least and the greatest"):
        ShallowPlane(speed=(5.0, 1.0))
    for wrong in ({"step": 0.0}, {"steps": -1}):
        with pytest.raises(ValueError, match="step, steps: expected seconds above 0"):
            ShallowPlane(**wrong)


def test_a_domain_that_is_not_the_plane_of_the_world_is_refused():
    for domain in (plane((33, 32)), plane((32, 16), periodic=True)):
        with pytest.raises(ConfigError, match=r"domain: expected a periodic plane of \(32, 32\) points"):
            PLANE.on(domain)


def test_a_step_that_is_not_stable_is_refused_by_name():
    with pytest.raises(InputError, match="step: expected one that is stable, got 10000 s"):
        replace(PLANE, step=1e4, steps=30).truth(0)
