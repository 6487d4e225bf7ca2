"""Archives: which files make cases, which are missing, and labels, crops and parts against direct reads and wholes."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jobs import samples
from mlrtma_dist import config
from mlrtma_dist.grid.box import Box
from mlrtma_dist.io.gridded import read_one
from mlrtma_dist.io.hdf5 import content_hash
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.methods.unet import UNetMethod, UNetSettings
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.samples.archive import Archive, Labels, inventory, inventory_of_part
from mlrtma_dist.samples.archive_cases import ArchiveCases
from mlrtma_dist.samples.crops import Boxes, Crops
from mlrtma_dist.samples.file_patterns import FilePattern
from mlrtma_dist.samples.sources import open_cases
from mlrtma_dist.samples.store import Store

ROOT = Path(__file__).parents[2]
REPORTS = FilePattern("r.{time:%d%H}")
FORECAST = FilePattern("f.{cycle:%d%H}.{lead:02d}", shortest_lead=1, longest_lead=2)
LABELS = Labels(gridded=(FilePattern("l.{time:%d%H}"),))


def archive(**settings) -> Archive:
    settings = {"start": "2022-08-24T06", "end": "2022-08-24T07", "reports": (REPORTS,)} | settings
    return Archive(**settings)


def search(settings: Archive, *files: str):
    """Hours and files of the cases, and the missing files, where exactly these files exist."""
    listed = inventory(settings, exists=lambda path: path in files)
    cases = {str(case.time)[11:13]: (case.reports, case.background, case.label) for case in listed.cases}
    missing = [(str(each.time)[11:13], each.kind, each.files, each.outcome) for each in listed.missing]
    return cases, missing


def test_a_time_without_reports_is_left_out_and_listed():
    cases, missing = search(archive(), "r.2407")
    assert cases == {"07": (("r.2407",), (), ())}
    assert missing == [("06", "reports", ("r.2406",), "left out")]


def test_the_first_background_that_exists_is_used_and_those_before_it_are_listed():
    settings = archive(background=(FORECAST,), end="2022-08-24T06")
    cases, missing = search(settings, "r.2406", "f.2404.02")
    assert cases["06"][1] == ("f.2404.02",)
    assert missing == [("06", "background", ("f.2405.01",), "uses f.2404.02")]


@pytest.mark.parametrize("regression", [True, False])
def test_without_a_background_a_time_has_a_regression_or_is_left_out(regression):
    settings = archive(background=(FORECAST,), end="2022-08-24T06", regression=regression)
    cases, missing = search(settings, "r.2406")
    assert list(cases) == ["06"] * regression
    outcome = "regression on the reports" if regression else "left out"
    assert missing == [("06", "background", ("f.2405.01", "f.2404.02"), outcome)]


def test_a_time_without_its_label_is_left_out_and_no_label_is_interpolated_in_time():
    settings = archive(labels=LABELS, every_minutes=30, reports=(replace(REPORTS, before_minutes=30),))
    cases, missing = search(settings, "r.2406", "r.2407", "l.2406", "l.2407")
    assert {hour: files[2] for hour, files in cases.items()} == {"06": ("l.2406",), "07": ("l.2407",)}
    assert missing == [("06", "labels", (), "left out")]  # half past six


def test_times_that_are_left_out_make_no_case():
    cases, _ = search(archive(leave_out=("2022-08-24T06:00",)), "r.2406", "r.2407")
    assert list(cases) == ["07"]


def test_the_times_of_an_archive_may_be_those_of_its_files(tmp_path):
    for name in ("r.202208240155", "r.202208240415", "r.202208250000", "other"):
        (tmp_path / name).write_text("x")
    settings = archive(
        start="2022-08-24",
        end="2022-08-24T23",
        every_minutes=0,
        folder=str(tmp_path),
        reports=(FilePattern("r.{time:%Y%m%d%H%M}", every_minutes=1),),
    )
    assert settings.times().tolist() == [np.datetime64(f"2022-08-24T{each}", "s").item() for each in ("01:55", "04:15")]
    assert len(inventory(settings).cases) == 2


def test_an_empty_file_counts_as_missing(tmp_path):
    (tmp_path / "r.2406").write_text("")
    (tmp_path / "r.2407").write_text("x")
    assert [str(case.time)[11:13] for case in inventory(archive(folder=str(tmp_path))).cases] == ["07"]


@pytest.mark.parametrize("parts", [1, 3, 7, 30])
def test_parts_are_contiguous_shares_that_together_are_all_times(tmp_path, parts):
    for hour in range(24):
        (tmp_path / f"r.24{hour:02d}").write_text("x")
    settings = archive(start="2022-08-24", end="2022-08-24T23", folder=str(tmp_path))
    times = [case.time for part in range(parts) for case in inventory_of_part(settings, part, parts).cases]
    assert times == [case.time for case in inventory(settings).cases] and len(times) == 24


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"end": "2022-08-23"}, "expected start <= end"),
        ({"reports": ()}, "expected a background, or reports and regression: true"),
        ({"withheld_share": 1.0}, "withheld_share: expected from 0 to below 1, got 1"),
        ({"labels": {"withheld": True}}, "labels: withheld: expected reports and withheld_share above 0"),
        ({"labels": {}}, "expected exactly one of gridded, method and withheld"),
        ({"labels": {"method": "unet"}}, "labels: method: expected one of first_guess, nearest"),
        ({"window_minutes": 0}, "window_minutes: expected above 0"),
        ({"reports": [{"pattern": "f.{cycle:%d%H}.{lead:02d}"}]}, "expected the field {time:...} for reports"),
    ],
)
def test_settings_that_make_no_archive_are_refused(settings, words):
    base = {"start": "2022-08-24T06", "end": "2022-08-24T07", "reports": [{"pattern": REPORTS.pattern}]}
    with pytest.raises(config.ConfigError) as error:
        config.build(Archive, base | settings, "test")
    assert words in str(error.value)


def shipped(name: str, **changes) -> samples.Run:
    """A shipped configuration, whose output is a file of the test's own."""
    run = config.load(samples.Run, config.find("samples", f"archive_{name}"))
    return replace(run, **changes)


