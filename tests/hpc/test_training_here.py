"""The real training as a job on this machine, without Slurm; what is foretold of it; and the one meaning of 75."""

import os
import re
import signal

import pytest
from training import LIMIT, RTOL, STEPS, arguments, losses

from hpc import job, journal, record
from hpc.machine import load_machine
from jobs import command, train
from mlrtma_dist.training.loop import Ending
from mlrtma_dist.training.stop_signal import AGAIN, StopSignal

pytestmark = pytest.mark.slow


def test_a_training_submitted_to_this_machine_has_the_losses_of_one_rank_and_the_size_foretold(
    environment, tmp_path, monkeypatch, mlrtma, store, alone
):
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "here"
    done = mlrtma("submit", "train", *arguments(store, output), "--machine", "local", timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    assert losses(output) == pytest.approx(alone, rel=RTOL) and len(alone) == STEPS
    entries = journal.read(journal.path())
    assert [entry["event"] for entry in entries] == ["submitted", "started", "done"]
    config, *sets = (part for part in arguments(store, output) if part != "--set")
    assert record.is_done(record.key_of("train", config, tuple(sets)))
    assert f"# 1 node, {load_machine('local').resources('train').tasks_per_node} ranks" in done.stdout
    foretold = float(re.search(r"expected output (\S+) MB$", done.stdout, re.MULTILINE).group(1))
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6
    assert foretold > 8.0 and size == pytest.approx(foretold, rel=0.05)


def test_a_dry_run_of_a_training_prints_line_node_hours_and_the_size_of_its_checkpoints(
    environment, tmp_path, monkeypatch, mlrtma, store
):
    monkeypatch.chdir(tmp_path)
    train_arguments = [*arguments(store, tmp_path / "never", "schedule.checkpoint_every=2"), "--resume"]
    done = mlrtma("submit", "train", *train_arguments, "--machine", "slurm_test", "--dry-run")
    assert done.returncode == 0, done.stderr
    line = r"^sbatch --parsable --partition=batch --nodes=4 .* --signal=USR1@20 .*train\.sbatch .*\.yaml .* --resume$"
    assert re.search(line, done.stdout, re.MULTILINE)
    # Three checkpoints (two newest and the best) of the weights, two moments and an average in float32.
    weights = sum(w.numel() for w in train.build(train.config.load(train.Run, train_arguments[0])).network.parameters())
    expected = (3 * 4 * 4 * weights + 300 * STEPS) / 1e6
    assert f"# 4 nodes, 4 ranks, at most 0.33 node-hours; expected output {expected:.1f} MB\n" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_was_stopped_returns_the_code_that_jobs_take_for_run_me_again(store, tmp_path, monkeypatch):
    assert AGAIN == job.AGAIN == 75
    train_command = ["train", *arguments(store, tmp_path)]
    for stopped, code in ((True, 75), (False, 0)):
        monkeypatch.setattr(train, "make", lambda run, resumes, stopped=stopped: Ending(3, stopped, None, None))
        assert command.main(train_command) == code


def test_a_signal_that_comes_before_the_training_begins_is_answered_by_its_first_checkpoint(
    store, tmp_path, monkeypatch
):
    def make(run, resumes):
        os.kill(os.getpid(), signal.SIGUSR1)  # would end this process if the command did not watch yet
        with StopSignal.watched() as stop:
            return Ending(1, stop.received == "SIGUSR1", None, None)

    monkeypatch.setattr(train, "make", make)
    assert command.main(["train", *arguments(store, tmp_path)]) == 75
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
