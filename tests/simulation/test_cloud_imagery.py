"""Images of simulated clouds: equal on any tiles, related to the true clouds, with errors, edges and missing times."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist import config
from mlrtma_dist.fields.imagery import Imagery
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.names import STANDARD_LAPSE_RATE, UNLIMITED_CEILING
from mlrtma_dist.samples.crops import Boxes, Crops
from mlrtma_dist.simulation.cloud_imagery import BRIGHT, DARK, CloudImagery
from mlrtma_dist.simulation.ground import Ground
from mlrtma_dist.simulation.simulated_weather import SimulatedWeather, Stations

VARIABLES = ("t2m", "sky_cover", "ceiling")
EVERYWHERE = Box(0, 120, 0, 160)
ALWAYS = CloudImagery(absent=0.0, swath=0.0)


def cases(imagery=ALWAYS, count=3):
    law = SimulatedWeather(VARIABLES, stations=Stations(random=40), imagery=imagery)
    return law.on(load_domain("toy"), count=count)


def test_tiles_together_are_the_whole_images_to_the_last_bit():
    source = cases(replace(ALWAYS, swath=1.0))
    whole = source.case_of_tile(1, EVERYWHERE).imagery
    assert source.contents.imagery == tuple(whole.values) and source.contents.imagery_units == ("1", "K")
    for box in (Box(0, 32, 0, 96), Box(32, 120, 96, 160)):
        part = source.case_of_tile(1, box).imagery
        on_box = source.case(1, box).imagery  # whole, as what is near a point may lie on another tile
        for name, field in whole.values.items():
            np.testing.assert_array_equal(part.field_on(name, box), field[box.slices])
            np.testing.assert_array_equal(on_box.field_on(name, EVERYWHERE), field)


def test_an_image_follows_from_the_true_clouds_and_its_pixels_have_the_stated_error():
    source = cases(replace(ALWAYS, brightness_noise=0.0))
    noisy = cases().case_of_tile(0, EVERYWHERE).imagery.values
    case = source.case_of_tile(0, EVERYWHERE)
    image, cover = case.imagery.values["cloud_brightness"], case.truth["sky_cover"]
    assert DARK <= image.min() < image.max() <= DARK + BRIGHT + 1e-6
    assert 0.7 < np.corrcoef(image.ravel(), cover.ravel())[0, 1] < 0.99
    assert (noisy["cloud_brightness"] - image).std() == pytest.approx(0.08, rel=0.02)
    np.testing.assert_array_equal(noisy["window_temperature"], case.imagery.values["window_temperature"])


def test_the_temperature_of_an_overcast_sky_is_that_of_a_top_above_the_base():
    source = cases()
    case = source.case_of_tile(0, EVERYWHERE)
    ground, shape = Ground.of(source.static, EVERYWHERE), EVERYWHERE.shape
    truth = {"sky_cover": np.ones(shape), "t2m": np.full(shape, 290.0)}
    images = replace(ALWAYS, temperature_noise=0.0)
    tops = {}
    for base in (500.0, 1500.0, UNLIMITED_CEILING):
        fields = images.of(truth | {"ceiling": np.full(shape, base)}, ground, EVERYWHERE, case.time, 1).values
        tops[base] = (290.0 - fields["window_temperature"]) / STANDARD_LAPSE_RATE
    np.testing.assert_allclose(tops[1500.0] - tops[500.0], 1000.0, rtol=0.02)
    assert tops[UNLIMITED_CEILING].mean() > tops[1500.0].mean() + 1000.0
    clear = images.of(truth | {"sky_cover": np.zeros(shape), "ceiling": np.full(shape, UNLIMITED_CEILING)}, ground,
                      EVERYWHERE, case.time, 1).values["window_temperature"]  # fmt: skip
    assert clear.mean() == pytest.approx(290.0, abs=0.5)


def test_some_times_have_no_image_and_some_images_end_at_a_line():
    source = cases(CloudImagery(channels=("cloud_brightness",), absent=0.3, swath=0.5))
    ground, box = Ground.of(source.static, Box(0, 8, 0, 160)), Box(0, 8, 0, 160)
    truth = {name: field[:8] for name, field in source.case_of_tile(0, EVERYWHERE).truth.items()}
    hours = np.datetime64("2022-01-01T00", "s") + np.arange(400).astype("timedelta64[h]")
    images = [source.law.imagery.of(truth, ground, box, hour, 1).values for hour in hours]
    assert np.mean([not each for each in images]) == pytest.approx(0.3, abs=0.06)
    present = np.array([np.isfinite(each["cloud_brightness"]).mean() for each in images if each])
    assert 0.3 < np.mean(present < 1.0) < 0.5 and 0.0 < present.mean() < 1.0
    assert all(set(each) <= {"cloud_brightness"} for each in images)


def test_a_crop_of_a_case_has_the_part_of_its_images():
    source = cases()
    crops = Crops(source, Boxes(32, 48, seed=3))
    crop, own = crops.box(1), Box(8, 24, 0, 48)
    whole = source.case_of_tile(1, EVERYWHERE).imagery.values["cloud_brightness"][crop.slices]
    assert crops.contents.imagery == source.contents.imagery
    np.testing.assert_array_equal(crops.case(1, own).imagery.values["cloud_brightness"], whole)
    part = crops.case_of_tile(1, own).imagery
    np.testing.assert_array_equal(part.field_on("cloud_brightness", own), whole[8:24])


def test_what_is_not_held_of_imagery_is_missing():
    field = np.arange(12, dtype=np.float32).reshape(3, 4)
    imagery = Imagery(Box(2, 5, 1, 5), {"a": field})
    expected = np.full((3, 3), np.nan)
    expected[:, 1:] = field[:, :2]
    np.testing.assert_array_equal(imagery.field_on("a", Box(2, 5, 0, 3)), expected)
    for name, box in (("a", Box(7, 9, 0, 3)), ("b", Box(2, 5, 1, 5))):
        assert np.isnan(imagery.field_on(name, box)).all()


@pytest.mark.parametrize(
    "section, words",
    [
        ({"channels": ["radar"]}, r"channels: expected some of cloud_brightness, window_temperature"),
        ({"brightness_noise": -1.0}, "expected 0 or more"),
        ({"absent": 1.5}, "absent, swath: expected from 0 to 1, got 1.5"),
    ],
)
def test_sections_that_make_no_sense_are_refused(section, words):
    with pytest.raises(config.ConfigError, match=words):
        config.build(CloudImagery, section, "imagery")
