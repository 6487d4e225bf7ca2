"""The verb release: scores of a verification and the weights of its checkpoint, in one folder."""

import numpy as np
import pytest
import torch

from jobs import release
from mlrtma_dist.errors import InputError
from mlrtma_dist.verification.case_scores import write_case_scores
from mlrtma_dist.verification.match import Matches, write_matches
from mlrtma_dist.verification.match_origin import write_origin
from mlrtma_dist.weights import checkpoint
from mlrtma_dist.weights.checkpoint import Checkpoint
from mlrtma_dist.weights.identity import checksum_of
from mlrtma_dist.weights.manifest import Run, State

TIMES = np.array(["2026-02-02T00:00", "2026-02-02T00:00", "2026-02-03T00:00"], dtype="datetime64[s]")


def matches() -> Matches:
    return Matches.build(
        method=np.array(["vit", "vit", "vit"]),
        variable=np.array(["t2m", "t2m", "d2m"]),
        time=TIMES,
        station=np.array(["A", "B", "A"]),
        observation=np.array([280.0, 281.0, 275.0]),
        prediction=np.array([283.0, 277.0, 275.0]),
        spread=np.array([3.0, 3.0, 0.0]),
        observation_error=np.array([4.0, 4.0, 2.0]),
    )


def test_scores_are_those_of_every_time_and_variable():
    scores = release.scores_of(matches(), "vit", "matches.csv")
    assert list(scores) == ["2026-02-02T00:00:00", "2026-02-03T00:00:00"]
    temperature = scores["2026-02-02T00:00:00"]["t2m"]
    assert temperature["reports"] == 2
    assert temperature["rmse"] == pytest.approx(np.sqrt((3.0**2 + 4.0**2) / 2), rel=1e-5)
    # A Gaussian of deviation s that hits: s (2 phi(0) - 1 / sqrt(pi)) = 0.2337 s (Gneiting et al. 2005).
    assert scores["2026-02-03T00:00:00"]["d2m"]["crps"] == pytest.approx(2.0 * 0.233695, rel=1e-5)


def test_matches_of_another_method_are_refused():
    with pytest.raises(InputError, match="matches: matches.csv has no prediction of method vit_hybrid"):
        release.scores_of(matches(), "vit_hybrid", "matches.csv")


def test_a_checkpoint_becomes_a_release(tmp_path, capsys):
    run = Run("settings: {}\n", "abc123", "vit", ("2026-01-01", "2026-02-01"), {"cases": 65})
    state = State(7, 11, "AdamW", {}, ())
    saved = checkpoint.save(tmp_path, run, state, {"bias": (3,)}, [("weight", "bias", 0, torch.ones(3))])
    write_matches(tmp_path / "matches.csv", matches())
    weights = {"checkpoint": str(saved), "step": 7, "commit": "abc123", "sha256": checksum_of(saved)}
    write_origin(tmp_path / "matches.csv", {"vit": weights}, {"folds": 10})
    config = tmp_path / "release.yaml"
    config.write_text(
        f"checkpoint: {saved}\noutput: {tmp_path / 'released'}\nmatches: {tmp_path / 'matches.csv'}\n"
        "data: ['reports of one station: public domain']\ncommand: mlrtma train vit.yaml\n"
    )
    release.main([str(config)])
    about = Checkpoint(tmp_path / "released").verify().manifest.release
    assert (about["hours"], about["command"]) == (65, "mlrtma train vit.yaml")
    assert set(about["scores"]) == {"2026-02-02T00:00:00", "2026-02-03T00:00:00"}
    assert "vit after 7 steps on 65 hours" in capsys.readouterr().out
    squares = np.array([[[0.0, 12.0, 3.0]], [[0.0, 27.0, 3.0]]])  # error, square, points: an rmse of 2 and of 3
    write_case_scores(tmp_path / "case_scores.csv", {"vit": squares}, ("u10",), TIMES[1:])
    write_origin(tmp_path / "case_scores.csv", {"vit": weights}, {})
    text = config.read_text().replace("/released", "/of_fields").replace("matches: ", "fields: ")
    config.write_text(text.replace("matches.csv", "case_scores.csv"))
    release.main([str(config)])
    scores = Checkpoint(tmp_path / "of_fields").manifest.release["scores"]
    assert [row["u10"] for row in scores.values()] == [{"points": 3, "rmse": 2.0}, {"points": 3, "rmse": 3.0}]
    twice = f"fields=[{tmp_path / 'case_scores.csv'}, {tmp_path / 'case_scores.csv'}]"
    with pytest.raises(InputError, match=r"fields: expected scores of times .*, got u10 of 2026-02-02T00:00:00 again"):
        release.main([str(config), "--set", twice, "--output", str(tmp_path / "third")])
    write_origin(tmp_path / "case_scores.csv", {"vit": weights | {"sha256": "0" * 64}}, {})
    with pytest.raises(InputError, match=r"^fields: .*case_scores.csv: expected fields of the weights"):
        release.main([str(config), "--output", str(tmp_path / "third")])
