"""Every method at every withheld station of some hours, the folds side by side on the cores."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
from accuracy_data import HOURS, Hour, conus, past_hours
from kriging import kriging
from past_increments import PastIncrements, past_increments, solve_hour, solvers
from threadpoolctl import threadpool_limits

from jobs.withheld import Solver, match_fold
from mlrtma_dist.grid.points import Points
from mlrtma_dist.inference.analyse import solve
from mlrtma_dist.inference.problem import Problem
from mlrtma_dist.methods.departure_method import Fit
from mlrtma_dist.methods.settings import Classical
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.verification.match import Matches

METHODS = ("first_guess", "nearest", "gaussian_weights", "kriging", "oi", "threedvar", "envar", "hybrid")


@dataclass(frozen=True)
class Part:
    """One fold of one hour.

    Attributes:
        hour: for its time.
        observations: of the hour.
        fold: which part is withheld.
        parts: part of each row, shape (n,).
        members: for EnVar and the hybrid.
        settings: of the classical methods.
    """

    hour: Hour
    observations: Observations
    fold: int
    parts: np.ndarray
    members: PastIncrements
    settings: Classical

    def matches(self, methods: tuple[str, ...]) -> Matches:
        """Every method at the stations withheld."""
        known = {"kriging": kriging, **solvers(self.members)}
        named = {method: partial(_without_error, known.get(method, partial(_solve, method))) for method in methods}
        return match_fold(
            conus(), self.observations, self.settings, methods, self.parts, self.fold, solvers=named, **self.hour.asked
        )


class WithoutError:
    """A fit that is not asked how wrong it is: no score here needs it, and it is a third of the work."""

    def __init__(self, fit: Fit):
        """Everything else is the fit's own."""
        self._fit = fit

    def __getattr__(self, name: str):
        return getattr(self._fit, name)

    def error(self, points: Points) -> np.ndarray:
        """NaN, shape (m,)."""
        return np.full(len(points), np.nan)


def _solve(method: str, problem: Problem, settings: Classical) -> dict[str, Fit]:
    return solve(problem, method, settings)


def _without_error(solver: Solver, problem: Problem, settings: Classical) -> dict[str, Fit]:
    return {name: WithoutError(fit) for name, fit in solver(problem, settings).items()}


@contextmanager
def workers() -> Iterator[Executor]:
    """Processes, one a core, one thread each; they inherit what this process has read."""
    conus()
    count = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(count, get_context("fork"), initializer=threadpool_limits, initargs=(1,)) as pool:
        yield pool


def withheld(
    data: str,
    settings: Classical,
    count: int,
    blocks: list[float | None],
    pool: Executor,
    *,
    methods: tuple[str, ...] = METHODS,
    say: Callable[[str], None] = print,
) -> dict[float | None, Matches]:
    """Withhold every station of a set of data once, for each way of withholding.

    Args:
        data: a name of ``accuracy_data.HOURS``.
        settings: of the classical methods, with the variables to analyse.
        count: number of folds.
        blocks: sides of the boxes withheld, km; None: single stations, all names of one together.
        pool: of ``workers``.
        methods: to compare.
        say: told of every hour read and of every way finished.

    Returns:
        The matches for each of ``blocks``; a station of several hours has a row for each.
    """
    past = list(pool.map(partial(solve_hour, settings=settings), past_hours(data)))
    tasks: list[tuple[float | None, Part]] = []
    for hour in HOURS[data]:
        observations = hour.read(settings.variables)
        members = past_increments(past, observations)
        say(f"{data}: {hour.time}, {len(observations)} values of {len(set(observations.station))} names")
        for km in blocks:
            parts = folds(observations, count=count, seed=0, block_km=km)
            tasks += [(km, Part(hour, observations, fold, parts, members, settings)) for fold in range(count)]
    futures = [(km, pool.submit(part.matches, methods)) for km, part in tasks]
    return {km: Matches.concatenate([future.result() for other, future in futures if other == km]) for km in blocks}
