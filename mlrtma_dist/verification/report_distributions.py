"""The section of the report on predicted distributions: CRPS, spread over error, rank histograms, reliability."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np

from mlrtma_dist.verification.distribution_scores import FIELDS, TENTHS, DistributionScore, ReliabilityRow
from mlrtma_dist.verification.report_axes import DRAWN, STYLE, as_svg, colours_of, legend_above, new_axes
from mlrtma_dist.verification.report_page import Cell, Figure, Number, Section, Table
from mlrtma_dist.verification.report_words import Wording, sentence


def distributions_section(
    scores: Sequence[DistributionScore], reliability: Sequence[ReliabilityRow], wording: Wording
) -> Section | None:
    """Scores of the distributions that methods predict; None where none predicts one."""
    if not scores:
        return None
    colours = colours_of(list(dict.fromkeys(score.method for score in scores)))
    rows: list[list[Cell]] = []
    for score in scores:
        numbers = (score.crps, score.rmse, score.spread, score.spread_over_error, score.tenths[0], score.tenths[-1])
        cells: list[Cell] = [Number(f"{each:.3g}" if np.isfinite(each) else "–", each) for each in numbers]
        place, method = f"{score.variable}, {_place(score)}", wording.method(score.method)
        rows.append([place, method, Number(f"{score.n:,}", score.n), *cells])
    header = ["variable", "method", "n", "CRPS", "rmse", "spread", "spread / error", "lowest tenth", "highest tenth"]
    figures = [
        _ranks([score for score in scores if (score.at, score.variable) == key], colours, wording)
        for key in dict.fromkeys((score.at, score.variable) for score in scores)
    ]
    figures += [
        _reliability([row for row in reliability if (row.variable, row.side, row.limit) == key], colours, wording)
        for key in dict.fromkeys((row.variable, row.side, row.limit) for row in reliability)
    ]
    tables = [Table("Predicted distributions, in the units of the variables' errors", header, rows)]
    content = {"tables": tables, "figures": figures}
    return Section("distributions", "Are the predicted distributions right?", "distributions.html", content)


def _place(score: DistributionScore) -> str:
    return "known fields" if score.at == FIELDS else "withheld stations"


def _ranks(scores: Sequence[DistributionScore], colours: Mapping[str, str], wording: Wording) -> Figure:
    """How often truths fall into each tenth of the distributions of one variable."""
    edges = np.linspace(0.0, 1.0, TENTHS + 1)
    words = sentence(wording.variable(scores[0].variable))
    with matplotlib.rc_context(STYLE):
        figure, axes = new_axes("place in the predicted distribution", "share of the cases, over the expected one")
        axes.axhline(1.0, color="0.6", linewidth=1.0)
        for score in scores[:DRAWN]:
            heights, label = np.array(score.tenths) * TENTHS, wording.method(score.method)
            axes.stairs(heights, edges, baseline=None, color=colours[score.method], label=label, linewidth=1.5)
        axes.set_ylim(bottom=0.0)
        legend_above(axes)
        names = ", ".join(wording.method(score.method) for score in scores[:DRAWN])
        svg = as_svg(figure, f"Rank histogram: {words}, for {names}.")
    caption = f"{words}, {_place(scores[0])}: flat is calibrated, high at both ends too narrow, low there too wide."
    return Figure(caption, svg)


def _reliability(rows: Sequence[ReliabilityRow], colours: Mapping[str, str], wording: Wording) -> Figure:
    """How often a value lay beyond a limit, by its predicted probability."""
    first, methods = rows[0], list(dict.fromkeys(row.method for row in rows))[:DRAWN]
    words = f"{sentence(wording.variable(first.variable))} {first.side} {first.limit:g}"
    with matplotlib.rc_context(STYLE):
        figure, axes = new_axes("predicted probability", "share of the points")
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=1.0)
        for method in methods:
            line = np.array([(row.predicted, row.observed) for row in rows if row.method == method]).T
            axes.plot(*line, marker="o", markersize=4, color=colours[method], label=wording.method(method))
        axes.set(xlim=(0, 1), ylim=(0, 1))
        legend_above(axes)
        svg = as_svg(figure, f"Reliability: {words}, for {', '.join(map(wording.method, methods))}.")
    return Figure(f"{words}: on the grey line a probability comes true as often as it is predicted.", svg)
