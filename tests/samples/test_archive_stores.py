"""Stores of archives: withheld reports, crops, parts and ranks against direct reads and wholes."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jobs import samples
from mlrtma_dist import config
from mlrtma_dist.grid.box import Box
from mlrtma_dist.io.hdf5 import content_hash
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.samples.archive import Labels
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.crops import Boxes, Crops
from mlrtma_dist.samples.sources import open_cases
from mlrtma_dist.samples.store import Store

ROOT = Path(__file__).parents[2]


def shipped(name: str, **changes) -> samples.Run:
    """A shipped configuration, whose output is a file of the test's own."""
    run = config.load(samples.Run, config.find("samples", f"archive_{name}"))
    return replace(run, **changes)


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


@pytest.mark.slow
def test_of_a_file_that_holds_a_day_a_store_keeps_the_reports_of_each_window(real_data):
    run = config.load(samples.Run, config.find("samples", "reports_metar_20260822"))
    archive = replace(run.cases.archive, end=run.cases.archive.start)
    cases = open_cases(replace(run.cases, archive=archive), assumptions(load_settings("classical", ("t2m",))))
    box = Box.whole(cases.contents.domain.shape)
    whole, stored = cases.case(0, box), cases.case_of_tile(0, box)
    window = np.timedelta64(int(60 * archive.window_minutes), "s")
    assert len(stored.observations) < 0.25 * len(whole.observations)
    assert (np.abs(stored.observations.time - stored.time) <= window).all()
    for mask in ("used", "withheld"):
        assert getattr(stored, mask).sum() == getattr(whole, mask).sum()
    np.testing.assert_array_equal(stored.value[stored.used], whole.value[whole.used])


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


def test_a_store_is_made_anew_when_the_grid_of_its_domain_has_changed_but_not_for_a_title_or_a_note(
    real_data, tmp_path
):
    text = config.find("domains", "conus_20km").read_text()
    (tmp_path / "own.yaml").write_text(text)
    run = shipped("sao", output=str(tmp_path / "store.h5"), variables=("t2m",))
    archive = replace(run.cases.archive, end=run.cases.archive.start)
    run = replace(run, cases=replace(run.cases, domain=(str(tmp_path / "own.yaml"),), archive=archive))
    samples.make(run)
    before = run.store.stat().st_mtime_ns
    title = re.search("^title: (.*)$", text, re.MULTILINE)[1]
    for same in (text, text.replace(title, "another title") + "note: another note\n"):
        (tmp_path / "own.yaml").write_text(same)
        samples.make(run)
        assert run.store.stat().st_mtime_ns == before
    (tmp_path / "own.yaml").write_text(text.replace("y: 200", "y: 180"))
    samples.make(run)
    assert Store(run.store).layout.shape == (180, 294)


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
