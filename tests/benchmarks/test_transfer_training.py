"""Trainings of few hours: which hours their stores hold, what seeds change, and how their scores are joined."""

import argparse
from collections import Counter

import numpy as np
import pytest
from benchmark_module import benchmark_module

from jobs.command_line import parse
from jobs.train_run import Run
from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.verification.match import Matches


@pytest.fixture(scope="module")
def training():
    return benchmark_module("transfer_training")


@pytest.fixture(scope="module")
def curve():
    return benchmark_module("transfer_curve")


@pytest.fixture(scope="module")
def gridded():
    return benchmark_module("transfer_gridded")


@pytest.fixture(scope="module")
def domains():
    return benchmark_module("transfer_domains")


@pytest.fixture(scope="module")
def japan():
    return benchmark_module("amedas_archive")


def test_each_count_of_hours_adds_to_the_one_before_and_none_of_them_chooses_or_judges(training, monkeypatch, tmp_path):
    taken = {}

    def record(*words):
        (tmp_path / words[-1]).touch()
        archive = config.load_yaml(config.find("samples", words[1]))["cases"]["archive"]
        change = next(word for word in words if "leave_out" in word)
        assert all(f'"{time}"' in change for time in archive.get("leave_out", []))  # these choose or judge
        times = [each for each in training.ARCHIVES[config_name(words[1])] if f'"{each}"' not in change]
        taken[words[-1]] = times

    def config_name(path):
        return path.rsplit("/", 1)[-1].removesuffix(".yaml")

    monkeypatch.setattr(training, "mlrtma", record)
    for count in training.COUNTS:
        stores = training.stores_of(count, tmp_path)
        assert len(stores) == len(set(stores)) and all(each.exists() for each in stores)
        number = Counter(time for each in stores for time in taken[str(each)])
        assert sum(number.values()) == len(number) == count
    for name, times in training.ARCHIVES.items():
        assert not set(times) & set(map(str, _archive(name).get("leave_out", [])))
        assert not {time[11:13] for time in times if time.startswith("1995-03-18")} & {"03", "09", "15", "21"}


def _archive(name: str) -> dict:
    return config.load_yaml(config.find("samples", name))["cases"]["archive"]


def _run(training, tmp_path) -> Run:
    """The configuration by which the command trains."""
    changes = training.changes(tmp_path, tmp_path / "base", [tmp_path / "hours.h5"])
    words = [word for each in changes for word in ("--set", each)]
    return parse(Run, "train", "", ["configs/training/vit_transfer.yaml", *words])


def test_another_seed_is_another_folder_draw_and_first_weights(training, tmp_path):
    one, other = (training.Training("scratch", 4, 300, seed) for seed in (0, 2))
    assert one.name == "scratch_04_300" and other.name == "scratch_04_300_seed2"
    first, second = (_run(each, tmp_path) for each in (one, other))
    assert (first.schedule.seed, first.settings["seed"]) == (4, 0) and first.begin_from is first.transfer is None
    assert (second.schedule.seed, second.settings["seed"]) == (6, 2)
    assert second.schedule.steps == 300 and second.schedule.learning_rate == 1e-3
    adapters = _run(training.Training("adapters", 1, 50, 1), tmp_path)
    assert (adapters.transfer.mode, adapters.transfer.seed, adapters.schedule.seed) == ("adapters", 1, 5)
    assert adapters.begin_from == str(tmp_path / "base")


def test_trainings_of_the_options_have_names_of_their_own_and_the_usual_one_the_shortest(training):
    parser = argparse.ArgumentParser()
    training.add_options(parser, training.COUNTS, tuple(training.MODES))
    words = "--hours 4 16 --modes adapters scratch --steps 50 150 --seeds 0 1"
    named = list(training.trainings(parser.parse_args(words.split())))
    assert len({name for name, _ in named}) == len({each.name for _, each in named}) == 12
    assert dict(named)["adapters 4"].steps == 50 and dict(named)["adapters 4, 150 steps, seed 1"].seed == 1
    assert [each.hours for _, each in named] == [16] * 6 + [4] * 6
    alone = training.trainings(parser.parse_args(["--hours", "16", "--modes", "scratch", "--scratch-steps", "50"]))
    assert [name for name, _ in alone] == ["scratch 16, 50 steps"]


def test_trainings_with_fields_have_folders_of_their_own_and_both_stores(training, gridded, tmp_path):
    options = argparse.Namespace(modes=["frozen"], hours=[0, 1], fields=["ncv"], seeds=[0], steps=50)
    named = {gridded.name_of(each): each for each in gridded.trainings(options)}
    assert list(named) == ["untrained", "frozen 0 + ncv", "frozen 1", "frozen 1 + ncv"]
    assert [each.name for each in named.values()] == [
        "frozen_00_1_ncv",
        "frozen_00_50_ncv",
        "frozen_01_50",
        "frozen_01_50_ncv",
    ]
    names = "hours_01.h5", "gridded_ncv.h5"
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in gridded.stores(named["frozen 1 + ncv"], tmp_path)] == list(names)
    assert [path.name for path in gridded.stores(named["frozen 0 + ncv"], tmp_path)] == ["gridded_ncv.h5"]


def test_the_spread_of_trainings_is_that_of_their_seeds_alone(curve):
    rows = {name: {"brier": brier} for name, brier in (("a 4", 1.0), ("a 4, seed 1", 3.0), ("b 4", 9.0), ("a 1", 7.0))}
    (line,) = curve.spread(rows)
    assert line == f"a 4: 2 seeds, 1.0000 to 3.0000, deviation {2**0.5:.5f}"