@pytest.fixture(scope="module")
def swidaho(real_data) -> ArchiveCases:
    return shipped("hrrr_swidaho").open()


def test_every_hour_with_its_background_and_label_is_a_case(swidaho):
    assert len(swidaho.time) == 29
    assert [each.files for each in swidaho.inventory.missing] == [("hrrr.20180721.hrrr.t23z.wrfsfcf01.grib2",)]
    assert swidaho.inventory.missing[0].outcome == "left out"


def test_a_label_on_its_own_grid_is_what_the_file_holds(swidaho, real_data):
    whole = Box.whole(swidaho.contents.domain.shape)
    case = swidaho.case_of_tile(4, whole)
    assert str(case.time) == "2018-07-22T06:00:00"
    for hour, fields in (("05", case.truth), ("04", case.background)):
        file = real_data / "hrrr_swidaho" / f"hrrr.20180722.hrrr.t{hour}z.wrfsfcf01.grib2"
        direct = read_one(file, "t2m").values
        np.testing.assert_allclose(fields["t2m"], direct, atol=2e-3)  # the corner has 6 decimals: 0.1 m of 3 km


def test_a_label_on_a_box_is_the_cut_of_the_whole(swidaho):
    box = Box(20, 50, 7, 33)
    whole, part = swidaho.case(7, Box.whole(swidaho.contents.domain.shape)), swidaho.case(7, box)
    for name in swidaho.contents.variables:
        np.testing.assert_array_equal(part.truth[name], whole.truth[name][box.slices])


