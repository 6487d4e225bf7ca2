"""The section of the report on which reports are counted where: in scores, in quality.txt and on maps."""

from collections.abc import Mapping

import numpy as np

from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.observation_counts import used_rows
from mlrtma_dist.observations.table import Flag
from mlrtma_dist.verification.report_page import Cell, Number, Section, Table
from mlrtma_dist.verification.report_words import Wording
from mlrtma_dist.verification.scores import in_table_order

ELSEWHERE = np.uint32(Flag.TIME | Flag.OUTSIDE | Flag.DUPLICATE | Flag.LABEL)
HEADER = ("variable", "read", "not for this analysis", "rejected", "unused", "used", "of these doubted", "scored")
MEANING = {
    "read": "Values of the files, and the speed and the gust of a wind that came without.",
    "not for this analysis": "Outside the time window, outside the domain and its margin, a copy of another report, or"
    " a label, which training alone uses.",
    "rejected": "Flagged by quality control, except by the buddy check alone.",
    "unused": "Not rejected and yet not analysed: half a wind, whose other component is missing or rejected, or a value"
    " without a first guess.",
    "used": "The analysis is made of these. They are counted on its maps and in the column used of quality.txt, whose"
    " column good leaves out those that are doubted and has those that are unused.",
    "of these doubted": "Far from their neighbours by the buddy check: analysed with less weight.",
    "scored": "Compared with analyses made without them. A rule chooses them that follows neither method nor analysis:"
    " reports inside the domain and within fixed limits of the first guess. Halves of winds and values that quality"
    " control rejects by other checks are scored, too; values used from the margin are not.",
}


def counts_section(analysis: Analysis, scored: Mapping[str, int], wording: Wording) -> Section:
    """The section.

    Args:
        analysis: of all stations.
        scored: variable -> number of observations in its scores, of the time of the analysis; empty where the scores
            are of many times.
        wording: names of the variables.
    """
    table, used = analysis.observations, used_rows(analysis)
    elsewhere = (table.flags & ELSEWHERE) != 0
    rejected, unused = ~table.usable & ~elsewhere, table.usable & ~used
    doubted = used & ((table.flags & np.uint32(Flag.BUDDY)) != 0)
    masks = (np.ones(len(table), bool), elsewhere, rejected, unused, used, doubted)
    rows: list[list[Cell]] = []
    for name in in_table_order(np.unique(table.variable).tolist()):
        own = table.variable == name
        numbers = [int((own & mask).sum()) for mask in masks]
        if scored:
            numbers.append(scored.get(name, 0))
        rows.append([wording.variable(name), *(Number(f"{number:,}", number) for number in numbers)])
    header = HEADER if scored else HEADER[:-1]
    content = {
        "table": Table("Values of every variable, by what became of them", header, rows),
        "meaning": {name: text for name, text in MEANING.items() if name in header},
        "many": not scored,
    }
    return Section("counts", "Which reports are counted where", "counts.html", content)
