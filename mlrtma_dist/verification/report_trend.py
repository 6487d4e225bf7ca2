"""The section of the report on several analysis times: errors from time to time, by day and by hour of the day."""

from collections.abc import Mapping, Sequence

import matplotlib
import matplotlib.dates as mdates
import numpy as np

from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.ranking import alike
from mlrtma_dist.verification.report_axes import DRAWN, STYLE, as_svg, colours_of, legend_above, new_axes
from mlrtma_dist.verification.report_page import Cell, Figure, Number, Section, Table
from mlrtma_dist.verification.report_words import Wording, sentence
from mlrtma_dist.verification.scores import in_table_order
from mlrtma_dist.verification.trend import DAY, HOUR, TIME, PeriodScore

LISTED = 100  # periods in one table; the others are in trend.csv alone
WORDS = {DAY: "day", HOUR: "hour of the day, UTC", TIME: "analysis time, UTC"}


def trend_section(matches: Matches, rows: Sequence[PeriodScore], wording: Wording) -> Section | None:
    """Errors through time, of all domains together and, where there are several, of each; None of a single time.

    Args:
        matches: of which the scores are; rows: of ``trend``.
        wording: names and units.
    """
    if not rows:
        return None
    colours = colours_of(matches.methods)
    total = [row for row in rows if row.domain == rows[0].domain]  # all domains, or the only one
    figures = [_figure(name, matches, total, colours, wording) for name in in_table_order(matches.variables)]
    counts = {by: len({row.period for row in rows if row.by == by}) for by in WORDS}
    kinds = [by for by, count in counts.items() if 1 < count <= LISTED]
    tables = [_table(by, rows, matches.methods, wording) for by in kinds]
    return Section("trend", "Through time", "trend.html", {"figures": [f for f in figures if f], "tables": tables})


def _figure(
    name: str, matches: Matches, rows: Sequence[PeriodScore], colours: Mapping[str, str], wording: Wording
) -> Figure | None:
    """The rmse of one variable at every analysis time, methods that are alike as one line; None of a single time."""
    own = [row for row in rows if row.variable == name and row.by == TIME]
    if len({row.period for row in own}) < 2:
        return None
    unit = wording.unit(name)
    groups = alike(
        matches.select((matches.variable == name) & matches.scored),
        sorted({row.method for row in own}, key=list(colours).index),
    )
    methods, wording = list(groups)[:DRAWN], wording.together(groups)
    with matplotlib.rc_context(STYLE):
        figure, axes = new_axes("analysis time, UTC", f"rmse, {unit.text}")
        for method in methods:
            lines = [row for row in own if row.method == method]
            time = np.array([row.period for row in lines], dtype="datetime64[m]")
            error = unit.factor * np.array([row.rmse for row in lines])
            marker = "o" if len(lines) < 60 else ""
            label = wording.method(method)
            axes.plot(time, error, marker=marker, markersize=4, color=colours[method], linewidth=1.6, label=label)
        locator = mdates.AutoDateLocator(minticks=3, maxticks=6)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, show_offset=False))
        axes.set_ylim(bottom=0)
        legend_above(axes)
        drawn = ", ".join(map(wording.method, methods))
        svg = as_svg(figure, f"Rmse of {name} at {len({row.period for row in own})} analysis times, for {drawn}.")
    return Figure(f"{sentence(wording.variable(name))}: rmse at each analysis time.", svg)


def _table(by: str, rows: Sequence[PeriodScore], methods: Sequence[str], wording: Wording) -> Table:
    """The rmse of every variable in every period of one kind, a column for each method."""
    cells = {(row.variable, row.domain, row.period, row.method): row for row in rows if row.by == by}
    several = len({row.domain for row in rows}) > 1
    lines: list[list[Cell]] = []
    order = in_table_order(list(dict.fromkeys(row.variable for row in rows)))
    places = sorted(dict.fromkeys(key[:3] for key in cells), key=lambda place: order.index(place[0]))  # stable
    for variable, domain, period in places:
        unit = wording.unit(variable)
        scores = [cells.get((variable, domain, period, method)) for method in methods]
        n = max(score.n for score in scores if score is not None)
        rmse = [score.rmse if score is not None else float("nan") for score in scores]
        place = [domain] if several else []
        numbers = [Number(unit.show(value), value) for value in rmse]
        lines.append([wording.variable(variable), unit.text, *place, period, Number(f"{n:,}", n), *numbers])
    header = ["variable", "unit", *(["domain"] if several else []), by, "n", *map(wording.method, methods)]
    return Table(f"Rmse at withheld stations by {WORDS[by]}", header, lines)
