"""What products, matches and weights say of their origin, and how it is told; by untrained networks."""

import json
import shutil
from dataclasses import asdict

import netCDF4
import pytest
from tiny_domain import DOMAIN

from jobs import command
from jobs.lineage import _weights_of_product
from jobs.provenance import weights_of
from mlrtma_dist.methods.registry import untrained
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.verification.match_origin import read_origin
from mlrtma_dist.weights import checkpoint
from mlrtma_dist.weights.folder import WeightsFolder
from mlrtma_dist.weights.identity import checksum_of
from mlrtma_dist.weights.manifest import Release, Run, State
from mlrtma_dist.weights.release import released, write_release
from mlrtma_dist.weights.trained import load_trained

SETTINGS = "{{variables: [t2m], token_spacing: 80.0e3, neighbours: 4, width: 16, hidden: 16, window: 2, seed: {seed}}}"
CASES = """\
cases:
  domain: {folder}/tiny.yaml
  count: {count}
  simulated_weather: {{variables: [t2m], start: "2022-07-01T00:00", every: 7, stations: {{random: 40}}, seed: 1}}
output: {folder}/{name}
maps: false
method: vit
"""


def saved(folder, seed, ancestors=(), stores=()):
    """A vision transformer with its first weights as a checkpoint."""
    method = untrained("vit", {"variables": ["t2m"], "seed": seed, **SMALL}, "test")
    statistics = Statistics(("t2m",), (280.0,), (10.0,), 6, "2022-06-01T00:00:00", "2022-06-03T00:00:00")
    config = f"method: vit\nsettings: {SETTINGS.format(seed=seed)}\n"
    period = statistics.start, statistics.end
    origin = Run(config, "abc123", "vit", period, asdict(statistics), tuple(ancestors), tuple(stores))
    weights = dict(method.network.named_parameters())
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    shards = [("weight", name, 0, weight.detach().flatten()) for name, weight in weights.items()]
    return checkpoint.save(folder, origin, State(3, 0, "AdamW", {}, ()), shapes, shards)


