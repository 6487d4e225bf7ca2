"""Claim: at stations that no method saw, 3D-Var is nearer than a kriging library, on six sets of real data.

    python benchmarks/accuracy.py                                     everything; CSV and Markdown in output/accuracy
    python benchmarks/accuracy.py --write docs/accuracy.md            and into the page, between its markers
    python benchmarks/accuracy.py --data rap sao --variables t2m u10  some of it; the page keeps its other rows
    python benchmarks/accuracy.py --events --data rap                 the tables of events and speeds alone

Each station is withheld once with all its names, in folds by a hash, then in whole boxes. All methods have the same
quality control, first guess, stations and folds. Visibility, ceiling, wind speed, gust and flight category are also
scored as events, and written to events.csv. Sets of data: rap, madis, metar_2019, metar_2015, sao, mm5_pnw; world_2020
and world_2025 for events alone; beside them "protocol" (t2m of the RAP hour as the test data ask) and "cost".
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
from accuracy_cost import costs
from accuracy_data import HOURS, OF_EVENTS, TITLES
from accuracy_events import OF_TABLES, SCORED, event_table, speed_table, write_event_csv
from accuracy_mm5 import DATA as MM5
from accuracy_mm5 import mm5_rows
from accuracy_rap import rap_rows, reached
from accuracy_tables import Row, how, markdown, merged, ratio, rows_of, write_between, write_csv
from accuracy_withheld import METHODS, withheld, workers

from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.methods.settings import load_settings
from mlrtma_dist.names import EVENTS
from mlrtma_dist.verification.match import Matches

PROTOCOL, COST = "protocol", "cost"
DATA = (*HOURS, *OF_EVENTS, MM5, PROTOCOL, COST)
TITLE = {**TITLES, PROTOCOL: "2 m temperature by the protocol of the test data"}
KEYS = {"": 2, " events": 1, " speeds": 2}  # kind of a table -> number of cells that tell its rows from each other


def main() -> None:
    """Run what is asked for; the last line is the ratio to the kriging library, of rmse where any was scored."""
    options, started = _parser().parse_args(), time.perf_counter()
    warnings.filterwarnings("ignore", module="gstools")
    blocks = [None, *options.blocks]
    rows: list[Row] = []
    tables: dict[str, str] = {}
    matches: dict[str, dict[float | None, Matches]] = {}
    cost = None
    with workers() as pool:
        for data in options.data:
            begun = time.perf_counter()
            if data == COST:
                tables[data], cost = costs()
            elif data in HOURS | OF_EVENTS:
                whole = data in HOURS and not options.events
                settings = load_settings("classical", tuple(options.variables) if whole else SCORED)
                methods = METHODS if whole else OF_TABLES
                matches[data] = withheld(data, settings, options.folds, blocks, pool, methods=methods)
                scored = [row for km in blocks for row in rows_of(data, how(km), matches[data][km], km)]
                tables |= ({data: markdown(scored)} if whole else {}) | _of_events(data, matches[data])
                rows += scored
            else:
                scored = mm5_rows(pool, blocks) if data == MM5 else rap_rows(pool)
                tables[data] = markdown(scored)
                rows += scored
            own = "\n\n".join(table for name, table in tables.items() if name.split()[0] == data)
            print(f"\n{own}\n\n{data}: {time.perf_counter() - begun:.0f} s", flush=True)
            _write(options, rows, tables, matches)
    spent = os.times()
    print(f"processor time {sum(spent[:4]):.0f} s, wall {time.perf_counter() - started:.0f} s")
    if PROTOCOL in options.data:
        print(reached(rows))
    for name in dict.fromkeys(r.withheld for r in rows if r.data != PROTOCOL):
        others = {"oi": "OI", "nearest": "nearest", "kriging": "the kriging library"}
        ratios = [(words, ratio(rows, "threedvar", other, name)) for other, words in others.items()]
        above = ", ".join(f"over {words} {value:.3f}" for words, value in ratios if np.isfinite(value))
        print(f"{name}: rmse 3D-Var {above}")
    if cost is not None:
        print(f"3D-Var over kriging library, geometric mean of processor time: ratio {cost:.3f}")
    if rows and not options.events:
        print(f"3D-Var over kriging library, geometric mean of rmse: ratio {ratio(rows, 'threedvar', 'kriging'):.3f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=DATA, metavar="NAME", help=", ".join(DATA))
    parser.add_argument("--variables", nargs="+", default=[], help="all of configs/methods/classical.yaml by default")
    parser.add_argument("--events", action="store_true", help="events and speeds alone, a tenth of the work")
    parser.add_argument("--folds", type=int, default=5, help="parts; mm5_pnw and protocol always have 10")
    parser.add_argument("--blocks", type=float, nargs="*", default=[100.0], help="side of the boxes withheld, km")
    parser.add_argument("--output", type=Path, default=Path("output/accuracy"), help="folder to write to")
    parser.add_argument("--write", type=Path, help="page whose tables are renewed")
    return parser


def _of_events(data: str, matches: dict[float | None, Matches]) -> dict[str, str]:
    """The tables of events and of speeds of one set of data, where there are any."""
    scored = set(matches[None].variables)
    tables = {f"{data} events": event_table(matches)} if scored & set(EVENTS) else {}
    return tables | ({f"{data} speeds": speed_table(matches[None])} if scored & {"wind_speed", "gust"} else {})


def _write(options, rows: list[Row], tables: dict[str, str], matches: dict[str, dict[float | None, Matches]]) -> None:
    """Write what there is so far: a run that is ended keeps its finished parts."""
    options.output.mkdir(parents=True, exist_ok=True)
    write_csv(options.output / "scores.csv", rows)
    write_event_csv(options.output / "events.csv", matches)
    text = "\n\n".join(f"## {TITLE.get(data, data)}\n\n{table}" for data, table in tables.items())
    write_text(options.output / "tables.md", text + "\n")
    for data, table in tables.items() if options.write else ():
        kind = data.removeprefix(data.split()[0])
        write_between(options.write, data, merged(options.write, data, table, KEYS[kind]) if data != COST else table)


if __name__ == "__main__":
    main()
