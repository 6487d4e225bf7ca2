"""What became of the reports, as text: counted by source, network and flag, for the product and for people."""

import numpy as np

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.table import Flag


def used_rows(analysis: Analysis) -> np.ndarray:
    """Mask of the reports that the analysis was made of, shape (n,).

    Those with a weight; where a method has no variational quality control, and so no weight at all, those
    usable ones for which an error was assumed.
    """
    usable, weighted = analysis.observations.usable, np.isfinite(analysis.weight)
    if weighted.any():
        return weighted & usable
    return usable & np.isfinite(analysis.observation_error) & np.isfinite(analysis.analysis_departure)


def count_by_flag(analysis: Analysis) -> str:
    """A table of lines: variable, reports read, used, unused without a flag, and one column a flag that occurs.

    A report with two flags counts in both columns.
    """
    table, used = analysis.observations, used_rows(analysis)
    present = [f for f in Flag if (table.flags & np.uint32(f)).any()]
    rows = [("variable", "read", "used", "unused", *(f.name.lower() for f in present))]
    for name in VARIABLES:
        of = table.variable == name
        if of.any():
            rows.append(
                (
                    name,
                    of.sum(),
                    (of & used).sum(),
                    (of & table.good & ~used).sum(),
                    *((of & ((table.flags & np.uint32(f)) != 0)).sum() for f in present),
                )
            )
    return _aligned(rows)


def count_by_source(analysis: Analysis) -> str:
    """A table of lines: source, network, values read and used."""
    table, used = analysis.observations, used_rows(analysis)
    rows = [("source", "network", "read", "used")]
    for source in np.unique(table.source):
        for network in np.unique(table.network[table.source == source]):
            of = (table.source == source) & (table.network == network)
            rows.append((source or "-", network or "-", of.sum(), (of & used).sum()))
    return _aligned(rows)


def time_coverage(analysis: Analysis) -> tuple[str, str] | None:
    """First and last time of the reports used, ISO 8601, or None where none was used."""
    times = analysis.observations.time[used_rows(analysis)]
    times = times[~np.isnat(times)]
    return (f"{times.min()}Z", f"{times.max()}Z") if len(times) else None


def _aligned(rows: list[tuple]) -> str:
    text = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*text, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in text)
    return "\n".join("  ".join(row).rstrip() for row in padded)
