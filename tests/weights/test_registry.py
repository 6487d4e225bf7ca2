"""The registry: one incumbent, whole candidates, a journal that is only added to."""

import pytest
import torch

from mlrtma_dist.weights import checkpoint
from mlrtma_dist.weights.manifest import CheckpointError, Run, State
from mlrtma_dist.weights.registry import Registry, RegistryError

RUN = Run("", "abc", "unet", ("2026-01-01", "2026-02-01"))


def saved_checkpoint(folder, step):
    state = State(step, 0, "SGD", {}, ())
    return checkpoint.save(folder, RUN, state, {"w": (2,)}, [("weight", "w", 0, torch.full((2,), float(step)))])


def test_a_promoted_candidate_is_the_incumbent_until_another_is(tmp_path):
    registry = Registry(tmp_path / "models")
    for step in (1, 2):
        registry.propose(f"unet-{step}", saved_checkpoint(tmp_path, step))
    registry.promote("unet-1", "first")
    assert registry.incumbent().read("weight", "w").tolist() == [1.0, 1.0]
    registry.promote("unet-2", "rmse 0.11 against 0.13")
    assert registry.incumbent().read("weight", "w").tolist() == [2.0, 2.0]
    assert registry.candidates() == ["unet-1", "unet-2"]
    assert [(line["what"], line["name"]) for line in registry.history()] == [
        ("propose", "unet-1"),
        ("propose", "unet-2"),
        ("promote", "unet-1"),
        ("promote", "unet-2"),
    ]


def test_a_candidate_outlives_the_run_that_it_came_from(tmp_path):
    registry = Registry(tmp_path / "models")
    source = saved_checkpoint(tmp_path, 3)
    registry.propose("unet", source)
    (source / "weights_00000.pt").unlink()
    registry.promote("unet", "kept")
    assert registry.incumbent().manifest.state.step == 3


def test_a_damaged_checkpoint_becomes_no_candidate(tmp_path):
    registry, source = Registry(tmp_path / "models"), saved_checkpoint(tmp_path, 1)
    (source / "weights_00000.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match="truncated"):
        registry.propose("unet", source)
    assert registry.candidates() == []


def test_names_that_are_taken_unfit_or_unknown_are_refused(tmp_path):
    registry, source = Registry(tmp_path / "models"), saved_checkpoint(tmp_path, 1)
    with pytest.raises(RegistryError, match="no incumbent yet; promote one of none"):
        registry.incumbent()
    registry.propose("unet", source)
    with pytest.raises(RegistryError, match="'unet' is taken"):
        registry.propose("unet", source)
    with pytest.raises(RegistryError, match="expected a name"):
        registry.propose("../unet", source)
    with pytest.raises(RegistryError, match="no candidate 'vit'; there are unet"):
        registry.promote("vit", "")
