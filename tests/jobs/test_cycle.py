"""The cycle end to end on a small world: order, publication, late reports, replays, locks, signals."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from cycle_world import DOMAINS, START, TWO, World, clock_at, product, rows_of

from jobs import command, cycle_product, cycle_slot
from jobs.cycle_loop import make
from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.inference import cycle_methods
from mlrtma_dist.io.lock import LockError, locked
from mlrtma_dist.samples import arrivals
from mlrtma_dist.samples.imaged import FileChannel, ImageFiles
from mlrtma_dist.weights.release import released

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    return World.build(tmp_path_factory.mktemp("cycle"))


def test_a_slot_is_published_by_the_first_method_and_scored(world, tmp_path, capsys):
    quantiles = {"ensemble": "{quantiles: [0.5]}"}
    assert make(world.run(tmp_path, methods=TWO, **quantiles), clock=clock_at(10)) == 0
    with netCDF4.Dataset(tmp_path / "east/latest.nc") as file:
        np.testing.assert_allclose(file["t2m_quantile_50"][:], file["t2m"][:], atol=0.01)
    attributes = product(tmp_path)
    assert (attributes["method"], attributes["revision"], attributes["methods_passed_over"]) == ("oi", 1, "none")
    assert attributes["observation_files"] == "reports_20220824.csv" and np.isfinite(attributes["t2m"]).all()
    scores = {row["method"]: row for row in rows_of(tmp_path / "east/scores.csv")}
    assert {row["at"] for row in scores.values()} == {"used"}
    assert float(scores["oi"]["rmse"]) < float(scores["first_guess"]["rmse"])
    assert "oi, 0.0 s after the cut-off" in capsys.readouterr().out


def test_withheld_stations_take_no_part_and_score_every_method_that_is_compared(world, tmp_path):
    run = world.run(
        tmp_path, archive=", withheld_share: 0.3", compare="[threedvar, nearest]", methods=TWO, grib2="true"
    )
    assert make(run, clock=clock_at(10)) == 0
    assert (tmp_path / "east/20220824/east_20220824T0600Z.grib2").read_bytes()[:4] == b"GRIB"
    rows = rows_of(tmp_path / "east/scores.csv")
    assert {row["method"] for row in rows} == {"first_guess", "oi", "threedvar", "nearest"}
    assert {(row["at"], row["variable"]) for row in rows} == {("withheld", "t2m")}
    (number,) = {int(row["n"]) for row in rows}
    used = int(rows_of(tmp_path / "east/slots.csv")[0]["used"])
    assert 0 < number < used and number + used <= 40


def test_a_method_in_time_has_the_reports_of_the_hour_before_its_slot_at_their_own_times(world, tmp_path):
    used = {}
    for name, minutes in (("wide", 30), ("narrow", 0)):
        run = world.run(
            tmp_path / name,
            archive=f", withheld_share: 0.3, window_minutes: 10, in_time_minutes: {minutes}",
            compare="[threedvar, oi_time]",
            methods="[{name: oi_time}]",
        )
        assert make(run, clock=clock_at(10)) == 0
        used[name] = int(rows_of(tmp_path / name / "east/slots.csv")[0]["used"])
        rows = rows_of(tmp_path / name / "east/scores.csv")
        assert {row["method"] for row in rows} == {"first_guess", "oi_time", "threedvar"}
    assert used["wide"] > 1.5 * used["narrow"]
    with netCDF4.Dataset(tmp_path / "wide/east/latest.nc") as file:
        names, *counts = (line.split() for line in file.observations_by_flag.splitlines())
        assert used["wide"] == int(counts[0][names.index("used")])
        assert int(counts[0][names.index("other_time")]) == used["wide"] - used["narrow"]


def test_behind_schedule_the_newest_slots_of_all_domains_come_first(world, tmp_path, capsys):
    run = world.run(tmp_path, domains=DOMAINS, slots=4)
    assert make(run, once=True, clock=clock_at(56)) == 0
    order = [tuple(line.split()[:2]) for line in capsys.readouterr().out.splitlines() if " revision 1 by " in line]
    newest_first = [str(START + number * np.timedelta64(15, "m"))[:16] for number in (3, 2, 1, 0)]
    assert order == [(domain, time) for time in newest_first for domain in DOMAINS]
    assert all(os.readlink(tmp_path / d / "latest.nc") == f"20220824/{d}_20220824T0645Z.nc" for d in DOMAINS)


def test_reports_that_come_late_make_a_revision_under_the_same_name(world, tmp_path):
    assert make(world.run(tmp_path, timing="{late_minutes: 45}"), clock=clock_at(10)) == 0
    first, second = rows_of(tmp_path / "east/slots.csv")
    assert (first["revision"], second["revision"]) == ("1", "2")
    # at 06:10 reports of 05:30 to 06:05 have arrived, at 06:45 all of the window: 05:30 to 06:30
    assert int(first["values"]) * 7 == int(second["values"]) * 4
    assert product(tmp_path)["revision"] == 2
    assert [path.name for path in (tmp_path / "east/20220824").iterdir()] == ["east_20220824T0600Z.nc"]


def test_late_reports_of_the_window_of_a_method_in_time_make_a_revision(world, tmp_path):
    run = world.run(
        tmp_path,
        archive=", window_minutes: 5, in_time_minutes: 30",
        methods="[{name: oi_time}]",
        timing="{late_minutes: 45}",
    )
    assert make(run, clock=clock_at(10)) == 0  # the reports of 06:00 have arrived, those of 06:10 to 06:30 come late
    first, second = rows_of(tmp_path / "east/slots.csv")
    assert all(0 < int(row["used"]) <= int(row["values"]) for row in (first, second))
    assert int(first["used"]) < int(second["used"]) and product(tmp_path)["revision"] == 2


def test_without_late_reports_the_first_publication_stays(world, tmp_path):
    assert make(world.run(tmp_path, timing="{cutoff_minutes: 40, late_minutes: 45}"), clock=clock_at(40)) == 0
    assert [row["revision"] for row in rows_of(tmp_path / "east/slots.csv")] == ["1"]


def test_reports_are_seen_at_their_own_time_and_a_latency_later(world, tmp_path):
    values = {}
    for latency in (0, 5, 25):
        run = world.run(tmp_path / str(latency), latency_minutes=str(latency))
        assert make(run, clock=clock_at(10)) == 0
        (row,) = rows_of(tmp_path / str(latency) / "east/slots.csv")
        values[latency] = int(row["values"])
        last = np.datetime64(product(tmp_path / str(latency))["observations_last"].rstrip("Z"))
        assert last <= START + np.timedelta64(10 - latency, "m")
    # the cut-off is 06:10: reports of 05:30 to 06:10, to 06:00 and to 05:40, one every ten minutes
    assert values[0] / 5 == values[5] / 4 == values[25] / 2 > 30


def test_reports_beyond_the_window_change_no_value_of_a_product(world, tmp_path, monkeypatch):
    """A report 45 minutes off serves the checks of its station's series; it is left out after them."""
    judge, products = arrivals.Judge, {}
    for only in (True, False):
        own = {"window_only": only}
        monkeypatch.setattr(arrivals, "Judge", lambda *args, own=own, **more: judge(*args, **more | own))
        run = world.run(tmp_path / str(only), latency_minutes="0", variables="[t2m, psfc]")
        assert make(run, clock=clock_at(50)) == 0
        with netCDF4.Dataset(tmp_path / str(only) / "east/latest.nc") as file:
            file.set_auto_maskandscale(False)
            products[only] = {name: file[name][...] for name in file.variables}, file.getncattr("observations_by_flag")
    assert "time" in products[False][1].splitlines()[0].split()
    assert "time" not in products[True][1].splitlines()[0].split()
    assert products[True][0].keys() == products[False][0].keys()
    for name, values in products[True][0].items():
        np.testing.assert_array_equal(values, products[False][0][name], err_msg=name)


