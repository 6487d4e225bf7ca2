"""What became of every report: counts by variable, network and reason, for logs and provenance."""

from dataclasses import dataclass, replace

import numpy as np

from mlrtma_dist.observations.reports import group
from mlrtma_dist.observations.table import Flag, Observations

# The order in which the checks run: a report with several flags is counted under the first.
ORDER = (
    Flag.PROVIDER,
    Flag.STATION_LIST,
    Flag.POSITION,
    Flag.RANGE,
    Flag.TIME,
    Flag.OUTSIDE,
    Flag.CONSISTENCY,
    Flag.STUCK,
    Flag.STEP,
    Flag.DUPLICATE,
    Flag.OTHER_TIME,
    Flag.ELEVATION,
    Flag.GROSS,
    Flag.BUDDY,
    Flag.LABEL,
)
REASONS = tuple(str(flag.name) for flag in ORDER)


@dataclass(frozen=True)
class Tally:
    """Counts of the reports of one variable and network.

    Attributes:
        variable, network: which reports; "all" in a row of totals.
        source: file they were read from; "all" where they are not counted by it.
        read: number of reports.
        good: number without a flag; ``good + sum(first.values()) == read``.
        first: reason -> number of reports counted under it, each once, by ``ORDER``.
        each: reason -> number of reports that carry it, several a report where it has several.
        used: number of reports of which the analysis was made; None where nothing was analysed.
    """

    variable: str
    network: str
    read: int
    good: int
    first: dict[str, int]
    each: dict[str, int]
    source: str = "all"
    used: int | None = None


def summarise(observations: Observations, used: np.ndarray | None = None) -> list[Tally]:
    """Count reports by variable, network and reason; one row for each variable and network, sorted.

    Args:
        observations: the table.
        used: mask (n,) of the reports of which the analysis was made; None: there is none.

    Raises:
        ValueError: a row carries a bit that is not a ``Flag``: it would be counted nowhere.
    """
    _require_known(observations)
    kind = group(observations.variable, observations.network)
    tallies = [
        _count(observations.flags[rows], str(observations.variable[rows[0]]), str(observations.network[rows[0]]))
        for rows in _parts(kind)
    ]
    if used is None:
        return tallies
    return [replace(t, used=int(used[rows].sum())) for t, rows in zip(tallies, _parts(kind), strict=True)]


def by_source(observations: Observations) -> list[Tally]:
    """Count reports of all variables by source and network; one row for each, sorted.

    Raises:
        ValueError: as ``summarise``.
    """
    _require_known(observations)
    return [
        _count(observations.flags[rows], "all", str(observations.network[rows[0]]), str(observations.source[rows[0]]))
        for rows in _parts(group(observations.source, observations.network))
    ]


def _parts(kind: np.ndarray) -> list[np.ndarray]:
    """The rows of each kind (n,), in order of its number."""
    order = np.argsort(kind, kind="stable")
    starts = np.unique(kind[order], return_index=True)[1]
    return [rows for rows in np.split(order, starts[1:]) if len(rows)]


def _require_known(observations: Observations) -> None:
    mask = np.uint32(sum(ORDER))
    strange = np.flatnonzero(observations.flags & ~mask)
    if len(strange):
        row = int(strange[0])
        raise ValueError(
            f"row {row} (station {observations.station[row]}): "
            f"flags {observations.flags[row]} hold a bit that is no Flag, so no reason to count it under"
        )


def total(tallies: list[Tally], variable: str | None = None) -> Tally:
    """Add rows up over networks, of one variable or of all."""
    chosen = [t for t in tallies if variable in (None, t.variable)]
    return Tally(
        variable or "all",
        "all",
        sum(t.read for t in chosen),
        sum(t.good for t in chosen),
        {name: sum(t.first[name] for t in chosen) for name in REASONS},
        {name: sum(t.each[name] for t in chosen) for name in REASONS},
        used=None if any(t.used is None for t in chosen) else sum(t.used or 0 for t in chosen),
    )


def table(tallies: list[Tally]) -> str:
    """A plain-text table, one line per row and the totals by variable and of all; reasons are counted first-set.

    Reasons that no report has are left out.
    """
    variables = list(dict.fromkeys(t.variable for t in tallies))
    lines = [*tallies, *(total(tallies, name) for name in variables), total(tallies)]
    reasons = [name for name in REASONS if lines[-1].first[name]]
    analysed = lines[-1].used is not None
    cells = [["variable", "network", "read", *["used"] * analysed, "good", *(r.lower() for r in reasons)]]
    for t in lines:
        numbers = (t.read, *[t.used] * analysed, t.good, *(t.first[r] for r in reasons))
        cells.append([t.variable, t.network, *map(str, numbers)])
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if k < 2 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def _count(flags: np.ndarray, variable: str, network: str, source: str = "all") -> Tally:
    first, each, left = {}, {}, flags
    for name, reason in zip(REASONS, ORDER, strict=True):
        each[name] = int(np.count_nonzero(flags & np.uint32(reason)))
        first[name] = int(np.count_nonzero(left & np.uint32(reason)))
        left = left[left & np.uint32(reason) == 0]
    return Tally(variable, network, len(flags), int(np.count_nonzero(flags == 0)), first, each, source)
