"""Archives: which files make cases, which are missing, and labels, crops and parts against direct reads and wholes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jobs import samples
from mlrtma_dist import config
from mlrtma_dist.grid.box import Box
from mlrtma_dist.io.gridded import read_one
from mlrtma_dist.methods.sample import Sample
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.methods.unet import UNetMethod, UNetSettings
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.samples.archive import Archive, Labels, inventory, inventory_of_part
from mlrtma_dist.samples.archive_cases import ArchiveCases
from mlrtma_dist.samples.file_patterns import FilePattern
from mlrtma_dist.samples.sources import open_cases

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


def test_an_archive_without_any_file_is_refused_with_the_names_it_looked_for(tmp_path):
    run = shipped("sao")
    section = replace(run.cases, archive=replace(run.cases.archive, folder=str(tmp_path)))
    with pytest.raises(config.ConfigError, match=r"got none; missing are 95031800_sao.cdf"):
        open_cases(section, assumptions(load_settings("classical", ("t2m",))))
