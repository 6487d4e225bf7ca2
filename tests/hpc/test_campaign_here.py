"""A whole campaign on this machine, small: stopped by its gate, submitted again, promoted, and rolled back."""

import json

import pytest
from released import release_of
from small_campaign import CHECKPOINT, FILES, VERBS

from hpc import journal
from jobs import command
from mlrtma_dist.weights.folder import WeightsFolder
from mlrtma_dist.weights.identity import checksum_of

pytestmark = pytest.mark.slow


def test_a_campaign_stops_at_its_gate_goes_on_when_submitted_again_and_its_promotion_is_rolled_back(
    environment, tmp_path, monkeypatch, mlrtma
):
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "gate.yaml").write_text(FILES["gate.yaml"].replace("1000.0", "0.001"))
    line = ("submit", "campaign", "campaign.yaml", "--machine", "machine.yaml")
    first = mlrtma(*line, timeout=600)
    assert first.returncode == 5, first.stdout + first.stderr  # the gate's own exit code
    assert "# 6 steps to submit" in first.stdout and f"one after another: {' -> '.join(VERBS)}" in first.stdout
    assert "rmse" in (tmp_path / "out/gate/decision.txt").read_text() and not (tmp_path / "out/release").exists()

    (tmp_path / "gate.yaml").write_text(FILES["gate.yaml"])
    again = mlrtma(*line, timeout=600)
    assert again.returncode == 0, again.stdout + again.stderr
    assert [name for name in VERBS if f"done before: {name}\n" in again.stdout] == ["samples", "train", "verify"]
    folder, trained = WeightsFolder("weights"), checksum_of(CHECKPOINT)
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
