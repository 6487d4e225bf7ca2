"""The report on cases whose truth is known: one HTML file with the scores, the ratios and the figures of one case."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.verification.field_scores import FieldScore, around, ratio
from mlrtma_dist.verification.report_page import Number, bullets, definitions, folded, given, page, paragraph, table
from mlrtma_dist.verification.report_words import Unit

SHOWN = Unit("", 1.0, 4)  # figures as they are, in the units that captions name
READING = (
    "Every case was analysed from its observations alone (and its background, if it has one) and then compared with "
    "its truth at every point. The method saw none of these cases before.",
    "The error is analysis minus truth; bias is its mean, rmse the root of its mean square (smaller is better).",
    "The 95 % interval of an rmse says how far the figure could move had other cases been drawn.",
    "A ratio compares two methods on the same cases: below 1 the first one errs less, and where the whole interval "
    "lies below 1 that is no accident of these cases.",
    "A click on a column's heading sorts a table.",
)


def write_case_report(
    path: str | Path,
    *,
    title: str,
    scores: Sequence[FieldScore],
    sums: Mapping[str, np.ndarray],
    units: Mapping[str, str],
    words: Mapping[str, str],
    judged: str | None,
    figures: Iterable[str | Path],
    context: Mapping[str, str],
) -> None:
    """Write ``report.html``; nothing is loaded from elsewhere when it is opened.

    Args:
        path: the file to be; written beside and renamed.
        title: for people.
        scores: of `field_scores.score_fields`.
        sums: what they were made of, of each method shape (case, variable, 3).
        units: of each variable, SI, "1" where there is none, in the order of ``sums``.
        words: what to call each method.
        judged: the method whose ratio to every other is shown; None: no ratios.
        figures: PNG or SVG files of one case.
        context: what was run: configuration, commit, files, times; name -> text, line breaks are kept.

    Raises:
        ValueError: a figure that is neither PNG nor SVG.
        OSError: a figure cannot be read, or ``path`` not written.
    """
    tables = "".join(
        _scores(name, unit, [row for row in scores if row.variable == name], words) for name, unit in units.items()
    )
    sections = [("scores", "Scores", tables + folded("How to read this report", bullets(READING)))]
    others = [name for name in sums if name != judged]
    if judged in sums and others:
        sections.append(("ratios", "Beside the others", _ratios(sums, list(units), judged, others, words)))
    pictures = "".join(given(figure) for figure in figures)
    sections += [
        ("case", "One case", f'<div class="figures">{pictures}</div>'),
        ("configuration", "Configuration", definitions(dict(context))),
    ]
    write_text(path, page(title, _header(scores, words), sections, paragraph("Made by mlrtma verify.", "soft")))


def _header(scores: Sequence[FieldScore], words: Mapping[str, str]) -> str:
    """The least error of each variable, in a sentence."""
    best = [
        min((row for row in scores if row.variable == name), key=lambda row: row.rmse)
        for name in dict.fromkeys(row.variable for row in scores)
    ]
    said = "; ".join(f"{row.variable} {row.rmse:.3f} by {words.get(row.method, row.method)}" for row in best)
    return paragraph(f"Least rmse over {scores[0].cases} cases: {said}.", "headline")


def _scores(variable: str, unit: str, rows: Sequence[FieldScore], words: Mapping[str, str]) -> str:
    rows = sorted(rows, key=lambda row: row.rmse)
    cells = [
        [
            words.get(row.method, row.method),
            _number(row.rmse),
            _number(row.standard_error),
            _interval(row.lower, row.upper),
            _number(row.bias),
        ]
        for row in rows
    ]
    caption = f"{variable}, all points of {rows[0].cases} cases" + ("" if unit == "1" else f", {unit}")
    return table(caption, ["method", "rmse", "standard error", "95 % interval", "bias"], cells, best=0)


def _ratios(sums, variables: list[str], judged: str, others: list[str], words: Mapping[str, str]) -> str:
    rows = []
    for other in others:
        for index, variable in enumerate(variables):
            value, spread = ratio(sums, judged, other, index)
            low, high = around(value, spread)
            verdict = "less" if high < 1 else "more" if low > 1 else "not told apart"
            rows.append([words.get(other, other), variable, _number(value), _interval(low, high), verdict])
    caption = f"Rmse of {words.get(judged, judged)} over that of each other method, on the same cases"
    return table(caption, ["over", "variable", "ratio", "95 % interval", "it errs"], rows)


def _number(value: float) -> Number:
    return Number(SHOWN.show(value), value)


def _interval(low: float, high: float) -> str:
    return f"{SHOWN.show(low)} to {SHOWN.show(high)}"
