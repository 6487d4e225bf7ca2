"""The dry run of a training whose samples, or the weights it begins from, an earlier step of a campaign will make."""

import json

import pytest
from tiny_domain import DOMAIN

from jobs import command
from jobs.to_come import maker_of

SAMPLES = """\
cases:
  domain: {folder}/tiny.yaml
  count: 6
  simulated_weather:
    {{variables: [{variables}], start: "2022-07-01T00:00", every: 7, stations: {{random: 40}}, seed: 1}}
output: {folder}/output/{name}.h5
edge: 8
"""
ARCHIVE = """\
cases:
  domain: {folder}/tiny.yaml
  archive:
    start: "2022-07-01T00:00"
    end: "2022-07-01T06:00"
    reports: [{{pattern: "{folder}/reports_{{time:%H}}.csv"}}]
    labels: {{gridded: [{{pattern: "{folder}/output/labels/{{time:%Y%m%d%H}}.nc"}}]}}
output: {folder}/output/samples.h5
edge: 8
"""
TRAINING = """\
samples: [{folder}/output/samples.h5]
output: {folder}/output/second
method: vit
settings: {{variables: [t2m, u10], token_spacing: 80.0e3, neighbours: 4, width: 16, hidden: 16, window: 2}}
variants: 2
schedule: {{steps: 2, batch: 2}}
"""


@pytest.fixture
def dry(tmp_path, monkeypatch):
    """Rehearses a training after steps (verb, configuration, further arguments, output); the exit code."""
    (tmp_path / "tiny.yaml").write_text(DOMAIN)
    (tmp_path / "train.yaml").write_text(TRAINING.format(folder=tmp_path))

    def run(*steps, more=()):
        keys = "verb", "config", "arguments", "output"
        monkeypatch.setenv("MLRTMA_TO_COME", json.dumps([dict(zip(keys, step, strict=True)) for step in steps]))
        return command.main(["train", str(tmp_path / "train.yaml"), "--dry-run", *more])

    return run


def samples(folder, variables="t2m, u10", name="samples"):
    """A step that makes samples."""
    path = folder / f"{name}.yaml"
    path.write_text(SAMPLES.format(folder=folder, variables=variables, name=name))
    return "samples", str(path), ["--set", "edge=4"], str(folder / "output" / f"{name}.h5")


def first_stage(folder, **settings):
    """A step that trains the same network, or one of other settings."""
    changes = [word for key, value in settings.items() for word in ("--set", f"settings.{key}={value}")]
    output = str(folder / "output" / "first")
    return "train", str(folder / "train.yaml"), [*changes, "--set", f"output={output}", "--resume"], output


def test_samples_that_an_earlier_step_will_make_are_judged_by_what_they_will_be(dry, tmp_path, capsys):
    assert dry() == 3  # no step makes them
    assert "samples.h5" in capsys.readouterr().err
    assert dry(samples(tmp_path)) == 0
    assert "# tiles of tiny (32, 40)" in capsys.readouterr().out
    assert dry(samples(tmp_path, "t2m")) != 0  # the network needs wind, too
    assert "u10" in capsys.readouterr().err
    assert dry(samples(tmp_path), more=("--set", "validation_from=2023-01-01")) == 2
    assert not (tmp_path / "output").exists()


def test_further_stores_and_those_to_validate_with_may_be_to_come(dry, tmp_path):
    more = ("--set", f"validation_samples=[{tmp_path}/output/choose.h5]")
    assert dry(samples(tmp_path), more=more) == 3
    assert dry(samples(tmp_path), samples(tmp_path, name="choose"), more=more) == 0


def test_weights_that_an_earlier_step_will_train_must_be_those_of_the_same_network(dry, tmp_path, capsys):
    begin = ("--set", f"begin_from={tmp_path}/output/first/checkpoints/best")
    assert dry(samples(tmp_path), more=begin) == 2
    assert "begin_from: no checkpoint" in capsys.readouterr().err
    assert dry(samples(tmp_path), first_stage(tmp_path), more=begin) == 0
    assert dry(samples(tmp_path), first_stage(tmp_path, width=32), more=begin) == 3
    assert "the network expects shape" in capsys.readouterr().err
    assert dry(samples(tmp_path), first_stage(tmp_path), more=(*begin, "--set", "method=vit_hybrid")) == 0


def test_samples_of_labels_that_are_to_come_are_looked_at_when_they_are_made(dry, tmp_path, caplog):
    (tmp_path / "archive.yaml").write_text(ARCHIVE.format(folder=tmp_path))
    archive = "samples", str(tmp_path / "archive.yaml"), [], str(tmp_path / "output" / "samples.h5")
    assert dry(archive) != 0  # nobody makes the labels
    labels = "analyse", "labels.yaml", [], str(tmp_path / "output" / "labels")
    assert dry(labels, archive) == 0
    assert "samples.h5 is not looked at before it is made" in caplog.text


def test_what_is_there_or_of_no_step_has_no_maker_and_a_part_of_an_archive_has_its_own(tmp_path, monkeypatch):
    (tmp_path / "there.h5").touch()
    (tmp_path / "archive.yaml").write_text(ARCHIVE.format(folder=tmp_path))
    parts = ["--set", "parts=4", "--set", "part=3"]
    step = {
        "verb": "samples",
        "config": str(tmp_path / "archive.yaml"),
        "arguments": parts,
        "output": str(tmp_path / "a.h5"),
    }
    monkeypatch.setenv("MLRTMA_TO_COME", json.dumps([step, {**step, "verb": "train", "output": str(tmp_path / "run")}]))
    assert maker_of(tmp_path / "there.h5") is None and maker_of(tmp_path / "other.h5") is None
    assert maker_of(tmp_path / "run" / "checkpoints" / "best").verb == "train"
    assert maker_of(tmp_path / "output" / "samples_part003.h5").verb == "samples"
    assert maker_of(tmp_path / "output" / "samples_part002.h5") is None
    monkeypatch.delenv("MLRTMA_TO_COME")
    assert maker_of(tmp_path / "a.h5") is None
