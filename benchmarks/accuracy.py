"""Claim: at stations that no method saw, 3D-Var is nearer than a kriging library, on six sets of real data.

    python benchmarks/accuracy.py                                     everything; CSV and Markdown in output/accuracy
    python benchmarks/accuracy.py --write docs/accuracy.md            and into the page, between its markers
    python benchmarks/accuracy.py --data rap sao --variables t2m u10  some of it

Each station is withheld once with all its names, in folds by a hash, then in whole boxes. All methods have the same
quality control, first guess, stations and folds. Sets of data: rap, madis, metar_2019, metar_2015, sao, mm5_pnw; beside
them "protocol" (t2m of the RAP hour as the test data ask) and "cost".
"""

import argparse
import os
import time
import warnings
from pathlib import Path

from accuracy_cost import costs
from accuracy_data import HOURS, TITLES
from accuracy_mm5 import DATA as MM5
from accuracy_mm5 import mm5_rows
from accuracy_rap import rap_rows, reached
from accuracy_tables import Row, how, markdown, ratio, rows_of, write_between, write_csv
from accuracy_withheld import METHODS, withheld, workers

from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.settings import load_settings

PROTOCOL, COST = "protocol", "cost"
DATA = (*HOURS, MM5, PROTOCOL, COST)
TITLE = {**TITLES, PROTOCOL: "2 m temperature by the protocol of the test data"}


def main() -> None:
    """Run what is asked for; the last line is the ratio to the kriging library, of rmse where any was scored."""
    asked, started = _parser().parse_args(), time.perf_counter()
    warnings.filterwarnings("ignore", module="gstools")
    blocks = [None, *asked.blocks]
    rows: list[Row] = []
    tables: dict[str, str] = {}
    cost = None
    with workers() as pool:
        for data in asked.data:
            begun = time.perf_counter()
            if data == COST:
                tables[data], cost = costs()
            else:
                scored = _rows(data, asked, blocks, pool)
                tables[data] = markdown(scored)
                rows += scored
            print(f"\n{tables[data]}\n\n{data}: {time.perf_counter() - begun:.0f} s", flush=True)
            _write(asked, rows, tables)
    spent = os.times()
    print(f"processor time {sum(spent[:4]):.0f} s, wall {time.perf_counter() - started:.0f} s")
    if PROTOCOL in asked.data:
        print(reached(rows))
    for name in dict.fromkeys(r.withheld for r in rows if r.data != PROTOCOL):
        print(
            f"{name}: rmse 3D-Var over OI {ratio(rows, 'threedvar', 'oi', name):.3f}, over nearest "
            f"{ratio(rows, 'threedvar', 'nearest', name):.3f}, over the kriging library "
            f"{ratio(rows, 'threedvar', 'kriging', name):.3f}"
        )
    if cost is not None:
        print(f"3D-Var over kriging library, geometric mean of processor time: ratio {cost:.3f}")
    if rows:
        print(f"3D-Var over kriging library, geometric mean of rmse: ratio {ratio(rows, 'threedvar', 'kriging'):.3f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=DATA, metavar="NAME", help=", ".join(DATA))
    parser.add_argument("--variables", nargs="+", default=[], help="all of configs/methods/classical.yaml by default")
    parser.add_argument("--folds", type=int, default=5, help="parts; mm5_pnw and protocol always have 10")
    parser.add_argument("--blocks", type=float, nargs="*", default=[100.0], help="side of the boxes withheld, km")
    parser.add_argument("--output", type=Path, default=Path("output/accuracy"), help="folder to write to")
    parser.add_argument("--write", type=Path, help="page whose tables are renewed")
    return parser


def _rows(data: str, asked, blocks: list[float | None], pool) -> list[Row]:
    """The scores of one set of data."""
    if data == MM5:
        return mm5_rows(pool, blocks)
    if data == PROTOCOL:
        return rap_rows(pool)
    settings = load_settings("classical", tuple(asked.variables))
    matches = withheld(data, settings, asked.folds, blocks, pool, methods=METHODS)
    return [row for km in blocks for row in rows_of(data, how(km), matches[km], km)]


def _write(asked, rows: list[Row], tables: dict[str, str]) -> None:
    """Write what there is so far: a run that is ended keeps its finished parts."""
    asked.output.mkdir(parents=True, exist_ok=True)
    write_csv(asked.output / "scores.csv", rows)
    text = "\n\n".join(f"## {TITLE.get(data, data)}\n\n{table}" for data, table in tables.items())
    write_text(asked.output / "tables.md", text + "\n")
    if asked.write:
        for data, table in tables.items():
            write_between(asked.write, data, table)


if __name__ == "__main__":
    main()
