"""The acceptance on a GPU, without one: the whole command on the CPU, and what it does where something is absent."""

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def acceptance():
    spec = importlib.util.spec_from_file_location("gpu_acceptance", BENCHMARKS / "gpu_acceptance.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_acceptance"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def options(tmp_path):
    class Options:
        device, method, parts, output, seconds = "cpu", [], None, tmp_path, 100.0

    return Options()


@pytest.fixture
def results(acceptance, tmp_path):
    return acceptance.Results(tmp_path)


def variables(module_folder=None):
    return {**os.environ, "PYTHONPATH": str(module_folder or "")}


def stub(monkeypatch, acceptance, folder, text):
    """A file of parts with another content."""
    path = folder / "parts.py"
    path.write_text(text)
    monkeypatch.setattr(acceptance, "PARTS_FILE", path)


ROW = "import json, sys, time\nprint(json.dumps({'row': ['time', '1 s', '< 2', 'ok']}), flush=True)\n"


def test_a_part_that_hangs_costs_its_own_figures_only_and_keeps_those_it_had(
    acceptance, options, results, monkeypatch, tmp_path
):
    stub(monkeypatch, acceptance, tmp_path, f"{ROW}time.sleep(60)\n")
    acceptance.run_part(acceptance.Part("reading"), options, variables(), results, 1.0)
    assert results.rows[0] == ["reading", "time", "1 s", "< 2", "ok"]
    assert results.rows[1][2].startswith("no end within 1 s") and results.failed


def test_ranks_that_hang_and_do_not_end_when_told_are_killed_and_do_not_delay_the_other_parts(
    acceptance, options, results, monkeypatch, tmp_path
):
    rank = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('begun', flush=True); time.sleep(30)"
    )
    launcher = f"""
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.run([sys.executable, "-c", {rank!r}], start_new_session=True)
"""
    stub(monkeypatch, acceptance, tmp_path, launcher)
    monkeypatch.setattr(acceptance, "GRACE", 1.0)
    begin = time.monotonic()
    acceptance.run_part(acceptance.Part("ranks"), options, variables(), results, 1.0)
    assert time.monotonic() - begin < 10.0
    assert results.rows[0][2].startswith("no end within 1 s: begun")


def test_methods_run_at_once_where_no_time_is_measured_and_else_one_after_another(
    acceptance, options, results, monkeypatch
):
    parts = (acceptance.Part("equality", ("torch",), together=True), acceptance.Part("train", ("torch",)))
    monkeypatch.setattr(acceptance, "PARTS", parts)
    monkeypatch.setattr(acceptance, "probe", lambda *_: {"torch": True})
    events, both = [], threading.Barrier(2)

    def run_part(part, *_):
        events.append(f"{part.name} begins")
        if part.together:
            both.wait(timeout=10.0)
        events.append(f"{part.name} ends")

    monkeypatch.setattr(acceptance, "run_part", run_part)
    acceptance.run_parts(options, variables(), results)
    at_once = ["equality begins", "equality begins", "equality ends", "equality ends"]
    assert events == [*at_once, "train begins", "train ends", "train begins", "train ends"]


def test_a_part_that_fails_is_told_by_its_last_line(acceptance, options, results, monkeypatch, tmp_path):
    stub(monkeypatch, acceptance, tmp_path, f"{ROW}print('noise')\nsys.exit('no kernel for this GPU')\n")
    acceptance.run_part(acceptance.Part("compile"), options, variables(), results, 20.0)
    assert results.rows[1][2].startswith("exit code 1: no kernel for this GPU (see ") and results.rows[1][4] == "fails"
    assert (tmp_path / "compile_unet.log").read_text() == "noise\nno kernel for this GPU\n"


def test_what_is_absent_is_named_with_its_wheel_and_the_other_parts_run(
    acceptance, options, results, monkeypatch, tmp_path, capsys
):
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "torch.py").write_text("__version__ = '2.9'\n")
    (modules / "yaml.py").write_text("raise ImportError('built for another Python')\n")
    monkeypatch.setattr(acceptance, "LIBRARIES", ("torch", "yaml"))
    parts = (acceptance.Part("machine", ("torch",)), acceptance.Part("train", ("torch", "yaml")))
    monkeypatch.setattr(acceptance, "PARTS", parts)
    stub(monkeypatch, acceptance, tmp_path, ROW)
    acceptance.run_parts(options, variables(modules), results)
    text = "absent (ImportError: built for another Python); the wheel is PyYAML"
    assert ["packages", "yaml", text, "", "absent"] in results.rows
    assert ["machine", "time", "1 s", "< 2", "ok"] in results.rows
    assert ["train", "not run", "it needs yaml", "", "absent"] in results.rows and results.failed
    assert "train:  not run  = it needs yaml  absent" in capsys.readouterr().out
    assert json.loads((tmp_path / "results.json").read_text()) == results.rows


def test_parts_for_which_no_time_is_left_are_named(acceptance, options, results, monkeypatch):
    monkeypatch.setattr(acceptance, "probe", lambda *_: dict.fromkeys((*acceptance.LIBRARIES, "deepspeed"), True))
    options.seconds, options.parts = 5.0, ["train"]
    acceptance.run_parts(options, variables(), results)
    assert results.rows == [["train", "not run", "the 5 s are over", "", "fails"]]


@pytest.mark.slow
def test_the_whole_command_runs_on_a_cpu_meets_every_claim_and_leaves_a_trained_checkpoint(tmp_path):
    output = tmp_path / "out"
    command = [sys.executable, str(BENCHMARKS / "gpu_acceptance.py"), "--device", "cpu", "--output", str(output)]
    sets = [f"samples=[{output / 'unet.h5'}]", "validation_from=null"]
    training = ["--train", "configs/training/unet_exercise1.yaml", "--minutes", "0.02"]
    done = subprocess.run(
        [*command, *training, *(part for change in sets for part in ("--set", change))],
        capture_output=True,
        text=True,
        timeout=400,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((output / "results.json").read_text())
    verdicts = {part: [row[4] for row in rows if row[0] == part] for part in dict.fromkeys(row[0] for row in rows)}
    assert {name: each.count("ok") for name, each in verdicts.items()} == {
        "packages": 0,
        "machine": 0,
        "equality": 2,  # of the U-net and the vision transformer
        "train": 12,
        "ranks": 8,
        "analyse": 2,
        "utilisation": 0,
        "compile": 2,
        "reading": 0,
        "training": 1,
    }
    assert {verdict for each in verdicts.values() for verdict in each} == {"", "ok"}
    assert done.stdout.strip().splitlines()[-1].startswith("| training |")
    assert list((output / "train" / "checkpoints").glob("step_*"))
