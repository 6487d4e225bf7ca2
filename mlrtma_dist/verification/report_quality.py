"""The section of the report on quality control: counts of reports by flag, source and variable, and a map."""

from collections.abc import Sequence

import numpy as np

from mlrtma_dist.observations.quality_summary import ORDER, Tally, by_source, summarise, total
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.verification.report_map import map_of_groups
from mlrtma_dist.verification.report_page import Cell, Figure, Number, Section, Table
from mlrtma_dist.verification.scores import in_table_order

MEANING = {
    Flag.PROVIDER: "the source's own quality mark rejects it",
    Flag.STATION_LIST: "an operational station list rejects it, or no use list allows it",
    Flag.POSITION: "latitude or longitude impossible or missing",
    Flag.RANGE: "a value outside the physical range, or none",
    Flag.TIME: "outside the window of the analysis, or without a time",
    Flag.OUTSIDE: "outside the domain and its margin",
    Flag.CONSISTENCY: "contradicts another value of the same report",
    Flag.STUCK: "the station repeats one value for too long",
    Flag.STEP: "differs from the station's own reports before and after, which agree with each other",
    Flag.DUPLICATE: "another report of the station is used: nearer in time, of a better source, or newer",
    Flag.OTHER_TIME: "used at its own time by a method in time, beside a report of the station that is nearer",
    Flag.ELEVATION: "station and terrain differ in height",
    Flag.GROSS: "too far from the first guess",
    Flag.BUDDY: "too far from its neighbours: doubted, not removed",
    Flag.LABEL: "a point of a gridded field, which training alone uses",
}
ELSEWHEN = (Flag.TIME, Flag.OUTSIDE, Flag.DUPLICATE, Flag.OTHER_TIME, Flag.LABEL)
# Late, distant and repeated reports are not errors, and would hide those on the map.
MAPPED = tuple(f for f in ORDER if f not in (Flag.POSITION, *ELSEWHEN))
DRAWN = 6  # reasons with a colour of their own; the rarer ones share the last
WORST = 12  # stations listed


def quality_section(observations: Observations, outlines: Sequence[np.ndarray] = ()) -> Section:
    """The section.

    Args:
        observations: every report, with its flags.
        outlines: coasts and borders for the map, arrays (k, 2) of longitude and latitude in degrees.
    """
    variables = summarise(observations)
    counts = total(variables).first
    present = [flag for flag in ORDER if counts[str(flag.name)]]
    names = in_table_order(np.unique(observations.variable).tolist())
    rows = [((name,), total(variables, name)) for name in names] + [(("all",), total(variables))]
    networks = [((tally.variable, tally.network), tally) for tally in variables]
    content = {
        "by_source": _counts("by source and network", ("source", "network"), _split(by_source(observations)), present),
        "by_variable": _counts("by variable", ("variable",), rows, present),
        "by_network": _counts("by variable and network", ("variable", "network"), networks, present),
        "map": _map(observations, outlines),
        "worst": _worst(observations),
        "reasons": {_word(flag): MEANING[flag] for flag in present},
    }
    return Section("quality", "Quality control", "quality.html", content)


def _split(tallies: list[Tally]) -> list[tuple[tuple[str, ...], Tally]]:
    return [((t.source or "unnamed", t.network or "unnamed"), t) for t in tallies]


def _counts(
    division: str, keys: Sequence[str], rows: Sequence[tuple[tuple[str, ...], Tally]], present: Sequence[Flag]
) -> Table:
    cells: list[list[Cell]] = []
    for names, tally in rows:
        eligible = tally.read - sum(tally.first[str(f.name)] for f in ELSEWHEN)
        share = 100.0 * tally.good / eligible if eligible else float("nan")
        numbers = [tally.read, tally.good, *(tally.first[str(f.name)] for f in present)]
        total_read, good, *flags = [Number(f"{number:,}", float(number)) for number in numbers]
        cells.append([*names, total_read, good, Number(f"{share:.1f} %" if eligible else "–", share), *flags])
    header = [*keys, "read", "good", "good, %", *(_word(f) for f in present)]
    return Table(f"Values read, by the outcome of quality control: {division}", header, cells)


def _map(observations: Observations, outlines: Sequence[np.ndarray]) -> Figure | None:
    """Stations without and with a mistrusted report, by its first reason; None where no station has a position."""
    located = np.isfinite(observations.latitude) & np.isfinite(observations.longitude)
    ignored = np.uint32(Flag.POSITION | sum(ELSEWHEN))
    mapped = located & ((observations.flags & ignored) == 0)
    if not mapped.any():
        return None
    first = np.full(len(observations), -1)
    for number, flag in reversed(list(enumerate(MAPPED))):
        first[(observations.flags & np.uint32(flag)) != 0] = number
    counts = np.bincount(first[mapped & (first >= 0)], minlength=len(MAPPED))
    order = [k for k in np.argsort(-counts, kind="stable") if counts[k]]
    groups = [("no flag", mapped & (first < 0))]
    groups += [(_word(MAPPED[k]), mapped & (first == k)) for k in order[:DRAWN]]
    if order[DRAWN:]:
        groups.append(("other", mapped & np.isin(first, order[DRAWN:])))
    places = [(label, observations.latitude[rows], observations.longitude[rows]) for label, rows in groups]
    caption = "Stations whose report at the analysis time is mistrusted, by the reason; late, distant and repeated "
    caption += "reports are left out. A station with several outcomes counts in each and shows the rarest on top."
    return Figure(caption, map_of_groups(places, outlines))


def _worst(observations: Observations) -> list[str]:
    """The stations with the most values flagged as errors, a line for each."""
    flagged = observations.flags & np.uint32(sum(f for f in MAPPED if f is not Flag.PROVIDER)) != 0
    names, inverse = np.unique(observations.station[flagged], return_inverse=True)
    counts = np.bincount(inverse)
    lines = []
    for k in np.lexsort((names, -counts))[:WORST]:
        rows = flagged & (observations.station == names[k])
        flags = np.bitwise_or.reduce(observations.flags[rows])
        reasons = ", ".join(_word(f) for f in MAPPED if flags & np.uint32(f))
        lines.append(f"{names[k]}: {counts[k]} ({', '.join(np.unique(observations.variable[rows]))}: {reasons})")
    return lines


def _word(flag: Flag) -> str:
    return str(flag.name).lower().replace("_", " ")
