"""The verb estimate: files in, a configuration of the methods out."""

import pytest

from jobs import command
from jobs.inputs import load_settings

TIME = "2022-08-24T06:00"


def estimate(toy, output, *more: str) -> int:
    files = ["--observations", str(toy.observations), "--output", str(output)]
    return command.main(["estimate", "--domain", "toy", *files, "--set", "steps=6", "--set", "reports=150", *more])


def test_what_was_asked_is_estimated_and_the_rest_stays(toy, tmp_path, capsys):
    path = tmp_path / "found.yaml"
    assert estimate(toy, path, "--set", "variables=[t2m, u10, v10]") == 0
    assert capsys.readouterr().out == f"{path}\n"
    before, after = load_settings("classical"), load_settings(str(path))
    changed = {name for name in before.variables if before.variables[name] != after.variables[name]}
    assert changed == {"t2m", "u10", "v10"} and list(after.variables) == list(before.variables)
    assert after.variables["u10"] == after.variables["v10"]  # a wind has one covariance
    assert (after.neighbours, after.ensemble) == (before.neighbours, before.ensemble)


def test_the_analysis_time_is_the_one_that_is_named(toy, tmp_path, capsys):
    """The reports are those of 06 UTC: at 06 there are enough, at 12 there is none in the window."""
    wanted = ("--set", "variables=[t2m]")
    assert estimate(toy, tmp_path / "a.yaml", *wanted, "--set", f"times=['{TIME}']") == 0
    assert estimate(toy, tmp_path / "b.yaml", *wanted, "--set", "times=['2022-08-24T12:00']") == 3
    assert "t2m: no file holds more than 10 usable reports" in capsys.readouterr().err
    assert not (tmp_path / "b.yaml").exists()


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ("['2022-08-24', '2022-08-25']", "times: expected one a file, 1, or none, got 2"),
        ("[noon]", "expected a UTC time"),
    ],
)
def test_times_that_cannot_be_meant_are_refused_before_anything_is_read(toy, tmp_path, capsys, times, words):
    assert estimate(toy, tmp_path / "a.yaml", "--set", f"times={times}") == 2
    assert words in capsys.readouterr().err
