"""A whole campaign on a real Slurm, from samples to promotion and back, whose controller is restarted in its middle."""

import json
import subprocess
import sys

import pytest
from cluster import until
from released import release_of
from small_campaign import CHECKPOINT, FILES, VERBS

from hpc import journal
from jobs import command
from mlrtma_dist.weights.folder import WeightsFolder
from mlrtma_dist.weights.identity import checksum_of

pytestmark = pytest.mark.slow


def verbs(event):
    """The verbs of the journal's lines of a kind, in order; of jobs that ran, not of their submission."""
    entries = journal.read(journal.path())
    of_job = {entry["job"]: entry["verb"] for entry in entries if entry["event"] == "started"}
    return [of_job[entry["job"]] for entry in entries if entry["event"] == event]


def test_two_operators_start_one_campaign_which_outlives_the_controller_and_is_promoted_and_rolled_back(
    slurm_here, mlrtma, tmp_path
):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    line = ("submit", "campaign", "campaign.yaml", "--machine", "slurm_test")
    start = [sys.executable, "-m", "jobs.command", *line]
    both = [subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=300) for process in both]
    assert 0 in [process.returncode for process in both], answers
    for process, (_, error) in zip(both, answers, strict=True):
        assert process.returncode == 0 or "output/submitting: another run writes into it: " in error

    assert until(lambda: "train" in verbs("started"), seconds=300)
    slurm_here.stop_controller()  # before srun has asked it for the ranks of the training, or after that
    seen = {each["step"]: each for each in json.loads(mlrtma("status", "campaign.yaml", "--json").stdout)}
    assert seen["samples"]["state"] == "done" and seen["samples"]["source"] == "outputs"
    for step in VERBS[2:]:
        assert seen[step]["state"] == "unknown" and seen[step]["reason"] and "no failure" in seen[step]["action"]
    slurm_here.start_controller()

    rest = mlrtma(*line, "--wait", timeout=900)
    assert rest.returncode == 0, rest.stdout + rest.stderr
    assert "done before: samples\n" in rest.stdout and ": promote, submitted before\n" in rest.stdout
    assert verbs("started") == verbs("done") == list(VERBS)  # each once
    steps = json.loads(mlrtma("status", "campaign.yaml", "--machine", "slurm_test", "--json").stdout)
    assert [(each["step"], each["state"]) for each in steps] == [(verb, "done") for verb in VERBS]
    folder, trained = WeightsFolder("weights"), checksum_of(CHECKPOINT)
    assert checksum_of(folder.current) == trained

    site = ("--weights", "weights")
    assert command.main(["promote", str(release_of(tmp_path, 1)), *site, "--without-gate", "a trial"]) == 0
    assert checksum_of(folder.current) != trained
    assert command.main(["promote", "--back", *site]) == 0 and checksum_of(folder.current) == trained
