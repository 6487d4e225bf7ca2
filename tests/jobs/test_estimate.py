"""The verb estimate: files in, a configuration of the methods out."""

from dataclasses import replace

import numpy as np

from jobs import command
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.observations.table import Observations

TIME = "2022-08-24T06:00"


def estimate(toy, output, *more: str) -> int:
    files = ["--observations", str(toy.observations), "--output", str(output)]
    return command.main(["estimate", "--domain", "toy", *files, "--set", "steps=6", "--set", "most_reports=150", *more])


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
    variables = ("--set", "variables=[t2m]")
    assert estimate(toy, tmp_path / "a.yaml", *variables, "--set", f"cases.reports.time=['{TIME}']") == 0
    assert estimate(toy, tmp_path / "b.yaml", *variables, "--set", "cases.reports.time=['2022-08-24T12:00']") == 3
    assert "t2m: no hour has more than 10 usable reports" in capsys.readouterr().err
    assert not (tmp_path / "b.yaml").exists()


def test_every_file_is_an_hour_of_its_own_where_no_time_is_named(toy, tmp_path, caplog):
    table = toy.world.observations.of("t2m")
    later = replace(table, time=table.time + np.timedelta64(1, "D"))
    write_csv(tmp_path / "one.csv", table)
    write_csv(tmp_path / "two.csv", later)
    write_csv(tmp_path / "both.csv", Observations.concatenate([table, later]))
    caplog.set_level("INFO", "jobs.estimate")
    two_files = ("--observations", str(tmp_path / "one.csv"), str(tmp_path / "two.csv"))
    times = ("--time", "2022-08-24T06:00", "2022-08-25T06:00")
    labels = ("--set", "cases.gridded={files: [labels.nc], variables: {t2m: 1.5}, every: 1}")  # which are not read
    both = ("--observations", str(tmp_path / "both.csv"), *times)
    for files in (two_files, (*two_files, *times), (*two_files, *labels), both):
        assert estimate(toy, tmp_path / "a.yaml", "--set", "variables=[t2m]", *files) == 0
        assert "t2m: 2 hours" in caplog.messages[-1]


def test_a_time_that_cannot_be_meant_is_refused_before_anything_is_read(toy, tmp_path, capsys):
    assert estimate(toy, tmp_path / "a.yaml", "--set", "cases.reports.time=[noon]") == 2
    assert "expected a UTC time" in capsys.readouterr().err
