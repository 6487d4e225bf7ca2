"""The verbs gate, release and promote on small weights: what passes goes into use, nothing else does."""

import json
import multiprocessing
import os

import pytest
from released import release_of, trained, verified

from jobs import command
from mlrtma_dist.io.lock import locked
from mlrtma_dist.weights.folder import WeightsFolder
from mlrtma_dist.weights.identity import checksum_of

GATE = """\
candidate: [{candidate}]
matches: [{matches}]
weights: {folder}/weights
reference: threedvar
output: {folder}/gate
rules: {{rmse: {{at_most: 1.0}}, reports: 100, each_variable: {{at_most: 1.1}}}}
"""
RELEASE = "output: {folder}/release\ndata: [reports of nobody]\ncommand: mlrtma train nothing.yaml\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a verb; its exit code."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "release.yaml").write_text(RELEASE.format(folder=tmp_path))
    return lambda *arguments: command.main([str(each) for each in arguments])


@pytest.fixture
def gate(run, tmp_path):
    """Decides about a checkpoint by matches; the exit code."""

    def decide(candidate, matches, *more):
        text = GATE.format(candidate=candidate, matches=matches, folder=tmp_path)
        (tmp_path / "gate.yaml").write_text(text)
        return run("gate", tmp_path / "gate.yaml", *more)

    return decide


def test_weights_that_pass_are_released_promoted_replaced_by_better_ones_and_rolled_back(tmp_path, run, gate, capsys):
    first, second = trained(tmp_path / "one", 1), trained(tmp_path / "two", 2)
    decision, site = tmp_path / "gate" / "decision.json", ("--weights", tmp_path / "weights")
    matches = verified(tmp_path / "v1", {"vit": 1.0, "threedvar": 1.3}, {"vit": first})
    assert gate(first, matches) == 0
    assert run("release", "release.yaml", "--gate", decision, "--output", "r1") == 0
    assert run("promote", *site, "--gate", decision, "r1") == 0  # in any order
    folder = WeightsFolder(tmp_path / "weights")
    assert checksum_of(folder.current) == checksum_of(first)
    assert json.loads((folder.current / "gate.json").read_text()) == json.loads(decision.read_text())

    # from now on the incumbent is the reference, though the classical method is in the table, too
    matches = verified(
        tmp_path / "v2", {"vit": 0.8, "incumbent": 1.0, "threedvar": 0.5}, {"vit": second, "incumbent": first}
    )
    assert gate(second, matches) == 0
    assert "passed: vit" in capsys.readouterr().out
    assert run("release", "release.yaml", "--gate", decision, "--output", "r2") == 0
    assert run("promote", "r2", *site, "--gate", decision) == 0
    assert run("promote", "r2", *site, "--gate", decision) == 0  # again: nothing changes
    assert checksum_of(folder.current) == checksum_of(second)
    assert run("promote", "--back", *site) == 0
    assert checksum_of(folder.current) == checksum_of(first)
    log = folder.history()
    assert [line["what"] for line in log] == ["promote", "promote", "back"]
    assert log[1]["gate"]["reference"] == checksum_of(first) and log[1]["gate"]["rmse"]["value"] < 0.9


def test_candidate_and_incumbent_may_be_verified_apart_if_stations_are_divided_alike(tmp_path, run, gate, capsys):
    old, new = trained(tmp_path / "one", 1), trained(tmp_path / "two", 2)
    assert run("promote", release_of(tmp_path, 1), "--weights", "weights", "--without-gate", "first") == 0
    files = [
        verified(tmp_path / "v1", {"vit": 1.3}, {"vit": old}),
        verified(tmp_path / "v2", {"vit": 1.0}, {"vit": new}),
    ]
    assert gate(new, ", ".join(map(str, files))) == 0
    assert run("release", "release.yaml", "--gate", tmp_path / "gate" / "decision.json") == 0
    beside = files[0].with_suffix(".json")
    beside.write_text(beside.read_text().replace('"folds": 10', '"folds": 5'))
    assert gate(new, ", ".join(map(str, files))) == 3
    assert "expected stations withheld in the same parts" in capsys.readouterr().err


def test_a_worse_candidate_ends_with_5_and_is_neither_released_nor_promoted(tmp_path, run, gate, capsys):
    candidate = trained(tmp_path / "one", 1)
    assert gate(candidate, verified(tmp_path / "v", {"vit": 1.3, "threedvar": 1.0}, {"vit": candidate})) == 5
    assert "REFUSED: vit" in (tmp_path / "gate" / "decision.txt").read_text()
    decision = ("--gate", tmp_path / "gate" / "decision.json")
    assert run("release", "release.yaml", *decision) == 3
    assert run("promote", release_of(tmp_path, 1), "--weights", "weights", *decision) == 3
    assert "the gate refused" in capsys.readouterr().err and WeightsFolder("weights").current is None


def test_matches_of_other_weights_and_changed_tables_decide_nothing(tmp_path, run, gate, capsys):
    candidate, other = trained(tmp_path / "one", 1), trained(tmp_path / "two", 2)
    matches = verified(tmp_path / "v", {"vit": 1.0, "threedvar": 1.3}, {"vit": other})
    assert gate(candidate, matches) == 3
    assert f"expected matches of the weights {checksum_of(candidate)[:12]}" in capsys.readouterr().err
    release = ("release", "release.yaml", "--checkpoint", candidate, "--set", f"matches={matches}")
    assert run(*release) == 3 and "Verify these weights" in capsys.readouterr().err
    matches.write_text(matches.read_text().replace("S001", "S002"))
    assert gate(other, matches) == 3 and "checksum" in capsys.readouterr().err
    matches.with_suffix(".json").unlink()
    assert gate(other, matches) == 3 and "verify again" in capsys.readouterr().err
    matches = verified(tmp_path / "v", {"vit": 1.0}, {"vit": candidate})
    assert gate(candidate, matches) == 3 and "got 'threedvar'. Verify it beside" in capsys.readouterr().err


