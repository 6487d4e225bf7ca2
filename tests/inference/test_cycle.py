"""The parts of a cycle: clock, agenda, costs, list of methods, and publications that no kill leaves half written."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import netCDF4
import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.inference.cycle_agenda import Agenda, Timing
from mlrtma_dist.inference.cycle_clock import ReplayClock, duration, minutes, seconds
from mlrtma_dist.inference.cycle_costs import RUNS, Costs
from mlrtma_dist.inference.cycle_methods import Choice, Fallbacks
from mlrtma_dist.inference.cycle_publications import Publication, Publications, append_rows, read_rows
from mlrtma_dist.samples.archive import Archive
from mlrtma_dist.samples.file_patterns import FilePattern

NOON = np.datetime64("2024-02-29T12:00:00", "s")
QUARTER = np.timedelta64(15, "m")
DEFAULT = Timing()
PUBLISH = str(Path(__file__).parent / "kernels" / "publish.py")


def publication(slot: np.datetime64, **changes) -> Publication:
    """A publication of domain a, ten minutes after its slot."""
    at = slot.astype("datetime64[ms]") + minutes(10)
    row = {"domain": "a", "time": slot, "revision": 1, "method": "oi", "passed_over": "", "weights": "", "values": 9}
    return Publication(**{**row, "used": 8, "started": at, "published": at, "latency": 0.0, "cost": 1.0, **changes})


def archive(slots: int, **keys) -> Archive:
    pattern = FilePattern("r{time:%Y%m%d%H}.csv")
    end = NOON + (slots - 1) * QUARTER
    return Archive(str(NOON), str(end), every_minutes=15, reports=(pattern,), **keys)


def agenda_of(tmp_path, domains: str, slots: int, timing: Timing = DEFAULT, **keys) -> Agenda:
    return Agenda(archive(slots, **keys), timing, {name: Publications(tmp_path / name, name) for name in domains})


def publish(agenda: Agenda, domain: str, slot: np.datetime64, **changes) -> None:
    own = agenda.publications[domain]
    own.path(slot).parent.mkdir(parents=True, exist_ok=True)
    own.path(slot).touch()
    own.add(publication(slot, domain=domain, **changes))


def test_a_burst_of_five_domains_and_four_slots_is_made_newest_first(tmp_path):
    agenda, made_in_order = agenda_of(tmp_path, "abcde", 4), []
    now = NOON + minutes(56)
    while due := agenda.due(now):
        made_in_order.append((due[0].domain, due[0].time))
        publish(agenda, due[0].domain, due[0].time)
    assert made_in_order == [(name, NOON + number * QUARTER) for number in (3, 2, 1, 0) for name in "abcde"]


def test_a_slot_is_due_from_its_cut_off_until_it_is_too_old(tmp_path):
    agenda = agenda_of(tmp_path, "a", 1, Timing(cutoff_minutes=10, lookback_minutes=60))
    due = [len(agenda.due(NOON + minutes(number))) for number in (9.99, 10, 59.99, 60)]
    assert due == [0, 1, 1, 0]
    assert agenda.wake(NOON) == NOON + minutes(10) and agenda.wake(NOON + minutes(10)) is None
    assert agenda.due(NOON + minutes(10))[0].limit == NOON + minutes(15)
    assert agenda.due(NOON + minutes(20))[0].limit == NOON + minutes(25)  # the next cut-off


def test_times_that_are_left_out_are_no_slots(tmp_path):
    agenda = agenda_of(tmp_path, "a", 3, leave_out=(str(NOON + QUARTER),))
    assert [each.time for each in agenda.due(NOON + minutes(50))] == [NOON + 2 * QUARTER, NOON]


def test_late_reruns_come_after_all_first_publications_and_once(tmp_path):
    agenda = agenda_of(tmp_path, "a", 4, Timing(late_minutes=40))
    for number in range(3):
        publish(agenda, "a", NOON + number * QUARTER)
    assert agenda.wake(NOON + minutes(39)) == NOON + minutes(40)
    due = agenda.due(NOON + minutes(55))
    assert [(each.time, each.late) for each in due] == [
        (NOON + 3 * QUARTER, False),
        (NOON + QUARTER, True),
        (NOON, True),
    ]
    agenda.settle(due[1])
    publish(agenda, "a", NOON, revision=2, started=NOON + minutes(41))
    assert [each.late for each in agenda.due(NOON + minutes(55))] == [False]


def test_a_slot_that_cannot_be_made_is_tried_again_later_and_blocks_no_other(tmp_path):
    agenda = agenda_of(tmp_path, "a", 2)
    now = NOON + minutes(26)
    newest, older = agenda.due(now)
    agenda.put_off(newest, now)
    assert agenda.due(now) == [older] and agenda.wake(now) == now + minutes(2)
    assert agenda.due(now + minutes(2))[0].time == newest.time


def test_costs_are_the_median_of_the_last_runs_and_old_ones_are_forgotten(tmp_path):
    costs = Costs(tmp_path / "costs.json")
    assert costs.of("a", "oi", NOON) is None and costs.least("a", ("oi",), NOON) == 0.0
    for number, cost in enumerate((90.0, 3.0)):  # the first one loads libraries
        costs.add("a", "oi", cost, NOON + minutes(number))
    assert costs.of("a", "oi", NOON) == 3.0 and costs.of("a", "oi", NOON + minutes(62)) is None
    for number in range(2 * RUNS):
        costs.add("a", "oi", 100.0 if number < RUNS else float(number), NOON + minutes(number))
    assert Costs(costs.path).of("a", "oi", NOON) == np.median(range(RUNS, 2 * RUNS))
    assert costs.of("a", "oi", NOON + minutes(600)) is None
    costs.add("a", "vit", 50.0, NOON)
    assert costs.least("a", ("vit", "oi"), NOON) == 13.0


@pytest.mark.parametrize("text", ["{", "[]", '{"a": {"oi": [["noon", "x"]]}}', '{"a": 3}', "\0"])
def test_a_damaged_file_of_costs_is_measured_anew(tmp_path, text, caplog):
    (tmp_path / "costs.json").write_text(text)
    costs = Costs(tmp_path / "costs.json")
    assert costs.of("a", "oi", NOON) is None and "measured anew" in caplog.text
    costs.add("a", "oi", 2.0, NOON)
    assert json.loads((tmp_path / "costs.json").read_text())["a"]["oi"][0][1] == 2.0


def chosen(costs: dict[str, float], left: float, names=("vit", "oi", "first_guess"), failing=()) -> tuple[str, str]:
    """The method that a list takes by its costs, and why not those before it."""

    class Method:
        def __init__(self, name):
            self.name = name

        def analyse(self, case):
            if self.name in failing:
                raise InputError("broken")
            return SimpleNamespace()

    weights = SimpleNamespace(method=lambda choice, contents: (Method(choice.name), None))
    work = Fallbacks([Choice(n) for n in names], weights, lambda *_: SimpleNamespace(values={}))
    attempt = work.make(SimpleNamespace(used=np.ones(5, bool)), None, costs.get, lambda: left)
    return attempt.choice.name, "; ".join(attempt.passed_over)


def test_the_best_method_within_the_deadline_is_chosen_and_else_the_fastest():
    costs = {"vit": 60.0, "oi": 20.0, "first_guess": 5.0}
    assert chosen(costs, 60.0) == ("vit", "")
    assert chosen(costs, 59.0)[0] == "oi" and chosen(costs, 19.0)[0] == "first_guess"
    name, reason = chosen(costs, 4.0)
    assert name == "first_guess" and "first_guess is the fastest that can work" in reason
    assert chosen(costs, -100.0, failing=("first_guess",))[0] == "oi"
    assert chosen({"oi": 20.0}, 10.0)[0] == "vit"  # not measured: it is tried
    with pytest.raises(InputError, match="no method can work: vit: broken; oi: broken"):
        chosen({}, 10.0, names=("vit", "oi"), failing=("vit", "oi"))


def test_waiting_passes_faster_than_real_time_and_computing_does_not():
    clock, begin = ReplayClock(NOON, 36_000.0), time.monotonic()
    clock.wait(NOON + minutes(120), lambda: False)
    took = time.monotonic() - begin
    assert 0.15 < took < 2.0 and 0.0 <= seconds(clock.now() - NOON) - 7200.0 < 2.0
    before = clock.now()
    time.sleep(0.2)
    assert 0.19 < seconds(clock.now() - before) < 2.0
    clock.wait(clock.now() + duration(1e9), lambda: True)
    assert seconds(clock.now() - before) < 10.0


def test_the_link_goes_forward_only_and_names_what_exists(tmp_path):
    own = Publications(tmp_path, "a")
    for number in (1, 0, 2):
        slot = NOON + number * QUARTER
        own.path(slot).parent.mkdir(exist_ok=True)
        own.path(slot).touch()
        own.point(slot)
    assert os.readlink(tmp_path / "latest.nc") == "20240229/a_20240229T1230Z.nc"
    own.path(NOON + 2 * QUARTER).unlink()
    own.point(NOON + QUARTER)  # what it named is gone
    assert os.readlink(tmp_path / "latest.nc") == "20240229/a_20240229T1215Z.nc"


def test_a_table_survives_a_row_that_was_cut_off_and_text_of_any_kind(tmp_path):
    own = Publications(tmp_path, "a")
    assert own.revision(NOON) == 1
    first = publication(NOON, passed_over='vit: "x", y\nz', weights="/w,1")
    own.path(NOON).parent.mkdir()
    own.path(NOON).touch()
    assert own.revision(NOON) == 2  # published, though the table does not have it
    own.add(first)
    with (tmp_path / "slots.csv").open("a") as stream:
        stream.write("a,2024-02-29T12:1")
    own.add(publication(NOON, revision=2))
    again = Publications(tmp_path, "a")
    assert again.last(NOON) == publication(NOON, revision=2) and again.revision(NOON) == 3
    rows = read_rows(tmp_path / "slots.csv", ())
    assert rows[1][4] == 'vit: "x", y z' and rows[1][5] == "/w,1" and len(rows) == 4


def test_a_table_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "slots.csv").mkdir()
    with pytest.raises(OSError, match=r"slots\.csv"):
        append_rows(tmp_path / "slots.csv", ("a",), [(1,)])


@pytest.mark.slow
def test_a_reader_never_sees_half_a_product_whenever_the_writer_is_killed(tmp_path, seed):
    draw, seen = random.Random(seed), set()
    for first in (0, 1000, 2000):
        with subprocess.Popen([sys.executable, PUBLISH, str(tmp_path), str(first)]) as writer:
            try:
                while max(seen, default=-1) < first:
                    assert writer.poll() is None
                    if (tmp_path / "latest.nc").exists():
                        seen.add(_revision(tmp_path))
                end = time.monotonic() + draw.uniform(0.0, 0.6)
                while time.monotonic() < end:
                    seen.add(_revision(tmp_path))
            finally:
                writer.kill()  # the block waits for it, also after a failure
        seen.add(_revision(tmp_path))
    assert len(seen) > 6
    (product,) = (path for path in tmp_path.rglob("toy_*.nc") if not path.is_symlink())
    Publications(tmp_path, "toy").sweep()
    assert [path.name for path in product.parent.iterdir()] == [product.name]


def _revision(folder) -> int:
    """The revision of the newest product, of which every value is there."""
    try:
        file = netCDF4.Dataset(folder / "latest.nc")
    except OSError:  # HDF5 opens a file twice, and refuses one that was replaced between: whole files, but two
        file = netCDF4.Dataset(folder / "latest.nc")
    with file:
        assert np.isfinite(file["t2m"][0].filled(np.nan)).all()
        return int(file.getncattr("revision"))
