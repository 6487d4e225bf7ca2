"""Several times and domains in one call: the scores of each run by itself, and what falls short is an exit code."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from launch import mlrtma
from regions import small_region

from jobs import command, verify
from mlrtma_dist import config
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.samples.station_hours import Reports
from mlrtma_dist.simulation.simulated_hour import simulate_hour
from mlrtma_dist.verification import results
from mlrtma_dist.verification.match import read_matches

TIMES = ("2022-08-24T23:00:00", "2022-08-25T00:00:00")
DOMAINS = ("east", "west")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A folder with two small regions, the reports of two hours in one table, and a background of the first hour."""
    folder, tables = tmp_path_factory.mktemp("many"), []
    for number, name in enumerate(DOMAINS):
        static = small_region(folder, name, 6.0 - 20.0 * number)
        for hour, time in enumerate(TIMES):
            hour_of = simulate_hour(static, np.datetime64(time), stations=40, seed=10 * number + hour)
            if name == "east" and hour == 0:
                write_state(folder / "background.nc", hour_of.background)
            reports = hour_of.observations.of("t2m")
            names = np.char.add(f"{name}_", reports.station)  # a station reports at both hours
            tables.append(dataclasses.replace(reports, station=names))
    write_csv(folder / "reports.csv", Observations.concatenate(tables))
    return folder


def words(folder: Path, output: Path, *more: str, domains=DOMAINS, times=TIMES) -> list[str]:
    """The options of a run on the folder's files."""
    paths = [str(folder / f"{name}.yaml") for name in domains]
    time = ["--time", *times] if times else []
    files = ["--observations", str(folder / "reports.csv"), *time, "--output", str(output)]
    return ["--domain", *paths, *files, "--set", "variables=[t2m]", *more]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def no_report(monkeypatch):
    """Leave out the page, whose figures take seconds."""
    monkeypatch.setattr(results, "write_report", lambda path, **content: None)


def test_scores_of_many_are_those_of_each_by_itself_and_their_trend(world, tmp_path, no_report):
    method = ("--method", "nearest", "--folds", "2")
    assert command.main(["verify", *words(world, tmp_path / "all", *method)]) == 0
    matches = read_matches(tmp_path / "all/matches.csv")
    assert set(matches.domain) == set(DOMAINS) and set(matches.time.astype(str)) == set(TIMES)
    trend = rows_of(tmp_path / "all/trend.csv")
    for row in trend:  # every row is recomputed from the matches
        own = (matches.domain == row["domain"]) | (row["domain"] == "all")
        own &= (matches.method == row["method"]) & matches.scored
        text = matches.time.astype(str)
        part = {"time": [t[:16] for t in text], "day": [t[:10] for t in text], "hour": [t[11:13] for t in text]}
        own &= np.array(part[row["by"]]) == row["period"]
        assert int(row["n"]) == own.sum() > 0
        assert float(row["rmse"]) == pytest.approx(np.sqrt(np.mean(matches.error[own] ** 2)), rel=1e-9)
    assert {(row["by"], row["period"]) for row in trend} == {
        *(("time", time[:16]) for time in TIMES),
        ("day", "2022-08-24"),
        ("day", "2022-08-25"),
        ("hour", "23"),
        ("hour", "00"),
    }
    scores = {(row["method"], row["region"]): row for row in rows_of(tmp_path / "all/scores.csv")}
    for domain in DOMAINS:
        for time in TIMES:
            single = tmp_path / f"{domain}_{time[:13]}"
            assert command.main(["verify", *words(world, single, *method, domains=(domain,), times=(time,))]) == 0
            (alone,) = (r for r in rows_of(single / "scores.csv") if (r["method"], r["region"]) == ("nearest", "all"))
            (row,) = (
                r
                for r in trend
                if (r["domain"], r["by"], r["period"], r["method"]) == (domain, "time", time[:16], "nearest")
            )
            assert (row["n"], row["rmse"]) == (alone["n"], alone["rmse"])
            assert not (single / "trend.csv").exists()
        assert (
            int(scores["nearest", f"domain {domain}"]["n"])
            == ((matches.method == "nearest") & (matches.domain == domain)).sum()
        )


