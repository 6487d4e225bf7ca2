"""Analyse with stations withheld in turn, and match what each method says with what they measured."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from mlrtma_dist.fields.static import Static
from mlrtma_dist.inference.analyse import at_reports, solve
from mlrtma_dist.inference.problem import Problem, pose
from mlrtma_dist.methods.departure_method import Fit
from mlrtma_dist.methods.settings import Classical
from mlrtma_dist.observations.departures import verifiable
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import boxes
from mlrtma_dist.verification.match import Matches

Solver = Callable[[Problem, Classical], dict[str, Fit]]


def collect(
    static: Static,
    observations: Observations,
    settings: Classical,
    methods: Iterable[str],
    parts: np.ndarray,
    *,
    progress: Callable[[str, float], None] = lambda name, share: None,
    **asked,
) -> Matches:
    """Withhold each part once and analyse without it.

    Args:
        static: domain and terrain.
        observations: as read.
        settings: of the classical methods.
        methods: to compare.
        parts: part of each row, 0 to the number of parts - 1, shape (n,).
        progress: called with "folds" and the share done.
        **asked: of ``match_fold``.
    """
    methods, count = list(methods), int(parts.max()) + 1 if len(parts) else 0
    tables = []
    for fold in range(count):
        tables.append(
            match_fold(
                static,
                observations,
                settings,
                methods,
                parts,
                fold,
                **asked,
                progress=lambda share, fold=fold: progress("folds", (fold + share) / count),
            )
        )
    return Matches.concatenate(tables)


def match_fold(
    static: Static,
    observations: Observations,
    settings: Classical,
    methods: Iterable[str],
    parts: np.ndarray,
    fold: int,
    *,
    everything: bool = False,
    solvers: Mapping[str, Solver] | None = None,
    progress: Callable[[float], None] = lambda share: None,
    **asked,
) -> Matches:
    """Withhold one part and analyse without it.

    Args:
        static, observations, settings, methods, parts: as in ``collect``.
        fold: the part withheld.
        everything: score every report, also outside the domain or grossly wrong; else what ``verifiable`` leaves
            of the reports inside the domain.
        solvers: what stands for ``inference.analyse.solve`` where a name of ``methods`` is not solved by it.
        progress: called with the share of the methods done.
        **asked: of ``inference.problem.pose``: time, window, background.
    """
    problem = pose(static, observations, settings, withheld=parts == fold, **asked)
    methods, solvers, tables = list(methods), solvers or {}, []
    for number, method in enumerate(methods, start=1):
        fits = solvers[method](problem, settings) if method in solvers else solve(problem, method, settings)
        tables.append(_match(problem, method, settings, fits, fold, everything))
        progress(number / len(methods))
    return Matches.concatenate(tables)


def _match(problem: Problem, method: str, settings: Classical, fits: dict[str, Fit], fold: int, everything) -> Matches:
    o = problem.observations
    rows = problem.withheld & np.isfinite(problem.departure)
    if not everything:
        rows &= verifiable(o, problem.departure)
        rows &= problem.static.domain.contains(problem.points.latitude, problem.points.longitude)
    value, error = at_reports(problem, fits, rows)
    assumed = np.array([settings.variables[str(v)].observation_error for v in o.variable[rows]])
    return Matches.build(
        method=method,
        variable=o.variable[rows],
        station=o.station[rows],
        latitude=o.latitude[rows],
        longitude=o.longitude[rows],
        elevation=o.elevation[rows],
        fold=fold,
        observation=problem.value[rows],
        prediction=value[rows],
        spread=error[rows],
        observation_error=assumed,
    )


def box_of(matches: Matches, blocks: float) -> np.ndarray:
    """The name of the box of ``blocks`` km in which each match lies, shape (n,)."""
    row, column = boxes(matches.latitude, matches.longitude, blocks)
    return np.char.add(np.char.add(row.astype(str), " "), column.astype(str))
