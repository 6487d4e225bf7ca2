"""What classical methods learn of shallow water from the cases that a network learns from: covariances, and R's factor.

Covariances of all five types of observation are averaged over the training cases. What a method's errors of
observation should count is then tried out: factors on R of the direct types (h, u, v) and of the indirect ones are
doubled or halved as long as that makes the analyses of some training cases better. The same on every rank.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlrtma_dist.linalg.cross_spectral import CrossCovariance
from mlrtma_dist.methods.best_linear import BestLinear
from mlrtma_dist.methods.outer_loops import OuterLoops
from mlrtma_dist.observations.indirect import TYPES, VARIABLES, IndirectTypes
from mlrtma_dist.samples.store import Store, Table

BLOCK = 64  # cases read at once
TUNED_ON = 48  # cases, evenly from the training set: their mean square error is known to 3 % or so
MOST_DOUBLINGS = 8
INDIRECT = np.arange(len(TYPES)) >= len(VARIABLES)  # mask of the types


@dataclass(frozen=True)
class TrainingCases:
    """The cases of a store that methods may learn from.

    Attributes:
        store: where they are; numbers: theirs, shape (n,).
    """

    store: Store
    numbers: np.ndarray

    @classmethod
    def before(cls, store: Store, time: np.datetime64 | None) -> "TrainingCases":
        """All cases of a store, or those before a time."""
        return cls(store, np.flatnonzero(store.time < time) if time is not None else np.arange(len(store.time)))

    def truth(self, number: int) -> np.ndarray:
        """A case's targets on the whole domain, shape (variable, y, x), float64."""
        layout = self.store.layout
        return self.store.fields(int(number), *map(range, layout.shape))[layout.backgrounds :].astype(np.float64)

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """The targets of all cases, so many at once, shape (case, variable, y, x)."""
        for start in range(0, len(self.numbers), size):
            yield np.stack([self.truth(number) for number in self.numbers[start : start + size]])


def columns_of(table: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Observations at grid points as methods take them: places, types, values and errors."""
    numbers = np.int64, np.int64, np.float64, np.float64
    columns = table.place, table.variable, table.value, table.error
    return tuple(column.astype(kind) for column, kind in zip(columns, numbers, strict=True))


def best_linear(training: TrainingCases, indirect: IndirectTypes) -> BestLinear:
    """Optimal interpolation, learnt.

    Args:
        training: the cases; indirect: what their indirect types are.
    """
    covariance = CrossCovariance.estimate(indirect.fields(block) for block in training.blocks(BLOCK))
    return _tuned(
        BestLinear(covariance, len(VARIABLES), np.ones(len(TYPES))),
        training,
        lambda method, observed: method.analyse(*observed),
    )


@dataclass(frozen=True)
class Variational:
    """3D-Var with outer loops, of which the first is linearised about optimal interpolation."""

    loops: OuterLoops
    start: BestLinear

    @property
    def inflation(self) -> np.ndarray:
        """Factor on R of every type, shape (type,)."""
        return self.loops.inflation

    def analyse(self, *observed) -> np.ndarray:
        """The analysis, shape (variable, y, x); see `methods.best_linear.BestLinear.analyse`."""
        return self.loops.minimise(*observed, first=self.start.analyse(*observed)).field


def variational(training: TrainingCases, indirect: IndirectTypes, start: BestLinear) -> Variational:
    """3D-Var with outer loops, learnt; arguments as of `best_linear`, and what that has learnt."""
    loops = OuterLoops(start.covariance.part(slice(len(VARIABLES))), indirect, np.ones(len(TYPES)))
    loops = _tuned(loops, training, lambda method, observed: Variational(method, start).analyse(*observed))
    return Variational(loops, start)


def _tuned(method, training: TrainingCases, analyse: Callable):
    """The method with the inflation that suits the training cases best."""
    chosen = training.numbers[np.linspace(0, len(training.numbers) - 1, TUNED_ON).round().astype(int)]
    whole = [range(size) for size in training.store.layout.shape]
    cases = [
        (training.truth(number), columns_of(training.store.observations(int(number), *whole))) for number in chosen
    ]
    variance = np.diag(method.covariance.rows[:, :, 0, 0])[: len(VARIABLES), None, None]

    def error(inflation: np.ndarray) -> float:
        tried = replace(method, inflation=inflation)
        return float(np.mean([np.square(analyse(tried, observed) - truth) / variance for truth, observed in cases]))

    inflation = climb(error, method.inflation, [INDIRECT, ~INDIRECT])
    return replace(method, inflation=inflation)


def climb(error: Callable[[np.ndarray], float], factors: np.ndarray, groups: Sequence[np.ndarray]) -> np.ndarray:
    """Double, or else halve, the factors of one group after the other as long as the error falls.

    Args:
        error: of factors, shape (n,); groups: masks of shape (n,).
    """
    best = error(factors)
    for group in groups:
        for change in (2.0, 0.5):
            first = best
            for _ in range(MOST_DOUBLINGS):
                tried = np.where(group, factors * change, factors)
                if not (found := error(tried)) < best:
                    break
                factors, best = tried, found
            if best < first:
                break
    return factors