def test_the_report_shows_the_trend_and_names_both_domains(world, tmp_path):
    cases = CasesSection(
        tuple(str(world / f"{name}.yaml") for name in DOMAINS),
        Reports((str(world / "reports.csv"),), time=(f"{TIMES[0]}/{TIMES[1]}",)),
    )
    verify.make(verify.Run(cases, str(tmp_path), method=("nearest",), folds=2, variables=("t2m",)))
    page = (tmp_path / "report.html").read_text()
    assert "Verification on 2 cases, the east; the west" in page and "Through time" in page
    for text in ("by day", "by hour of the day", "2022-08-25", "Rmse of t2m at 2 analysis times", "domain west"):
        assert text in page


def test_every_time_of_every_domain_is_analysed_and_the_departures_are_summed_up(world, tmp_path, capsys):
    more = ("--method", "nearest", "--set", "maps=false")
    assert command.main(["analyse", *words(world, tmp_path, *more, times=(f"{TIMES[0]}/{TIMES[1]}/PT60M",))]) == 0
    stems = [f"{domain}_{time}" for domain in DOMAINS for time in ("20220824T2300Z", "20220825T0000Z")]
    assert capsys.readouterr().out.split() == [str(tmp_path / stem / f"{stem}.nc") for stem in stems]
    rows = rows_of(tmp_path / "departures.csv")
    each = [row for row in rows if row["by"] == "time" and row["domain"] != "all"]
    assert len(each) == 2 * 2 * 2 and all(int(row["n"]) > 30 for row in each)
    assert {row["rmse"] for row in each if row["method"] == "nearest"} == {"0.0"}  # it repeats every report
    guess = [row for row in each if row["method"] == "first_guess" and row["period"] == TIMES[0][:16]]
    square = sum(int(row["n"]) * float(row["rmse"]) ** 2 for row in guess)
    labels = {"domain": "all", "by": "day", "period": "2022-08-24", "method": "first_guess"}
    (day,) = (row for row in rows if labels.items() <= row.items())
    assert float(day["rmse"]) == pytest.approx(np.sqrt(square / int(day["n"])))


def test_a_time_whose_background_is_missing_is_left_out_and_the_exit_code_is_4(
    world, tmp_path, no_report, capsys, caplog
):
    times = (TIMES[0], "2022-08-25T06:00:00")  # six hours after the background
    more = ("--background", str(world / "background.nc"), "--method", "nearest")
    options = {"domains": ("east",), "times": times}
    assert command.main(["analyse", *words(world, tmp_path / "a", *more, "--set", "maps=false", **options)]) == 4
    assert capsys.readouterr().out.split() == [str(tmp_path / "a/east_20220824T2300Z/east_20220824T2300Z.nc")]
    assert "east 2022-08-25T06:00 is left out: background.nc: expected a field within 3 h" in caplog.text
    caplog.clear()
    assert command.main(["verify", *words(world, tmp_path / "v", *more, "--folds", "2", **options)]) == 4
    assert set(read_matches(tmp_path / "v/matches.csv").time.astype(str)) == {TIMES[0]}
    assert "east 2022-08-25T06:00 is left out: background.nc" in caplog.text
    alone = {"domains": ("east",), "times": times[1:]}
    assert command.main(["analyse", *words(world, tmp_path / "n", *more, **alone)]) == 3
    assert command.main(["verify", *words(world, tmp_path / "n", *more, **alone)]) == 3


@pytest.mark.parametrize(
    ("verb", "least", "code"), [("analyse", 30, 0), ("analyse", 50, 4), ("verify", 30, 0), ("verify", 50, 4)]
)
def test_fewer_reports_than_are_required_are_exit_code_4(world, tmp_path, no_report, caplog, verb, least, code):
    more = ("--method", "nearest", "--require-observations", str(least))
    more += ("--set", "maps=false") if verb == "analyse" else ("--folds", "2")
    assert command.main([verb, *words(world, tmp_path, *more, domains=("east",), times=TIMES[:1])]) == code
    kind = "used" if verb == "analyse" else "verified"
    assert (f"reports are {kind}, 50 are required (require.observations)" in caplog.text) == (code == 4)
    assert list(tmp_path.rglob("config.yaml"))  # written in either case


