"""Reanalyses: the same products however they are divided, killed or repeated; and what becomes of slots that fail."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray

from jobs import analyse, lineage, reanalysis
from jobs.reanalysis_slots import slots_of
from mlrtma_dist import config
from mlrtma_dist.inference.slot_manifest import Day
from mlrtma_dist.inference.slot_worker import Worker
from mlrtma_dist.io.file_digest import sha256_of
from mlrtma_dist.samples.slots import Slots

NAMES = ("north", "south")
TIMES = ("24T23:00", "24T23:30", "25T00:00", "25T00:30")


@pytest.fixture
def run(small_reanalysis, tmp_path):
    """The small reanalysis, into a folder of an awkward name."""
    text = small_reanalysis + f"output: {tmp_path}/o u't;$HOME\n"
    return config.build(reanalysis.Run, config.parse_yaml(text, "test"), "test")


@pytest.fixture(scope="module")
def whole(small_reanalysis, tmp_path_factory):
    """The small reanalysis in one run, as users start it: name of a product -> its bytes' digest."""
    output = tmp_path_factory.mktemp("whole")
    run = config.build(reanalysis.Run, config.parse_yaml(f"{small_reanalysis}output: {output}\n", "test"), "test")
    assert reanalysis.work(run) == 0
    return products(output)


def products(output) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in sorted(Path(output).rglob("*.nc"))}


def lines(run, name="north"):
    """The manifest's lines of a domain's two days, by the slot's name."""
    return {k: v for day in slots_of(run).days for k, v in Day(Path(run.output), name, day).entries().items()}


def broken(run, tmp_path, stamp="202208242300", content=b"\x00\x01 no reports \xff"):
    """The same run on a copy of its archive, one of whose files is damaged."""
    folder = tmp_path / "copy"
    if not folder.exists():
        shutil.copytree(run.cases.archive.folder, folder, copy_function=shutil.copy2)
    (path,) = folder.glob(f"*{stamp}.csv")
    path.write_bytes(content)
    return replace(run, cases=replace(run.cases, archive=replace(run.cases.archive, folder=str(folder))))


def test_every_slot_becomes_a_product_and_a_line_that_holds_its_size_and_digest(run, here, whole):
    assert sorted(whole) == sorted(f"{n}_202208{t.replace(':', '')}Z.nc" for n in NAMES for t in TIMES)
    assert reanalysis.work(run) == 0
    for name in NAMES:
        for slot, line in lines(run, name).items():
            path = Path(run.output) / line["path"]
            assert path.name == f"{slot}.nc" and line["bytes"] == path.stat().st_size
            assert line["sha256"] == whole[path.name] == sha256_of(path) and line["method"] == "threedvar"
    assert not list(Path(run.output).rglob("*.partial")) and not Path("pwned").exists()


def test_products_do_not_depend_on_elements_their_order_or_earlier_runs(run, here, whole):
    for element in (2, 0, 1, 0):
        assert reanalysis.work(replace(run, element=element, elements=3)) == 0
    assert products(run.output) == whole


def test_a_slot_is_the_analysis_that_the_verb_analyse_makes(run, here, whole, tmp_path):
    reanalysis.work(run)
    (file,) = Path(run.cases.archive.folder).glob("*202208250000.csv")
    reports = {"observations": [str(file)], "time": ["2022-08-25T00:00"]}
    keys = {"cases": {"domain": run.cases.domain[:1], "reports": reports}, "output": str(tmp_path / "one")}
    keys["ensemble"] = {"quantiles": [0.1], "below": {"t2m": [290.0]}}
    one = config.build(analyse.Run, keys | {"variables": ["t2m", "d2m"], "maps": False}, "test")
    (product,) = analyse.make(one)[1]
    # nothing is withheld from the one, a fifth from the other
    other = replace(run, cases=replace(run.cases, archive=replace(run.cases.archive, withheld_share=0.0)))
    other = replace(other, output=str(tmp_path / "other"), ensemble=one.ensemble)
    reanalysis.work(other)
    (slot,) = Path(other.output).rglob("north_20220825T0000Z.nc")
    with netCDF4.Dataset(product) as expected, netCDF4.Dataset(slot) as got:
        for name in ("t2m", "t2m_error", "d2m_increment", "relative_humidity", "d2m_quantile_10", "t2m_below_290"):
            np.testing.assert_array_equal(expected[name][:], got[name][:])


def test_a_product_names_its_input_and_holds_a_configuration_that_makes_it_again(run, here, tmp_path):
    reanalysis.work(run)
    (path,) = Path(run.output).rglob("south_20220824T2330Z.nc")
    with netCDF4.Dataset(path) as product:
        assert product.observation_files.endswith(" 202208242330.csv")
        keys = config.parse_yaml(product.configuration, "product")
        origin = lineage.of_product(path)
        assert [origin[key] for key in ("commit", "observation_files")] == [product.commit, product.observation_files]
    assert "created" not in origin
    keys["cases"]["archive"]["folder"] = run.cases.archive.folder
    again = config.build(reanalysis.Run, keys | {"output": str(tmp_path / "again")}, "product")
    assert reanalysis.work(again) == 0
    assert list(products(tmp_path / "again").items()) == [(path.name, sha256_of(path))]


