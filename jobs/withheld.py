"""Analyse with stations withheld in turn, and match what each method says with what they measured."""

from collections.abc import Callable, Iterable

import numpy as np

from mlrtma_dist.fields.static import Static
from mlrtma_dist.inference.analyse import at_reports, solve
from mlrtma_dist.inference.problem import Problem, pose
from mlrtma_dist.methods.settings import Classical
from mlrtma_dist.observations.departures import verifiable
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import boxes
from mlrtma_dist.verification.match import Matches


def collect(
    static: Static,
    observations: Observations,
    settings: Classical,
    methods: Iterable[str],
    parts: np.ndarray,
    *,
    everything: bool = False,
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
        everything: score every report, also outside the domain or grossly wrong; else what ``verifiable`` leaves
            of the reports inside the domain.
        progress: called with "folds" and the share done.
        **asked: of ``inference.problem.pose``: time, window, background.
    """
    tables, methods, count = [], list(methods), int(parts.max()) + 1 if len(parts) else 0
    for fold in range(count):
        problem = pose(static, observations, settings, withheld=parts == fold, **asked)
        for number, method in enumerate(methods, start=1):
            tables.append(_match(problem, method, settings, fold, everything))
            progress("folds", (fold + number / len(methods)) / count)
    return Matches.concatenate(tables)


def _match(problem: Problem, method: str, settings: Classical, fold: int, everything: bool) -> Matches:
    o = problem.observations
    rows = problem.withheld & np.isfinite(problem.departure)
    if not everything:
        rows &= verifiable(o, problem.departure)
        rows &= problem.static.domain.contains(problem.points.latitude, problem.points.longitude)
    value, error = at_reports(problem, solve(problem, method, settings), rows)
    assumed = np.array([settings.variables[str(v)].observation_error for v in o.variable[rows]])
    return Matches.build(
        method=method, variable=o.variable[rows], station=o.station[rows], latitude=o.latitude[rows],
        longitude=o.longitude[rows], elevation=o.elevation[rows], fold=fold, observation=problem.value[rows],
        prediction=value[rows], spread=error[rows], observation_error=assumed,
    )


def box_of(matches: Matches, blocks: float) -> np.ndarray:
    """The name of the box of ``blocks`` km in which each match lies, shape (n,)."""
    row, column = boxes(matches.latitude, matches.longitude, blocks)
    return np.char.add(np.char.add(row.astype(str), " "), column.astype(str))