def test_climatology_alone_is_exit_code_4_unless_it_is_accepted_or_there_is_a_background(world, tmp_path, caplog):
    late = {"domains": ("east",), "times": ("2022-08-25T01:30:00",)}  # half an hour beyond the window of every report
    nothing = ("--method", "oi", "--set", "maps=false")
    assert command.main(["analyse", *words(world, tmp_path / "a", *nothing, **late)]) == 4
    assert "east 2022-08-25T01:30: the analysis is climatology alone" in caplog.text
    assert list((tmp_path / "a").rglob("*.nc"))
    assert (
        command.main(["analyse", *words(world, tmp_path / "b", *nothing, "--require-observations", "0", **late)]) == 0
    )
    background = ("--background", str(world / "background.nc"))
    assert command.main(["analyse", *words(world, tmp_path / "c", *nothing, *background, **late)]) == 0
    one = ("--set", "require.variables={t2m: 1}", *background)
    assert command.main(["analyse", *words(world, tmp_path / "d", *nothing, *one, **late)]) == 4
    assert "0 reports of t2m are used, 1 are required" in caplog.text


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("require.observations=-1", "require: expected numbers of reports >= 0"),
        ("require.variables={t3m: 1}", "require: variables: expected some of t2m"),
        ("cases.domain=[toy, toy]", "expected domains of different names, got toy, toy"),
        ("cases.domain=[toy, plane]", "is a plane without latitude"),
        ("cases.reports.time=[2022-08-24T07:00/2022-08-24T06:00]", "START not after END"),
    ],
)
def test_what_cannot_be_required_or_joined_is_refused(key, message, tmp_path, capsys):
    needed = ["--observations", "x.csv", "--output", str(tmp_path)]
    assert command.main(["analyse", "--set", "cases.domain=toy", "--set", key, *needed]) == 2
    assert message in capsys.readouterr().err


def test_verbs_that_take_one_domain_refuse_several(tmp_path, capsys):
    files = ["--observations", "x.csv", "--output", str(tmp_path / "o.yaml")]
    assert command.main(["estimate", "--domain", "toy", "guam", *files]) == 2
    assert "domain: expected one, got toy, guam; run it for each of them" in capsys.readouterr().err
    with pytest.raises(ValueError, match="expected one for this source of cases, got toy, guam"):
        CasesSection(("toy", "guam"))
    assert config.to_yaml(CasesSection("toy")).startswith("domain:\n- toy\n")


def test_another_analysis_is_scored_at_the_same_stations_as_ours(world, tmp_path, no_report):
    """The file is the background; the other methods do not know of it, and first guess and file differ."""
    more = ("--method", "grid", "nearest", "--grid", str(world / "background.nc"), "--folds", "2")
    assert command.main(["verify", *words(world, tmp_path, *more, domains=("east",), times=TIMES[:1])]) == 0
    matches = read_matches(tmp_path / "matches.csv")
    own = {name: matches.select(method=name) for name in ("first_guess", "nearest", "grid")}
    for name, part in own.items():
        np.testing.assert_array_equal(np.sort(part.station), np.sort(own["grid"].station), err_msg=name)
    assert np.isfinite(own["grid"].prediction).all() and np.isnan(own["grid"].spread).all()
    assert not np.allclose(own["grid"].prediction, own["first_guess"].prediction, atol=0.1)
    named = ("--method", "grid", "--background", str(world / "background.nc"), "--folds", "2")
    assert command.main(["verify", *words(world, tmp_path / "b", *named, domains=("east",), times=TIMES[:1])]) == 0
    again = read_matches(tmp_path / "b/matches.csv").select(method="grid")
    np.testing.assert_allclose(again.prediction, own["grid"].prediction)
    missing = ("--method", "grid")
    assert command.main(["verify", *words(world, tmp_path / "c", *missing, domains=("east",), times=TIMES[:1])]) == 2


@pytest.mark.slow
def test_two_ranks_give_the_tables_of_one_process(world, tmp_path, no_report):
    more = ("--method", "nearest", "--folds", "2")
    assert command.main(["verify", *words(world, tmp_path / "one", *more)]) == 0
    more += ("--set", "cases.reports.background=[]")  # which that file names
    mlrtma(tmp_path, "verify", "verification/toy.yaml", *words(world, tmp_path / "two", *more), ranks=2)
    for name in ("scores.csv", "matches.csv", "trend.csv"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), name
