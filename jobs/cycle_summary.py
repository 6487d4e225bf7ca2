"""What `mlrtma cycle --replay` prints at its end: delays by domain, and errors by method, from the tables it wrote."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from hpc.text_table import aligned
from jobs.cycle_scores import COLUMNS, TABLE
from mlrtma_dist.inference.cycle_publications import COLUMNS as PUBLICATION
from mlrtma_dist.inference.cycle_publications import TABLE as SLOTS
from mlrtma_dist.inference.cycle_publications import Publication, read_rows
from mlrtma_dist.verification.match import write_rows
from mlrtma_dist.verification.scores import in_table_order

LATENCY = ("domain", "revision", "slots", "median", "p95", "max", "methods")
ERRORS = ("domain", "revision", "at", "method", "variable", "n", "rmse")


def summary(output: Path, domains: Iterable[str]) -> list[str]:
    """Write ``latency.csv`` and ``errors.csv`` of some domains below a folder; returns both as lines of text."""
    delays = [row for name in domains for row in _delays(output / name)]
    errors = [row for name in domains for row in _errors(output / name)]
    write_rows(output / "latency.csv", LATENCY, delays)
    write_rows(output / "errors.csv", ERRORS, errors)
    titles = "seconds from cut-off to publication", "root mean square error over all slots, analysis space"
    return [*_text(titles[0], LATENCY, delays), "", *_text(titles[1], ERRORS, errors)]


def _delays(folder: Path) -> list[tuple]:
    """Median, 95 % and greatest delay of a domain's publications, and how many each method made, by revision."""
    publications = [Publication.of_row(row) for row in read_rows(folder / SLOTS, PUBLICATION)]
    rows = []
    for revision in sorted({each.revision for each in publications}):
        own = [each for each in publications if each.revision == revision]
        delay = np.array([each.latency for each in own])
        spread = [round(float(each), 1) for each in (np.median(delay), np.quantile(delay, 0.95), delay.max())]
        names = [each.method for each in own]
        methods = " ".join(f"{name}:{names.count(name)}" for name in dict.fromkeys(names))
        rows.append((folder.name, revision, len(own), *spread, methods))
    return rows


def _errors(folder: Path) -> list[tuple]:
    """The rmse of every method and variable over all slots of a domain, at withheld stations or at reports used."""
    sums: dict[tuple[int, str, str, str], tuple[int, float]] = {}
    for row in read_rows(folder / TABLE, COLUMNS):
        cells = dict(zip(COLUMNS, row, strict=True))
        key, number = (int(cells["revision"]), cells["at"], cells["method"], cells["variable"]), int(cells["n"])
        count, total = sums.get(key, (0, 0.0))
        sums[key] = count + number, total + number * float(cells["rmse"]) ** 2
    order = in_table_order(list(dict.fromkeys(variable for *_, variable in sums)))
    keys = sorted(sums, key=lambda key: (key[0], order.index(key[3])))
    return [(folder.name, *key, sums[key][0], round(float(np.sqrt(sums[key][1] / sums[key][0])), 4)) for key in keys]


def _text(title: str, header: tuple[str, ...], rows: list[tuple]) -> list[str]:
    return [title, *aligned([header, *(tuple(map(str, row)) for row in rows)])]