def test_a_background_and_an_analysis_on_one_grid_differ_as_the_files_do(real_data):
    cases = shipped("ruc13").open()
    assert [str(time) for time in cases.time] == ["2005-08-07T12:00:00"]
    case = cases.case_of_tile(0, Box.whole(cases.contents.domain.shape))
    files = ("2005080700_f12_background.grib", "2005080712_f00_analysis.grib")
    background, analysis = (read_one(real_data / "ruc13" / file, "t2m").values for file in files)
    np.testing.assert_array_equal(case.truth["t2m"], analysis)  # NaN beyond the model's own domain
    inside = np.isfinite(analysis)
    np.testing.assert_array_equal(case.background["t2m"][inside], background[inside])
    assert inside.sum() == 14162


def test_where_a_label_ends_the_network_has_no_target(real_data):
    cases = shipped("ruc13", variables=("t2m",)).open()
    case = cases.case_of_tile(0, Box.whole(cases.contents.domain.shape))
    statistics = Statistics(cases.contents.fields, (290.0,) * 2, (8.0,) * 2, 1, "", "", (), (), ())
    method = UNetMethod(UNetSettings(fold=1, widths=(8,), groups=1), statistics)
    sample = method.encode(case)
    np.testing.assert_array_equal(sample.mask[0, 0].numpy() > 0, np.isfinite(case.truth["t2m"]))
    total, weight = method.loss(sample, Alone(case.box.shape, (False, False)))
    assert np.isfinite(float(total.detach())) and weight == 14162
    joined = Sample.join([sample, replace(sample, mask=None)])
    assert joined.mask.shape == (2, 1, 129, 185) and bool((joined.mask[1] == 1).all())


@pytest.mark.parametrize(
    ("name", "cases", "first", "last"),
    [
        ("metar_world", 16, "2011-11-23T02:00:00", "2025-08-16T01:00:00"),
        ("metar_20260822", 57, "2026-08-22T03:30:00", "2026-08-22T17:30:00"),
        ("sao", 20, "1995-03-18T00:00:00", "1995-03-18T23:00:00"),
    ],
)
def test_shipped_archives_have_the_hours_that_train(real_data, name, cases, first, last):
    listed = shipped(name).inventory()
    assert len(listed.cases) == cases and not listed.missing
    assert (str(listed.cases[0].time), str(listed.cases[-1].time)) == (first, last)


@pytest.fixture(scope="module")
def hours(real_data):
    """Two hours of reports alone, one tenth of the stations withheld."""
    run = shipped("sao", variables=("t2m", "u10", "v10"))
    changes = {"end": "1995-03-18T01:00", "labels": Labels(withheld=True)}
    section = replace(run.cases, archive=replace(run.cases.archive, **changes))
    return open_cases(section, assumptions(load_settings("classical", run.variables)))


def test_withheld_stations_are_no_input_and_no_field_is_known(hours):
    case = hours.case(1, Box.whole(hours.contents.domain.shape))
    stations = case.observations.station
    assert case.truth is None and not hours.contents.truth
    share = len(set(stations[case.withheld])) / len(set(stations))
    assert 0.07 < share < 0.13 and case.used.sum() > 2000
    assert not set(stations[case.withheld]) & set(stations[case.used])


def test_a_store_keeps_which_reports_are_used_and_withheld(hours, tmp_path):
    from mlrtma_dist.parallel.ranks import Ranks
    from mlrtma_dist.samples.build import build_store

    with Ranks.start(device="cpu") as ranks:
        summary = build_store(tmp_path / "store.h5", hours, ranks)
    store, whole = Store(tmp_path / "store.h5"), Box.whole(hours.contents.domain.shape)
    assert store.contents.fields == hours.contents.fields and not store.contents.truth
    assert "truth" not in summary.text() and f"u10: {summary.reports[1]}" in summary.text()
    stored, source = store.case(0, whole), hours.case_of_tile(0, whole)
    assert stored.truth is None
    for name, background in source.background.items():
        np.testing.assert_array_equal(stored.background[name], background.astype(np.float32))
    inside = whole.owns(np.floor(np.nan_to_num(source.grid_place, nan=-9.0) + 0.5))
    for mask in ("used", "withheld"):
        rows = inside & getattr(source, mask) & np.isfinite(source.observations.value)
        expected = sorted(zip(source.observations.station[rows], source.observations.flags[rows], strict=True))
        rows = getattr(stored, mask)
        table = store.reports(0)
        assert sorted(zip(table.station[rows], table.flags[rows], strict=True)) == expected


