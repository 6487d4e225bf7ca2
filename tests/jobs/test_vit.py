"""The vision transformer end to end: trained by withheld reports, resumed, at work on a product, and verified."""

import csv

import netCDF4
import numpy as np
import pytest
from killed import losses_despite_a_kill
from launch import mlrtma
from tiny_domain import DOMAIN

from jobs import command
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.samples.judgement import Judged
from mlrtma_dist.samples.store import Store
from mlrtma_dist.weights.trained import load_trained

pytestmark = pytest.mark.slow

VARIABLES = ("t2m", "u10", "v10")
SAMPLES = """\
cases:
  domain: {folder}/tiny.yaml
  count: {count}
  first: {first}
  simulated_weather:
    {{variables: [t2m, u10, v10], start: "2022-07-01T00:00", every: 7, stations: {{random: 120}}, seed: 1}}
output: {folder}/{name}.h5
edge: 8
"""
TRAINING = """\
samples: [{folder}/train.h5]
validation_samples: [{folder}/choose.h5]
output: {folder}/training
method: vit
settings: {{variables: [t2m, u10, v10], token_spacing: 40.0e3, neighbours: 8, width: 16, hidden: 32, window: 2}}
variants: 4
schedule: {{steps: 24, batch: 2, learning_rate: 3.0e-3, warm_up: 3, validate_every: 6, checkpoint_every: 6, seed: 0}}
engine: {{optimizer: {{type: AdamW, params: {{}}}}}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with stores to train on and to validate with; 12 steps on two tiles, then 12 on one."""
    folder = tmp_path_factory.mktemp("vit")
    (folder / "tiny.yaml").write_text(DOMAIN)
    for name, first, count in (("train", 0, 6), ("choose", 30, 2)):
        (folder / f"{name}.yaml").write_text(SAMPLES.format(folder=folder, name=name, first=first, count=count))
        assert command.main(["samples", str(folder / f"{name}.yaml")]) == 0
    (folder / "training.yaml").write_text(TRAINING.format(folder=folder))
    tiles = ("--set", "mesh={y: 2}", "--set", "schedule.steps=12")
    mlrtma(folder, "train", str(folder / "training.yaml"), *tiles, ranks=2)
    mlrtma(folder, "train", str(folder / "training.yaml"), "--resume")
    return folder


