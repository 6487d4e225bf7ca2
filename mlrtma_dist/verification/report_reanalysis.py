"""The report of a reanalysis: a calendar of what is complete, scores, rates, what was set aside; one HTML file."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.colors import ListedColormap

from mlrtma_dist.inference.slot_manifest import ABSENT, ASIDE, DONE, LOST, OPEN, STATES
from mlrtma_dist.inference.slot_scores import WITHHELD, biases, rms
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.samples.slots import Slots
from mlrtma_dist.verification.completeness import DomainState, ScoreSums
from mlrtma_dist.verification.report_axes import DRAWN, INK, STYLE, as_svg, colours_of, legend_above, new_axes
from mlrtma_dist.verification.report_page import Cell, Figure, Number, Section, Table, render
from mlrtma_dist.verification.report_words import SHORT, WORDS, Wording, sentence
from mlrtma_dist.verification.scores import in_table_order

TEMPLATE = "reanalysis.html"
MONTHS = 48  # of one calendar; a longer period has several
COMPLETE = ListedColormap(matplotlib.colormaps["RdYlBu"](np.linspace(0.1, 0.9, 256)))  # red: nothing is done
States = Mapping[str, DomainState]


def write_reanalysis_report(
    path: Path, title: str, slots: Slots, states: States, sums: ScoreSums, context: Mapping[str, str]
) -> None:
    """Write the report; nothing is loaded from elsewhere when it is opened.

    Args:
        path: of the HTML file; title: for people.
        slots: all that there should be; states: what became of them, by domain; sums: of their departures.
        context: configuration, commit, folder; name -> text.

    Raises:
        OSError: the file cannot be written.
    """
    wording = Wording(WORDS, SHORT)
    sections = [
        _completeness(slots, states),
        *([_scores(sums, kind, wording)] if (kind := sums.kind()) is not None else []),
        _rates(states),
        *_reasons(states),
        Section("configuration", "Configuration", "configuration.html", {"pairs": dict(context)}),
    ]
    write_text(path, render(title, [headline(states)], [], sections))


def headline(states: States) -> str:
    """How many slots are done, and what became of the others."""
    totals = {name: sum(state.total(name) for state in states.values()) for name in STATES}
    whole = sum(totals.values())
    others = ", ".join(f"{totals[name]:,} {name}" for name in (ASIDE, ABSENT, LOST, OPEN))
    return f"{totals[DONE]:,} of {whole:,} slots are done ({_per_cent(totals[DONE], whole)}); {others}."


def _per_cent(part: int, whole: int) -> str:
    """A share, rounded down: only what is complete is 100 %."""
    return f"{np.floor(1000.0 * part / max(whole, 1)) / 10:g} %"


def _completeness(slots: Slots, states: States) -> Section:
    rows: list[list[Cell]] = []
    for domain, state in states.items():
        numbers = [state.total(name) for name in STATES]
        cells = [Number(f"{number:,}", number) for number in numbers]
        rows.append([domain, *cells, Number(f"{state.size / 1e9:.3f}", state.size)])
    table = Table("Slots by domain", ["domain", *STATES, "GB"], rows)
    figures = [each for domain, state in states.items() for each in _calendars(domain, slots, state)]
    note = "The share of each day's slots that are done, not without input. Days without colour have no slot."
    return Section("completeness", "Completeness", TEMPLATE, {"note": note, "figures": figures, "tables": [table]})


def _calendars(domain: str, slots: Slots, state: DomainState) -> list[Figure]:
    """A picture of each stretch of months: a row per month, a column per day."""
    share = state.counts[:, STATES.index(DONE)] / state.counts.sum(axis=1)
    month = slots.days.astype("datetime64[M]")
    column = (slots.days - month.astype("datetime64[D]")).astype(int)
    first, figures = month[0], []
    row = (month - first).astype(int)
    for start in range(0, int(row[-1]) + 1, MONTHS):
        chosen = (row >= start) & (row < start + MONTHS)
        if not chosen.any():
            continue
        height = int(row[chosen][-1]) - start + 1
        cells = np.full((height, 31), np.nan)
        cells[row[chosen] - start, column[chosen]] = share[chosen]
        labels = [str(first + start + number) for number in range(height)]
        done = int(state.counts[chosen, STATES.index(DONE)].sum())
        words = f"{domain}, {labels[0]} to {labels[-1]}: {done:,} of {int(state.counts[chosen].sum()):,} slots are done"
        figures.append(Figure(f"{words}.", _calendar(cells, labels, f"Calendar of {words}.")))
    return figures


def _calendar(cells: np.ndarray, labels: list[str], alternative: str) -> Markup:
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(6.2, 1.1 + 0.16 * len(labels)))
        axes = figure.add_axes(
            (0.14, 0.45 / (1.1 + 0.16 * len(labels)), 0.72, 0.16 * len(labels) / (1.1 + 0.16 * len(labels)))
        )
        edges = np.arange(32) + 0.5, np.arange(len(labels) + 1) - 0.5
        mesh = axes.pcolormesh(*edges, cells, vmin=0.0, vmax=1.0, cmap=COMPLETE, edgecolors="#80808060", linewidth=0.3)
        axes.invert_yaxis()
        axes.set_xticks([1, 5, 10, 15, 20, 25, 31])
        every = max(1, len(labels) // 16)
        axes.set_yticks(range(0, len(labels), every), labels[::every])
        axes.set_xlabel("day of the month, UTC")
        bar = figure.colorbar(mesh, cax=figure.add_axes((0.89, 0.3, 0.02, 0.5)), ticks=[0, 0.5, 1])
        bar.ax.set_yticklabels(["0", "50", "100 %"])
        bar.outline.set_edgecolor(INK)
        return as_svg(figure, alternative)


def _scores(sums: ScoreSums, kind: str, wording: Wording) -> Section:
    """Departures by variable and domain, by month and by hour of the day, at the reports of one kind."""
    keys = [key for key in sums.months if key[1] == kind]
    variables = in_table_order(list(dict.fromkeys(variable for *_, variable in keys)))
    domains = list(dict.fromkeys(domain for domain, *_ in keys))
    rows: list[list[Cell]] = []
    for variable in variables:
        unit = wording.unit(variable)
        for domain in (each for each in domains if (each, kind, variable) in sums.months):
            whole = sums.whole((domain, kind, variable))
            values = [each for pair in zip(rms(whole), biases(whole), strict=True) for each in pair]
            cells = [Number(unit.show(value), value) for value in values]
            rows.append([wording.variable(variable), unit.text, domain, Number(f"{whole[0]:,.0f}", whole[0]), *cells])
    header = ["variable", "unit", "domain", "n", "rms o-b", "mean o-b", "rms o-a", "mean o-a"]
    table = Table(f"Departures at {kind} reports", header, rows)
    figures = [
        figure
        for variable in variables
        for periods, words in ((sums.months, "month"), (sums.hours, "hour of the day, UTC"))
        if (figure := _periods(variable, kind, domains, periods, words, wording)) is not None
    ]
    note = (
        "Reports of stations that no analysis used: o-a is the error of the analysis and of the report together."
        if kind == WITHHELD
        else "Reports that the analyses used: o-a says how near the analysis goes to them, and is no error of it."
        " Stations that the archive withholds (withheld_share) would judge it."
    )
    return Section("scores", "Scores", TEMPLATE, {"note": note, "figures": figures, "tables": [table]})


def _periods(variable: str, kind: str, domains: list[str], table: dict, words: str, wording: Wording) -> Figure | None:
    """The rms of o-b and o-a of one variable by month or by hour; None where there is one period only."""
    drawn = [domain for domain in domains if len(table.get((domain, kind, variable), {})) > 1][:DRAWN]
    if not drawn:
        return None
    unit, colours = wording.unit(variable), colours_of(domains)
    labels = sorted({period for domain in drawn for period in table[domain, kind, variable]})
    with matplotlib.rc_context(STYLE):
        figure, axes = new_axes(words, f"rms, {unit.text}")
        for domain in drawn:
            own = table[domain, kind, variable]
            places = [labels.index(period) for period in sorted(own)]
            values = unit.factor * np.array([rms(own[period]) for period in sorted(own)])
            axes.plot(places, values[:, 0], color=colours[domain], linewidth=1.2, linestyle="--")
            axes.plot(
                places, values[:, 1], color=colours[domain], linewidth=1.8, marker="o", markersize=3, label=domain
            )
        every = max(1, -(-len(labels) // 6))
        axes.set_xticks(range(0, len(labels), every), labels[::every])
        axes.set_ylim(bottom=0)
        legend_above(axes, "o-a; dashed: o-b")
        alternative = f"Rms of {variable} by {words}, {kind} reports, {', '.join(drawn)}."
        return Figure(f"{sentence(wording.variable(variable))} by {words}.", as_svg(figure, alternative))


def _rates(states: States) -> Section:
    """How long the method took, and how many slots were published in which hour."""
    rows: list[list[Cell]] = []
    for domain, state in states.items():
        for method, number in state.methods.items():
            middle, high = np.quantile(state.seconds, (0.5, 0.95))
            cells = [Number(f"{value:.2f}", float(value)) for value in (np.mean(state.seconds), middle, high)]
            hours = Number(f"{sum(state.seconds) / 3600:.2f}", sum(state.seconds))
            rows.append([domain, method, Number(f"{number:,}", number), *cells, hours])
    header = ["domain", "method", "slots", "mean s", "median s", "95 % s", "hours in all"]
    tables = [Table("Seconds of the method for a slot, of one process", header, rows)]
    times = np.array([time.rstrip("Z") for state in states.values() for time in state.published], dtype="datetime64[h]")
    figures = [_published(times)] if len(times) else []
    note = "A slot that was analysed again counts once, when it was published last."
    return Section("rates", "Throughput", TEMPLATE, {"note": note, "figures": figures, "tables": tables})


def _published(times: np.ndarray) -> Figure:
    hours, counts = np.unique(times, return_counts=True)
    with matplotlib.rc_context(STYLE):
        figure, axes = new_axes("hours since the first product", "slots published in an hour")
        axes.bar((hours - hours[0]).astype(int), counts, width=1.0, color="#0072b2")
        axes.set_ylim(bottom=0)
        words = f"{len(times):,} slots published from {hours[0]} to {hours[-1]} UTC, in {len(hours):,} hours"
        return Figure(f"{words}; {len(times) / len(hours):,.0f} an hour.", as_svg(figure, f"{words}."))


def _reasons(states: States) -> list[Section]:
    """The slots that are set aside, lost or without input, with their reasons."""
    tables = []
    for kind in (ASIDE, LOST, ABSENT):
        rows = [row for state in states.values() for row in state.reasons.get(kind, [])]
        total = sum(state.total(kind) for state in states.values())
        if rows:
            listed = f"the first {len(rows):,} of {total:,}" if len(rows) < total else f"{total:,}"
            tables.append(Table(f"Slots {kind}: {listed}", ["slot", "reason"], rows))
    return [Section("reasons", "Not done", TEMPLATE, {"note": "", "figures": [], "tables": tables})] if tables else []
