"""The accuracy benchmark, small: it scores what it says, withholds what it says, and beats what it must."""

import csv
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = str(pathlib.Path(__file__).parents[2] / "benchmarks")
VARIABLES = ("t2m", "psfc")


@pytest.fixture(scope="module", autouse=True)
def benchmarks_found():
    if not os.environ.get("MLRTMA_REAL_DATA"):
        pytest.skip("MLRTMA_REAL_DATA is not set: no real observation files")
    sys.path.insert(0, BENCHMARKS)
    yield
    sys.path.remove(BENCHMARKS)


@pytest.fixture(scope="module")
def hour():
    """MADIS METAR, the smallest hour, its parts, and EnVar's members of two hours."""
    from accuracy_data import HOURS, past_hours
    from accuracy_withheld import HourFold
    from past_increments import past_increments, solve_hour

    from mlrtma_dist.methods.settings import load_settings
    from mlrtma_dist.observations.withhold import folds

    settings, (madis,) = load_settings("classical", VARIABLES), HOURS["madis"]
    observations = madis.read()
    observations = observations[np.isin(observations.variable, VARIABLES)]
    members = past_increments([solve_hour(h, settings) for h in past_hours("madis")[:2]], observations)
    return HourFold(madis, observations, 0, folds(observations, count=5, seed=0), members, settings)


@pytest.fixture(scope="module")
def matches(hour):
    from accuracy_withheld import METHODS

    return hour.matches(METHODS)


@pytest.fixture(scope="module")
def rows(matches):
    from accuracy_tables import rows_of

    return rows_of("madis", "stations", matches, None)


def rmse(rows, method, variable):
    (value,) = [row.value for row in rows if (row.method, row.variable, row.measure) == (method, variable, "rmse")]
    return value


def test_every_method_has_a_row_of_every_variable_on_the_same_reports(rows, matches):
    from accuracy_withheld import METHODS

    scored = [(row.method, row.variable) for row in rows if row.measure == "rmse"]
    assert scored == [(m, v) for m in METHODS for v in VARIABLES]
    for variable in VARIABLES:
        measured = [matches.select(method=m, variable=variable).observation for m in METHODS]
        assert len(measured[0]) > 200 and all(np.array_equal(measured[0], other) for other in measured[1:])


def test_3d_var_is_nearer_than_the_nearest_station_and_than_the_kriging_library(rows):
    assert rmse(rows, "threedvar", "t2m") < 0.9 * rmse(rows, "nearest", "t2m")
    assert rmse(rows, "threedvar", "t2m") < rmse(rows, "kriging", "t2m") < rmse(rows, "first_guess", "t2m")
    assert rmse(rows, "threedvar", "psfc") < rmse(rows, "nearest", "psfc")


def test_no_method_knows_what_a_withheld_station_measured_under_any_of_its_names(hour, matches):
    from dataclasses import replace

    from accuracy_withheld import METHODS

    from mlrtma_dist.observations.twins import twin_numbers

    number = twin_numbers(hour.observations)
    withheld = np.isin(number, number[hour.parts == hour.fold])
    assert np.array_equal(withheld, hour.parts == hour.fold)  # twins lie in one part
    # 9 K, 9 hPa: no neighbour becomes a twin by it, most stay within the rule of verification
    other = hour.observations.value + withheld * np.where(hour.observations.variable == "t2m", 9.0, 900.0)
    changed = replace(hour, observations=replace(hour.observations, value=other)).matches(METHODS)
    keys = [list(zip(m.method, m.variable, m.station, m.latitude, strict=True)) for m in (matches, changed)]
    before, after = (dict(zip(key, m.prediction, strict=True)) for key, m in zip(keys, (matches, changed), strict=True))
    both = sorted(before.keys() & after.keys())
    assert len(both) > 0.7 * len(before)
    # a changed report may leave the scores; the rest then goes in other blocks: 10 mK; a leak would be of kelvins
    assert np.allclose([before[key] for key in both], [after[key] for key in both], rtol=1e-4, atol=0.0)