SMALL = {"token_spacing": 80.0e3, "neighbours": 4, "width": 16, "hidden": 16, "window": 2}
STORE = {"file": "s.h5", "cases": 6, "start": "2022-06-01", "end": "2022-06-03", "made_by": "cases: {}\nedge: 8\n"}
PARENT = {"config": "settings: {}\n", "commit": "def456", "data_period": ["2021-01-01", "2021-02-01"], "steps": 9}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A weights folder with a release, and a candidate that is another checkpoint."""
    folder = tmp_path_factory.mktemp("lineage")
    (folder / "tiny.yaml").write_text(DOMAIN)
    write_release(
        saved(folder / "old", 1, [PARENT], [STORE]),
        folder / "release",
        Release(("reports, public domain",), "train", 6, {}),
    )
    WeightsFolder(folder / "weights").promote(folder / "release", "first", {}, None)
    saved(folder / "new", 2)
    return folder


@pytest.fixture(scope="module")
def product(folder):
    """A product of the release in use."""
    (folder / "analyse.yaml").write_text(CASES.format(folder=folder, name="product", count=1))
    assert command.main(["analyse", str(folder / "analyse.yaml"), "--checkpoint", f"{folder}/weights/current"]) == 0
    (product,) = (folder / "product").rglob("*.nc")
    return product


def lineage(path, capsys):
    assert command.main(["lineage", str(path), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_product_leads_to_its_weights_their_data_and_their_ancestors(folder, product, capsys):
    facts = lineage(product, capsys)
    (weights,) = facts["weights"]
    assert weights["folder"] == str(folder / "weights" / "releases" / "first")  # where `current` led
    assert weights["sha256"] == checksum_of(folder / "release") and "now" not in weights
    assert (weights["data"], weights["stores"][0]["file"]) == (["reports, public domain"], "s.h5")
    assert weights["ancestors"][0]["commit"] == "def456" and weights["data_period"][0] == "2022-06-01T00:00:00"
    assert "simulated_weather" in facts["configuration"] and facts["commit"]
    assert command.main(["lineage", str(product)]) == 0
    text = capsys.readouterr().out
    assert "    commit: def456\n" in text and "made_by: 2 lines, with --json" in text


def test_weights_that_were_replaced_or_removed_since_are_told(folder, product, tmp_path, capsys):
    copy = tmp_path / "product.nc"
    copy.write_bytes(product.read_bytes())
    for place, words in ((folder / "new" / "step_00000003", "replaced by"), (tmp_path / "gone", "not there any more")):
        with netCDF4.Dataset(copy, "a") as file:
            file.checkpoint = str(place)
        (weights,) = lineage(copy, capsys)["weights"]
        assert words in weights["now"] and weights["sha256"] == checksum_of(folder / "release")
    with netCDF4.Dataset(copy, "a") as file:
        file.delncattr("software")
    assert command.main(["lineage", str(copy)]) == 3
    assert "expected a product of this software" in capsys.readouterr().err
    assert command.main(["lineage", str(tmp_path)]) == 3 and command.main(["lineage"]) == 2


def test_a_product_of_current_leads_to_its_release_after_another_one_was_promoted(folder, product, tmp_path, capsys):
    site, copy = WeightsFolder(tmp_path / "weights"), tmp_path / "product.nc"
    site.promote(folder / "release", "first", {}, None)
    write_release(folder / "new" / "step_00000003", tmp_path / "second", Release(("public domain",), "train", 6, {}))
    site.promote(tmp_path / "second", "second", {}, None)
    copy.write_bytes(product.read_bytes())
    with netCDF4.Dataset(copy, "a") as file:
        assert (file.checkpoint, file.checkpoint_name) == (f"{folder}/weights/current", "first")
        file.checkpoint = str(site.link)
    (weights,) = lineage(copy, capsys)["weights"]
    assert weights["folder"] == str(tmp_path / "weights" / "releases" / "first") and "now" not in weights
    shutil.rmtree(tmp_path / "weights" / "releases" / "first")
    assert "replaced by" in lineage(copy, capsys)["weights"][0]["now"]


def test_what_a_product_says_of_its_weights_is_the_same_at_two_sites(folder, tmp_path, monkeypatch, capsys):
    facts = []
    for site in ("here", "there"):
        shutil.copytree(folder / "weights", tmp_path / site / "weights", symlinks=True)
        monkeypatch.chdir(tmp_path / site)
        facts.append(weights_of(load_trained("weights/current")))
    assert facts[0] == facts[1] and facts[0]["checkpoint"] == "weights/current" and facts[0]["name"] == "first"
    shipped = weights_of(load_trained(released("vit")))
    assert (shipped["checkpoint"], shipped["name"]) == ("mlrtma_dist/weights/released/vit", "vit")
    attributes = {"weights": shipped["checkpoint"], **{f"weights_{key}": value for key, value in shipped.items()}}
    assert "now" not in _weights_of_product(attributes, "weights")  # found where this software is installed


@pytest.mark.slow
def test_a_verification_records_the_weights_of_candidate_and_incumbent(folder, tmp_path):
    (tmp_path / "verify.yaml").write_text(
        CASES.format(folder=folder, name="verified", count=2).replace("maps: false\n", "folds: 2\n")
    )
    candidate = folder / "new" / "step_00000003"
    more = ["--checkpoint", str(candidate), "--set", f"incumbent={folder}/weights"]
    assert command.main(["verify", str(tmp_path / "verify.yaml"), *more]) == 0
    origin = read_origin(folder / "verified" / "matches.csv")
    assert {name: weights["sha256"] for name, weights in origin.methods.items()} == {
        "vit": checksum_of(candidate),
        "incumbent": checksum_of(folder / "release"),
    }
    assert origin.withheld == {"folds": 2, "blocks": None, "seed": 0}
    scores = (folder / "verified" / "scores.csv").read_text()
    assert "\nvit,t2m,all" in scores and "\nincumbent,t2m,all" in scores
