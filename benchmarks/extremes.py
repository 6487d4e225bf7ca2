"""Claim: what is extreme where it was reported is so in the analysis; what is not is lost to neighbours, told by cause.

    python benchmarks/extremes.py                             two hours that train and one that chooses
    python benchmarks/extremes.py --data rap metar_2019       hours that judge, by the names of benchmarks/accuracy.py

Reports of an hour are put into classes by their own value. For each class the mean of the reports stands beside that
of 3D-Var at the same places: with the reports used; the same without Huber weights; with a tenth of the observation
error besides; and with each station withheld once, in five parts. So the difference of two columns is the share of one
cause: what Huber weights take, what the observation error takes, what the neighbours do not show. What a tenth of the
error leaves is quality control: a report that it rejects is withheld for good. Means of visibility and ceiling are
those of logarithms. "kept" is the share of reports whose analysis is in the class or beyond. The speed of the vector
(u10, v10) stands beside the wind speed.

Last: the mean and the 95th percentile of the analysed speeds at withheld stations over those of the reports.
"""

import argparse
from collections import Counter
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from accuracy_data import HOURS, OF_EVENTS, OTHER, Hour
from accuracy_withheld import workers

from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical import ClassicalAnswer
from mlrtma_dist.methods.registry import Means, build
from mlrtma_dist.methods.settings import Classical, load_settings
from mlrtma_dist.names import LIMITED_CEILING, VARIABLES
from mlrtma_dist.observations.departures import verifiable
from mlrtma_dist.observations.table import Flag
from mlrtma_dist.observations.withhold import folds

ANALYSED = ("u10", "v10", "wind_speed", "gust", "visibility", "ceiling")
VECTOR = "speed of u10, v10"
PARTS = 5
ELSEWHERE = Flag.TIME | Flag.DUPLICATE | Flag.POSITION | Flag.OUTSIDE  # no judgement of the value
USED, NO_HUBER, EXACT, WITHHELD = "used", "without Huber", "error / 10", "withheld"
HEADER = (
    "reports",
    "n",
    "mean",
    USED,
    NO_HUBER,
    EXACT,
    WITHHELD,
    "kept used",
    "kept withheld",
    "rejected",
    "Huber < 1",
)
NEVER = np.inf


@dataclass(frozen=True)
class Class:
    """Reports of a variable from ``low`` to below ``high``, SI; ``words``: for people.

    Attributes:
        above: whether the extreme lies above, so that an analysis above ``low`` keeps it; else one below ``high`` does.
        factor: to the unit shown.
    """

    variable: str
    low: float
    high: float
    words: str
    above: bool
    factor: float = 1.0

    @property
    def edges(self) -> tuple[float, float]:
        """``low`` and ``high`` in analysis space, where a report on an edge is exactly on it."""
        low, high = (float(VARIABLES[self.variable].to_analysis(edge)) for edge in (self.low, self.high))
        return low, high if self.high < NEVER else NEVER


CLASSES = (
    Class("wind_speed", 6.0, 9.0, "wind 6 to 9 m/s", True),
    Class("wind_speed", 9.0, NEVER, "wind above 9 m/s", True),
    Class("gust", 12.0, NEVER, "gust above 12 m/s", True),
    Class("visibility", 0.0, 800.0, "visibility below 800 m", False),
    Class("visibility", 0.0, 1600.0, "visibility below 1 mile, m", False),
    Class("ceiling", 0.0, 152.0, "ceiling below 500 ft, m", False),
    Class("ceiling", 0.0, 304.0, "ceiling below 1000 ft, m", False),
    Class("ceiling", LIMITED_CEILING, NEVER, "no ceiling, km", True, 1e-3),
)


@dataclass(frozen=True)
class Trial:
    """One analysis of an hour.

    Attributes:
        hour: of the reports.
        part: that is withheld and evaluated; None: none is, and all reports are evaluated.
        settings: of the analysis; quality control has the shipped ones.
    """

    hour: Hour
    part: int | None
    settings: Classical

    def run(self) -> tuple[Case, dict[str, np.ndarray], np.ndarray]:
        """The case, the analysis at its reports by variable (n,), NaN where not evaluated, and Huber weights (n,)."""
        table = self.hour.read()
        withheld = None if self.part is None else folds(table, count=PARTS, seed=0) == self.part
        case = self.hour.cases(table, load_settings("classical", ANALYSED)).whole(withheld)
        answer = build(("threedvar",), Means(self.settings))["threedvar"].analyse(case)
        rows = np.ones(len(case.used), dtype=bool) if self.part is None else case.withheld
        return case, _evaluate(case, answer, rows), answer.weight


