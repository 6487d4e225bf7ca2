"""What became of the reports of one or many analyses, counted by variable and flag and by source and network."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.table import Flag

READ, USED, UNUSED = "read", "used", "unused"


@dataclass(frozen=True)
class ObservationCounts:
    """Numbers of reports, which can be added over many analyses.

    Attributes:
        by_flag: (variable, column) -> number; columns are "read", "used", "unused" (without a flag and not used) and
            the names of the flags. A report with two flags counts in both.
        by_source: (source, network, "read" or "used") -> number.
        first, last: times of the first and last report used, datetime64[s]; None where none was used.
    """

    by_flag: Counter = field(default_factory=Counter)
    by_source: Counter = field(default_factory=Counter)
    first: np.datetime64 | None = None
    last: np.datetime64 | None = None

    @classmethod
    def total(cls, counts: Iterable["ObservationCounts"]) -> "ObservationCounts":
        """The counts of several analyses together."""
        by_flag: Counter = Counter()
        by_source: Counter = Counter()
        times: list[np.datetime64] = []
        for each in counts:
            by_flag.update(each.by_flag)
            by_source.update(each.by_source)
            times += [time for time in (each.first, each.last) if time is not None]
        return cls(by_flag, by_source, min(times, default=None), max(times, default=None))

    def table_by_flag(self) -> str:
        """A table of lines: variable, reports read, used and unused, and one column for each flag that occurs."""
        columns = {column for _, column in self.by_flag}
        flags = [flag.name.lower() for flag in Flag if flag.name and flag.name.lower() in columns]
        variables = {name for name, _ in self.by_flag}
        order = [*(name for name in VARIABLES if name in variables), *sorted(variables - set(VARIABLES))]
        rows: list[tuple] = [("variable", READ, USED, UNUSED, *flags)]
        rows += [(name, *(self.by_flag[name, column] for column in (READ, USED, UNUSED, *flags))) for name in order]
        return _aligned(rows)

    def table_by_source(self) -> str:
        """A table of lines: source, network, values read and used."""
        rows: list[tuple] = [("source", "network", READ, USED)]
        for source, network in sorted({key[:2] for key in self.by_source}):
            numbers = (self.by_source[source, network, column] for column in (READ, USED))
            rows.append((source or "-", network or "-", *numbers))
        return _aligned(rows)


def count_observations(analysis: Analysis) -> ObservationCounts:
    """The counts of one analysis."""
    table, used = analysis.observations, used_rows(analysis)
    masks = {READ: np.ones(len(table), bool), USED: used, UNUSED: table.good & ~used}
    masks |= {flag.name.lower(): (table.flags & np.uint32(flag)) != 0 for flag in Flag if flag.name}
    by_flag: Counter = Counter()
    for name in np.unique(table.variable):
        rows = table.variable == name
        by_flag.update({(str(name), column): int((rows & mask).sum()) for column, mask in masks.items()})
    present = {column for (_, column), number in by_flag.items() if number} | {READ, USED, UNUSED}
    by_flag = Counter({key: number for key, number in by_flag.items() if key[1] in present})
    by_source: Counter = Counter()
    for source in np.unique(table.source):
        for network in np.unique(table.network[table.source == source]):
            rows = (table.source == source) & (table.network == network)
            for column in (READ, USED):
                by_source[str(source), str(network), column] = int((rows & masks[column]).sum())
    times = table.time[used]
    times = times[~np.isnat(times)]
    return ObservationCounts(by_flag, by_source, *((times.min(), times.max()) if len(times) else (None, None)))


def used_rows(analysis: Analysis) -> np.ndarray:
    """Mask of the reports of which the analysis was made, shape (n,).

    Those with a weight; where a method has no variational quality control, and so no weight at all, those
    usable ones for which an error was assumed.
    """
    usable, weighted = analysis.observations.usable, np.isfinite(analysis.weight)
    if weighted.any():
        return weighted & usable
    return usable & np.isfinite(analysis.observation_error) & np.isfinite(analysis.analysis_departure)


def _aligned(rows: list[tuple]) -> str:
    text = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*text, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in text)
    return "\n".join("  ".join(row).rstrip() for row in padded)