def test_a_crop_is_the_cut_of_the_whole_case(hours):
    crops = Crops(hours, Boxes(y=60, x=80, count=3, seed=5))
    assert len(crops.time) == 6 and crops.contents.domain.shape == (60, 80)
    boxes = {crops.box(number) for number in range(6)}
    assert len(boxes) == 6
    for number in (0, 4):
        box = crops.box(number)
        whole = hours.case_of_tile(number // 3, Box.whole(hours.contents.domain.shape))
        crop = crops.case_of_tile(number, Box(0, 60, 0, 80))
        for name in hours.contents.variables:
            np.testing.assert_array_equal(crop.background[name], whole.background[name][box.slices])
        np.testing.assert_array_equal(crop.static.terrain, whole.static.terrain[box.slices])
        own = box.owns(np.floor(np.nan_to_num(whole.grid_place, nan=-9.0) + 0.5))
        assert crop.observations.station.tolist() == whole.observations.station[own].tolist()
        np.testing.assert_array_equal(crop.used, whole.used[own])
        np.testing.assert_allclose(crop.place, whole.grid_place[own] - (box.y0, box.x0), atol=1e-9)
        row, column = crop.domain.index(crop.observations.latitude, crop.observations.longitude)
        np.testing.assert_allclose(crop.place, np.stack([row, column], 1), atol=1e-6)


def test_a_box_larger_than_the_domain_is_refused(hours):
    with pytest.raises(config.ConfigError, match="boxes: expected at most the"):
        Crops(hours, Boxes(y=60, x=8000))


def test_parts_make_stores_once_and_list_what_is_missing(real_data, tmp_path):
    output = str(tmp_path / "store.h5")
    runs = [shipped("hrrr_swidaho", output=output, parts=10, part=part) for part in (0, 1)]
    assert all(samples.make(run) for run in runs)
    first, second = (Path(tmp_path) / f"store_part00{part}.h5" for part in (0, 1))
    assert [len(Store(path).time) for path in (first, second)] == [2, 3]
    assert "hrrr.20180721.hrrr.t23z" in first.with_suffix(".missing.txt").read_text()
    assert "cases: 2" in first.with_suffix(".summary.yaml").read_text()
    before, content = first.stat().st_mtime_ns, content_hash(first)
    samples.make(runs[0])  # whole: not made again
    assert first.stat().st_mtime_ns == before
    samples.make(replace(runs[0], variables=("t2m",)))  # of another configuration: made anew
    assert content_hash(first) != content


def test_two_ranks_make_the_store_of_one(real_data, tmp_path):
    parts = []
    for ranks in (1, 2):
        output = tmp_path / f"ranks{ranks}.h5"
        command = [sys.executable, "-m", "jobs.command", "samples", "configs/samples/archive_hrrr_swidaho.yaml"]
        command += ["--output", str(output), "--parts", "6", "--part", "2"]
        command = ["mpiexec", "--oversubscribe", "-n", str(ranks), *command] if ranks > 1 else command
        allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        done = subprocess.run(command, cwd=ROOT, env=os.environ | allowed, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        parts.append(output.with_name(f"ranks{ranks}_part002.h5"))
    assert content_hash(parts[0]) == content_hash(parts[1])
    texts = [path.with_suffix(".summary.yaml").read_text() for path in parts]
    assert texts[0] == texts[1] and "cases: 5" in texts[0]


def test_an_archive_without_any_file_is_refused_with_the_names_it_looked_for(tmp_path):
    run = shipped("sao")
    section = replace(run.cases, archive=replace(run.cases.archive, folder=str(tmp_path)))
    with pytest.raises(config.ConfigError, match=r"got none; missing are 95031800_sao.cdf"):
        open_cases(section, assumptions(load_settings("classical", ("t2m",))))
