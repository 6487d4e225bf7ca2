"""Releases: the averaged weights of a checkpoint, read as any checkpoint, and nothing of its training."""

import json

import pytest
import torch
from safetensors import safe_open

from mlrtma_dist.errors import InputError
from mlrtma_dist.weights import checkpoint
from mlrtma_dist.weights.checkpoint import Checkpoint
from mlrtma_dist.weights.manifest import CheckpointError, Release, Run, State
from mlrtma_dist.weights.release import WEIGHTS, folder_of, released, write_release

RUN = Run("steps: 7\n", "abc123", "vit", ("2026-01-01T00:00:00", "2026-02-01T00:00:00"))
SHAPES = {"layer.weight": (3, 5), "layer.bias": (3,)}
ABOUT = Release(("station reports, public domain",), "mlrtma train a.yaml", 3, {"2026-02-02": {"t2m": {"rmse": 1.5}}})


def values(part: str, name: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(len(part) + len(name))
    return torch.randn(torch.Size(SHAPES[name]).numel(), generator=generator)


@pytest.fixture
def trained(tmp_path):
    state = State(7, 11, "AdamW", {"step": 7.0}, ("exp_avg",), average_updates=7, best_score=0.5, best_step=7)
    shards = [(part, name, 0, values(part, name)) for part in ("weight", "exp_avg", "average") for name in SHAPES]
    return checkpoint.save(tmp_path / "checkpoints", RUN, state, SHAPES, shards)


def test_a_release_is_a_checkpoint_of_the_averaged_weights_alone(trained, tmp_path):
    write_release(trained, tmp_path / "released", ABOUT)
    opened = Checkpoint(tmp_path / "released").verify()
    assert opened.parts == ["weight"]
    for name in SHAPES:
        assert torch.equal(opened.read("weight", name), values("average", name))
    assert opened.manifest.run == RUN
    assert (opened.manifest.state.step, opened.manifest.state.moments) == (7, ())
    assert Release(**opened.manifest.release).scores == ABOUT.scores
    with safe_open(tmp_path / "released" / WEIGHTS, "pt") as file:  # any reader of the format
        assert sorted(file.keys()) == sorted(f"weight/{name}/0" for name in SHAPES)


def test_the_manifest_of_a_training_says_nothing_of_a_release(trained):
    assert Checkpoint(trained).manifest.release is None


def test_changed_weights_of_a_release_are_refused(trained, tmp_path):
    write_release(trained, tmp_path / "released", ABOUT)
    file = tmp_path / "released" / WEIGHTS
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"weights.safetensors: its content was changed"):
        Checkpoint(tmp_path / "released").verify()


def test_a_release_replaces_nothing(trained, tmp_path):
    (tmp_path / "released").mkdir()
    with pytest.raises(InputError, match=r"output: expected a folder that does not exist yet, got .*released"):
        write_release(trained, tmp_path / "released", ABOUT)


def test_damaged_checkpoints_are_not_released(trained, tmp_path):
    (trained / "weights_00000.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match="truncated"):
        write_release(trained, tmp_path / "released", ABOUT)
    assert not (tmp_path / "released").exists()


@pytest.mark.parametrize("method", ["vit", "vit_hybrid"])
def test_released_weights_are_whole_small_and_say_what_they_learnt_from(method):
    folder = released(method)
    manifest = Checkpoint(folder).verify().manifest
    about = Release(**manifest.release)
    assert manifest.run.method == method
    assert sum(file["bytes"] for file in manifest.files.values()) < 10e6
    assert all("licence" in line or "public domain" in line for line in about.data)
    assert about.command.startswith("mlrtma train configs/training/")
    assert about.hours > 50
    assert len(about.scores) == 4  # the hours that choose, on none of which it was trained
    assert len(json.dumps(manifest.release)) > 1000


def test_the_released_forecast_is_small_and_scored_at_hours_after_those_that_it_learnt_from():
    manifest = Checkpoint(released("lam")).verify().manifest
    about = Release(**manifest.release)
    assert manifest.run.method == "lam" and about.command == "mlrtma train configs/training/lam_plains.yaml"
    assert sum(file["bytes"] for file in manifest.files.values()) < 3e6
    assert all("public domain" in line for line in about.data) and about.hours == 84
    assert len(about.scores) == 48 and min(about.scores) > manifest.run.data_period[1]
    assert all(set(row) == {"t2m", "d2m", "u10", "v10", "psfc"} for row in about.scores.values())
    assert "+changes" not in manifest.run.commit


def test_methods_without_released_weights_are_told():
    assert released("unet") is None


def test_a_folder_that_is_named_comes_before_weights_that_ship_and_without_both_the_setting_is_named():
    assert folder_of("mine", "lam", "forecast") == "mine"
    assert folder_of(None, "vit", "checkpoint") == str(released("vit"))
    with pytest.raises(InputError, match=r"^forecast: expected the folder of a checkpoint of method nobody"):
        folder_of("", "nobody", "forecast")