def test_xarray_opens_the_products_of_a_domain_together_along_time(run, here):
    pytest.importorskip("dask")  # by which xarray reads files when their values are asked for
    reanalysis.work(run)
    with xarray.open_mfdataset(f"{Path(run.output)}/north/2022/08/*/*.nc") as period:
        assert period.t2m.dims == ("time", "y", "x") and period.t2m.sizes == {"time": 4, "y": 20, "x": 24}
        np.testing.assert_array_equal(period.time, [np.datetime64(f"2022-08-{time}") for time in TIMES])
        for time, path in zip(period.time.values, sorted(Path(run.output, "north").rglob("*.nc")), strict=True):
            with netCDF4.Dataset(path) as product:
                for name in ("t2m", "d2m", "t2m_error"):
                    np.testing.assert_array_equal(period[name].sel(time=time), product[name][0].filled(np.nan))


def test_what_is_done_is_not_done_again_and_what_is_lost_damaged_or_changed_is(run, here, monkeypatch):
    reanalysis.work(run)
    before = products(run.output)
    paths = sorted(Path(run.output).rglob("*.nc"))
    paths[0].unlink()
    paths[7].write_bytes(b"short")
    done = []
    publish = Worker._analyse
    monkeypatch.setattr(Worker, "_analyse", lambda *a: (done.append(a[1].name), publish(*a))[1])
    assert run.array() == "0,1 of 2"
    assert reanalysis.work(run) == 0 and sorted(done) == sorted([paths[0].stem, paths[7].stem])
    assert products(run.output) == before and run.array() == "none of 2"
    assert reanalysis.work(run) == 0 and len(done) == 2
    reanalysis.work(replace(run, method="oi"))  # another configuration
    assert len(done) == 2 + 8


def test_an_input_that_changed_is_analysed_again_and_an_extended_period_keeps_what_is_done(run, here, tmp_path):
    own = broken(run, tmp_path, content=next(Path(run.cases.archive.folder).glob("*202208242300.csv")).read_bytes())
    archive = own.cases.archive
    short = replace(own, cases=replace(own.cases, archive=replace(archive, end="2022-08-24T23:30")))
    reanalysis.work(short)
    first = lines(own)
    (file,) = Path(archive.folder).glob("*202208242300.csv")
    file.write_text(file.read_text().replace("S007", "S007 "))
    reanalysis.work(own)
    last = lines(own)
    assert len(first) == 2 and len(last) == 4
    assert [slot for slot in first if last[slot] != first[slot]] == ["north_20220824T2300Z"]


def test_a_corrupt_file_sets_its_slots_aside_with_the_reason_and_the_rest_is_done(run, here, tmp_path, whole, caplog):
    bad = broken(run, tmp_path)
    assert reanalysis.work(bad) == 4
    line = lines(bad)["north_20220824T2300Z"]
    assert line["attempts"] == 3 and "202208242300.csv" in line["aside"] and "sha256" not in line
    assert caplog.text.count("north_20220824T2300Z: attempt") == 3
    assert products(bad.output) == {k: v for k, v in whole.items() if "T2300Z" not in k}
    assert "retry=true" not in caplog.text
    assert bad.array() == "none of 2"  # what was set aside is not tried again unless it is asked for
    assert "--set retry=true" in caplog.text
    assert replace(bad, retry=True).array() == "0 of 2"
    broken(run, tmp_path, content=next(Path(run.cases.archive.folder).glob("*202208242300.csv")).read_bytes())
    assert reanalysis.work(bad) == 0  # its file is another one now
    assert products(bad.output) == whole


def test_a_slot_without_input_is_noted_and_analysed_once_its_file_is_there(run, here, tmp_path, whole):
    bare = broken(run, tmp_path)
    (file,) = Path(bare.cases.archive.folder).glob("*202208242300.csv")
    content = next(Path(run.cases.archive.folder).glob("*202208242300.csv")).read_bytes()
    file.unlink()
    assert reanalysis.work(bare) == 0
    assert "202208242300.csv" in lines(bare)["north_20220824T2300Z"]["absent"]
    file.write_bytes(content)
    assert reanalysis.work(bare) == 0 and products(bare.output) == whole


def test_a_method_that_fails_on_a_slot_fails_there_alone(run, here, monkeypatch):
    original = Worker._analyse

    def fails(self, slot, case, writer):
        if slot.name == "south_20220825T0030Z":
            case = None  # as a method meets what it does not expect
        return original(self, slot, case, writer)

    monkeypatch.setattr(Worker, "_analyse", fails)
    assert reanalysis.work(replace(run, attempts=2)) == 4
    assert len(products(run.output)) == 7
    assert lines(run, "south")["south_20220825T0030Z"]["aside"].startswith("AttributeError: ")


