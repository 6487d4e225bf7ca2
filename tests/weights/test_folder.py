"""The weights folder: one release in use, whole whatever was killed, and a log by which one goes back."""

import json
import os
import signal
import sys

import pytest
from released import release_of, trained

from mlrtma_dist.weights.checkpoint import Checkpoint
from mlrtma_dist.weights.folder import WeightsError, WeightsFolder
from mlrtma_dist.weights.identity import checksum_of
from mlrtma_dist.weights.manifest import CheckpointError

CHANGES = {"open", "os.rename", "os.symlink", "os.mkdir", "os.remove", "os.rmdir", "shutil.copyfile"}


def value(folder):
    return Checkpoint(folder.current).verify().read("weight", "bias").tolist()[0]


def test_a_checkpoint_and_its_release_have_one_checksum_and_other_weights_another(tmp_path):
    release = release_of(tmp_path, 1)
    assert checksum_of(release) == checksum_of(tmp_path / "training1" / "step_00000007")
    assert checksum_of(release) == checksum_of(trained(tmp_path / "again", 1, step=9))  # the weights, not the files
    assert checksum_of(release) != checksum_of(release_of(tmp_path, 2))


def test_promotions_go_forward_and_back_and_the_log_holds_each(tmp_path):
    folder = WeightsFolder(tmp_path / "weights")
    assert folder.current is None and folder.history() == []
    for number, name in ((1, "a"), (2, "b"), (3, "c")):
        folder.promote(release_of(tmp_path, number), name, {"number": number}, None)
        assert value(folder) == number
    assert folder.current == tmp_path / "weights" / "releases" / "c"
    assert os.readlink(folder.link) == "releases/c"  # a folder that can be moved whole
    folder.back({})
    folder.back({})
    assert value(folder) == 1
    with pytest.raises(WeightsError, match="no release was in use before a"):
        folder.back({})
    folder.promote(tmp_path / "release3", "c", {}, '{"passed": true}')
    assert value(folder) == 3 and folder.in_use() == ["a", "c"]
    assert json.loads((folder.current / "gate.json").read_text()) == {"passed": True}
    folder.back({})
    assert value(folder) == 1
    steps = [(line["what"], line["from"], line["to"]) for line in folder.history()]
    assert steps == [
        ("promote", None, "a"), ("promote", "a", "b"), ("promote", "b", "c"), ("back", "c", "b"), ("back", "b", "a"),
        ("promote", "a", "c"), ("back", "c", "a"),
    ]  # fmt: skip
    assert all(line["who"] and line["time"] and len(line["sha256"]) == 64 for line in folder.history())


def killed_at(event, work):
    """Do work in a child that is killed by SIGKILL before its n-th change of the file system; False: it had fewer."""
    child = os.fork()
    if child == 0:
        seen = 0

        def count(name, arguments):
            nonlocal seen
            if name in CHANGES and (
                name != "open" or (isinstance(arguments[1], str) and set("wax+") & set(arguments[1]))
            ):
                seen += 1
                if seen == event:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_a_promotion_killed_anywhere_leaves_the_old_weights_or_the_new_and_is_finished_by_the_next(tmp_path):
    releases = [release_of(tmp_path, number) for number in (1, 2)]
    event, states = 0, set()
    while True:
        event += 1
        folder = WeightsFolder(tmp_path / f"weights{event}")
        folder.promote(releases[0], "a", {}, None)

        def promote(folder=folder):
            folder.promote(releases[1], "b", {}, "{}")

        if not killed_at(event, promote):
            break
        states.add(folder.current.name)
        assert value(folder) in (1, 2)
        assert folder.in_use() == (["a"] if value(folder) == 1 else ["a", "b"])  # log and link agree
        promote()
        assert value(folder) == 2 and folder.in_use() == ["a", "b"]
        assert sorted(path.name for path in folder.root.iterdir()) == ["current", "promotions.jsonl", "releases"]
        files = sorted(str(path.relative_to(folder.root / "releases")) for path in folder.root.rglob("releases/*/*"))
        assert files == [
            *("a/manifest.json", "a/weights.safetensors", "b/gate.json"),
            *("b/manifest.json", "b/weights.safetensors"),
        ]
        folder.back({})
        assert value(folder) == 1
    assert event > 8 and states == {"a"}  # the last change of all is the rename


def test_going_back_killed_anywhere_leaves_one_of_both_in_use(tmp_path):
    releases = [release_of(tmp_path, number) for number in (1, 2)]
    event = 0
    while True:
        event += 1
        folder = WeightsFolder(tmp_path / f"weights{event}")
        for release, name in zip(releases, "ab", strict=True):
            folder.promote(release, name, {}, None)
        if not killed_at(event, lambda folder=folder: folder.back({})):
            break
        assert folder.in_use() == (["a"] if value(folder) == 1 else ["a", "b"])
    assert event > 3 and value(folder) == 1


def test_what_is_no_release_damaged_or_of_a_taken_name_is_not_promoted(tmp_path):
    folder = WeightsFolder(tmp_path / "weights")
    release, other = release_of(tmp_path, 1), release_of(tmp_path, 2)
    with pytest.raises(WeightsError, match="expected a release, got the checkpoint of a training"):
        folder.promote(tmp_path / "training1" / "step_00000007", "a", {}, None)
    with pytest.raises(WeightsError, match=r"name: expected letters, .* got '\.\./a'"):
        folder.promote(release, "../a", {}, None)
    folder.promote(release, "a", {}, None)
    with pytest.raises(WeightsError, match="a holds other weights. Use another name"):
        folder.promote(other, "a", {}, None)
    content = bytearray((other / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (other / "weights.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="its content was changed"):
        folder.promote(other, "b", {}, None)
    assert value(folder) == 1 and len(folder.history()) == 1


def test_a_damaged_predecessor_is_not_gone_back_to_and_a_link_changed_by_hand_is_told(tmp_path):
    folder = WeightsFolder(tmp_path / "weights")
    for number, name in ((1, "a"), (2, "b")):
        folder.promote(release_of(tmp_path, number), name, {}, None)
    (folder.root / "releases" / "a" / "weights.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="truncated"):
        folder.back({})
    assert value(folder) == 2
    folder.link.unlink()
    folder.link.symlink_to("releases/c")
    with pytest.raises(WeightsError, match=r"promotions.jsonl.* was changed by hand"):
        folder.back({})
    folder.log.write_text("{")
    with pytest.raises(WeightsError, match="promotions.jsonl: expected one object of JSON per line"):
        folder.history()