def test_a_release_is_of_its_own_matches_and_made_again_it_is_the_same(tmp_path, run, capsys):
    candidate = trained(tmp_path / "one", 1)
    matches = verified(tmp_path / "v", {"vit": 1.0, "threedvar": 1.3}, {"vit": candidate})
    release = ("release", "release.yaml", "--checkpoint", candidate, "--set", f"matches={matches}")
    assert run(*release) == 0
    before = (tmp_path / "release" / "manifest.json").read_text()
    assert run(*release) == 0 and (tmp_path / "release" / "manifest.json").read_text() == before
    other = trained(tmp_path / "two", 2)
    matches = verified(tmp_path / "w", {"vit": 1.0, "threedvar": 1.3}, {"vit": other})
    assert run("release", "release.yaml", "--checkpoint", other, "--set", f"matches={matches}") == 3
    assert "expected a folder that does not exist yet" in capsys.readouterr().err


def test_of_several_seeds_the_one_with_the_lowest_validation_score_is_the_candidate(tmp_path, run, gate, capsys):
    seeds = [trained(tmp_path / f"s{number}", number, score) for number, score in ((1, 0.5), (2, 0.4), (3, 0.6))]
    files = [
        verified(tmp_path / f"v{number}", {"vit": rmse, "threedvar": 1.3}, {"vit": seed})
        for number, (seed, rmse) in enumerate(zip(seeds, (0.5, 1.0, 2.0), strict=True))
    ]
    assert gate(", ".join(map(str, seeds)), ", ".join(map(str, files))) == 0
    verdict = json.loads((tmp_path / "gate" / "decision.json").read_text())
    assert verdict["candidate"]["sha256"] == checksum_of(seeds[1])  # not the one that does best where it is judged
    assert verdict["reports"] == 800 and [each["file"] for each in verdict["matches"]] == [str(files[1])]
    without = trained(tmp_path / "s4", 4)
    assert gate(f"{seeds[0]}, {without}", files[0]) == 3 and "has no validation score" in capsys.readouterr().err


def test_a_decision_against_what_is_no_longer_in_use_or_about_others_does_not_promote(tmp_path, run, gate, capsys):
    candidate = trained(tmp_path / "one", 1)
    assert gate(candidate, verified(tmp_path / "v", {"vit": 1.0, "threedvar": 1.3}, {"vit": candidate})) == 0
    decision, site = ("--gate", tmp_path / "gate" / "decision.json"), ("--weights", tmp_path / "weights")
    release, other = release_of(tmp_path, 1), release_of(tmp_path, 2)
    assert run("promote", other, *site, *decision) == 3
    assert "is about the weights" in capsys.readouterr().err
    assert run("promote", other, *site, "--without-gate", "first weights") == 0
    assert run("promote", release, *site, *decision) == 3
    assert "in use is" in capsys.readouterr().err
    (line,) = WeightsFolder(tmp_path / "weights").history()
    assert line["without_gate"] == "first weights" and line["to"].startswith("vit-")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("r",), 2, "the key 'weights' (str) is missing"),
        (("r", "--weights", "w"), 2, "gate: expected the decision of a gate"),
        (("r", "--weights", "w", "--without-gate", " "), 2, "gate: expected the decision of a gate"),
        (("r", "--weights", "w", "--gate", "d.json", "--without-gate", "x"), 2, "exclude each other"),
        (("--weights", "w"), 2, "release: expected the folder of a release, or --back, got neither"),
        (
            ("r", "--weights", "w", "--back"),
            2,
            "back: expected neither release, as --back puts the release to use that",
        ),
        (
            ("r", "--weights", "w", "--back", "--without-gate", "x"),
            2,
            "back: expected neither release nor without_gate",
        ),
        (("--weights", "w", "--back"), 3, "weights: no folder w"),
        (("r", "--weights", "w", "--without-gate", "x"), 3, "expected a checkpoint with manifest.json"),
    ],
)
def test_a_wrong_promotion_is_refused_in_words_and_leaves_no_folder(tmp_path, run, capsys, arguments, code, message):
    assert run("promote", *arguments) == code and message in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


def test_a_release_that_is_damaged_or_has_an_unfit_name_leaves_no_folder_at_a_new_site(tmp_path, run, capsys):
    release, site = release_of(tmp_path, 1), ("--weights", "new/site/weights", "--without-gate", "first")
    assert run("promote", release, *site, "--set", "name=a/b") == 3 and "name: expected" in capsys.readouterr().err
    (release / "weights.safetensors").write_bytes(b"short")
    assert run("promote", release, *site) == 3
    assert not (tmp_path / "new").exists()


def _promote(folder, release, answers):
    os.chdir(folder)
    answers.put(command.main(["promote", str(release), "--weights", "weights", "--without-gate", "race"]))


def test_of_promotions_at_once_each_waits_its_turn_or_is_refused_and_the_log_has_one_line_each(tmp_path, run, capsys):
    with locked(tmp_path / "weights"):
        assert run("promote", release_of(tmp_path, 0), "--weights", "weights", "--without-gate", "x") == 3
    assert "another run writes into it" in capsys.readouterr().err
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    releases = [release_of(tmp_path, number) for number in (1, 2, 3)]
    children = [context.Process(target=_promote, args=(tmp_path, release, answers)) for release in releases]
    for child in children:
        child.start()
    codes = [answers.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    folder = WeightsFolder(tmp_path / "weights")
    assert set(codes) <= {0, 3} and 0 in codes
    assert len(folder.history()) == codes.count(0) and checksum_of(folder.current)
