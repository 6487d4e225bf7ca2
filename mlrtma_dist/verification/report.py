"""The verification report: one HTML file that holds everything it shows and opens anywhere."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.verification.match import FIRST_GUESS, NEAREST, MatchError, Matches
from mlrtma_dist.verification.regions import ALL
from mlrtma_dist.verification.report_departures import departures, trust
from mlrtma_dist.verification.report_figures import COLOURS, error_by_elevation, error_map, histogram, scatter
from mlrtma_dist.verification.report_page import (
    Number,
    bullets,
    definitions,
    figure,
    folded,
    given,
    page,
    paragraph,
    table,
)
from mlrtma_dist.verification.report_quality import quality
from mlrtma_dist.verification.report_words import (
    compare,
    count,
    error_unit,
    headline,
    method_name,
    sentence,
    variable_name,
)
from mlrtma_dist.verification.scores import Score, paired_difference

REFERENCES = (FIRST_GUESS, NEAREST)
DRAWN = 4  # methods in one figure; more lines cannot be told apart

READING = (
    "Every station was withheld once: the analysis was made without it and then compared with what it measured.",
    "The error is analysis minus observation; bias is its mean, rmse the root of its mean square (smaller is better).",
    "rmse 98 % leaves out the largest 2 % of the errors, mae is the mean absolute error, median the median one.",
    "A 95 % interval says how far the figure could move had other stations reported: stations, or boxes of stations, "
    "were drawn anew 1,000 times.",
    "Two methods differ clearly where the 95 % interval of the difference of their rmse at the same observations "
    "excludes zero.",
    "Visibility and ceiling are judged by natural logarithms (ln): an error of 0.7 is a factor of two.",
    "A click on a column's heading sorts a table.",
)


def write_report(
    path: str | Path,
    *,
    title: str,
    matches: Matches,
    scores: list[Score],
    context: Mapping[str, str],
    analysis=None,
    figures: Iterable[str | Path] = (),
    clusters: np.ndarray | None = None,
    outlines: Sequence[np.ndarray] = (),
) -> None:
    """Write ``report.html``; nothing is loaded from elsewhere when it is opened.

    Args:
        path: the file to be; written beside and renamed.
        title: for people, such as "Verification, CONUS, 2022-08-24 06:00 UTC".
        matches: at withheld stations.
        scores: ``scores.score_table`` of these matches.
        context: what was run: configuration, commit, files, times; name -> text, line breaks are kept.
        analysis: an ``inference.analysis.Analysis`` with all stations, for departures, assumed errors and what
            quality control made of the reports.
        figures: PNG or SVG files to show, such as maps of the analysis; the file's name is the caption.
        clusters: what the bootstrap draws, a label a row (n,), as given to ``score_table``.
        outlines: coasts and borders for the maps, arrays (k, 2) of longitude and latitude in degrees.

    Raises:
        MatchError: there is no row to report, or a variable that ``names`` does not know.
        ValueError: a figure that is neither PNG nor SVG.
        OSError: a figure cannot be read, or ``path`` not written.
    """
    variables = _reportable(matches)
    pictures = [given(path) for path in figures]
    clusters = matches.station if clusters is None else np.asarray(clusters)
    total = {(row.method, row.variable): row for row in scores if row.region == ALL}
    colours = dict(zip(matches.methods, itertools.cycle(COLOURS), strict=False))
    sections = [("overview", "At a glance", _overview(variables, total))]
    for name in variables:
        rows = (matches.variable == name) & matches.scored
        if rows.any():
            html = _variable(matches.select(rows), clusters[rows], scores, colours, outlines)
            sections.append((name, sentence(variable_name(name)), html))
    sections += trust(matches, clusters, colours, analysis)
    if analysis is not None:
        sections.append(("departures", "Observations against first guess and analysis", departures(analysis)))
        sections.append(("quality", "Quality control", quality(analysis.observations, outlines)))
    if pictures:
        sections.append(("maps", "Maps", f'<div class="figures">{"".join(pictures)}</div>'))
    sections.append(("configuration", "Configuration", definitions(dict(context))))
    html = page(title, _header(variables, total, matches), sections, paragraph("Made by mlrtma verify.", "soft"))
    write_text(path, html)


def _reportable(matches: Matches) -> list[str]:
    """The variables to report, in the order of their table."""
    unknown = [name for name in matches.variables if name not in VARIABLES]
    if unknown or not matches.scored.any():
        raise MatchError(
            f"report: expected rows with observation and prediction of known variables; got {len(matches)} rows, "
            f"{matches.scored.sum()} of them complete, and the unknown variables {unknown}"
        )
    return [name for name in VARIABLES if name in matches.variables]


def best_method(name: str, total: dict[tuple[str, str], Score]) -> Score:
    """The row of the smallest rmse among the analyses of one variable; of all rows where there is no analysis."""
    rows = [row for (_, variable), row in total.items() if variable == name and row.n]
    return min([row for row in rows if row.method not in REFERENCES] or rows, key=lambda row: row.rmse)


def _header(variables: list[str], total, matches: Matches) -> str:
    """The main result: of the first variable of the table, 2 m temperature where it was analysed."""
    scored = [name for name in variables if any(row.n for (_, variable), row in total.items() if variable == name)]
    best = best_method(scored[0], total)
    stations = len(np.unique(matches.station))
    missing = int((~matches.scored).sum())
    about = f"{count(stations, 'station')}, {count(len(matches.methods), 'method')}, {count(len(scored), 'variable')}."
    if missing:
        about += f" {count(missing, 'row')} without a prediction or observation are not scored."
    return paragraph(headline(best, _references(best, total)), "headline") + paragraph(about, "soft")


def _references(best: Score, total) -> list[Score]:
    found = [total.get((method, best.variable)) for method in REFERENCES if method != best.method]
    return [row for row in found if row is not None and row.n]


def _overview(variables: list[str], total) -> str:
    rows = []
    for name in variables:
        if not any(row.n for (_, variable), row in total.items() if variable == name):
            continue
        best, unit = best_method(name, total), error_unit(name)
        reference = [total.get((method, name)) for method in REFERENCES]
        guess, nearest = (row.rmse if row is not None else float("nan") for row in reference)
        gain = 100.0 * (1.0 - best.rmse / guess) if guess > 0 else float("nan")
        rows.append(
            [
                variable_name(name),
                unit.text,
                method_name(best.method),
                _shown(unit, best.rmse),
                unit.interval(best.lower, best.upper),
                _shown(unit, guess),
                _shown(unit, nearest),
                Number(f"{gain:.0f} %".replace("-", "−") if np.isfinite(gain) else "–", gain),
                Number(f"{best.n:,}", best.n),
            ]
        )
    header = [
        "variable",
        "unit",
        "best analysis",
        "rmse",
        "95 % interval",
        "first guess",
        "nearest station",
        "below first guess",
        "n",
    ]
    caption = "Rmse of the best analysis of each variable at withheld stations, beside the two references"
    return table(caption, header, rows) + folded("How to read this report", bullets(READING))


def _variable(matches: Matches, clusters: np.ndarray, scores: list[Score], colours, outlines) -> str:
    """Tables and figures of one variable, from its scored rows."""
    total = {(row.method, row.variable): row for row in scores if row.region == ALL}
    name = str(matches.variable[0])
    unit = error_unit(name)
    rows = sorted((row for (_, variable), row in total.items() if variable == name and row.n), key=lambda row: row.rmse)
    best = best_method(name, total)
    cells = []
    for row in rows:
        verdict = "–"
        if row is not rows[0]:
            verdict = compare(paired_difference(matches, row.method, rows[0].method, clusters=clusters), name)
        cells.append([method_name(row.method), *_figures(unit, row), verdict])
    header = ["method", "n", "bias", "rmse", "95 % interval", "rmse 98 %", "mae", "median", "rmse minus the best one's"]
    title = sentence(variable_name(name))
    html = table(f"{title}: all withheld stations, in {unit.text}", header, cells, best=0)
    regional = [row for row in scores if row.variable == name and row.region != ALL]
    if regional:
        places = list(dict.fromkeys(row.region for row in regional))
        regional.sort(key=lambda row: places.index(row.region))  # the methods of one region side by side
        lines = [[row.region, method_name(row.method), *_figures(unit, row)] for row in regional]
        caption = f"{title} by region and station elevation, in {unit.text}"
        html += folded("By region and elevation", table(caption, ["region", *header[:-1]], lines))
    order = [best.method, *(row.method for row in rows if row.method in REFERENCES), *(row.method for row in rows)]
    drawn = {method: colours[method] for method in list(dict.fromkeys(order))[:DRAWN]}
    return html + _pictures(matches, best.method, drawn, outlines)


def _pictures(matches: Matches, best: str, colours, outlines) -> str:
    """The four figures of one variable."""
    own, what = matches.select(method=best), method_name(best)
    pictures = [
        (error_map(own, outlines), f"Errors of {what} at each withheld station: red too high, blue too low."),
        (histogram(matches, colours), "How the errors are distributed: the narrower and nearer to zero, the better."),
        (scatter(own), f"Analysed by {what} against observed; on the line both agree."),
        (error_by_elevation(matches, colours), "Rmse by station elevation; each point holds about as many stations."),
    ]
    return f'<div class="figures">{"".join(figure(svg, caption) for svg, caption in pictures if svg)}</div>'


def _figures(unit, row: Score) -> list:
    """The cells n, bias, rmse, interval, rmse98, mae and median of a row."""
    n = Number(f"{row.n:,}", row.n)
    rmse, *others = (_shown(unit, value) for value in (row.rmse, row.rmse98, row.mae, row.median))
    return [n, Number(unit.show(row.bias, sign=True), row.bias), rmse, unit.interval(row.lower, row.upper), *others]


def _shown(unit, value: float) -> Number:
    return Number(unit.show(value), value)
