"""Fields and withheld stations side by side: one report and one text table show the errors of both."""

import re

import numpy as np
import pytest
from browser import open_in_chromium

from mlrtma_dist.verification.comparison import describe, pair_errors
from mlrtma_dist.verification.field_scores import score_fields, sums_of
from mlrtma_dist.verification.match import FIRST_GUESS, Matches
from mlrtma_dist.verification.report import write_report
from mlrtma_dist.verification.report_fields import FieldVerification
from mlrtma_dist.verification.report_stations import StationVerification
from mlrtma_dist.verification.report_words import Wording
from mlrtma_dist.verification.scores import score_table

FACTORS = {"threedvar": 1.0, FIRST_GUESS: 3.0}  # standard deviations of the methods' errors
SCALES = {"t2m": 1.0, "psfc": 100.0, "depth": 0.5}  # K, Pa; a depth is not in the table of names
STATION_ERROR = 0.5  # standard deviation of the reports' errors, in SCALES


@pytest.fixture(scope="module")
def simulated():
    """Errors of two methods at all points of 30 cases and at 400 stations, whose reports err too."""
    generator = np.random.default_rng(17)
    scales = np.reshape(list(SCALES.values()), (3, 1, 1))
    error = scales * generator.standard_normal((30, 3, 8, 9))
    sums = {name: sums_of(factor * error, 0 * error) for name, factor in FACTORS.items()}
    tables = []
    for variable, scale in SCALES.items():
        analysis, report = generator.standard_normal((2, 400))
        for method, factor in FACTORS.items():
            tables.append(
                Matches.build(
                    method=method,
                    variable=variable,
                    station=[f"S{number}" for number in range(400)],
                    observation=280.0 + scale * STATION_ERROR * report,
                    prediction=280.0 + scale * factor * analysis,
                    spread=scale * factor,
                    observation_error=scale * STATION_ERROR,
                )
            )
    matches = Matches.concatenate(tables)
    units = {"t2m": "K", "psfc": "Pa", "depth": "m"}
    fields = FieldVerification(score_fields(sums, list(SCALES)), sums, units, numerator="threedvar")
    return StationVerification(matches, score_table(matches)), fields


def test_the_error_at_stations_is_that_of_the_field_and_of_the_reports_together(simulated):
    stations, fields = simulated
    pairs = pair_errors(fields.scores, stations.scores)
    assert [(pair.variable, pair.method) for pair in pairs] == [
        (variable, method) for variable in ("t2m", "psfc", "depth") for method in ("threedvar", FIRST_GUESS)
    ]
    for pair in pairs:
        scale = SCALES[pair.variable]
        assert pair.field.rmse == pytest.approx(FACTORS[pair.method] * scale, rel=0.05)
        assert pair.stations.rmse == pytest.approx(np.hypot(pair.field.rmse, STATION_ERROR * scale), rel=0.1)


def test_a_method_that_was_scored_only_once_stands_last_with_dashes(simulated):
    stations, fields = simulated
    only_stations = [row for row in stations.scores if row.variable == "t2m"]
    only_fields = [row for row in fields.scores if row.variable == "t2m" and row.method == "threedvar"]
    first, last = pair_errors(only_fields, only_stations)
    assert (first.method, last.method, last.field) == ("threedvar", FIRST_GUESS, None)
    assert re.search(r"first guess +– +– +\d", describe([first, last]))


def test_the_terminal_shows_both_errors_in_units_for_people(simulated):
    stations, fields = simulated
    pairs = pair_errors(fields.scores, stations.scores)
    lines = describe(pairs, Wording(units=fields.units)).splitlines()
    assert lines[0] == "2 m temperature, K" and lines[5] == "surface pressure, hPa" and lines[10] == "depth, m"
    for start, variable, factor, decimals in ((0, "t2m", 1.0, 2), (5, "psfc", 0.01, 2), (10, "depth", 1.0, 3)):
        own = next(pair for pair in pairs if (pair.variable, pair.method) == (variable, "threedvar"))
        name, *cells = re.split(r"  +", lines[start + 2].strip())
        assert name == "3D-Var"
        assert (cells[0], cells[2]) == tuple(f"{factor * row.rmse:.{decimals}f}" for row in (own.field, own.stations))
        ends = (factor * end for end in (own.stations.lower, own.stations.upper))
        assert cells[3:] == [" to ".join(f"{end:.{decimals}f}" for end in ends), "400"]
    assert len({len(line) for line in lines[1:4]}) == 1  # columns line up


@pytest.fixture(scope="module")
def report(simulated, tmp_path_factory):
    path = tmp_path_factory.mktemp("both") / "report.html"
    write_report(path, title="Simulated weather", context={"cases": "30"}, stations=simulated[0], fields=simulated[1])
    return path


def test_one_page_has_the_sections_of_fields_and_of_stations_and_both_beside_each_other(report, tmp_path):
    document, console = open_in_chromium(report, tmp_path)
    assert console == []
    sections = re.findall(r'<section id="([^"]+)"', document)
    assert sections[:4] == ["comparison", "fields", "ratios", "overview"]
    assert {"t2m", "psfc", "depth", "spread", "reading", "configuration"} <= set(sections)
    assert len(sections) == len(set(sections))
    assert document.count('class="headline"') == 2


def test_the_table_of_the_page_holds_the_numbers_of_the_scores(report, simulated):
    html = report.read_text(encoding="utf-8")
    section = html[html.index('<section id="comparison"') : html.index('<section id="fields"')]
    rows = [re.findall(r'<t[hd][^>]*?(?: data-value="([^"]+)")?>', row) for row in section.split("<tr")[2:]]
    values = [[float(value) for value in row if value] for row in rows]
    assert values == [
        [pair.field.rmse, pair.stations.rmse, float(pair.stations.n)]
        for pair in pair_errors(simulated[1].scores, simulated[0].scores)
    ]


def test_methods_are_called_by_the_names_that_the_caller_hands_in(simulated, tmp_path):
    stations, fields = simulated
    names = {"threedvar": "toy & method"}
    write_report(
        tmp_path / "report.html", title="t", context={}, stations=stations, fields=fields, words=names, short=names
    )
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "2 m temperature analysed by toy &amp; method: rmse" in html and "3D-Var" not in html
    assert "first_guess" in html  # without a name of its own a method stays as it is typed
