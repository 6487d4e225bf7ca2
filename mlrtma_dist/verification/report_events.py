"""The section of the report on events: low visibility and ceilings, strong wind and gusts, and their probabilities."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np

from mlrtma_dist.physics.flight_category import CATEGORIES
from mlrtma_dist.verification.event_scores import AT_OR_ABOVE, CATEGORY, EventScore, SpeedScore, as_probabilities
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.ranking import alike
from mlrtma_dist.verification.report_axes import DRAWN, STYLE, as_svg, colours_of, legend_above, new_axes
from mlrtma_dist.verification.report_page import Cell, Figure, Number, Section, Table
from mlrtma_dist.verification.report_words import Wording, sentence

FEWEST = 20  # reports of a bin of predicted probability that is drawn


def events_section(
    matches: Matches, events: Sequence[EventScore], speeds: Sequence[SpeedScore], wording: Wording
) -> Section | None:
    """Scores of events and of the distribution of speeds; None where no variable has events."""
    if not events and not speeds:
        return None
    colours = colours_of(matches.methods)
    tables = [_event_table(events, wording)] if events else []
    tables += [_speed_table(speeds, wording)] if speeds else []
    names = dict.fromkeys(score.variable for score in events)
    figures = [_reliability(name, matches, events, colours, wording) for name in names]
    content = {"tables": tables, "figures": [figure for figure in figures if figure is not None]}
    return Section("events", "Fog, low cloud and strong wind", "events.html", content)


def _event_table(events: Sequence[EventScore], wording: Wording) -> Table:
    rows: list[list[Cell]] = []
    for score in events:
        numbers = (score.pod, score.far, score.csi, score.frequency_bias, score.brier, score.skill)
        rows.append(
            [
                _variable(score.variable, wording),
                event_words(score),
                wording.method(score.method),
                Number(f"{score.n:,}", score.n),
                Number(f"{score.events:,}", score.events),
                *(_number(value, 4 if index == 4 else 2) for index, value in enumerate(numbers)),
            ]
        )
    header = ["variable", "event", "method", "n", "events", "POD", "FAR", "CSI", "frequency bias", "Brier", "skill"]
    return Table("Events at withheld stations", header, rows)


def _speed_table(speeds: Sequence[SpeedScore], wording: Wording) -> Table:
    rows: list[list[Cell]] = []
    for score in speeds:
        ratios = [_number(value, 3) for value in (score.mean, score.strong)]
        names = wording.variable(score.variable), wording.method(score.method)
        rows.append([*names, Number(f"{score.n:,}", score.n), *ratios, _number(score.direction, 0)])
    header = ["variable", "method", "n", "mean, analysed / reported", "95th percentile, analysed / reported"]
    return Table("Speeds at withheld stations", [*header, "mean error of direction, degrees"], rows)


def event_words(score: EventScore) -> str:
    """The event in words, such as "below 1600 m" or "IFR or worse"."""
    if score.variable == CATEGORY:
        return CATEGORIES[int(score.limit)] + (" or worse" if score.limit else "")
    return f"at least {score.limit:g} m/s" if score.variable in AT_OR_ABOVE else f"below {score.limit:g} m"


def _variable(name: str, wording: Wording) -> str:
    return "flight category" if name == CATEGORY else wording.variable(name)


def _number(value: float, decimals: int) -> Number:
    return Number(f"{value:.{decimals}f}" if np.isfinite(value) else "–", value)


def _reliability(
    name: str, matches: Matches, events: Sequence[EventScore], colours: Mapping[str, str], wording: Wording
) -> Figure | None:
    """How often the most frequent event of a variable came by its predicted probability.

    Methods whose probabilities are alike (``ranking.alike``) are one line.
    """
    own = [score for score in events if score.variable == name]
    limit = max(own, key=lambda score: score.events).limit
    lines = [(score, score.reliability[:, score.reliability[2] >= FEWEST]) for score in own if score.limit == limit]
    lines = [(score, line) for score, line in lines if line.shape[1] > 2]
    if not lines:
        return None
    groups = alike(as_probabilities(matches, name, limit), [score.method for score, _ in lines])
    lines, wording = [each for each in lines if each[0].method in groups][:DRAWN], wording.together(groups)
    with matplotlib.rc_context(STYLE):
        figure, axes = new_axes("predicted probability", "frequency of the event")
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=1.0)
        for score, line in lines:
            label = wording.method(score.method)
            axes.plot(line[0], line[1], marker="o", markersize=4, color=colours[score.method], label=label)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        legend_above(axes)
        words = f"{sentence(_variable(name, wording))} {event_words(lines[0][0])}"
        svg = as_svg(figure, f"Reliability: {words}, for {', '.join(wording.method(s.method) for s, _ in lines)}.")
    caption = f"{words}: on the grey line a probability comes true as often as it is predicted."
    return Figure(caption, svg)
