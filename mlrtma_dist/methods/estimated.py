"""What classical methods learn of shallow water from the cases that a network learns from: covariances, and R's factor.

Covariances of all five types of observation are averaged over the training cases. What a method's errors of
observation should count is then tried out: factors on R of the direct types (h, u, v) and of the indirect ones are
doubled or halved as long as that makes the analyses of some training cases better. The same on every rank.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.plane import require_plane
from mlrtma_dist.linalg.cross_spectral import CrossCovariance
from mlrtma_dist.methods.best_linear import BestLinear
from mlrtma_dist.methods.case import Case, Cases
from mlrtma_dist.methods.outer_loops import OuterLoops
from mlrtma_dist.methods.plane import PlaneMethod, columns_of
from mlrtma_dist.observations.indirect import TYPES, VARIABLES, IndirectTypes

log = logging.getLogger(__name__)
BLOCK = 64  # cases read at once
TUNED_ON = 48  # cases, evenly from the training set: their mean square error is known to 3 % or so
MOST_DOUBLINGS = 8
INDIRECT = np.arange(len(TYPES)) >= len(VARIABLES)  # mask of the types


@dataclass(frozen=True)
class TrainingCases:
    """The cases that methods may learn from.

    Attributes:
        cases: their source; numbers: theirs, shape (n,).
    """

    cases: Cases
    numbers: np.ndarray

    @classmethod
    def before(cls, cases: Cases, time: np.datetime64 | None) -> "TrainingCases":
        """All cases of a source, or those before a time."""
        return cls(cases, np.flatnonzero(cases.time < time) if time is not None else np.arange(len(cases.time)))

    def case(self, number: int) -> Case:
        """A case on the whole domain."""
        return self.cases.case(int(number), Box.whole(self.cases.contents.domain.shape))

    def truth(self, number: int) -> np.ndarray:
        """A case's true fields on the whole domain, shape (variable, y, x), float64."""
        return truth_of(self.case(number))

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """The true fields of all cases, ``size`` cases at once, shape (case, variable, y, x)."""
        for start in range(0, len(self.numbers), size):
            yield np.stack([self.truth(number) for number in self.numbers[start : start + size]])


def truth_of(case: Case) -> np.ndarray:
    """The true fields of a case, shape (variable, y, x), float64."""
    return np.stack([case.truth[name] for name in VARIABLES]).astype(np.float64)


def best_linear(training: TrainingCases, indirect: IndirectTypes, shape: tuple[int, int]) -> BestLinear:
    """Optimal interpolation, learnt.

    Args:
        training: the cases; indirect: what the indirect types of the cases to be analysed are; shape: of their plane.

    Raises:
        ConfigError: the training cases are of another plane or of a part of it.
        InputError: they are of other types.
    """
    require_plane(training.cases.contents.domain, shape, "training", "the cases to be analysed")
    own = getattr(getattr(training.cases, "law", None), "indirect", None)
    if own != indirect:
        reader = getattr(training.cases, "reader", None)
        raise InputError(
            f"training: {reader.path if reader else 'its cases'}: expected the indirect types {indirect} of the cases"
            f" to be analysed, got {own or 'none'}. Name the training set of that regime."
        )
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
    cases = [(truth_of(case), columns_of(case, TYPES)) for case in map(training.case, chosen)]
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
                if not (value := error(tried)) < best:
                    break
                factors, best = tried, value
            if best < first:
                break
    return factors


def as_method(method: BestLinear | Variational, name: str) -> PlaneMethod:
    """An estimated method as one for cases of shallow water; logs what it learnt of the observation errors."""
    factors = ", ".join(f"{kind} {factor:g}" for kind, factor in zip(TYPES, method.inflation, strict=True))
    log.info("%s: factors on R: %s", name, factors)
    return PlaneMethod(VARIABLES, lambda case: method.analyse(*columns_of(case, TYPES)))
