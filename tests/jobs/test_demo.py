"""Demo: one command from nothing to a verified analysis, and its last words are true."""

import contextlib
import csv
import io
import re
from pathlib import Path

import pytest

from jobs import command
from mlrtma_dist.verification.report_words import SHORT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory):
    """The folder of a demonstration on a small region, and what was printed."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "small.yaml").write_text(
        "name: small\ntitle: small, 40 x 30 points of 10 km\n"
        'projection: "+proj=lcc +lat_1=40 +lat_2=40 +lat_0=40 +lon_0=255 +R=6371200"\n'
        "corner: {latitude: 38.0, longitude: 252.0}\nspacing: 10000\nsize: {x: 40, y: 30}\n"
        "terrain: simulated\nland: simulated\n"
    )
    keys = {"domain": folder / "small.yaml", "stations": 60, "variables": "[t2m]", "real": "false"}
    printed, sets = io.StringIO(), [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
    with contextlib.redirect_stdout(printed):
        code = command.main(["demo", "--output", str(folder), *sets])
    assert code == 0
    return folder, printed.getvalue()


def test_it_ends_with_the_paths_of_analysis_map_and_report_which_exist(demonstrated):
    folder, printed = demonstrated
    lines = re.findall(r"^  (analysis|map|report)\s+(\S+)$", printed, flags=re.MULTILINE)
    named = {key: Path(path) for key, path in lines}
    assert set(named) == {"analysis", "map", "report"}
    assert all(path.is_file() and folder in path.parents for path in named.values())
    assert [named[key].suffix for key in ("analysis", "map", "report")] == [".nc", ".png", ".html"]


def test_its_sentence_tells_the_errors_that_stand_in_the_scores(demonstrated):
    folder, printed = demonstrated
    errors = re.search(r"at (\d+) withheld stations: first guess rmse ([\d.]+) K, analysis rmse ([\d.]+) K", printed)
    with (folder / "demo" / "verification" / "scores.csv").open(newline="") as stream:
        rows = {r["method"]: r for r in csv.DictReader(stream) if (r["variable"], r["region"]) == ("t2m", "all")}
    (method,) = re.findall(r"analysed by --method (\S+), the nearest", printed)
    assert int(errors[1]) == int(rows[method]["n"]) > 40
    assert [errors[2], errors[3]] == [f"{float(rows[m]['rmse']):.2f}" for m in ("first_guess", method)]
    assert f"method: {method}" in (folder / "demo" / "small_20220824T0600Z" / "config.yaml").read_text()
    assert float(errors[3]) < float(errors[2])


def test_the_analysis_is_nearer_to_the_simulated_truth_on_the_whole_grid(demonstrated):
    errors = re.search(r"at all grid points: background ([\d.]+) K, analysis ([\d.]+) K", demonstrated[1])
    assert float(errors[2]) < float(errors[1])


def test_what_it_recommends_is_nearest_to_the_truth_by_the_numbers_that_it_prints(demonstrated):
    folder, printed = demonstrated
    method = re.search(r"analysed by --method (\S+), the nearest", printed)[1]
    listed = next(line for line in printed.splitlines() if "over the" in line).partition(": ")[2]
    ratios = {name.strip(): float(ratio) for name, ratio in re.findall(r"([\w -]+) (\d\.\d\d)", listed)}
    assert len(ratios) == 7 and min(ratios.values()) < 0.95
    assert ratios[SHORT[method]] <= min(ratios.values()) + 0.01
    errors = re.search(r"at all grid points: background ([\d.]+) K, analysis ([\d.]+) K", printed)
    assert float(errors[2]) / float(errors[1]) == pytest.approx(ratios[SHORT[method]], abs=0.02)  # of t2m alone


def test_its_inputs_are_files_that_the_other_verbs_read(demonstrated, capsys):
    folder = demonstrated[0]
    saved = folder / "demo" / "small_20220824T0600Z" / "config.yaml"
    code = command.main(
        ["analyse", str(saved), "--method", "nearest", "--set", "maps=false", "--output", str(folder / "again")]
    )
    assert code == 0
    assert Path(capsys.readouterr().out.strip()).is_file()
