"""Verify: every station withheld once, scores that its own matches recompute, a report that needs nothing else."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from member_file import write_members

from jobs import command, verify
from mlrtma_dist import config
from mlrtma_dist.fields.static import load_static, make_static
from mlrtma_dist.grid.domain import Corner, Domain, Size, load_domain
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.observations.withhold import boxes, folds
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.verification import results
from mlrtma_dist.verification.match import FIRST_GUESS, NEAREST, read_matches
from mlrtma_dist.verification.outlines import MARGIN, outlines

pytestmark = pytest.mark.slow

TIME = "2022-08-24T06:00"
FOLDS = 4
SMALL = """\
name: small
title: small
projection: "+proj=lcc +lat_1=60 +lat_2=60 +lat_0=60 +lon_0=10 +R=6371200"
corner: {latitude: 59.0, longitude: 8.0}
spacing: 10000.0
size: {x: 24, y: 20}
terrain: null
land: null
"""
COLUMNS = ["method", "variable", "region", "n", "bias", "rmse", "rmse98", "mae", "lower", "upper"]


def make_run(toy, output, *, observations: Path | None = None, background: bool = True, **changes) -> verify.Run:
    files = (str(observations or toy.observations),)
    reports = Reports(files, background=(str(toy.background),) if background else (), time=(TIME,))
    standard = {"method": ("threedvar",), "folds": FOLDS, "variables": ("t2m", "visibility")}
    return verify.Run(CasesSection("toy", reports), str(output), **(standard | changes))


@pytest.fixture(scope="module")
def verified(toy, tmp_path_factory):
    """The folder of one verification, and its scores."""
    folder = tmp_path_factory.mktemp("verify")
    return folder, verify.make(make_run(toy, folder)).stations


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_table_of_scores_has_the_promised_columns(verified):
    header = (verified[0] / "scores.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.split(",") == COLUMNS
    scored = {(r["method"], r["variable"]) for r in rows_of(verified[0] / "scores.csv") if r["region"] == "all"}
    methods = (FIRST_GUESS, NEAREST, "threedvar")
    assert scored == {(m, v) for m in methods for v in ("t2m", "visibility")}


def test_every_station_is_withheld_exactly_once_by_the_hash_of_its_name(toy, verified):
    matches = read_matches(verified[0] / "matches.csv")
    stations = toy.world.observations.of("t2m").station
    for method in matches.methods:
        own = matches.select(method=method, variable="t2m")
        assert len(own) == len(set(own.station)) and set(own.station) <= set(stations)
        assert len(own) > 0.95 * len(stations)  # but for gross errors by the rule fixed before
        np.testing.assert_array_equal(own.fold, folds(own.station, count=FOLDS, seed=0))
    assert set(matches.fold) == set(range(FOLDS))


def test_the_scores_are_those_of_the_matches(verified):
    matches = read_matches(verified[0] / "matches.csv")
    for row in rows_of(verified[0] / "scores.csv"):
        if row["region"] == "all":
            own = matches.select(method=row["method"], variable=row["variable"])
            error = (own.prediction - own.observation)[own.scored]
            assert int(row["n"]) == len(error)
            expected = {"bias": error.mean(), "rmse": np.sqrt((error**2).mean()), "mae": np.abs(error).mean()}
            for name, value in expected.items():
                assert float(row[name]) == pytest.approx(value, rel=1e-9)
            assert float(row["lower"]) < float(row["rmse"]) < float(row["upper"])
            assert float(row["rmse98"]) < float(row["rmse"])


def test_the_analysis_beats_first_guess_and_nearest_station_where_it_never_looked(verified):
    rmse = {(s.method, s.variable): s.rmse for s in verified[1] if s.region == "all"}
    assert rmse["threedvar", "t2m"] < min(rmse[FIRST_GUESS, "t2m"], rmse[NEAREST, "t2m"])
    assert rmse["threedvar", "visibility"] < rmse[FIRST_GUESS, "visibility"]


def test_the_first_guess_at_withheld_stations_is_the_background_there(toy, verified):
    own = read_matches(verified[0] / "matches.csv").select(method=FIRST_GUESS, variable="t2m")
    row, column = toy.static.domain.index(own.latitude, own.longitude)
    nearest = toy.world.background.values["t2m"][np.rint(row).astype(int), np.rint(column).astype(int)]
    assert np.median(np.abs(own.prediction - nearest)) < 0.4  # half a grid box and some metres of height away


def test_the_same_run_gives_the_same_files(toy, verified, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "write_report", lambda path, **content: None)  # it carries the time of its making
    verify.make(make_run(toy, tmp_path))
    for name in ("scores.csv", "matches.csv"):
        assert (tmp_path / name).read_bytes() == (verified[0] / name).read_bytes()


def test_the_report_needs_nothing_from_elsewhere(verified):
    page = (verified[0] / "report.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    loaded = re.findall(r"""(?:src|href)\s*=\s*["']([^"'#][^"']*)""", page) + re.findall(r"url\(([^)]*)\)", page)
    assert not [link for link in loaded if not link.strip("\"'").startswith(("data:", "#"))]
    for word in ("t2m", "visibility", "observations.csv", "background.nc", "in 4 parts"):
        assert word in page


def test_whole_boxes_are_withheld_together(toy, tmp_path):
    verify.make(make_run(toy, tmp_path, blocks=150.0, variables=("t2m",), method=("nearest",)))
    own = read_matches(tmp_path / "matches.csv").select(method=NEAREST)
    box = np.char.add(*(part.astype(str) for part in boxes(own.latitude, own.longitude, 150.0)))
    assert 10 < len(set(box)) < len(own) / 3
    assert all(len(set(own.fold[box == one])) == 1 for one in set(box))
    assert "in boxes of 150 km" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_single_station_is_compared_with_climatology_and_has_no_interval(toy, tmp_path):
    one = toy.world.observations.of("t2m")
    write_csv(tmp_path / "one.csv", one[one.station == one.station[0]])
    run = make_run(toy, tmp_path, observations=tmp_path / "one.csv", background=False, variables=("t2m",))
    rows = {s.method: s for s in verify.make(run).stations if s.region == "all"}
    analysis, guess = rows["threedvar"], rows[FIRST_GUESS]
    assert analysis.n == 1 and analysis.rmse == guess.rmse == abs(analysis.bias)
    assert np.isnan([analysis.lower, analysis.upper]).all()
    assert (tmp_path / "report.html").is_file()


def test_nothing_to_verify_ends_with_3_and_says_what_to_check(toy, tmp_path, capsys):
    short = {
        "domain": "toy",
        "observations": toy.observations,
        "time": "2022-08-25T06:00",
        "method": "nearest",
        "folds": 2,
        "output": tmp_path / "output",
    }
    words = [word for key, value in short.items() for word in (f"--{key}", str(value))]
    assert command.main(["verify", *words, "--set", "variables=[t2m]"]) == 3
    assert not (tmp_path / "output").exists()
    printed = capsys.readouterr()
    assert "no report of t2m on toy within 30 minutes of 2022-08-25T06:00:00 can be verified" in printed.err
    assert "--time" in printed.err and not printed.out


@pytest.mark.parametrize(
    ("corner", "size"),
    [((12.3, 143.7), 193), ((51.0, 175.0), 400), ((39.0, -80.0), 300)],
    ids=["Guam", "Aleutians across the date line", "Chesapeake"],
)
def test_coasts_are_cut_to_the_domain_and_jump_nowhere(corner, size):
    domain = Domain("d", "d", "+proj=longlat +R=6371200", Size(size, 100), 0.03, Corner(*corner))
    lines = outlines(make_static(domain, np.zeros(domain.shape), np.ones(domain.shape)))
    assert lines and all(line.ndim == 2 and line.shape[1] == 2 and len(line) > 1 for line in lines)
    longitude, latitude = np.concatenate(lines).T
    assert np.isfinite([longitude, latitude]).all()
    assert latitude.min() > corner[0] - MARGIN - 0.01 and latitude.max() < corner[0] + 100 * 0.03 + MARGIN
    east = (longitude - corner[1] + 180) % 360 - 180
    assert east.min() > -MARGIN - 0.05 and east.max() < 0.03 * size + MARGIN + 0.05
    steps = np.concatenate([np.abs(np.diff((line[:, 0] - corner[1] + 180) % 360)) for line in lines])
    assert steps.max() < 1.0


def test_a_simulated_shore_is_not_drawn_over_with_the_earths(toy):
    assert outlines(toy.static) == []


def test_the_coasts_of_a_real_domain_stand_in_the_report(tmp_path, monkeypatch):
    folder = tmp_path
    (folder / "region.yaml").write_text(
        'name: bay\ntitle: bay\nprojection: "+proj=longlat +R=6371200"\nspacing: 0.1\n'
        "corner: {latitude: 36.0, longitude: -78.0}\nsize: {x: 40, y: 40}\n"
    )
    generator = np.random.default_rng(7)
    lines = [
        f"m,S{i},{TIME}Z,{36 + 4 * a:.4f},{-78 + 4 * b:.4f},10,{290 + c:.2f}"
        for i, (a, b, c) in enumerate(generator.uniform(0, 1, (30, 3)))
    ]
    (folder / "o.csv").write_text("network,station,time,latitude,longitude,elevation,t2m\n" + "\n".join(lines))
    cases = CasesSection(str(folder / "region.yaml"), Reports((str(folder / "o.csv"),)))
    run = verify.Run(cases, str(folder / "output"), folds=2, variables=("t2m",), method=("nearest",))
    coasts = outlines(load_static(load_domain(cases.place)))
    pages = []
    for lines in (coasts, []):
        monkeypatch.setattr(results, "outlines", lambda static, lines=lines: lines)
        verify.make(run)
        pages.append((folder / "output" / "report.html").read_text(encoding="utf-8").count("<path"))
    assert len(coasts) > 3 and pages[0] >= pages[1] + len(coasts) / 2  # some lie in the margin beyond the map's edge


def test_cases_without_reports_are_verified_against_their_truth_alone(tmp_path, caplog):
    (tmp_path / "small.yaml").write_text(SMALL)
    domain = load_domain(str(tmp_path / "small.yaml"))
    members = np.random.default_rng(1).normal(280.0, 1.0, (1, 3, *domain.shape)).astype(np.float32)
    path = write_members(tmp_path / "members.nc", domain, [np.datetime64(TIME)], {"t2m": members})
    of_members = {"files": [path], "time": [TIME], "variables": ["t2m"]}
    section = config.build(CasesSection, {"domain": str(tmp_path / "small.yaml"), "members": of_members}, "run.yaml")
    scored = verify.make(verify.Run(section, str(tmp_path / "out"), method=("first_guess",)))
    (row,) = scored.fields
    assert not scored.stations and row.cases == 3 and row.method == "first_guess"
    assert row.rmse == pytest.approx(np.sqrt(1.5), rel=0.1)  # of a member about the mean of two others
    assert "no case has a report: methods are compared with the known fields alone" in caplog.text
    assert not (tmp_path / "out/scores.csv").exists() and (tmp_path / "out/report.html").exists()
