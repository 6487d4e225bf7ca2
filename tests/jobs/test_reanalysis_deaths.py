"""Slots of a reanalysis that end the process that analyses them: set aside after three deaths, the rest is done."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jobs import reanalysis
from jobs.reanalysis_slots import slots_of
from mlrtma_dist import config
from mlrtma_dist.inference.slot_manifest import Day
from mlrtma_dist.inference.slot_worker import Worker
from mlrtma_dist.io.file_digest import sha256_of

SLOTS = ("north_20220824T2300Z", "south_20220825T0000Z")


@pytest.fixture(scope="module")
def done(small_reanalysis, tmp_path_factory):
    """The small reanalysis, done."""
    output = tmp_path_factory.mktemp("done") / "output"
    run = config.build(reanalysis.Run, config.parse_yaml(f"{small_reanalysis}output: {output}\n", "test"), "test")
    assert reanalysis.work(run) == 0
    return run


@pytest.fixture
def run(done, tmp_path, here):
    """A copy of it."""
    shutil.copytree(done.output, tmp_path / "output")
    return replace(done, output=str(tmp_path / "output"))


def products(run) -> dict[str, str]:
    return {path.stem: sha256_of(path) for path in Path(run.output).rglob("*.nc")}


def lines(run) -> dict[str, dict]:
    days = [Day(Path(run.output), name, day) for name in ("north", "south") for day in slots_of(run).days]
    return {name: entry for day in days for name, entry in day.entries().items()}


def marks(run) -> dict[str, int]:
    """Slot -> number of processes that have begun and not ended it."""
    return {path.name.partition(".")[0]: path.stat().st_size for path in Path(run.output).glob("*/begun/*")}


def died(run, name: str, times: int) -> None:
    """Leave a slot as so many processes do that were killed while they analysed it."""
    entry = lines(run)[name]
    (Path(run.output) / entry["path"]).unlink(missing_ok=True)
    folder = Path(run.output) / name.partition("_")[0] / "begun"
    (folder / f"{name}.{entry['checksum']}").write_bytes(b"." * times)


def test_a_slot_at_which_fewer_than_three_processes_died_comes_last_and_is_made(run, monkeypatch):
    before, order, analyse = products(run), [], Worker._analyse
    assert marks(run) == {}
    died(run, SLOTS[0], 2)
    other = Path(run.output, "south", "begun", f"{SLOTS[1]}.of-another-configuration")
    other.write_bytes(b"." * 3)
    for path in Path(run.output).rglob("south*.nc"):
        path.unlink()
    monkeypatch.setattr(Worker, "_analyse", lambda *a: (order.append(a[1].name), analyse(*a))[1])
    assert reanalysis.work(run) == 0
    assert products(run) == before and marks(run) == {SLOTS[1]: 3}
    assert len(order) == 5 and order[-1] == SLOTS[0]


def test_a_slot_at_which_three_died_is_set_aside_with_the_reason_and_tried_again_when_asked(run, capsys):
    before = products(run)
    died(run, SLOTS[0], 3)
    died(run, SLOTS[1], 1)
    assert reanalysis.work(run) == 4
    entry = lines(run)[SLOTS[0]]
    assert entry["attempts"] == 3 and entry["aside"].startswith("3 processes ended while they analysed it")
    assert products(run) == {name: digest for name, digest in before.items() if name != SLOTS[0]} and marks(run) == {}
    assert run.array() == "none of 2" and replace(run, retry=True).array() == "0 of 2"
    capsys.readouterr()
    assert reanalysis.audit_products(run) == 0
    printed = capsys.readouterr().out
    assert f"{SLOTS[0]}: set aside: 3 processes ended" in printed and "7 of 8 slots are done" in printed
    assert reanalysis.work(replace(run, retry=True)) == 0 and products(run) == before


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError])
def test_an_interrupt_or_a_disk_that_is_full_is_no_death(run, monkeypatch, failure):
    def fails(*_, **more):
        raise failure

    for path in Path(run.output, "north/2022/08/24").glob("*.nc"):
        path.unlink()
    place = "analyse" if failure is KeyboardInterrupt else "_publish"
    monkeypatch.setattr(f"mlrtma_dist.inference.slot_worker.{place}", fails)
    with pytest.raises(failure):
        reanalysis.work(run)
    assert marks(run) == {}


@pytest.mark.slow
def test_a_method_that_ends_its_process_at_a_slot_ends_three_and_costs_that_slot_alone(small_reanalysis, tmp_path):
    (tmp_path / "run.yaml").write_text(f"{small_reanalysis}output: {tmp_path}/output\n")
    script = tmp_path / "crash.py"
    script.write_text(
        "import os, signal, sys\n"
        "from mlrtma_dist.inference import slot_worker\n"
        "analyse = slot_worker.analyse\n"
        "def crashes(case, *arguments, **more):\n"
        "    if case.static.domain.name == 'north' and '2022-08-24T23:00' in str(case.time):\n"
        "        os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    return analyse(case, *arguments, **more)\n"
        "slot_worker.analyse = crashes\n"
        "from jobs.command import main\n"
        "if __name__ == '__main__':\n"
        "    sys.exit(main(sys.argv[1:]))\n"
    )
    line = [sys.executable, str(script), "reanalysis", str(tmp_path / "run.yaml")]
    variables = {**os.environ, "PYTHONPATH": str(Path(reanalysis.__file__).parents[1])}
    codes = [subprocess.run(line, env=variables).returncode for _ in range(2)]
    files = [path.stem for path in (tmp_path / "output").rglob("*.nc")]
    assert len(files) == 7 and SLOTS[0] not in files  # the second one did the rest before it came to that slot
    codes += [subprocess.run(line, env=variables).returncode for _ in range(2)]
    assert codes == [-signal.SIGSEGV] * 3 + [4]
