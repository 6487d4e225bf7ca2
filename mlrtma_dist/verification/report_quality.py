"""The part of the report on quality control: what became of every report read, by source, by variable, on a map."""

from collections.abc import Sequence

import numpy as np

from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.quality_summary import ORDER, Tally, by_source, summarise, total
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.verification.report_map import map_of_groups
from mlrtma_dist.verification.report_page import Number, bullets, definitions, figure, folded, paragraph, table

ABOUT = (
    "Every report read is counted once, under the first check that mistrusts it; none is dropped from the table. "
    "Reports without a flag, and those that only the buddy check doubts, are analysed. "
    "The percentage is of the reports that are in the window, in the domain and no copies."
)
MEANING = {
    Flag.PROVIDER: "the source's own quality mark rejects it",
    Flag.STATION_LIST: "an operational station list rejects it, or no use list allows it",
    Flag.POSITION: "latitude or longitude impossible or missing",
    Flag.RANGE: "a value that nature does not give, or none",
    Flag.TIME: "outside the window of the analysis, or without a time",
    Flag.OUTSIDE: "outside the domain and its margin",
    Flag.CONSISTENCY: "contradicts another value of the same report",
    Flag.STUCK: "the station repeats one value for too long",
    Flag.STEP: "leaves the station's own reports before and after, and they agree",
    Flag.DUPLICATE: "another report of the station counts: nearer in time, of a better source, or newer",
    Flag.ELEVATION: "station and terrain differ in height",
    Flag.GROSS: "too far from the first guess",
    Flag.BUDDY: "too far from its neighbours: doubted, not removed",
}
# Late, distant and repeated reports are no errors: the map would show little else.
MAPPED = tuple(f for f in ORDER if f not in (Flag.POSITION, Flag.TIME, Flag.OUTSIDE, Flag.DUPLICATE))
DRAWN = 6  # reasons with a colour of their own; the rarer ones share the last
WORST = 12  # stations listed


def quality(observations: Observations, outlines: Sequence[np.ndarray] = ()) -> str:
    """HTML of the section.

    Args:
        observations: every report, with its flags.
        outlines: coasts and borders for the map, arrays (k, 2) of longitude and latitude in degrees.
    """
    variables = summarise(observations)
    counts = total(variables).first
    present = [f for f in ORDER if counts[f.name]]
    html = paragraph(ABOUT, "note")
    html += _counts("By source and network", ("source", "network"), _split(by_source(observations)), present)
    names = [name for name in VARIABLES if (observations.variable == name).any()]
    rows = [((name,), total(variables, name)) for name in names] + [(("all",), total(variables))]
    html += _counts("By variable", ("variable",), rows, present)
    html += _map(observations, outlines) + _worst(observations)
    detail = [((t.variable, t.network), t) for t in variables]
    title = "By variable and network"
    html += folded(title, _counts(title, ("variable", "network"), detail, present))
    return html + folded("What the reasons mean", definitions({_word(f): MEANING[f] for f in present}))


def _split(tallies: list[Tally]) -> list[tuple[tuple[str, ...], Tally]]:
    return [((t.source or "unnamed", t.network or "unnamed"), t) for t in tallies]


def _counts(caption: str, keys: tuple[str, ...], rows: list[tuple[tuple[str, ...], Tally]], present: list[Flag]) -> str:
    cells = []
    for names, tally in rows:
        judged = tally.read - sum(tally.first[f.name] for f in (Flag.TIME, Flag.OUTSIDE, Flag.DUPLICATE))
        share = 100.0 * tally.good / judged if judged else float("nan")
        numbers = [tally.read, tally.good, *(tally.first[f.name] for f in present)]
        made = [Number(f"{number:,}", float(number)) for number in numbers]
        cells.append([*names, *made[:2], Number(f"{share:.1f} %" if judged else "–", share), *made[2:]])
    header = [*keys, "read", "good", "good, %", *(_word(f) for f in present)]
    return table(f"Values read, by what became of them: {caption[:1].lower()}{caption[1:]}", header, cells)


def _map(observations: Observations, outlines: Sequence[np.ndarray]) -> str:
    """Stations without and with a mistrusted report, by its first reason."""
    placed = np.isfinite(observations.latitude) & np.isfinite(observations.longitude)
    ignored = np.uint32(Flag.POSITION | Flag.TIME | Flag.OUTSIDE | Flag.DUPLICATE)
    shown = placed & ((observations.flags & ignored) == 0)
    if not shown.any():
        return ""
    first = np.full(len(observations), -1)
    for number, flag in reversed(list(enumerate(MAPPED))):
        first[(observations.flags & np.uint32(flag)) != 0] = number
    counts = np.bincount(first[shown & (first >= 0)], minlength=len(MAPPED))
    order = [k for k in np.argsort(-counts, kind="stable") if counts[k]]
    groups = [("no flag", shown & (first < 0))]
    groups += [(_word(MAPPED[k]), shown & (first == k)) for k in order[:DRAWN]]
    if order[DRAWN:]:
        groups.append(("other", shown & np.isin(first, order[DRAWN:])))
    places = [(label, observations.latitude[rows], observations.longitude[rows]) for label, rows in groups]
    svg = map_of_groups(places, outlines)
    caption = "Stations whose report at the analysis time is mistrusted, by the reason; late, distant and repeated "
    caption += "reports are left out. A station with several reasons shows the rarest on top."
    return f'<div class="figures">{figure(svg, caption)}</div>'


def _worst(observations: Observations) -> str:
    """The stations with the most values flagged as errors."""
    wrong = observations.flags & np.uint32(sum(f for f in MAPPED if f is not Flag.PROVIDER)) != 0
    names, inverse = np.unique(observations.station[wrong], return_inverse=True)
    if not len(names):
        return ""
    counts = np.bincount(inverse)
    lines = []
    for k in np.lexsort((names, -counts))[:WORST]:
        rows = wrong & (observations.station == names[k])
        flags = np.bitwise_or.reduce(observations.flags[rows])
        reasons = ", ".join(_word(f) for f in MAPPED if flags & np.uint32(f))
        lines.append(f"{names[k]}: {counts[k]} ({', '.join(np.unique(observations.variable[rows]))}: {reasons})")
    return folded("Stations with the most values flagged by these checks", bullets(lines))


def _word(flag: Flag) -> str:
    return flag.name.lower().replace("_", " ")
