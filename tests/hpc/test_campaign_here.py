"""A whole campaign on this machine, small: stopped by its gate, submitted again, promoted, and rolled back."""

import json

import pytest
from released import release_of
from tiny_domain import DOMAIN

from hpc import journal
from jobs import command
from mlrtma_dist.weights.folder import WeightsFolder
from mlrtma_dist.weights.identity import checksum_of

pytestmark = pytest.mark.slow

WEATHER = "simulated_weather: {variables: [t2m], start: %s, every: 25, stations: {random: 80}, seed: 1}"
VERBS = "samples", "train", "verify", "gate", "release", "promote"
FILES = {
    "tiny.yaml": DOMAIN,
    "machine.yaml": "scheduler: none\nlauncher: none\njobs: {" + ", ".join(f"{verb}: {{}}" for verb in VERBS) + "}\n",
    "samples.yaml": f"cases: {{domain: tiny.yaml, count: 4, {WEATHER % '2022-07-01'}}}\noutput: out/s.h5\nedge: 8\n",
    "train.yaml": """\
samples: [out/s.h5]
output: out/training
method: vit
settings: {variables: [t2m], token_spacing: 80.0e3, neighbours: 4, width: 16, hidden: 16, window: 2}
variants: 2
schedule: {steps: 8, batch: 2, learning_rate: 3.0e-3}
""",
    "verify.yaml": f"""\
cases: {{domain: tiny.yaml, count: 6, {WEATHER % "2023-01-05"}}}
checkpoint: out/training/checkpoints/step_00000008
method: [vit, first_guess]
incumbent: weights
output: out/verified
folds: 2
""",
    "gate.yaml": """\
candidate: [out/training/checkpoints/step_00000008]
matches: [out/verified/matches.csv]
weights: weights
reference: first_guess
output: out/gate
rules: {rmse: {at_most: 0.001}, reports: 100}
""",
    "release.yaml": "gate: out/gate/decision.json\noutput: out/release\ndata: [simulated]\ncommand: mlrtma submit\n",
    "campaign.yaml": """\
steps:
  samples: {verb: samples, config: samples.yaml}
  train: {verb: train, config: train.yaml, after: [samples]}
  verify: {verb: verify, config: verify.yaml, after: [train]}
  gate: {verb: gate, config: gate.yaml, after: [verify]}
  release: {verb: release, config: release.yaml, after: [gate]}
  promote: {verb: promote, config: out/release, set: [weights=weights, gate=out/gate/decision.json], after: [release]}
""",
}


def test_a_campaign_stops_at_its_gate_goes_on_when_submitted_again_and_its_promotion_is_rolled_back(
    environment, tmp_path, monkeypatch, mlrtma
):
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    line = ("submit", "campaign", "campaign.yaml", "--machine", "machine.yaml")
    first = mlrtma(*line, timeout=600)
    assert first.returncode == 5, first.stdout + first.stderr  # the gate's own exit code
    assert "# 6 steps to submit" in first.stdout and f"one after another: {' -> '.join(VERBS)}" in first.stdout
    assert "rmse" in (tmp_path / "out/gate/decision.txt").read_text() and not (tmp_path / "out/release").exists()

    (tmp_path / "gate.yaml").write_text(FILES["gate.yaml"].replace("0.001", "1000.0"))
    again = mlrtma(*line, timeout=600)
    assert again.returncode == 0, again.stdout + again.stderr
    assert [name for name in VERBS if f"done before: {name}\n" in again.stdout] == ["samples", "train", "verify"]
    folder, trained = WeightsFolder("weights"), checksum_of("out/training/checkpoints/step_00000008")
    assert checksum_of(folder.current) == trained
    (store,) = json.loads((folder.current / "manifest.json").read_text())["run"]["stores"]
    assert store["cases"] == 4 and "simulated_weather" in store["made_by"]
    assert mlrtma(*line).stdout == "".join(f"done before: {name}\n" for name in VERBS)
    verbs = [entry["verb"] for entry in journal.read(journal.path()) if entry["event"] == "started"]
    assert verbs == [*VERBS[:4], *VERBS[3:]]

    site = ("--weights", "weights")
    assert command.main(["promote", str(release_of(tmp_path, 1)), *site, "--without-gate", "a trial"]) == 0
    assert checksum_of(folder.current) != trained
    assert command.main(["promote", "--back", *site]) == 0 and checksum_of(folder.current) == trained
