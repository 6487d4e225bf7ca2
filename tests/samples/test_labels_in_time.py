"""Labels of a method in time: its window is wider than that of the inputs, and the truth is nearer to them."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.config import ConfigError, build
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.registry import Means
from mlrtma_dist.methods.registry import build as build_methods
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.observations.table import Flag
from mlrtma_dist.samples.archive import Archive, Labels
from mlrtma_dist.samples.archive_cases import ArchiveCases
from mlrtma_dist.samples.file_patterns import FilePattern
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.simulation.simulated_hour import simulate_hour

HOUR = np.timedelta64(60, "m")
SETTINGS = load_settings("classical", ("t2m", "psfc"))


@pytest.fixture(scope="module")
def archive(toy, tmp_path_factory) -> Archive:
    """Files of five simulated hours; the analysis time is the third, at which every other station reports."""
    folder = tmp_path_factory.mktemp("hours")
    for step in range(-2, 3):
        table = simulate_hour(toy.static, toy.time + step * HOUR, stations=300, seed=1).observations
        often = np.unique(table.station)[::2]  # of the stations, which report at the analysis time, too
        kept = table if step else table[np.isin(table.station, often)]
        write_csv(folder / f"{str(toy.time + step * HOUR)[11:13]}.csv", kept)
    pattern = FilePattern("{time:%H}.csv", before_minutes=120, after_minutes=120)
    return Archive(
        str(toy.time),
        str(toy.time),
        folder=str(folder),
        reports=(pattern,),
        in_time_minutes=150.0,
        labels=Labels(method="oi_time"),
        withheld_share=0.1,
    )


def opened(toy, archive: Archive) -> ArchiveCases:
    return ArchiveCases.on("toy", archive, assumptions(SETTINGS))


@pytest.fixture(scope="module")
def case(toy, archive):
    return opened(toy, archive).case_of_tile(0, Box.whole(toy.static.domain.shape))


def test_inputs_have_the_narrow_window_and_labels_are_those_of_the_wide_one(toy, archive, case):
    assert np.abs(case.observations.time - case.time).max() <= np.timedelta64(30, "m")
    stations = case.observations.station
    assert case.withheld.any() and not set(stations[case.withheld]) & set(stations[case.used])
    every = opened(toy, replace(archive, labels=None, withheld_share=0.0))
    whole = Box.whole(toy.static.domain.shape)
    method = build_methods(("oi_time",), Means(settings=SETTINGS))["oi_time"]
    own = method.analyse(every.case(0, whole))
    late = own.case.observations.time[own.case.used] > toy.time + np.timedelta64(90, "m")
    assert late.sum() > 200  # of two hours later
    np.testing.assert_allclose(case.truth["t2m"], own.fields().values["t2m"], atol=1e-4)


def test_labels_in_time_are_nearer_to_the_truth_than_those_of_the_hour_alone(toy, archive, case):
    hour = opened(toy, replace(archive, labels=Labels(method="threedvar")))
    alone = hour.case_of_tile(0, Box.whole(toy.static.domain.shape)).truth
    for name in ("t2m", "psfc"):
        truth = toy.world.truth.values[name]
        in_time, once = (np.sqrt(np.mean((each[name] - truth) ** 2)) for each in (case.truth, alone))
        print(f"{name}: in time {in_time:.3f}, of the hour alone {once:.3f}")
        assert in_time < 0.95 * once


def test_without_a_wider_window_labels_are_of_the_hour(toy, archive, case):
    narrow = opened(toy, replace(archive, in_time_minutes=0.0)).case(0, Box.whole(toy.static.domain.shape))
    assert np.abs(narrow.truth["t2m"] - case.truth["t2m"]).max() > 0.1
    assert not (narrow.observations.flags & np.uint32(Flag.OTHER_TIME)).any()


def test_a_window_of_more_than_a_day_or_narrower_than_that_of_all_methods_is_refused():
    with pytest.raises(ConfigError, match="in_time_minutes: expected from 0 to 1440, got 2000"):
        build(Reports, {"in_time_minutes": 2000}, "test")
    with pytest.raises(
        ConfigError, match="in_time_minutes: expected 0 or at least the window_minutes of 30, .* got 20"
    ):
        build(Reports, {"in_time_minutes": 20}, "test")
    assert build(Reports, {"in_time_minutes": 30}, "test").in_time is None