def _matches(method: str, error: np.ndarray, variable: np.ndarray, station: np.ndarray) -> Matches:
    zero = np.zeros(len(error))
    return Matches.build(method=method, variable=variable, station=station, observation=zero, prediction=error)


def test_the_pooled_ratio_is_the_geometric_mean_of_the_variables_and_draws_whole_stations(domains):
    random = np.random.default_rng(3)
    station = np.tile(np.repeat([f"S{number:03d}" for number in range(80)], 4), 2)
    variable = np.repeat(["t2m", "u10"], 320)
    error = random.normal(size=640)
    base = _matches("base", error, variable, station)
    assert domains.pooled(base, base) == (1.0, 1.0, 1.0)
    scaled = _matches("own", np.where(variable == "t2m", 0.5, 1.2) * error, variable, station)
    assert domains.pooled(scaled, base) == pytest.approx((0.6**0.5,) * 3)
    of_others = _matches("own", random.normal(size=640), variable, station)
    ratio, low, high = domains.pooled(of_others, base)
    squares = [
        np.array([np.mean(each.select(variable=name).error ** 2) for name in ("t2m", "u10")])
        for each in (of_others, base)
    ]
    assert ratio == pytest.approx(np.prod(squares[0] / squares[1]) ** 0.25) and low < ratio < high
    expected = (2 * 320) ** -0.5  # of the mean of two differences of log rmse, each of variance 2 / (2 * 320)
    assert np.log(high / low) == pytest.approx(2 * 1.96 * expected, rel=0.2)


def test_reports_that_one_method_has_no_value_at_count_for_none_and_other_stations_are_refused(domains):
    station, variable = np.array(["A", "B", "C"]), np.repeat("t2m", 3)
    base = _matches("base", np.array([1.0, 1.0, 1.0]), variable, station)
    own = _matches("own", np.array([2.0, 2.0, np.nan]), variable, station)
    assert domains.pooled(own, base) == (2.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="other stations"):
        domains.paired(base, _matches("own", np.ones(3), variable, station[::-1]))


def test_beginnings_of_the_spread_hours_are_spread_themselves(japan):
    assert japan.spread(101, 5) == [0, 100, 50, 25, 75] and japan.spread(9, 1) == [0]
    order = japan.spread(2000, 36)
    assert sorted(order) == np.linspace(0, 1999, 36).round().astype(int).tolist()
    assert np.diff(sorted(order[:9])).max() < 3 * np.diff(sorted(order[:9])).min()


def test_hours_of_japan_are_files_that_are_read_back_and_the_configuration_takes_them(japan, monkeypatch, tmp_path):
    random, hour = np.random.default_rng(0), np.timedelta64(1, "h")
    time = np.datetime64("2023-07-13T01:00:00") + 7 * hour * np.arange(20)
    place = np.stack([random.uniform(33, 37, 12), random.uniform(133, 137, 12), random.uniform(0, 900, 12)])
    names = np.array([f"{number:05d}" for number in range(12)])
    hours = japan.Amedas(time, names, place, random.integers(50, 300, (20, 12)).astype(np.int16))
    monkeypatch.setattr(japan.Amedas, "read", lambda: hours)
    ((path, times),) = japan.write_archive(tmp_path, 4, "japan", ("t2m",)).items()
    archive = config.load_yaml(path)["cases"]["archive"]
    assert len(set(times)) == 4 and archive["start"] == min(times) and archive["end"] == max(times)
    number = int(np.flatnonzero(time == np.datetime64(times[2]))[0])
    file = str(tmp_path / f"amedas_{times[2].replace('-', '').replace(':', '')}.csv")
    table = Reports((file,), time=(times[2],), mapping=archive["mapping"]).table
    own = table[table.variable == "t2m"]
    order = np.argsort(own.station)
    assert own.station[order].tolist() == names.tolist()
    np.testing.assert_allclose(own.value[order], 273.15 + hours.tenths[number] / 10.0)
    assert japan.write_archive(tmp_path, 4, "japan", ("t2m",)) == {path: times}
    for count, domain in ((3, "japan"), (4, "east_asia_20km")):
        with pytest.raises(InputError, match=f"expected {count} hours on {domain}, got another archive"):
            japan.write_archive(tmp_path, count, domain, ("t2m",))


def test_the_reference_is_scratch_16_where_it_is_trained_else_the_first_row_and_another_one_is_refused(
    curve, training, capsys
):
    parser = argparse.ArgumentParser()
    training.add_options(parser, training.COUNTS, tuple(training.MODES))
    parser.add_argument("--reference")
    options = parser.parse_args(["--modes", "adapters", "frozen", "--hours", "4", "--seeds", "1", "2"])
    names = [curve.CLIMATOLOGY, *(name for name, _ in training.trainings(options))]
    assert curve.reference_of(parser, options, names) == "adapters 4, seed 1"
    assert curve.reference_of(parser, options, [*names, "scratch 16"]) == "scratch 16"
    assert curve.reference_of(parser, options, [curve.CLIMATOLOGY]) == curve.CLIMATOLOGY  # nothing is trained yet
    options.reference = "scratch 16"
    with pytest.raises(SystemExit):
        curve.reference_of(parser, options, names)
    assert "--reference: expected one of" in (error := capsys.readouterr().err) and "got scratch 16" in error