def test_the_validation_falls_and_is_of_the_cases_of_its_own_store(folder):
    with (folder / "training" / "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    scores = [float(row["validation"]) for row in rows if row["validation"]]
    assert [int(row["step"]) for row in rows] == list(range(24)) and len(scores) == 4
    assert np.isfinite(scores).all() and scores[-1] < 0.97 * scores[0]


def test_the_product_is_the_answer_of_the_trained_network_with_errors(folder, tmp_path):
    checkpoint = str(folder / "training" / "checkpoints" / "best")
    learned = ["--method", "vit", "--checkpoint", checkpoint, "--set", "maps=false", "--output", str(tmp_path)]
    assert command.main(["analyse", "--store", str(folder / "choose.h5"), *learned]) == 0
    (product,) = tmp_path.rglob("*.nc")
    store = Store(folder / "choose.h5")
    method = load_trained(checkpoint).method
    method.settle(store.domain)
    cases = Judged.over(store, assumptions(load_settings("classical", VARIABLES)))
    expected = method.analyse(cases.case(0, Box.whole(store.layout.shape))).fields()
    with netCDF4.Dataset(product) as file:
        for name in VARIABLES:
            np.testing.assert_allclose(file[name][0], expected.values[name], atol=0.01)  # rounded to 1/128 or finer
            assert (file[f"{name}_error"][0] > 0).all()


def test_it_is_verified_beside_a_classical_method_and_its_name_must_suit_the_checkpoint(folder, tmp_path, capsys):
    checkpoint = ["--checkpoint", str(folder / "training" / "checkpoints" / "best")]
    here = ["verify", "--store", str(folder / "choose.h5"), "--set", "folds=2", "--output", str(tmp_path)]
    assert command.main([*here, *checkpoint, "--method", "vit", "threedvar"]) == 0
    with (tmp_path / "scores.csv").open(newline="") as stream:
        scores = {
            (row["method"], row["variable"]): float(row["rmse"])
            for row in csv.DictReader(stream)
            if row["region"] == "all"
        }
    for name in VARIABLES:
        assert 0.0 < scores["vit", name] < 3.0 * scores["threedvar", name]
    assert command.main([*here, *checkpoint, "--method", "unet"]) == 3
    assert "is of vit" in capsys.readouterr().err


def test_what_it_needs_is_told_before_anything_is_started(folder, capsys):
    arguments = ["train", str(folder / "training.yaml"), "--set", f"output={folder}/other", "--dry-run"]
    assert command.main(arguments) == 0
    assert "memory on a rank" in capsys.readouterr().out
    both = [*arguments, "--set", "validation_from=2022-07-02"]
    assert command.main(both) == 2
    assert "exclude each other" in capsys.readouterr().err


def test_the_one_on_top_of_3d_var_begins_from_the_one_without_it_and_is_as_good_after_some_steps(folder, tmp_path):
    parent = folder / "training" / "checkpoints" / "best"
    more = ("method=vit_hybrid", f"begin_from={parent}", f"output={tmp_path}/training", "schedule.steps=6")
    mlrtma(folder, "train", str(folder / "training.yaml"), *(word for each in more for word in ("--set", each)))
    scores = {}
    for name, training in (("vit_hybrid", tmp_path), ("vit", folder)):
        here = ["verify", "--store", str(folder / "choose.h5"), "--set", "folds=2", "--output", str(tmp_path / name)]
        checkpoint = str(training / "training" / "checkpoints" / "best")
        assert command.main([*here, "--checkpoint", checkpoint, "--method", name]) == 0
        with (tmp_path / name / "scores.csv").open(newline="") as stream:
            scores |= {
                (row["method"], row["variable"]): float(row["rmse"])
                for row in csv.DictReader(stream)
                if row["region"] == "all"
            }
    learned = ["--method", "vit_hybrid", "--checkpoint", str(tmp_path / "training" / "checkpoints" / "best")]
    some = ["--set", "variables=[t2m]", "--set", "maps=false", "--output", str(tmp_path / "some")]
    assert command.main(["analyse", "--store", str(folder / "choose.h5"), *learned, *some]) == 0
    for name in VARIABLES:  # it is drawn to the analysis, which it does not have to learn
        assert 0.5 < scores["vit_hybrid", name] / scores["vit", name] < 1.1


def test_of_some_variables_the_analysis_is_that_of_all_and_the_others_reports_are_read(folder, tmp_path, capsys):
    checkpoint = str(folder / "training" / "checkpoints" / "best")
    fields = {}
    for name, more in (("all", []), ("one", ["--set", "variables=[t2m]"])):
        learned = ["--method", "vit", "--checkpoint", checkpoint, "--set", "maps=false", *more]
        output = tmp_path / name
        assert command.main(["analyse", "--store", str(folder / "choose.h5"), *learned, "--output", str(output)]) == 0
        (product,) = output.rglob("*.nc")
        with netCDF4.Dataset(product) as file:
            fields[name] = file["t2m"][:].data
            assert ("u10" in file.variables) == (name == "all")
    np.testing.assert_array_equal(fields["one"], fields["all"])
    none = ["--method", "vit", "--checkpoint", checkpoint, "--set", "variables=[visibility]", "--output", str(tmp_path)]
    assert command.main(["analyse", "--store", str(folder / "choose.h5"), *none]) == 2
    assert "variables: expected some of the cases' own, t2m, u10, v10; got visibility" in capsys.readouterr().err


def test_a_training_that_begins_from_another_names_its_ancestors(folder, tmp_path):
    parent = folder / "training" / "checkpoints" / "best"
    more = (f"output={tmp_path}/fine", f"begin_from={parent}", "schedule.steps=1", "schedule.learning_rate=1.0e-9")
    arguments = ["train", str(folder / "training.yaml"), *(word for each in more for word in ("--set", each))]
    mlrtma(folder, *arguments)
    child, before = (load_trained(path) for path in (tmp_path / "fine" / "checkpoints" / "best", parent))
    for name, weight in child.method.network.named_parameters():
        other = dict(before.method.network.named_parameters())[name]
        np.testing.assert_allclose(weight.detach().numpy(), other.detach().numpy(), atol=1e-6)
    (ancestor,) = child.manifest.run.ancestors
    assert ancestor["steps"] == before.manifest.state.step and "neighbours: 8" in ancestor["config"]
    assert ancestor["sha256"] == before.checksum != child.checksum
    stores = [(store["cases"], "simulated_weather" in store["made_by"]) for store in child.manifest.run.stores]
    assert stores == [(6, True), (2, True)] and ancestor["stores"] == list(before.manifest.run.stores)


def test_a_rank_killed_with_9_ends_the_training_which_goes_on_with_the_losses_of_an_uninterrupted_one(folder, tmp_path):
    config, sets = str(folder / "training.yaml"), ("schedule.checkpoint_every=4",)
    whole, resumed = losses_despite_a_kill(tmp_path, config, sets, after=6)
    assert len(whole) == 24 and resumed == pytest.approx(whole, rel=1e-4)  # float32, after 24 steps of Adam


def test_weights_of_another_network_are_no_beginning_and_a_dry_run_tells(folder, tmp_path, capsys):
    parent = folder / "training" / "checkpoints" / "best"
    run = ["train", str(folder / "training.yaml"), "--set", f"begin_from={parent}"]
    messages = {"vit": "the network expects", "vit_hybrid": "expected weights that fit method vit_hybrid, got"}
    for method, message in messages.items():
        other = ["--set", f"method={method}", "--set", "settings.width=32", "--set", f"output={tmp_path}/other"]
        assert command.main([*run, *other, "--dry-run"]) == 3
        assert message in capsys.readouterr().err