def test_members_of_past_hours_are_of_other_years_than_what_they_verify():
    from accuracy_data import HOURS, past_hours

    for data, verifying in HOURS.items():
        assert {h.time[:4] for h in past_hours(data)}.isdisjoint(h.time[:4] for h in verifying), data


def test_kriging_of_a_library_gives_back_a_linear_trend_of_elevation(hour):
    from accuracy_data import conus
    from kriging import Kriging

    from mlrtma_dist.fields.static import station_points

    generator = np.random.default_rng(1)
    latitude, longitude = generator.uniform(35, 45, 300), generator.uniform(-110, -90, 300)
    points = station_points(conus(), latitude, longitude, generator.uniform(0, 2000, 300))
    trend = 5.0 - 6.5e-3 * points.elevation
    fit = Kriging().fit(points[:200], trend[:200] + 1e-3 * generator.standard_normal(200), np.ones(200))
    assert np.allclose(fit.increment(points[200:]), trend[200:], atol=0.5)


def test_a_table_goes_between_its_markers_and_nowhere_else(tmp_path, rows):
    from accuracy_tables import markdown, write_between

    page = tmp_path / "page.md"
    page.write_text("before\n<!-- madis -->\nold\n<!-- end of madis -->\nafter\n")
    write_between(page, "madis", markdown(rows))
    text = page.read_text()
    assert text.startswith("before\n<!-- madis -->\n") and text.endswith("<!-- end of madis -->\nafter\n")
    assert "old" not in text and text.count("| stations | t2m | K |") == 1 and text.count("**") == 2 * len(VARIABLES)
    with pytest.raises(ValueError, match="markers"):
        write_between(page, "rap", "")


def test_a_table_of_some_variables_leaves_the_other_rows_of_the_page_as_they_are(tmp_path):
    from accuracy_tables import merged

    header = "| withheld | variable | n |\n|---|---|---|"
    page, old = tmp_path / "page.md", f"{header}\n| stations | t2m | 1 |\n| stations | psfc | 2 |\n| boxes | t2m | 3 |"
    page.write_text(f"<!-- rap -->\n\n{old}\n\n<!-- end of rap -->\n")
    new = f"{header}\n| stations | psfc | 4 |\n| stations | gust | 5 |\n| boxes | gust | 6 |"
    rows = merged(page, "rap", new, 2).splitlines()[2:]
    assert [row[2:-2] for row in rows] == [
        "stations | t2m | 1",
        "stations | psfc | 4",
        "stations | gust | 5",
        "boxes | t2m | 3",
        "boxes | gust | 6",
    ]
    with pytest.raises(ValueError, match="columns have changed"):
        merged(page, "rap", new.replace("| n |", "| n | nearest |"), 2)
    whole = old.replace("| n |", "| n | nearest |")
    assert merged(page, "rap", whole, 2) == whole  # all rows: the page's columns do not matter


def test_tables_of_events_and_speeds_hold_what_verification_scores(tmp_path):
    from accuracy_events import event_table, speed_table, write_event_csv

    from mlrtma_dist.verification.event_scores import score_events, score_speeds
    from mlrtma_dist.verification.match import Matches

    generator = np.random.default_rng(3)
    truth = generator.gamma(2.0, 2.5, 400)
    places = {"station": [f"S{i}" for i in range(400)], "latitude": np.arange(400.0), "longitude": 0.0}
    tables = {
        km: Matches.concatenate(
            Matches.build(
                method=method,
                variable="wind_speed",
                observation=truth,
                prediction=truth + generator.normal(0.0, error * scale, 400),
                below_1=generator.uniform(size=400),
                **places,
            )
            for method, error in (("first_guess", 4.0), ("nearest", 2.0), ("gaussian_weights", 1.5), ("threedvar", 1.0))
        )
        for km, scale in ((None, 1.0), (100.0, 1.5))
    }
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in event_table(tables).splitlines()[2:]]
    scores = {(s.method, s.limit): s for s in score_events(tables[None])}
    far = {(s.method, s.limit): s for s in score_events(tables[100.0])}
    own, nearest = scores["threedvar", 5.0], scores["nearest", 5.0]
    expected = [own.pod, own.far, own.csi, own.frequency_bias, nearest.csi]
    assert rows[0][:3] == ["wind speed at least 5 m/s", "400", f"{own.events}"]
    assert rows[0][3:8] == [f"{value:.2f}" for value in expected]
    assert rows[0][8:11] == [f"{own.brier:.4f}", f"{own.skill:.2f}", f"{nearest.skill:.2f}"]
    assert rows[0][12:] == [f"{far['threedvar', 5.0].csi:.2f}", f"{far['threedvar', 5.0].skill:.2f}"]
    speeds = speed_table(tables[None]).splitlines()[2:]
    assert len(speeds) == len(score_speeds(tables[None])) == 4
    write_event_csv(tmp_path / "events.csv", {"rap": tables})
    assert len((tmp_path / "events.csv").read_text().splitlines()) == 1 + 2 * len(scores)


