"""The report: true to its figures, self-contained, and opened by a real browser without an error."""

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from browser import open_in_chromium

from mlrtma_dist import verification
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.verification.diagnostics import ErrorEstimate
from mlrtma_dist.verification.match import FIRST_GUESS, NEAREST, MatchError, Matches
from mlrtma_dist.verification.report import write_report
from mlrtma_dist.verification.report_stations import StationVerification
from mlrtma_dist.verification.report_words import Wording, explain_estimate
from mlrtma_dist.verification.scores import score_table

STATIONS = 80


def simulated_matches() -> Matches:
    """Errors of OI, nearest station and first guess, multiples of the same; visibility without a nearest station."""
    generator = np.random.default_rng(31)
    place = {
        "station": [f"K<{index}>" for index in range(STATIONS)],
        "latitude": generator.uniform(25, 49, STATIONS),
        "longitude": generator.uniform(-124, -70, STATIONS),
        "elevation": generator.uniform(0, 2500, STATIONS),
    }
    tables = []
    for variable, mean in (("t2m", 290.0), ("visibility", 9.0)):
        observation, error = mean + generator.normal(size=STATIONS), generator.normal(size=STATIONS)
        for method, factor in (("oi", 1.0), (FIRST_GUESS, 2.0), (NEAREST, 1.5)):
            if (variable, method) != ("visibility", NEAREST):
                tables.append(
                    Matches.build(
                        method=method,
                        variable=variable,
                        domain="conus",
                        observation=observation,
                        prediction=observation + factor * error,
                        spread=np.nan if method == NEAREST else factor,
                        observation_error=0.3,
                        **place,
                    )
                )
    return Matches.concatenate(tables)


