"""Every method at every withheld station of some hours, the folds side by side on the cores."""

import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

import numpy as np
from accuracy_data import HOURS, OF_EVENTS, Hour, conus, past_hours
from accuracy_events import OF_TABLES
from kriging import build_with_kriging
from past_increments import PastIncrements, past_increments, solve_hour, with_members
from threadpoolctl import threadpool_limits

from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical import ClassicalAnswer
from mlrtma_dist.methods.departure_method import Fit
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.registry import Means
from mlrtma_dist.methods.settings import Classical, assumptions
from mlrtma_dist.names import EVENTS
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.withhold import folds
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.withheld import match_fold

METHODS = ("first_guess", "nearest", "gaussian_weights", "kriging", "oi", "threedvar", "envar", "hybrid")


@dataclass(frozen=True)
class HourFold:
    """One fold of one hour.

    Attributes:
        hour: for its time.
        observations: of the hour.
        fold: which part is withheld.
        parts: part of each row, shape (n,).
        members: for EnVar and the hybrid; None: these are not asked.
        settings: of the classical methods.
    """

    hour: Hour
    observations: Observations
    fold: int
    parts: np.ndarray
    members: PastIncrements | None
    settings: Classical

    def matches(self, methods: tuple[str, ...]) -> Matches:
        """Every method at the stations withheld."""
        shipped = build_with_kriging(methods, Means(settings=with_members(self.settings)))
        named = {name: WithoutError(each, EVENTS if name in OF_TABLES else ()) for name, each in shipped.items()}
        cases = self.hour.cases(self.observations, self.settings, members=self.members)
        withheld = self.parts == self.fold
        return match_fold(cases.analyst(named), 0, withheld, self.fold, assumptions(self.settings))


@dataclass(frozen=True)
class WithoutError:
    """A classical method whose error is not computed where no score uses it, which is a third of the work.

    Attributes:
        method: itself.
        kept: variables whose error is scored, as a part of the probability of events.
    """

    method: Method
    kept: Collection[str] = ()

    def analyse(self, case: Case, neighbourhood=None) -> ClassicalAnswer:
        """The method's own answer, without the error of most variables; see `methods.method.Method.analyse`."""
        answer = self.method.analyse(case, neighbourhood)
        fits = {name: fit if name in self.kept else FitWithoutError(fit) for name, fit in answer.fits.items()}
        return replace(answer, fits=fits)


class FitWithoutError:
    """A fit whose error is not computed, and which does not compute an increment again at the same points."""

    def __init__(self, fit: Fit):
        """Everything else is the fit's own."""
        self._fit, self._increments = fit, {}

    def increment(self, points: Points) -> np.ndarray:
        """The fit's own, shape (m,)."""
        place = points.position.tobytes() + points.elevation.tobytes()
        if place not in self._increments:
            self._increments[place] = self._fit.increment(points)
        return self._increments[place]

    def __getattr__(self, name: str):
        return getattr(self._fit, name)

    def error(self, points: Points) -> np.ndarray:
        """NaN, shape (m,)."""
        return np.full(len(points), np.nan)


@contextmanager
def workers() -> Iterator[Executor]:
    """Processes, one per core, one thread each; they inherit what this process has read."""
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
        data: a name of ``accuracy_data.HOURS`` or ``OF_EVENTS``.
        settings: of the classical methods, with the variables to analyse.
        count: number of folds.
        blocks: sides of the boxes withheld, km; None: single stations, all names of one together.
        pool: of ``workers``.
        methods: to compare.
        say: told of every hour read and of every way finished.

    Returns:
        The matches for each of ``blocks``; a station of several hours has a row for each.
    """
    hours = past_hours(data) if {"envar", "hybrid"} & set(methods) else ()
    past = list(pool.map(partial(solve_hour, settings=settings), hours))
    tasks: list[tuple[float | None, HourFold]] = []
    for hour in (HOURS | OF_EVENTS)[data]:
        observations = hour.read()
        members = past_increments(past, observations) if past else None
        say(f"{data}: {hour.time}, {len(observations)} values of {len(set(observations.station))} names")
        for km in blocks:
            parts = folds(observations, count=count, seed=0, block_km=km)
            tasks += [(km, HourFold(hour, observations, fold, parts, members, settings)) for fold in range(count)]
    futures = [(km, pool.submit(part.matches, methods)) for km, part in tasks]
    return {km: Matches.concatenate([future.result() for other, future in futures if other == km]) for km in blocks}