def _evaluate(case: Case, answer: ClassicalAnswer, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Analyses at the reports of each variable, analysis space, and the speed of the vector at those of wind speed."""
    values = {}
    for name in (*ANALYSED[2:], VECTOR):
        own = rows & (case.observations.variable == ("wind_speed" if name == VECTOR else name))
        own &= np.isfinite(case.value)
        values[name] = np.full(len(rows), np.nan)
        parts = ("u10", "v10") if name == VECTOR else (name,)
        analysed = [answer.at(part, case.points[own])[0] for part in parts]
        values[name][own] = np.hypot(*analysed) if name == VECTOR else analysed[0]
    return values


def variants(settings: Classical) -> dict[str, Classical]:
    """The shipped settings, without variational quality control, and with a tenth of the observation errors besides."""
    loose = {name: replace(each, huber=None) for name, each in settings.variables.items()}
    exact = {}
    for name, each in loose.items():
        parts = {key: getattr(each, key) for key in ("indicators", "local")}
        parts = {key: replace(p, observation_error=0.1 * p.observation_error) for key, p in parts.items() if p}
        exact[name] = replace(each, observation_error=0.1 * each.observation_error, **parts)
    return {USED: settings} | {
        name: replace(settings, variables=own) for name, own in ((NO_HUBER, loose), (EXACT, exact))
    }


def tables(hour: Hour, pool: Executor) -> tuple[str, str]:
    """The table of classes and the table of speeds of an hour."""
    settings = load_settings("classical", ANALYSED)
    runs = {name: pool.submit(Trial(hour, None, own).run) for name, own in variants(settings).items()}
    parts = [pool.submit(Trial(hour, part, settings).run) for part in range(PARTS)]
    analysed = {name: run.result()[1] for name, run in runs.items()}
    case, _, weight = runs[USED].result()
    analysed[WITHHELD] = {name: np.full(len(case.used), np.nan) for name in analysed[USED]}
    for part in parts:
        own, values, _ = part.result()
        for name, each in values.items():
            analysed[WITHHELD][name][own.withheld] = each[own.withheld]
    lines = [row for each in CLASSES for row in _rows(each, case, analysed, weight)]
    return "\n".join([_line(HEADER), "|---" * len(HEADER) + "|", *lines]), _speeds(case, analysed[WITHHELD])


def _rows(chosen: Class, case: Case, analysed: dict[str, dict[str, np.ndarray]], weight: np.ndarray) -> list[str]:
    """The lines of a class: of its variable, and of wind also of the vector."""
    rows = _reports(chosen, case, np.isfinite(analysed[WITHHELD][chosen.variable]))
    if not rows.any():
        return []
    lost, lines = np.flatnonzero(rows & ~case.used), []
    rejected = Counter(flag.name.lower() for flag in Flag for row in lost if case.observations.flags[row] & flag)
    for name in (chosen.variable, VECTOR) if chosen.variable == "wind_speed" else (chosen.variable,):
        values = [case.value[rows], *(each[name][rows] for each in analysed.values())]
        kept = (_kept(chosen, analysed[kind][name][rows]) for kind in (USED, WITHHELD))
        cells = [
            chosen.words if name != VECTOR else f"the same, {VECTOR}",
            f"{rows.sum()}",
            *(f"{chosen.factor * _mean(chosen.variable, each):.3g}" for each in values),
            *(f"{100 * share:.0f} %" for share in kept),
            ", ".join(f"{count} {flag}" for flag, count in rejected.items()) or "none",
            _reduced(case, weight, rows, name),
        ]
        lines.append(_line(cells))
    return lines


def _reports(chosen: Class, case: Case, predicted: np.ndarray) -> np.ndarray:
    """Mask (n,) of the reports of a class inside the domain that are neither late nor copies and have a prediction."""
    low, high = chosen.edges
    rows = predicted & (case.observations.variable == chosen.variable) & (case.value >= low) & (case.value < high)
    rows &= case.domain.contains(case.points.latitude, case.points.longitude)
    return rows & ((case.observations.flags & np.uint32(ELSEWHERE)) == 0)


def _mean(variable: str, values: np.ndarray) -> float:
    """Mean of values of the analysis space, as a value in SI."""
    mean = float(np.mean(values))
    return float(np.exp(mean)) if VARIABLES[variable].transform == "log" else mean


def _kept(chosen: Class, values: np.ndarray) -> float:
    low, high = chosen.edges
    return float(np.mean(values >= low if chosen.above else values < high))


def _reduced(case: Case, weight: np.ndarray, rows: np.ndarray, name: str) -> str:
    """How many of the used reports have a Huber weight below one; of the vector those of its eastward component."""
    own = rows
    if name == VECTOR:
        places = set(_keys(case, rows))
        east = case.observations.variable == "u10"
        own = east.copy()
        own[east] = [key in places for key in _keys(case, east)]
    return f"{(weight[own & case.used] < 1.0).sum()} of {(own & case.used).sum()}"


def _keys(case: Case, rows: np.ndarray) -> list[tuple]:
    """What tells one wind report from another."""
    table = case.observations[rows]
    return list(zip(table.station, table.network, table.time.astype(str), table.latitude, table.longitude, strict=True))


def _speeds(case: Case, analysed: dict[str, np.ndarray]) -> str:
    """Mean and 95th percentile of analysed over reported speeds, at the reports that are scored in verification."""
    header = ("at withheld stations", "n", "mean reported", "mean, ratio", "95th percentile reported", "its ratio")
    lines = [_line(header), "|---" * len(header) + "|"]
    scored = verifiable(case.observations, case.departure) & np.isfinite(case.departure)
    scored &= case.domain.contains(case.points.latitude, case.points.longitude)
    for name, words in (("wind_speed", "wind speed"), (VECTOR, VECTOR), ("gust", "gust")):
        own = scored & (case.observations.variable == ("gust" if name == "gust" else "wind_speed"))
        own &= np.isfinite(analysed[name])
        if not own.any():
            continue
        reported, there = case.value[own], analysed[name][own]
        cells = [words, f"{own.sum()}", f"{reported.mean():.2f}", f"{there.mean() / reported.mean():.3f}"]
        strong = [np.percentile(values, 95.0) for values in (reported, there)]
        lines.append(_line([*cells, f"{strong[0]:.2f}", f"{strong[1] / strong[0]:.3f}"]))
    return "\n".join(lines)


def _line(cells) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the tables of every hour."""
    hours = HOURS | OF_EVENTS | OTHER
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", nargs="+", default=list(OTHER), choices=list(hours), metavar="NAME", help=", ".join(hours)
    )
    with workers() as pool:
        for name in parser.parse_args().data:
            for hour in hours[name]:
                print("\n\n".join((f"{name}, {hour.time} UTC", *tables(hour, pool))), "\n", flush=True)


if __name__ == "__main__":
    main()