def simulated_analysis() -> SimpleNamespace:
    """What the report reads of an analysis: t2m at 80 stations, two rejected, 20 doubted; a gust that is stuck."""
    generator = np.random.default_rng(32)
    departure = np.append(generator.normal(0.0, np.sqrt(0.5 + 4.0), STATIONS), np.nan)
    index = np.append(np.arange(STATIONS), 7)
    flags = np.where(index >= 60, int(Flag.BUDDY), np.where(index % 40 == 0, int(Flag.PROVIDER), 0))
    flags[-1] = int(Flag.STUCK)
    observations = Observations.build(
        station=[f"S{number}" for number in index],
        latitude=30.0 + 0.1 * index,
        longitude=-100.0,
        value=290.0,
        time=np.datetime64("2022-08-24T06:00"),
        variable=["t2m"] * STATIONS + ["gust"],
        network="187",
        flags=flags,
        source=np.where(index >= 60, "b.csv", "a.csv"),
    )
    return SimpleNamespace(
        observations=observations,
        background_departure=departure,
        analysis_departure=departure / 1.5,
        observation_error=np.ones(STATIONS + 1),
        weight=np.ones(STATIONS + 1),
        method="oi",
        first_guess_name="regression",
        notes=("No report of gust: its first guess is climatology.",),
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A full report of two variables."""
    folder, matches = tmp_path_factory.mktemp("report"), simulated_matches()
    picture = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"><path d="M0 0h4v3z"/></svg>'
    (folder / "t2m_analysis.svg").write_text(picture)
    write_report(
        folder / "report.html",
        title="Verification <CONUS> & more",
        stations=StationVerification(matches, score_table(matches), analysis=simulated_analysis()),
        context={"commit": "0123abc", "configuration": "domain: conus\nseed: 1"},
        figures=[folder / "t2m_analysis.svg"],
    )
    return folder / "report.html"


def test_the_report_opens_in_a_browser_without_a_console_message(report, tmp_path):
    document, console = open_in_chromium(report, tmp_path)
    assert console == []
    source = report.read_text()
    assert document.count("<table") == source.count("<table") >= 8
    assert document.count("<figure") == source.count("<figure") >= 10
    assert "Verification &lt;CONUS&gt; &amp; more</h1>" in document


def test_a_click_on_a_heading_sorts_numbers_and_the_console_shows_errors(report, tmp_path):
    clicked = tmp_path / "clicked.html"
    click = "document.querySelectorAll('#t2m table')[0].querySelectorAll('th button')[3].click();"
    clicked.write_text(
        report.read_text().replace(
            "</body>", f"<script>{click}{click} throw new Error('thrown on purpose');</script></body>"
        )
    )
    document, console = open_in_chromium(clicked, tmp_path / "profile")
    assert len(console) == 1 and "thrown on purpose" in console[0]
    table = document[document.index('id="t2m"') :]
    methods = re.findall(r'<tr[^>]*><th scope="row">([A-Za-z ]+)', table[: table.index("</table>")])
    assert [name.strip() for name in methods] == ["first guess", "nearest station", "OI"]  # by rmse, downwards


def test_nothing_in_the_report_is_loaded_from_elsewhere(report):
    source = report.read_text()
    targets = re.findall(r'(?:src|href|action|data)="([^"]*)"', source) + re.findall(r"url\(([^)]*)\)", source)
    assert len(targets) > 20
    assert [target for target in targets if not target.startswith(("#", "data:"))] == []
    assert "@import" not in source and "fetch(" not in source


def test_every_figure_has_an_alternative_text_and_a_caption_and_every_part_its_own_name(report):
    source = report.read_text()
    figures = re.findall(r"<figure.*?</figure>", source, flags=re.DOTALL)
    assert all(re.search(r'(aria-label|alt)="[^"]{8,}"', figure) and "<figcaption>" in figure for figure in figures)
    names = re.findall(r'\bid="([^"]*)"', source)
    assert len(names) == len(set(names)) > 40
    assert {target[1:] for target in re.findall(r'href="(#[^"]+)"', source)} <= set(names)


def test_the_headline_states_the_scores_of_the_first_variable(report):
    matches = simulated_matches().select(variable="t2m")
    scores = {row.method: row for row in score_table(matches) if row.region == "all"}
    oi, guess, nearest = (scores[method] for method in ("oi", FIRST_GUESS, NEAREST))
    expected = (
        f"2 m temperature analysed by OI: rmse {oi.rmse:.2f} K (95 % interval {oi.lower:.2f} to {oi.upper:.2f}) "
        f"at 80 withheld observations, against {guess.rmse:.2f} K by the first guess and {nearest.rmse:.2f} K "
        "by the nearest station."
    )
    assert expected in report.read_text()


def test_the_report_compares_the_assumed_error_with_the_departures(report):
    # 78 unflagged of 80, <d_oa d_ob> = <d_ob^2> / 1.5
    departure = simulated_analysis().background_departure[:STATIONS][np.arange(STATIONS) % 40 != 0]
    estimate = np.sqrt(np.mean(departure**2) / 1.5)
    words = r"assumed observation error of t2m is (\d+) % too small \(1.00 K; the departures imply ([\d.]+) K"
    amount, implied = re.search(words, report.read_text()).groups()
    assert implied == f"{estimate:.2f}" and amount == f"{100 * (1 - 1 / estimate):.0f}"
    assert "domain: conus\nseed: 1" in report.read_text()


def test_reports_are_counted_by_source_variable_and_reason(report):
    source = report.read_text()
    quality = source[source.index('id="quality"') :]
    lines = re.findall(r"<tr>.*?</tr>", quality)
    rows = [re.findall(r"<t[hd][^>]*>(?:<button[^>]*>)?([^<]*)", line) for line in lines]
    assert rows[:4] == [
        ["source", "network", "read", "good", "good, %", "provider", "stuck", "buddy"],
        ["a.csv", "187", "61", "58", "95.1 %", "2", "1", "0"],
        ["b.csv", "187", "20", "0", "0.0 %", "0", "0", "20"],
        ["variable", "read", "good", "good, %", "provider", "stuck", "buddy"],
    ]
    assert rows[4][:4] == ["t2m", "80", "58", "72.5 %"] and rows[6][:4] == ["all", "81", "58", "71.6 %"]


def test_the_map_of_quality_control_counts_the_stations_of_each_reason(report):
    source = report.read_text()
    quality = source[source.index('id="quality"') : source.index('id="maps"')]
    alternative = re.search(r'aria-label="(Map of stations by the outcome of quality control[^"]*)"', quality)[1]
    assert alternative.endswith("no flag (58), buddy (20), provider (2), stuck (1).")
    assert "S7: 1 (gust: stuck)" in quality


def test_reports_are_counted_by_what_became_of_them_and_the_sums_agree(report):
    source = report.read_text()
    counts = source[source.index('id="counts"') :]
    counts = counts[: counts.index("</section>")]
    header, *rows = [
        re.findall(r"<t[hd][^>]*>(?:<button[^>]*>)?([^<]*)", line) for line in re.findall(r"<tr>.*?</tr>", counts)
    ]
    assert header == [
        "variable",
        "read",
        "not for this analysis",
        "rejected",
        "unused",
        "used",
        "of these doubted",
        "scored",
    ]
    assert rows == [
        ["2 m temperature", "80", "0", "2", "0", "78", "20", "80"],
        ["wind gust", "1", "0", "1", "0", "0", "0", "0"],
    ]
    for _, read, elsewhere, rejected, unused, used, *_ in rows:
        assert int(read) == int(elsewhere) + int(rejected) + int(unused) + int(used)
    assert all(f"<dt>{name}</dt>" in counts for name in header[1:])


def test_a_first_guess_that_errs_less_than_every_analysis_is_called_the_best(tmp_path):
    generator, observation = np.random.default_rng(5), np.linspace(280.0, 290.0, 200)
    error = generator.normal(size=200)
    tables = [
        Matches.build(
            method=method,
            variable="t2m",
            station=[f"S{number}" for number in range(200)],
            observation=observation,
            prediction=observation + factor * error,
        )
        for method, factor in (("oi", 1.004), ("threedvar", 1.4), (FIRST_GUESS, 1.0), (NEAREST, 2.0))
    ]
    matches = Matches.concatenate(tables)
    write_report(
        tmp_path / "report.html",
        title="T",
        stations=StationVerification(matches, score_table(matches)),
        context={},
    )
    source = (tmp_path / "report.html").read_text()
    assert re.findall(r'<tr class="best"><th scope="row">([^<]*) <span class="mark">✓ ([^<]*)<', source) == [
        ("first guess", "best")
    ]
    assert "<li>2 m temperature: the first guess errs less than every analysis.</li>" in source
    assert "No analysis does better than the first guess." in source
    overview = source[source.index('id="overview"') : source.index('id="t2m"')]
    assert ">0 %<" in overview and not re.search(r"[-−]0(?:\.0+)?(?![\d.])", overview)  # 0.4 % above the first guess


@pytest.mark.parametrize(
    ("estimated", "lower", "upper", "words"),
    [
        (1.25, 1.2, 1.3, "is 20 % too small"),
        (0.8, 0.7, 0.9, "is 25 % too large"),
        (1.03, 1.01, 1.05, "agrees"),  # clear but immaterial
        (1.3, 0.9, 1.7, "agrees"),  # not clear
        (np.nan, 0.0, 0.4, "cannot be judged: the departures imply a negative variance"),
        (1.3, np.nan, np.nan, "cannot be judged by so few stations"),
    ],
)
def test_an_assumed_error_is_called_wrong_only_beyond_doubt(estimated, lower, upper, words):
    row = ErrorEstimate("t2m", "all", 100, 1.0, estimated, lower, upper, 2.0)
    assert words in explain_estimate(row, Wording())


def test_pressure_is_shown_in_hectopascal_and_visibility_as_a_logarithm(tmp_path):
    matches = Matches.concatenate(
        [
            Matches.build(
                method="oi",
                variable=variable,
                station=np.arange(8).astype(str),
                observation=np.full(8, base),
                prediction=np.full(8, base + error),
            )
            for variable, base, error in (("psfc", 90000.0, 123.0), ("visibility", 8.0, 0.5))
        ]
    )
    stations = StationVerification(matches, score_table(matches))
    write_report(tmp_path / "report.html", title="T", stations=stations, context={})
    source = (tmp_path / "report.html").read_text()
    assert "Surface pressure analysed by OI: rmse 1.23 hPa" in source
    assert re.search(r">horizontal visibility</th><td>ln</td>", source)


def test_matches_that_cannot_be_reported_are_errors(tmp_path):
    nothing = Matches.build(method="oi", variable="t2m", station=["a"], observation=[1.0], prediction=[np.nan])
    unknown = Matches.build(method="oi", variable="t3m", station=["a"], observation=[1.0], prediction=[1.0])
    for matches, words in ((nothing, "got 1 rows, 0 of them complete"), (unknown, "unknown variables \\['t3m'\\]")):
        stations = StationVerification(matches, score_table(matches))
        with pytest.raises(MatchError, match=words):
            write_report(tmp_path / "report.html", title="T", stations=stations, context={})
    good = StationVerification(simulated_matches(), [])
    with pytest.raises(ValueError, match="expected figures as .png or .svg, got .*map.pdf"):
        write_report(tmp_path / "report.html", title="T", stations=good, context={}, figures=["map.pdf"])
    with pytest.raises(ValueError, match="expected errors at stations, errors of fields or both, got neither"):
        write_report(tmp_path / "report.html", title="T", context={})
    assert list(tmp_path.iterdir()) == []


def test_verification_names_no_torch_and_no_ranks():
    imported = set()
    for path in Path(verification.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split(".")[0])
    assert {"numpy", "mlrtma_dist"} <= imported
    assert not imported & {"torch", "mpi4py", "deepspeed", "h5py", "netCDF4"}
