"""Checkpoints: whole or refused with the reason, read by any number of ranks, without DeepSpeed."""

import json
import resource
import subprocess
import sys

import pytest
import torch

from mlrtma_dist.weights import checkpoint
from mlrtma_dist.weights.checkpoint import Checkpoint
from mlrtma_dist.weights.manifest import FILE, CheckpointError, Run, State

RUN = Run("steps: 7\n", "abc123", "unet", ("2026-01-01T00:00:00", "2026-02-01T00:00:00"), {"mean": [281.5]})
SHAPES = {"layer.weight": (3, 5), "layer.bias": (3,)}


def values(part):
    generator = torch.Generator().manual_seed(len(part))
    return {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}


def state(step):
    counters = {"step": float(step)}
    return State(step, 11, "AdamW", counters, ("exp_avg",), average_updates=step, best_score=0.5, best_step=3)


def shards(cuts):
    for part in ("weight", "exp_avg", "average"):
        for name, whole in values(part).items():
            edges = [0, *[cut for cut in cuts if cut < whole.numel()], whole.numel()]
            for low, high in zip(edges[:-1], edges[1:], strict=True):
                yield part, name, low, whole.flatten()[low:high].clone()


@pytest.fixture
def saved(tmp_path):
    return checkpoint.save(tmp_path, RUN, state(7), SHAPES, shards([2, 6]))


def test_what_was_saved_in_ranges_is_read_in_any_other_ranges(saved):
    opened = Checkpoint(saved).verify()
    for part in ("weight", "exp_avg", "average"):
        for name, whole in values(part).items():
            for start in range(whole.numel()):
                count = min(4, whole.numel() - start)
                assert torch.equal(opened.read(part, name, start, count), whole.flatten()[start : start + count])
    assert (opened.manifest.run, opened.manifest.state) == (RUN, state(7))


def test_a_network_is_given_the_average_unless_the_weights_are_asked_for(saved):
    network = torch.nn.Module()
    network.layer = torch.nn.Linear(5, 3)
    for averaged, part in ((True, "average"), (False, "weight")):
        Checkpoint(saved).load_into(network, averaged)
        assert torch.equal(network.layer.weight.detach(), values(part)["layer.weight"])


def test_a_checkpoint_loads_where_deepspeed_cannot_be_imported(saved):
    program = (
        "import sys; sys.modules['deepspeed'] = None\n"
        "from mlrtma_dist.weights.checkpoint import Checkpoint\n"
        f"print(Checkpoint({str(saved)!r}).verify().read('weight', 'layer.bias').tolist())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert done.stdout.strip() == str(values("weight")["layer.bias"].tolist()), done.stderr


def test_a_truncated_file_is_refused_with_its_sizes(saved):
    path = saved / "weights_00000.pt"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(CheckpointError, match=f"expected {len(whole)} bytes, it has {len(whole) - 10}: truncated"):
        Checkpoint(saved)


def test_a_missing_file_is_refused(saved):
    (saved / "weights_00000.pt").unlink()
    with pytest.raises(CheckpointError, match="it is missing"):
        Checkpoint(saved)


def test_a_changed_byte_is_found_by_the_checksum(saved):
    path = saved / "weights_00000.pt"
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match="changed"):
        Checkpoint(saved).read("weight", "layer.bias")


def test_a_truncated_manifest_is_refused(saved):
    text = (saved / FILE).read_text()
    (saved / FILE).write_text(text[: len(text) // 2])
    with pytest.raises(CheckpointError, match="truncated or not JSON"):
        Checkpoint(saved)


def test_a_foreign_manifest_is_refused_by_its_format(saved):
    (saved / FILE).write_text(json.dumps({"format": "other 3"}))
    with pytest.raises(CheckpointError, match="got 'other 3': no checkpoint of this software"):
        Checkpoint(saved)


def test_a_folder_without_manifest_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="expected a checkpoint with manifest.json"):
        Checkpoint(tmp_path)


def test_ranges_that_leave_values_out_are_refused(tmp_path):
    some = [each for each in shards([2]) if each[:3] != ("weight", "layer.bias", 2)]
    folder = checkpoint.save(tmp_path, RUN, state(1), SHAPES, some)
    with pytest.raises(CheckpointError, match="expected 3 values of weight layer.bias, the files hold 2"):
        Checkpoint(folder)


def test_another_network_is_refused_with_the_first_weight_that_differs(saved):
    with pytest.raises(CheckpointError, match=r"layer.weight: the network expects shape \(4, 5\), .* shape \(3, 5\)"):
        Checkpoint(saved).check_network({**SHAPES, "layer.weight": (4, 5)})
    with pytest.raises(CheckpointError, match="layer.bias: the network expects no such weight"):
        Checkpoint(saved).check_network({"layer.weight": (3, 5)})


def test_the_newest_whole_one_is_found_and_damaged_ones_are_passed_over(tmp_path, caplog):
    assert checkpoint.newest(tmp_path) is None
    for step in (5, 9, 12):
        checkpoint.save(tmp_path, RUN, state(step), SHAPES, shards([]))
    (tmp_path / "step_00000012" / "weights_00000.pt").write_bytes(b"cut")
    (tmp_path / ".step_00000013.partial").mkdir()
    assert checkpoint.newest(tmp_path).manifest.state.step == 9
    assert "step_00000012" in caplog.text and "truncated" in caplog.text


def test_a_save_that_fails_leaves_no_checkpoint(tmp_path):
    def failing():
        yield from list(shards([]))[:2]
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(tmp_path, RUN, state(3), SHAPES, failing())
    assert checkpoint.steps(tmp_path) == [] and checkpoint.newest(tmp_path) is None


def test_a_full_disk_is_named_with_the_file_of_the_weights(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))  # bytes of a file
    try:
        with pytest.raises(OSError, match=r"File too large: '.*/step_00000003/weights_00000.pt'"):
            checkpoint.save(tmp_path, RUN, state(3), SHAPES, [("weight", "a", 0, torch.zeros(5000))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert checkpoint.steps(tmp_path) == []


def test_old_ones_are_removed_but_the_best_is_spared(tmp_path):
    for step in (1, 2, 3, 4, 5):
        checkpoint.save(tmp_path, RUN, state(step), SHAPES, shards([]))
    checkpoint.mark_best(tmp_path, 2)
    checkpoint.prune(tmp_path, keep=2)
    assert checkpoint.steps(tmp_path) == [2, 4, 5]
    (tmp_path / "step_00000005.old").mkdir()  # somebody's copy
    assert checkpoint.steps(tmp_path) == [2, 4, 5]
    assert Checkpoint(tmp_path / "best").manifest.state.step == 2