def test_a_slot_without_reports_waits_for_them_and_the_exit_code_tells_of_it(world, tmp_path, caplog):
    run = world.run(tmp_path, latency_minutes="90")
    assert make(run, once=True, clock=clock_at(10)) == 4
    assert not (tmp_path / "east/latest.nc").exists()
    assert "no method can work: threedvar: 0 values are used" in caplog.text
    assert make(run, clock=clock_at(10)) == 0  # waits until 07:00, when the first report has arrived
    assert rows_of(tmp_path / "east/slots.csv")[0]["published"] >= "2022-08-24T07:00"


def test_once_makes_what_is_due_and_the_next_call_goes_on(world, tmp_path):
    run = world.run(tmp_path, slots=2)
    for minutes, published in ((5, 0), (10, 1), (12, 1), (25, 2)):
        assert make(run, once=True, clock=clock_at(minutes)) == 0
        assert len(list((tmp_path / "east").glob("20220824/*.nc"))) == published
    assert len(rows_of(tmp_path / "east/slots.csv")) == 2


def test_the_previous_analysis_is_the_background_by_its_share(world, tmp_path):
    run = world.run(tmp_path, slots=2, background="previous", background_share="0.6")
    assert make(run, clock=clock_at(10)) == 0
    first, second = product(tmp_path, "20220824T0600Z"), product(tmp_path, "20220824T0615Z")
    assert first["background_files"] == "" and second["background_files"] == "east_20220824T0600Z.nc"
    assert second["first_guess"].startswith("0.6 of gridded: ") and "regression" in second["first_guess"]


