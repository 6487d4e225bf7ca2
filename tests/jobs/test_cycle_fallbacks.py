"""Fallbacks of the cycle: what a method lacks, breaks or takes too long for hands the slot to the next one."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from cycle_world import DOMAINS, TWO, World, clock_at, product, rows_of

from jobs import cycle_slot
from jobs.cycle_loop import make
from mlrtma_dist.inference import cycle_methods
from mlrtma_dist.samples.arrivals import ArrivedCases
from mlrtma_dist.weights.release import released


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    return World.build(tmp_path_factory.mktemp("cycle"))


def assert_fell_back(output: Path, capsys, method: str, reason: str) -> None:
    """The product, the table and the status line name the method and why it was taken."""
    attributes, (row,) = product(output), rows_of(output / "east/slots.csv")
    status = (output / "east/status.txt").read_text()
    assert attributes["method"] == row["method"] == method
    assert all(reason in text for text in (attributes["methods_passed_over"], row["passed_over"], status))
    assert status in capsys.readouterr().out


def slow(monkeypatch, clock, costs: dict[str, float]) -> None:
    """Let analyses take so many seconds of the clock."""
    whole = cycle_methods.analyse

    def analyse(case, answer, method, **options):
        clock.pass_seconds(costs[method])
        return whole(case, answer, method, **options)

    monkeypatch.setattr(cycle_slot, "analyse", analyse)


@pytest.mark.parametrize(
    ("methods", "reason"),
    [
        ("[{name: vit, checkpoint: nowhere/current}, {name: threedvar}]", "expected a checkpoint with manifest.json"),
        ("[{name: oi, least_reports: 100}, {name: threedvar}]", "values are used, least_reports is 100"),
        ("[{name: oi, needs_background: true}, {name: threedvar}]", "there is no background"),
    ],
)
def test_what_a_method_lacks_hands_the_slot_to_the_next_one(world, tmp_path, capsys, methods, reason):
    assert make(world.run(tmp_path, methods=methods), clock=clock_at(10)) == 0
    assert_fell_back(tmp_path, capsys, "threedvar", reason)


def test_with_its_background_a_method_that_needs_one_is_taken(world, tmp_path):
    pattern = ", background: [{pattern: 'background_{time:%Y%m%dT%H}.nc'}]"
    methods = "[{name: oi, needs_background: true}, {name: threedvar}]"
    assert make(world.run(tmp_path, methods=methods, archive=pattern), clock=clock_at(10)) == 0
    assert product(tmp_path)["method"] == "oi"
    assert product(tmp_path)["background_files"] == "background_20220824T06.nc"


def test_a_background_that_cannot_be_read_is_none(world, tmp_path, capsys):
    folder = tmp_path / "input"
    shutil.copytree(world.folder, folder)
    (folder / "background_20220824T06.nc").write_bytes(b"no grid")
    pattern = ", background: [{pattern: 'background_{time:%Y%m%dT%H}.nc'}]"
    methods = "[{name: oi, needs_background: true}, {name: threedvar}]"
    assert make(World(folder).run(tmp_path, methods=methods, archive=pattern), clock=clock_at(10)) == 0
    assert_fell_back(tmp_path, capsys, "threedvar", "there is no background")
    assert "background_20220824T06.nc" in product(tmp_path)["files_left_out"]


def test_a_fault_in_one_domain_leaves_the_others_their_products(world, tmp_path, monkeypatch):
    whole = ArrivedCases.case

    def case(self, *arguments):
        if self.static.domain.name == "east":
            raise RuntimeError("a fault")
        return whole(self, *arguments)

    monkeypatch.setattr(ArrivedCases, "case", case)
    assert make(world.run(tmp_path, domains=DOMAINS), once=True, clock=clock_at(10)) == 4
    assert product(tmp_path, domain="west")["method"] == "threedvar" and not (tmp_path / "east/latest.nc").exists()


def test_damaged_weights_hand_the_slot_to_the_next_method(world, tmp_path, capsys):
    folder = tmp_path / "weights"
    shutil.copytree(released("vit"), folder)
    data = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(data[:-100] + bytes(100))
    methods = f"[{{name: vit, checkpoint: {folder}}}, {{name: threedvar}}]"
    assert make(world.run(tmp_path, methods=methods), clock=clock_at(10)) == 0
    assert_fell_back(tmp_path, capsys, "threedvar", "weights.safetensors")


@pytest.mark.parametrize("kind", ["raises", "nan"])
def test_a_method_that_fails_or_gives_no_numbers_hands_the_slot_to_the_next(world, tmp_path, capsys, monkeypatch, kind):
    whole = cycle_methods.analyse

    def broken(case, answer, method, **options):
        if method != "oi":
            return whole(case, answer, method, **options)
        if kind == "raises":
            raise RuntimeError("CUDA error")
        analysis = whole(case, answer, method, **options)
        analysis.values["t2m"][3, 4] = np.nan
        return analysis

    monkeypatch.setattr(cycle_slot, "analyse", broken)
    assert make(world.run(tmp_path, methods=TWO), clock=clock_at(10)) == 0
    reason = {
        "raises": "it fails: RuntimeError: CUDA error",
        "nan": "its analysis of t2m has values that are not finite",
    }
    assert_fell_back(tmp_path, capsys, "threedvar", reason[kind])


def test_a_method_that_was_too_slow_for_the_deadline_is_passed_over_from_then_on(world, tmp_path, monkeypatch):
    clock = clock_at(10)
    slow(monkeypatch, clock, {"oi": 400.0, "threedvar": 20.0})
    assert make(world.run(tmp_path, slots=4, methods=TWO, timing="{deadline_minutes: 5}"), clock=clock) == 0
    rows = rows_of(tmp_path / "east/slots.csv")
    assert [row["method"] for row in rows] == ["oi", "threedvar", "threedvar", "threedvar"]
    assert [float(row["latency"]) for row in rows] == [400.0, 20.0, 20.0, 20.0]
    assert "it takes 400.0 s, and 300.0 s are left until the deadline" in rows[1]["passed_over"]
    assert product(tmp_path, "20220824T0615Z")["methods_passed_over"] == rows[1]["passed_over"]


def test_a_domain_leaves_time_to_the_others_with_the_same_deadline(world, tmp_path, monkeypatch):
    clock = clock_at(10)
    slow(monkeypatch, clock, {"oi": 130.0, "threedvar": 110.0})
    run = world.run(tmp_path, domains=DOMAINS, slots=3, methods=TWO, timing="{deadline_minutes: 4}")
    assert make(run, clock=clock) == 0
    east, west = (rows_of(tmp_path / name / "slots.csv") for name in DOMAINS)
    assert [row["method"] for row in east] == ["oi", "threedvar", "threedvar"]  # 240 s less the 130 s of the west
    assert [float(row["latency"]) for row in west] == [260.0, 240.0, 240.0]


def test_weights_are_read_again_where_the_link_was_replaced_between_two_slots(world, tmp_path, monkeypatch):
    releases = tmp_path / "weights/releases"
    for name in ("a", "b"):
        shutil.copytree(released("vit"), releases / name)
    current = tmp_path / "weights/current"
    current.symlink_to("releases/a")
    clock, whole = clock_at(10), cycle_methods.analyse

    def promote_afterwards(case, answer, method, **options):  # while a slot is being made
        new = tmp_path / "weights/.current"
        new.symlink_to("releases/b")
        new.replace(current)
        return whole(case, answer, method, **options)

    monkeypatch.setattr(cycle_slot, "analyse", promote_afterwards)
    run = world.run(tmp_path, slots=3, methods=f"[{{name: vit, checkpoint: {current}}}, {{name: threedvar}}]")
    assert make(run, clock=clock) == 0
    products = [product(tmp_path, f"20220824T06{minute}Z") for minute in ("00", "15", "30")]
    assert [each["method"] for each in products] == ["vit"] * 3
    assert [each["checkpoint_name"] for each in products] == ["a", "b", "b"]
    assert {each["checkpoint"] for each in products} == {str(current)}
    assert [Path(row["weights"]).name for row in rows_of(tmp_path / "east/slots.csv")] == ["a", "b", "b"]


def test_a_file_of_reports_that_cannot_be_read_is_left_out(world, tmp_path):
    folder = tmp_path / "input"
    shutil.copytree(world.folder, folder)
    (folder / "damaged_20220824.csv").write_bytes(b"\x00\x01 no table")
    assert make(World(folder).run(tmp_path, more="damaged"), clock=clock_at(10)) == 0
    assert "damaged_20220824.csv" in product(tmp_path)["files_left_out"]
    assert int(rows_of(tmp_path / "east/slots.csv")[0]["used"]) > 30


def test_a_rerun_waits_for_time_between_slots_instead_of_falling_back(world, tmp_path, monkeypatch):
    clock = clock_at(10)
    slow(monkeypatch, clock, {"oi": 500.0, "threedvar": 20.0})
    run = world.run(tmp_path, slots=3, methods=TWO, timing="{deadline_minutes: 14, late_minutes: 40}")
    assert make(run, clock=clock) == 0
    rows = rows_of(tmp_path / "east/slots.csv")
    assert [row["method"] for row in rows] == ["oi"] * 6
    # the last slot is done at 06:48:20, 400 s before the next cut-off: reruns begin after that
    assert [row["revision"] for row in rows] == ["1"] * 3 + ["2"] * 3
    assert rows[3]["started"] >= "2022-08-24T06:55"
