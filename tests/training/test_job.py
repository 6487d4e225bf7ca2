"""`mlrtma train` as a user runs it: alone and on ranks, stopped by a signal, resumed, refused."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from launch import ROOT

from jobs import samples, train
from mlrtma_dist import config
from mlrtma_dist.config import ConfigError
from mlrtma_dist.errors import InputError
from mlrtma_dist.io.hdf5 import content_hash
from mlrtma_dist.io.lock import FILE, LockError, locked
from mlrtma_dist.methods.registry import untrained
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.simulation.gaussian_plane import GaussianPlane
from mlrtma_dist.training.metrics import read
from mlrtma_dist.weights.checkpoint import Checkpoint

pytestmark = pytest.mark.slow

STEPS = 40
FIRST = "the first case to validate with"
CONFIG = f"""
method: unet
settings: {{widths: [8, 8], groups: 2}}
schedule: {{steps: {STEPS}, batch: 4, learning_rate: 1.0e-3, warm_up: 5, average_decay: 0.9}}
engine: {{zero_optimization: {{stage: 1}}}}
variants: 4
validation_from: "{FIRST}"
"""
START = "import sys; from jobs.command import main; sys.exit(main())"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Sixteen cases, and a configuration."""
    folder = tmp_path_factory.mktemp("train")
    plane = GaussianPlane()
    run = samples.Run(CasesSection(gaussian_plane=plane, count=16), str(folder / "samples.h5"))
    samples.make(run)
    (folder / "run.yaml").write_text(CONFIG.replace(FIRST, str(run.open().time[12])))
    return folder


def command(store, output, *more, ranks=0):
    start = [sys.executable, "-c", START, "train", str(store / "run.yaml")]
    start += ["--samples", str(store / "samples.h5"), "--output", str(output), *more]
    mpiexec = Path(sys.executable).parent / "mpiexec"
    launcher = str(mpiexec) if mpiexec.exists() else "mpiexec"
    return [launcher, "--oversubscribe", "--bind-to", "none", "-n", str(ranks), *start] if ranks else start


def environment():
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        **dict.fromkeys(("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"), "1"),
        **dict.fromkeys(("PRTE_ALLOW_RUN_AS_ROOT", "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM"), "1"),
    }


def run(store, output, *more, ranks=0):
    done = subprocess.run(
        command(store, output, *more, ranks=ranks), capture_output=True, text=True, timeout=300, env=environment()
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def uninterrupted(store):
    done = run(store, store / "whole")
    return done, read(store / "whole" / "metrics.csv")


def test_alone_it_trains_validates_saves_and_says_so(store, uninterrupted):
    done, rows = uninterrupted
    assert [row["step"] for row in rows] == list(range(STEPS))
    assert sum(row["loss"] for row in rows[-10:]) < 0.9 * sum(row["loss"] for row in rows[:10])
    assert rows[-1]["validation"] > 0 and rows[-1]["samples_per_second"] > 0
    assert done.stdout.strip().endswith(f"step_{STEPS:08d}")
    assert f"train: step {STEPS}/{STEPS}, loss" in done.stderr
    manifest = Checkpoint(store / "whole" / "checkpoints" / "best").manifest
    assert manifest.run.method == "unet" and manifest.run.statistics["cases"] == 12
    assert "average_decay: 0.9" in manifest.run.config == (store / "whole" / "config.yaml").read_text()


def test_without_zero_loss_and_gradient_norm_are_those_of_its_first_stage(store, uninterrupted):
    run(store, store / "plain", "--set", "engine={}", "--set", "schedule.steps=3")
    rows = read(store / "plain" / "metrics.csv")
    assert len(rows) == 3
    for row, expected in zip(rows, uninterrupted[1], strict=False):
        assert row["gradient_norm"] > 0.0
        for name in ("loss", "gradient_norm"):
            assert row[name] == pytest.approx(expected[name], rel=1e-4)


def test_tensorboard_is_told_what_the_table_says(store, uninterrupted):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator").EventAccumulator
    board = accumulator(str(store / "whole" / "tensorboard")).Reload()
    told = [(event.step, event.value) for event in board.Scalars("loss")]
    assert told == [(row["step"], pytest.approx(row["loss"], rel=1e-6)) for row in uninterrupted[1]]
    assert {"learning_rate", "samples_per_second", "validation"} <= set(board.Tags()["scalars"])


def test_two_tiles_stopped_by_a_signal_end_with_75_and_one_rank_goes_on_with_the_same_losses(store, uninterrupted):
    output = store / "stopped"
    mesh = ("--set", "mesh={data: 1, y: 2, x: 1}")
    start = command(store, output, *mesh, ranks=2)
    process = subprocess.Popen(start, stderr=subprocess.PIPE, text=True, env=environment())
    metrics, limit = output / "metrics.csv", time.monotonic() + 200
    while not (metrics.exists() and read(metrics)) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.02)
    process.send_signal(signal.SIGUSR1)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 75, errors
    done = read(metrics)[-1]["step"] + 1
    assert 0 < done < STEPS
    run(store, output, "--resume")
    assert not (output / FILE).exists()  # one lock of two ranks, then one of one
    rows, truth = read(metrics), uninterrupted[1]
    assert [row["step"] for row in rows] == list(range(STEPS))
    for row, expected in zip(rows, truth, strict=True):
        assert row["loss"] == pytest.approx(expected["loss"], rel=1e-4)  # float32, after 40 steps of Adam
    assert rows[-1]["validation"] == pytest.approx(truth[-1]["validation"], rel=1e-4)


