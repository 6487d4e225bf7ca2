"""Where a training begins: at the newest whole checkpoint, and never anew over what an earlier run has left."""

import dataclasses

import pytest
import torch

from jobs.train import Run
from jobs.train_begin import begin, changes, check_output, folder_of
from jobs.train_inherit import inherit
from mlrtma_dist import config
from mlrtma_dist.config import ConfigError
from mlrtma_dist.methods.registry import untrained
from mlrtma_dist.parallel.mesh import Mesh
from mlrtma_dist.parallel.transport import Transport
from mlrtma_dist.training.metrics import FILE, Metrics
from mlrtma_dist.training.schedule import Schedule
from mlrtma_dist.weights import checkpoint
from mlrtma_dist.weights.manifest import CheckpointError, State
from mlrtma_dist.weights.manifest import Run as Origin

ALONE = Transport.alone()


@pytest.fixture
def run(tmp_path):
    """A run that has done six steps, with checkpoints after two, four and six."""
    run = Run(("samples.h5",), str(tmp_path / "run"), schedule=Schedule(steps=8, batch=4, checkpoint_every=2))
    origin = Origin(config.to_yaml(run), "unknown", "unet", ("2000-01-01", "2000-01-02"))
    metrics = Metrics(tmp_path / "run")
    for step in range(6):
        metrics.add(step=step, loss=1.0)
    metrics.close()
    for step in (2, 4, 6):
        state = State(step, 0, "AdamW", {}, ())
        checkpoint.save(folder_of(run), origin, state, {"weight": (3,)}, [("weight", "weight", 0, torch.ones(3))])
    return run


def damage(run, *steps):
    for step in steps:
        (folder_of(run) / checkpoint.name_of(step) / "weights_00000.pt").write_bytes(b"cut")


def test_it_goes_on_from_the_newest_whole_checkpoint_and_names_it(run, capsys):
    damage(run, 6)
    assert begin(run, True, ALONE).manifest.state.step == 4
    assert capsys.readouterr().err.endswith("goes on from " + str(folder_of(run) / "step_00000004") + "\n")


def test_where_all_checkpoints_are_damaged_or_gone_it_does_not_begin_anew_over_the_metrics(run, tmp_path):
    damage(run, 2, 4, 6)
    with pytest.raises(CheckpointError, match="none of its 3 checkpoints is whole, the newest is step_00000006"):
        begin(run, True, ALONE)
    folder_of(run).rename(tmp_path / "purged")
    with pytest.raises(CheckpointError, match="metrics.csv has steps up to 5 and the first checkpoint is due after 2"):
        begin(run, True, ALONE)


def test_a_job_that_is_queued_again_before_its_first_checkpoint_begins_anew(run, tmp_path):
    folder_of(run).rename(tmp_path / "elsewhere")
    metrics = tmp_path / "run" / FILE
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:3]))  # killed within its first save
    assert begin(run, True, ALONE) is None
    metrics.unlink()
    assert begin(run, True, ALONE) is None


def test_settings_that_have_changed_are_named_but_not_where_the_run_takes_place(run, caplog):
    saved = begin(run, True, ALONE)
    assert "other settings" not in caplog.text
    assert changes(saved, dataclasses.replace(run, mesh=Mesh(2, 1, 1), device="cpu", output="elsewhere")) == []
    other = dataclasses.replace(run, schedule=dataclasses.replace(run.schedule, batch=8, learning_rate=0.01))
    begin(other, True, ALONE)
    words = "schedule.batch 8 (was 4), schedule.learning_rate 0.01 (was 0.001)"
    assert f"step_00000006 was trained with other settings: {words}\n" in caplog.text


def test_a_new_run_is_refused_where_there_are_checkpoints(run):
    with pytest.raises(ConfigError, match="holds checkpoints already; add --resume or name another folder"):
        check_output(run, False)
    check_output(run, True)
    check_output(dataclasses.replace(run, output="elsewhere"), False)


def test_weights_of_another_method_are_refused_by_the_names_of_both_with_the_way_out(tmp_path):
    def network(method, widths):
        return untrained(method, {"widths": widths, "groups": 2}, "test")

    def started(method, widths):
        return inherit(
            Run(("s.h5",), str(tmp_path), method=method, begin_from=str(saved)), network(method, widths), None
        )

    weights = dict(network("unet", [8, 8]).network.named_parameters())
    origin = Origin(
        "method: unet\nsettings: {widths: [8, 8], groups: 2}\n", "unknown", "unet", ("2000-01-01", "2000-01-02")
    )
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    shards = [("weight", name, 0, weight.detach().flatten()) for name, weight in weights.items()]
    saved = checkpoint.save(tmp_path / "saved", origin, State(3, 0, "AdamW", {}, ()), shapes, shards)
    with pytest.raises(CheckpointError) as refusal:
        started("diffusion", [8, 8])
    message = str(refusal.value)
    for words in ("fit method diffusion", f"got {saved} of method unet", "Name a checkpoint of method diffusion"):
        assert words in message
    assert message.endswith("--set method=unet.") and "shape" not in message
    with pytest.raises(CheckpointError, match="the network expects shape .* Use the configuration it was trained with"):
        started("unet", [8, 16])
    assert started("unet", [8, 8]).transfer["parent"] == str(saved)
