"""The report on fields whose truth is known: its numbers are those of the sums, and a browser opens it."""

import re

import numpy as np
import pytest
from browser import open_in_chromium
from matplotlib.figure import Figure

from mlrtma_dist.verification.field_scores import ratio, score_fields, sums_of
from mlrtma_dist.verification.report import write_report
from mlrtma_dist.verification.report_fields import FieldVerification

UNITS = {"h": "m", "u": "m s-1"}
WORDS = {"network": "the <network>", "other": "the other one", "twin": "its twin"}


def write(path, sums, *, title="t", figures=(), context=None) -> None:
    """The report on fields, the network judged."""
    fields = FieldVerification(score_fields(sums, list(UNITS)), sums, UNITS, "network", figures)
    write_report(path, title=title, fields=fields, context=context or {}, words=WORDS)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report and the sums: the network errs less than the other in h, more in u; its twin as much."""
    folder, generator = tmp_path_factory.mktemp("report"), np.random.default_rng(3)
    error = generator.standard_normal((40, 2, 6, 6))
    factors = {"network": (1.0, 2.0), "other": (2.0, 1.0)}
    sums = {name: sums_of(np.reshape(both, (2, 1, 1)) * error, 0 * error) for name, both in factors.items()}
    turns = np.sqrt(np.where(np.arange(40) % 2, 0.8, 1.2))[:, None, None, None]  # of each two cases better in one
    sums["twin"] = sums_of(turns * np.reshape((1.0, 2.0), (2, 1, 1)) * error, 0 * error)
    Figure().savefig(folder / "case.png")
    write(
        folder / "report.html", sums, title="40 cases <plane>", figures=[folder / "case.png"], context={"commit": "abc"}
    )
    return folder / "report.html", sums


def rows_of(html: str, caption: str) -> list[list[str]]:
    """Cells of the table of that caption."""
    table = html[html.index(f"<caption><span>{caption}") :]
    body = table[table.index("<tbody>") : table.index("</tbody>")]
    return [re.findall(r"<t[dh][^>]*>(.*?)(?: <span.*?)?</t[dh]>", line) for line in body.split("<tr")[1:]]


def test_every_variable_has_its_methods_the_best_first(report):
    html, sums = report[0].read_text(), report[1]
    for variable, (name, unit) in enumerate(UNITS.items()):
        rows = rows_of(html, f"{name}, all points of 40 cases, {unit}")
        assert len(rows) == 3 and (rows[0][0] == "the other one") == (name == "u")
        rmse = {row[0]: float(row[1]) for row in rows}
        assert list(rmse.values()) == sorted(rmse.values())
        for method, words in WORDS.items():
            square = sums[method][:, variable, 1].sum() / sums[method][:, variable, 2].sum()
            assert rmse[words.replace("<", "&lt;").replace(">", "&gt;")] == pytest.approx(np.sqrt(square), abs=5e-5)


def test_ratios_show_which_method_errs_less_and_where_there_is_no_clear_difference(report):
    rows = rows_of(report[0].read_text(), "Rmse of the &lt;network&gt; over that of each other method")
    assert [(row[0], row[1], row[4]) for row in rows] == [
        ("the other one", "h", "less"),
        ("the other one", "u", "more"),
        ("its twin", "h", "no clear difference"),
        ("its twin", "u", "no clear difference"),
    ]
    assert float(rows[0][2]) == pytest.approx(ratio(report[1], "network", "other", 0)[0], abs=5e-5)


def test_intervals_that_one_case_cannot_give_are_dashes(report, tmp_path):
    sums = {name: each[:1] for name, each in report[1].items()}
    write(tmp_path / "report.html", sums, title="t", figures=[], context={})
    html = (tmp_path / "report.html").read_text()
    assert {row[3] for row in rows_of(html, "h, all points of 1 case, m")} == {"–"}
    assert {row[4] for row in rows_of(html, "Rmse of the &lt;network&gt;")} == {"–"}


def test_a_browser_opens_it_without_a_console_message_and_nothing_is_loaded_from_elsewhere(report, tmp_path):
    document, console = open_in_chromium(report[0], tmp_path)
    assert console == [] and "40 cases &lt;plane&gt;</h1>" in document
    targets = re.findall(r'(?:src|href)="([^"]*)"', report[0].read_text())
    assert targets and all(target.startswith(("#", "data:")) for target in targets)


def test_the_headline_names_the_least_error_with_its_unit(report):
    assert re.search(r"Least rmse over 40 cases: h [\d.]+ m by twin; u [\d.]+ m s-1 by other\.", report[0].read_text())


def test_without_a_judged_method_there_are_no_ratios(report, tmp_path):
    sums = {"other": report[1]["other"]}
    write(tmp_path / "report.html", sums, title="t", figures=[], context={})
    assert 'id="ratios"' not in (tmp_path / "report.html").read_text()