def test_a_second_cycle_of_a_domain_is_refused_and_names_the_first(world, tmp_path):
    run = world.run(tmp_path)
    with locked(tmp_path / "east"), pytest.raises(LockError, match=f"process {os.getpid()}"):
        make(run, clock=clock_at(10))
    assert not (tmp_path / "east/latest.nc").exists()


def test_the_lock_of_a_cycle_that_was_killed_is_taken_over(world, tmp_path, caplog):
    child = os.fork()
    if not child:
        with locked(tmp_path / "east"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    places = ["20220824/.east_20220824T0600Z.nc", "20220101/.east_20220101T0600Z.nc", ".status.txt", ".latest.nc"]
    left = [tmp_path / "east" / f"{place}.0123abcd.partial" for place in places]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert make(world.run(tmp_path), clock=clock_at(10)) == 0
    assert "took over the lock" in caplog.text and product(tmp_path)["revision"] == 1
    assert not any(path.exists() for path in left)


def test_asked_to_stop_it_publishes_the_slot_and_ends_with_75(world, tmp_path, monkeypatch):
    whole = cycle_methods.analyse

    def interrupted(case, answer, method, **options):
        os.kill(os.getpid(), signal.SIGUSR1)
        return whole(case, answer, method, **options)

    monkeypatch.setattr(cycle_slot, "analyse", interrupted)
    assert make(world.run(tmp_path, slots=3), clock=clock_at(10)) == 75
    assert [path.name for path in (tmp_path / "east/20220824").iterdir()] == ["east_20220824T0600Z.nc"]


def test_a_full_disk_ends_the_cycle_with_the_name_of_the_file(world, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "east.nc")

    monkeypatch.setattr(cycle_product, "write_product", full)
    with pytest.raises(OSError, match="No space left"):
        make(world.run(tmp_path), clock=clock_at(10))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("methods", "[{name: letkf}]", "letkf cannot work in a cycle"),
        ("methods", "[{name: unet}]", "unet: checkpoint: expected the folder"),
        ("methods", "[{name: fourdvar}]", "fourdvar cannot work in a cycle, as it needs a section fourdvar"),
        ("methods", "[{name: lam}]", "lam cannot work in a cycle, as it needs cases with truth at times that follow"),
        ("methods", "[{name: oi, checkpoint: x}]", "oi: checkpoint: without effect"),
        ("background", "tomorrow", "expected one of archive, previous, forecast"),
        ("forecast", "weights", "with background: forecast alone, got weights with background: archive"),
        ("background_share", "0", "above 0 and up to 1"),
        ("compare", "[oi]", "withheld_share above 0"),
        ("until", "soon", "until: expected a UTC time"),
        ("timing", "{late_minutes: 5}", "late_minutes: expected above cutoff_minutes"),
        ("timing", "{lookback_minutes: 12}", "lookback_minutes: expected above 15"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_in_words(world, tmp_path, key, value, words):
    with pytest.raises((InputError, ValueError), match=words):
        world.run(tmp_path, **{key: value})


def test_images_which_a_cycle_does_not_read_are_refused(world, tmp_path):
    run = world.run(tmp_path)
    images = ImageFiles({"warm": FileChannel("CMI13", "K")}, ("images.nc",))
    with pytest.raises(ValueError, match=r"cases\.imagery: expected null"):
        replace(run, cases=replace(run.cases, imagery=images))


def test_without_a_folder_the_forecast_of_the_background_has_the_weights_that_come_with_the_software(world, tmp_path):
    assert world.run(tmp_path).network == ""
    assert world.run(tmp_path, background="forecast").network == str(released("lam"))
    assert world.run(tmp_path, background="forecast", forecast="own").network == "own"


def test_a_replay_ends_with_its_delays_and_errors(world, tmp_path, capsys):
    run = world.run(tmp_path, archive=", withheld_share: 0.3", methods=TWO)
    assert make(run, clock=clock_at(10)) == 0
    (delays,) = rows_of(tmp_path / "latency.csv")
    assert (delays["domain"], delays["slots"], delays["methods"]) == ("east", "1", "oi:1")
    errors = {row["method"]: row for row in rows_of(tmp_path / "errors.csv")}
    scores = {row["method"]: row for row in rows_of(tmp_path / "east/scores.csv")}
    assert float(errors["oi"]["rmse"]) == pytest.approx(float(scores["oi"]["rmse"]), abs=1e-4)
    assert "seconds from cut-off to publication" in capsys.readouterr().out


@pytest.mark.slow
def test_the_job_script_ends_with_75_when_slurm_signals_that_the_limit_is_near(world, tmp_path):
    (tmp_path / "run.yaml").write_text(config.to_yaml(world.run(tmp_path / "out", slots=9)))
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "MLRTMA"))}
    variables |= {
        "MLRTMA_ROOT": str(ROOT),
        "MLRTMA_PYTHON": sys.executable,
        "MLRTMA_JOURNAL": str(tmp_path / "journal"),
    }
    words = ["bash", str(ROOT / "jobs/cycle.sbatch"), str(tmp_path / "run.yaml"), "--replay", "30"]
    with subprocess.Popen(words, cwd=tmp_path, env=variables, stderr=subprocess.PIPE, text=True) as job:
        while not (tmp_path / "out/east/latest.nc").exists() and job.poll() is None:
            time.sleep(0.1)
        job.send_signal(signal.SIGUSR1)
        _, log = job.communicate(timeout=60)
    assert job.returncode == 75, log
    assert "SIGUSR1: will stop when the slot that is being made is published" in log
    assert 1 <= len(rows_of(tmp_path / "out/east/slots.csv")) < 9 and not (tmp_path / "out/east/run.lock").exists()


def test_the_command_replays_with_a_clock_of_its_own(world, tmp_path):
    (tmp_path / "run.yaml").write_text(config.to_yaml(world.run(tmp_path / "out", slots=2)))
    assert command.main(["cycle", str(tmp_path / "run.yaml"), "--replay", "100000", "--until", "2022-08-24T06:20"]) == 0
    (row,) = rows_of(tmp_path / "out/east/slots.csv")
    assert row["started"] >= "2022-08-24T06:10" and 0.0 < float(row["latency"]) < 60.0
