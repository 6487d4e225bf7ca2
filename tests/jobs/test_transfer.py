"""Variables added to a trained network by adapters: training, resuming, analysis, release, and wrong parents."""

import json
import shutil

import netCDF4
import numpy as np
import pytest
from launch import mlrtma
from tiny_domain import DOMAIN

from jobs import command
from mlrtma_dist.training.metrics import read
from mlrtma_dist.weights.checkpoint import Checkpoint
from mlrtma_dist.weights.identity import checksum_of
from mlrtma_dist.weights.manifest import CheckpointError, Release
from mlrtma_dist.weights.release import write_release
from mlrtma_dist.weights.trained import load_trained

pytestmark = pytest.mark.slow

SAMPLES = """\
cases:
  domain: {folder}/tiny.yaml
  count: 6
  simulated_weather:
    {{variables: [t2m, u10, v10], start: "2022-07-01T00:00", every: 7, stations: {{random: 60}}, seed: 1}}
output: {folder}/train.h5
edge: 8
"""
TRAINING = """\
samples: [{folder}/train.h5]
output: {folder}/base
method: vit
settings: {{variables: [t2m], token_spacing: 40.0e3, neighbours: 8, width: 16, hidden: 32, window: 2}}
variants: 4
schedule: {{steps: 2, batch: 2, learning_rate: 3.0e-3, warm_up: 0, seed: 0}}
engine: {{optimizer: {{type: AdamW, params: {{}}}}}}
"""
ABOUT = Release(("simulated, public domain",), "mlrtma train", 6, {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a network of one variable, and adapters on it for two more after 2 and 4 steps."""
    folder = tmp_path_factory.mktemp("transfer")
    (folder / "tiny.yaml").write_text(DOMAIN)
    (folder / "samples.yaml").write_text(SAMPLES.format(folder=folder))
    (folder / "training.yaml").write_text(TRAINING.format(folder=folder))
    assert command.main(["samples", str(folder / "samples.yaml")]) == 0
    mlrtma(folder, "train", str(folder / "training.yaml"))
    mlrtma(folder, "train", str(folder / "training.yaml"), *adapters(folder, "adapters"))
    return folder


def adapters(folder, output):
    changes = (
        "settings.variables=[u10, t2m, v10]", "transfer.mode=adapters", "transfer.rank=2", "schedule.steps=4",
        "schedule.checkpoint_every=2", "schedule.average_decay=0.5", f"output={folder}/{output}",
    )  # fmt: skip
    parent = folder / "base" / "checkpoints" / "step_00000002"
    return ["--from", str(parent), *(word for each in changes for word in ("--set", each))]


def newest(folder, name="adapters", step=4):
    return folder / name / "checkpoints" / f"step_{step:08d}"


def test_resumed_it_has_the_losses_of_the_uninterrupted_run_and_the_same_weights(folder):
    shutil.copytree(newest(folder, step=2), newest(folder, "resumed", 2))
    shutil.copy(folder / "adapters" / "metrics.csv", folder / "resumed" / "metrics.csv")
    mlrtma(folder, "train", str(folder / "training.yaml"), *adapters(folder, "resumed"), "--resume")
    one, other = (read(folder / name / "metrics.csv") for name in ("adapters", "resumed"))
    assert [row["loss"] for row in one] == [row["loss"] for row in other] and len({row["loss"] for row in one}) == 4
    assert checksum_of(newest(folder, "resumed")) == checksum_of(newest(folder)) != checksum_of(newest(folder, step=2))


def test_the_manifest_says_what_it_began_from_and_what_was_added_and_the_files_hold_the_adapters_alone(folder, capsys):
    parent = folder / "base" / "checkpoints" / "step_00000002"
    manifest, origin = Checkpoint(newest(folder)).manifest, Checkpoint(parent).manifest
    about = manifest.run.transfer
    assert about["mode"] == "adapters" and about["rank"] == 2 and about["added"] == ["u10", "v10"] and about["separate"]
    assert about["sha256"] == checksum_of(parent) == manifest.run.ancestors[-1]["sha256"]
    assert all(name.endswith((".left", ".right", ".entries")) for name in manifest.shapes)
    numbers = [sum(int(np.prod(shape)) for shape in each.shapes.values()) for each in (manifest, origin)]
    assert 0 < numbers[0] < 0.5 * numbers[1]
    assert command.main(["lineage", str(newest(folder)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["transfer"]["added"] == ["u10", "v10"]


def test_a_product_of_the_adapters_is_that_of_their_release(folder, tmp_path):
    write_release(newest(folder), tmp_path / "release", ABOUT)
    shutil.copytree(tmp_path / "release", tmp_path / "elsewhere")
    assert checksum_of(tmp_path / "elsewhere") == checksum_of(newest(folder))
    fields = {}
    for name, weights in (("adapters", newest(folder)), ("release", tmp_path / "elsewhere")):
        options = ["--checkpoint", str(weights), "--set", "maps=false", "--output", str(tmp_path / name)]
        assert command.main(["analyse", "--store", str(folder / "train.h5"), "--method", "vit", *options]) == 0
        product = min((tmp_path / name).rglob("*.nc"))
        with netCDF4.Dataset(product) as file:
            fields[name] = {each: file[each][:].data for each in ("t2m", "u10", "v10")}
    for each, field in fields["adapters"].items():
        np.testing.assert_array_equal(field, fields["release"][each])
    assert Checkpoint(tmp_path / "release").manifest.run.transfer["separate"] is False


def test_a_network_with_adapters_can_be_begun_from_again(folder, capsys):
    whole = ["--from", str(newest(folder)), "--set", "settings.variables=[t2m, u10, v10]"]
    more = ["--set", f"output={folder}/again", "--dry-run"]
    for mode in ("whole", "adapters"):
        arguments = ["train", str(folder / "training.yaml"), *whole, "--set", f"transfer.mode={mode}", *more]
        assert command.main(arguments) == 0, capsys.readouterr().err
    frozen = ["train", str(folder / "training.yaml"), *whole, "--set", "transfer.mode=frozen", *more]
    assert command.main(frozen) == 3
    assert "adds none to u10, t2m, v10" in capsys.readouterr().err


def test_adapters_whose_parent_was_changed_or_is_gone_are_refused_in_words(folder, tmp_path):
    tree = tmp_path / "moved"
    shutil.copytree(newest(folder), tree / "adapters")
    manifest = json.loads((tree / "adapters" / "manifest.json").read_text())
    manifest["run"]["transfer"]["parent"] = str(tree / "parent")
    manifest["run"]["config"] = manifest["run"]["config"].replace("begin_from:", "was_begun_from:")
    (tree / "adapters" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"belong to the weights .*parent .* there are none any more"):
        load_trained(tree / "adapters")
    write_release(folder / "base" / "checkpoints" / "step_00000002", tree / "parent", ABOUT)
    assert load_trained(tree / "adapters").method.variables == ("u10", "t2m", "v10")
    shutil.rmtree(tree / "parent")
    write_release(newest(folder), tree / "parent", ABOUT)
    with pytest.raises(CheckpointError, match=r"with the checksum .*, but .*parent holds .* Bring those weights back"):
        load_trained(tree / "adapters")


def test_adapters_without_weights_to_begin_from_are_refused_before_anything_is_started(folder, capsys):
    arguments = ["train", str(folder / "training.yaml"), "--set", f"output={folder}/no", "--dry-run"]
    assert command.main([*arguments, "--set", "transfer.mode=adapters"]) == 2
    assert "transfer.mode: adapters needs weights to begin from: --from CHECKPOINT" in capsys.readouterr().err