def test_days_are_divided_without_a_gap_among_elements_and_workers():
    times = np.datetime64("2020-02-25T00:15", "s") + np.arange(96 * 40) * np.timedelta64(15, "m")
    slots = Slots(times, 3)
    assert slots.spans == 14 and sum(len(slots.of_day(day)) for day in range(len(slots.days))) == len(times)
    for elements, workers in ((1, 1), (5, 1), (14, 2), (20, 3)):
        parts = [slots.days_of(e, elements, w, workers) for e in range(elements) for w in range(workers)]
        assert sorted(day for part in parts for day in part) == list(range(len(slots.days)))
        last = elements - 1
        assert all(slots.span_of(day) % elements == last for day in slots.days_of(last, elements))


def test_a_division_that_cannot_be_is_refused(run):
    for change in ({"elements": 3, "element": 3}, {"attempts": 0}):
        with pytest.raises(ValueError, match="1 or more and an element from 0 to below elements"):
            replace(run, **change)


def test_an_output_that_cannot_be_written_ends_with_its_name_before_anything_is_analysed(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        reanalysis.work(replace(run, output=f"{tmp_path}/file/below"))


def command(folder, *arguments):
    return [sys.executable, "-m", "jobs.command", "reanalysis", str(folder / "run.yaml"), *map(str, arguments)]


@pytest.fixture
def started(small_reanalysis, tmp_path):
    """The folder of the small reanalysis as a file, run.yaml, which writes into output/ there."""
    (tmp_path / "run.yaml").write_text(f"{small_reanalysis}output: {tmp_path}/output\n")
    return tmp_path


@pytest.mark.slow
def test_kills_at_random_moments_change_no_product(started, whole, seed):
    chance = random.Random(seed)
    for element in (chance.randrange(2), *chance.sample(range(2), 2)):
        process = subprocess.Popen(command(started, "--element", element, "--of", 3), stderr=subprocess.DEVNULL)
        before, until = len(files := list((started / "output").rglob("*"))), time.monotonic() + 30
        while (
            len(list((started / "output").rglob("*"))) <= before and process.poll() is None and time.monotonic() < until
        ):
            time.sleep(0.02)
        time.sleep(chance.uniform(0.0, 1.0))  # from its first file on
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path in (each for each in files if each.suffix == ".jsonl"):
            path.open("ab").write(b'{"id": "torn')
    for element in (2, 0, 1):
        assert subprocess.run(command(started, "--element", element, "--of", 3)).returncode == 0
    assert products(started / "output") == whole
    assert not list((started / "output").rglob("*.partial"))


@pytest.mark.slow
def test_a_signal_ends_it_with_75_after_a_slot_and_a_full_disk_with_3_and_no_half_file(started):
    begun = subprocess.Popen(command(started))
    until = time.monotonic() + 60
    while not list((started / "output").rglob("*.nc")) and time.monotonic() < until:
        time.sleep(0.05)
    begun.send_signal(signal.SIGUSR1)
    assert begun.wait(timeout=60) in (75, 0)  # it may have been about to end
    assert not list((started / "output").rglob("*.partial"))
    count = sum(len(path.read_text().splitlines()) for path in (started / "output").rglob("manifests/*.jsonl"))
    assert count == len(list((started / "output").rglob("*.nc"))) > 0
    limited = ["bash", "-c", 'ulimit -f 30; exec "$@"', "-", *command(started, "--output", started / "small")]
    full = subprocess.run(limited, capture_output=True, text=True)
    assert full.returncode == 3 and "File too large" in full.stderr and str(started / "small") in full.stderr
    assert "Traceback" not in full.stderr and not list((started / "small").rglob("*.partial"))
    assert not list((started / "small").rglob("*.nc"))


@pytest.mark.slow
def test_a_process_that_crashes_while_it_reads_costs_its_slot_alone(started, whole, monkeypatch):
    script = started / "crash.py"
    script.write_text(
        "import os, signal, sys\n"
        "from mlrtma_dist.samples.station_hours import Reports\n"
        "read = Reports.read_file\n"
        "def crashes(self, file, near):\n"
        "    if '202208242300' in file:\n"
        "        os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    return read(self, file, near)\n"
        "Reports.read_file = crashes\n"
        "from jobs.command import main\n"
        "if __name__ == '__main__':\n"
        "    sys.exit(main(sys.argv[1:]))\n"
    )
    line = [sys.executable, str(script), "reanalysis", str(started / "run.yaml"), "--set", "attempts=1"]
    ended = subprocess.run(line, env={**os.environ, "PYTHONPATH": str(Path(reanalysis.__file__).parents[1])})
    assert ended.returncode == 4
    assert products(started / "output") == {k: v for k, v in whole.items() if "T2300Z" not in k}
    texts = [path.read_text() for path in (started / "output" / "south").rglob("manifests/*.jsonl")]
    (entry,) = [json.loads(line) for text in texts for line in text.splitlines() if "aside" in line]
    assert "signal 11" in entry["aside"]