def test_the_limits_of_events_are_named_by_the_values_that_are_reported():
    from accuracy_events import event_words

    from mlrtma_dist.verification.event_scores import EventScore

    def words(variable, limit):
        return event_words(EventScore("oi", variable, limit, 1, 1, *[np.nan] * 6, np.zeros(0)))

    assert [words("visibility", limit) for limit in (800.0, 1600.0, 4800.0, 8100.0)] == [
        f"visibility {each} mi" for each in ("below 0.5", "below 1", "below 3", "at most 5")
    ]
    assert [words("ceiling", limit) for limit in (60.0, 152.0, 304.0, 920.0)] == [
        f"ceiling {each} ft" for each in ("below 200", "below 500", "below 1000", "at most 3000")
    ]
    assert words("flight_category", 1.0) == "IFR or worse" and words("gust", 10.0) == "gust at least 10 m/s"


def test_the_ratio_is_the_geometric_mean_over_variables(rows):
    from accuracy_tables import ratio

    expected = np.sqrt(np.prod([rmse(rows, "threedvar", v) / rmse(rows, "kriging", v) for v in VARIABLES]))
    assert ratio(rows, "threedvar", "kriging") == pytest.approx(expected, rel=1e-12)


def test_the_command_writes_every_row_and_prints_its_ratio_last(tmp_path):
    from accuracy_withheld import METHODS

    asked = ["--data", "madis", "--variables", "gust", "--folds", "2", "--blocks", "100"]
    done = subprocess.run(
        [sys.executable, f"{BENCHMARKS}/accuracy.py", *asked, "--output", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(BENCHMARKS).parent)},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    with open(tmp_path / "scores.csv", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    value = {(r["withheld"], r["method"]): float(r["value"]) for r in table if r["measure"] == "rmse"}
    assert list(value) == [(way, method) for way in ("stations", "boxes of 100 km") for method in METHODS]
    ways = dict.fromkeys(way for way, _ in value)
    expected = np.sqrt(np.prod([value[way, "threedvar"] / value[way, "kriging"] for way in ways]))
    assert float(done.stdout.split()[-1]) == pytest.approx(expected, abs=6e-4)
    assert (tmp_path / "tables.md").read_text().count("| gust | m/s |") == 2


def test_of_the_cost_alone_the_last_line_is_the_ratio_of_its_tables(tmp_path, monkeypatch, capsys):
    import accuracy
    import accuracy_cost

    measured = [
        accuracy_cost.Cost(5, 9, {"kriging": 1.0, "threedvar": fit}, {"kriging": 3.0, "threedvar": 0.5})
        for fit in (0.5, 3.5)
    ]  # ratios of 1/4 and 1
    monkeypatch.setattr(accuracy_cost, "measure_conus", lambda: measured[0])
    monkeypatch.setattr(accuracy_cost, "measure_mm5", lambda: measured[1])
    monkeypatch.setattr(sys, "argv", ["accuracy.py", "--data", "cost", "--output", str(tmp_path)])
    accuracy.main()
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "3D-Var over kriging library, geometric mean of processor time: ratio 0.500"
    assert "| 3D-Var | 0.50 | 0.50 | 1.00 | 0.250 |" in (tmp_path / "tables.md").read_text()