def test_an_average_that_keeps_the_first_weights_is_the_same_to_the_bit_in_one_go_and_resumed(store):
    keys = {"steps": 6, "average_from_start": "true", "checkpoint_every": 3}
    sets = [word for key, value in keys.items() for word in ("--set", f"schedule.{key}={value}")]
    output, columns = store / "from_start", ("step", "loss", "gradient_norm", "validation")
    last, results = output / "checkpoints" / "step_00000006", []
    for more in ((), ("--resume",)):
        run(store, output, *sets, *more)
        rows = [[row[name] for name in columns] for row in read(output / "metrics.csv")]
        results.append((rows, Checkpoint(last).weights(), Checkpoint(last).weights(averaged=False)))
        shutil.rmtree(last)
    (rows, average, newest), (rows_again, average_again, _) = results
    assert rows_again == rows and all(torch.equal(average_again[name], each) for name, each in average.items())
    first = untrained("unet", {"widths": [8, 8], "groups": 2}, "test").network.state_dict()
    moved, of_average = (
        sum(float((each[name] - weight).square().sum()) for name, weight in first.items()) for each in (newest, average)
    )
    assert 0.0 < of_average < 0.5**2 * moved, "the part of the first weights is 0.9^6"


def test_a_new_run_does_not_write_over_the_checkpoints_of_another(store, uninterrupted):
    arguments = [str(store / "run.yaml"), "--samples", str(store / "samples.h5"), "--output", str(store / "whole")]
    with pytest.raises(ConfigError, match="holds checkpoints already; add --resume or name another folder"):
        train.main(arguments)
    with pytest.raises(ConfigError, match="holds checkpoints already"):
        train.main([*arguments, "--dry-run"])


def test_a_second_run_into_a_folder_is_refused_while_the_first_one_runs(store, uninterrupted):
    words = f"process {os.getpid()}, since .* remove {store / 'whole' / FILE}"
    with locked(store / "whole"), pytest.raises(LockError, match=words):
        train.main([*command(store, store / "whole")[4:], "--resume"])
    assert read(store / "whole" / "metrics.csv") == uninterrupted[1] and not (store / "whole" / FILE).exists()


def test_a_dry_run_prints_the_configuration_the_tiles_and_a_memory_estimate(store, capsys):
    train.main(
        [
            str(store / "run.yaml"),
            "--samples",
            str(store / "samples.h5"),
            "--output",
            str(store / "never"),
            "--set",
            "schedule.steps=5",
            "--set",
            "mesh={data: 2, y: 2, x: 2}",
            "--dry-run",
        ]
    )
    printed = capsys.readouterr().out
    assert "steps: 5" in printed and "# ranks: data(2) * y(2) * x(2) = 8" in printed
    assert "[(32, 32), (32, 32), (32, 32), (32, 32)]" in printed and "MiB activations" in printed
    assert not (store / "never").exists()


def test_every_shipped_configuration_can_be_read():
    shipped = sorted((config.configs_root() / "training").glob("*.yaml"))
    assert shipped, "there is something to train"
    for path in shipped:
        run = config.load(train.Run, path)
        assert sum(weight.numel() for weight in train.build(run).network.parameters()) > 10_000


def test_a_batch_key_is_refused_before_anything_starts(store):
    with pytest.raises(ConfigError, match="engine.train_batch_size"):
        options = ["--samples", "s.h5", "--output", "o", "--set", "engine.train_batch_size=4"]
        train.main([str(store / "run.yaml"), *options])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("device=tpu", "device: expected one of auto, cpu, cuda, got 'tpu'"),
        ("variants=0", "expected variants >= 1 and gap_hours >= 0, got 0 and 0"),
        ("schedule.seed=-1", "schedule.seed: expected 0 or more, got -1"),
        ("settings.fold=0", "settings: expected a fold from 1 on"),
        ("settings.widths=[]", "settings: expected widths from 1 on, one a level"),
        (
            "validation_from=2030-01-01",
            "validation_from: expected a date within the samples, .* left to valid",
        ),
        (
            "validation_from=1990-01-01",
            "validation_from: expected a date within the samples, .* left to train",
        ),
        ("gap_hours=10000", "nothing is left to train on"),
        ("engine.zero_optimization={stge: 1}", "engine.zero_optimization: unknown key 'stge'"),
        ("engine.gradient_clipping=auto", "engine.gradient_clipping: expected a value, got 'auto'"),
        ("engine.activation_checkpointing={cpu_checkpointing: true}", "settings.recompute is what"),
        ("engine.zero_optimization={stage: 3}", "stage: expected 0, 1 or 2 with settings.recompute, .* got 3"),
        ("settings.variables=3", "takes 9 channels and gives 3, the cases of plane have 3 and 1: variables: 1"),
    ],
)
def test_a_setting_that_would_fail_later_is_refused_by_the_dry_run(store, change, message):
    options = ["--samples", str(store / "samples.h5"), "--output", "o", "--dry-run", "--set", change]
    options += ["--set", "settings.recompute=true"] * ("stage: 3" in change)
    with pytest.raises((ConfigError, InputError), match=message):
        train.main([str(store / "run.yaml"), *options])


def test_a_store_that_is_missing_is_made_first_on_all_ranks_and_trained_on(store, uninterrupted, tmp_path, capsys):
    missing = tmp_path / "missing.h5"
    more = ["--samples", str(missing), "--set", f"make_samples={store / 'samples.yaml'}", "--set", "schedule.steps=3"]
    train.main([*command(store, tmp_path / "run", *more)[4:], "--dry-run"])
    assert "tiles of plane (64, 64): [(64, 64)]" in capsys.readouterr().out and not missing.exists()
    run(store, tmp_path / "run", *more, ranks=2)
    assert content_hash(missing) == content_hash(store / "samples.h5")
    for row, expected in zip(read(tmp_path / "run" / "metrics.csv"), uninterrupted[1], strict=False):
        assert row["loss"] == pytest.approx(expected["loss"], rel=1e-4)


def test_two_stores_train_as_one_with_all_their_cases_and_resume_with_the_same_losses(store, uninterrupted, tmp_path):
    """The sixteen cases cut in two: the same samples in the same order, so the same losses to the last digit."""
    halves = [str(tmp_path / f"{name}.h5") for name in ("early", "late")]
    for first, path in zip((0, 8), halves, strict=True):
        samples.make(samples.Run(CasesSection(gaussian_plane=GaussianPlane(), count=8, first=first), path))
    output, both = tmp_path / "run", ["--samples", *halves, "--set", "variants=1"]
    run(store, tmp_path / "one", "--set", "variants=1", "--set", "schedule.steps=8")
    run(store, output, *both, "--set", "schedule.steps=8", "--set", "schedule.checkpoint_every=4")
    columns = ("step", "loss", "gradient_norm")
    one, two = (
        [[row[name] for name in columns] for row in read(each / "metrics.csv")] for each in (tmp_path / "one", output)
    )
    assert two == one
    manifest = Checkpoint(output / "checkpoints" / "step_00000008").manifest
    assert all(path in manifest.run.config for path in halves) and manifest.run.statistics["cases"] == 12
    shutil.rmtree(output / "checkpoints" / "step_00000008")
    resumed = run(store, output, *both, "--set", "schedule.steps=8", "--set", "schedule.keep=3", "--resume")
    assert (
        "was trained with other settings: schedule.checkpoint_every 0 (was 4), schedule.keep 3 (was 2)"
        in resumed.stderr
    )
    again = [[row[name] for name in columns] for row in read(output / "metrics.csv")]
    for row, expected in zip(again, one, strict=True):
        assert row == pytest.approx(expected, rel=1e-5)


def test_started_by_torchrun_without_mpi_two_ranks_make_one_training_with_the_losses_of_one(store, uninterrupted):
    output, missing = store / "torchrun", store / "torchrun.h5"
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    more = ["--set", f"make_samples={store / 'samples.yaml'}", "--set", "schedule.steps=3"]
    arguments = ["train", str(store / "run.yaml"), "--samples", str(missing), "--output", str(output), *more]
    done = subprocess.run(
        [*start, "jobs.command", *arguments], capture_output=True, text=True, timeout=200, env=environment()
    )
    assert done.returncode == 0, done.stderr
    assert content_hash(missing) == content_hash(store / "samples.h5")
    rows = read(output / "metrics.csv")
    assert [row["step"] for row in rows] == [0, 1, 2]
    for row, expected in zip(rows, uninterrupted[1], strict=False):
        assert row["loss"] == pytest.approx(expected["loss"], rel=1e-4)
    assert Checkpoint(output / "checkpoints" / "step_00000003").manifest.state.step == 3


def test_a_second_store_of_other_contents_is_refused_by_its_name(store, tmp_path):
    other = str(tmp_path / "other.h5")
    plane = GaussianPlane(size=32)
    (tmp_path / "small.yaml").write_text(
        "{name: small, title: small, projection: plane, spacing: 1.0, size: {x: 32, y: 32}, periodic: true}"
    )
    samples.make(samples.Run(CasesSection(str(tmp_path / "small.yaml"), gaussian_plane=plane, count=2), other))
    options = ["--samples", str(store / "samples.h5"), other, "--output", str(tmp_path / "never")]
    with pytest.raises(ConfigError, match=r"samples.h5 and .*other.h5 differ in shape: \(64, 64\) and \(32, 32\)"):
        train.main([str(store / "run.yaml"), *options])
