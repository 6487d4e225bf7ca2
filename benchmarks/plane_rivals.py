"""3D-Var and LETKF on a periodic plane, and their tuning on cases that no score is reported for.

3D-Var solves its linear problem exactly, as optimal interpolation does (`methods.best_linear`), with covariances that
are averaged over some hundred cases. LETKF (`methods.letkf`) is given members of the very prior of the case; its
localisation is by the distance on the plane, which closes on itself.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.points import Points, plane_points
from mlrtma_dist.linalg.cross_spectral import CrossCovariance
from mlrtma_dist.linalg.localisation import gaspari_cohn
from mlrtma_dist.methods.letkf import LETKF
from mlrtma_dist.verification.crps import crps_ensemble, crps_gaussian

FACTORS = np.geomspace(0.25, 4.0, 33)  # of the deviation of a case's background error


@dataclass(frozen=True)
class Problem:
    """A case as the classical methods have it.

    Attributes:
        domain: the plane.
        truth: shape (variable, y, x); background: the same, the first guess of 3D-Var.
        places: grid points (y, x), integers of shape (n, 2); value, error: of the reports, shape (n,).
        members: of the prior, shape (member, variable, y, x); equivalents: of each at the reports, (member, n).
    """

    domain: Domain
    truth: np.ndarray
    background: np.ndarray
    places: np.ndarray
    value: np.ndarray
    error: np.ndarray
    members: np.ndarray
    equivalents: np.ndarray

    def first(self, count: int) -> "Problem":
        """The same with so many members."""
        return replace(self, members=self.members[:count], equivalents=self.equivalents[:count])


@dataclass(frozen=True)
class Estimate:
    """What a method says of the truth.

    Attributes:
        mean: shape (variable, y, x); deviation: of a Gaussian about it, the same shape; None: members say it.
        members: shape (member, variable, y, x); None: it is a Gaussian.
    """

    mean: np.ndarray
    deviation: np.ndarray | None = None
    members: np.ndarray | None = None

    @classmethod
    def of(cls, members: np.ndarray) -> "Estimate":
        """That of members."""
        return cls(members.mean(0), members=members)

    def thinned(self, step: int) -> "Estimate":
        """Members at every ``step``-th point of rows and columns."""
        return Estimate.of(self.members[..., ::step, ::step])

    def scores(self, truth: np.ndarray) -> np.ndarray:
        """Means over the points of each variable: CRPS, square error of the mean, variance; shape (3, variable).

        The CRPS of members is the fair one, their mean's square error is divided by 1 + 1/M.
        """
        axes, square = (-2, -1), np.square(self.mean - truth)
        if self.members is None:
            crps = crps_gaussian(self.mean.ravel(), self.deviation.ravel(), truth.ravel()).reshape(truth.shape)
            return np.stack([each.mean(axes) for each in (crps, square, np.square(self.deviation))])
        count = len(self.members)
        crps = crps_ensemble(self.members.reshape(count, -1), truth.ravel(), fair=True).reshape(truth.shape)
        parts = crps, square / (1.0 + 1.0 / count), self.members.var(0, ddof=1)
        return np.stack([each.mean(axes) for each in parts])


@dataclass(frozen=True)
class OnTorus:
    """Localisation (`linalg.localisation`) by the distance on a plane of ``size`` points that closes on itself.

    Attributes:
        reach: grid points from which on nothing is shared. ``radius``: every station is looked at.
    """

    reach: float
    size: int
    radius = 1e9

    def matrix(self, p: Points, q: Points) -> np.ndarray:
        """Shape (len(p), len(q)), in [0, 1]."""
        offset = np.abs(p.position[:, None, :2] - q.position[None, :, :2])
        offset = np.minimum(offset, self.size - offset)
        return gaspari_cohn(np.hypot(*np.moveaxis(offset, -1, 0)) / self.reach)


@dataclass(frozen=True)
class Filter:
    """LETKF on a plane of spacing one.

    Attributes:
        reach: of the localisation, grid points.
        inflation: of the background variance; error_factor: on the observation errors; relaxation: to the prior spread.
    """

    reach: float = 16.0
    inflation: float = 1.0
    error_factor: float = 1.0
    relaxation: float = 0.0

    def analyse(self, problem: Problem, thinned: int = 1) -> Estimate:
        """Members of the analysis, at every ``thinned``-th point of a row and column."""
        domain = replace(problem.domain, spacing=1.0)
        rows, columns = (np.arange(0, size, thinned) for size in domain.shape)
        targets = plane_points(domain, np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2))
        stations = plane_points(domain, problem.places)
        mean = problem.equivalents.mean(0)
        fields = problem.members[:, :, ::thinned, ::thinned]
        analysed = np.empty_like(fields)
        for variable in range(fields.shape[1]):
            prior = fields[:, variable].reshape(len(fields), -1)

            def perturbations(points: Points, prior=prior) -> np.ndarray:
                of = problem.equivalents if points is stations else prior
                return of - of.mean(0)

            method = LETKF(
                perturbations,
                OnTorus(self.reach, domain.shape[0]),
                inflation=self.inflation,
                error_factor=self.error_factor,
                relaxation=self.relaxation,
            )
            fit = method.fit(stations, problem.value - mean, problem.error)
            members = prior.mean(0) + fit.increment(targets) + fit.members(targets)
            analysed[:, variable] = members.reshape(fields.shape[0], *fields.shape[2:])
        return Estimate.of(analysed)


@dataclass(frozen=True)
class ThreeDVar:
    """3D-Var of one variable.

    Attributes:
        covariance: mean and covariance of the errors of each first guess, by its name.
        guess: which first guess it takes: the background, or the mean of the members.
        inflation: factor on R; spread: on the expected error.
        each_case: scale B to the reports of each case by maximum likelihood.
    """

    covariance: Mapping[str, CrossCovariance]
    guess: str = "background"
    inflation: float = 1.0
    each_case: bool = True
    spread: float = 1.0

    def analyse(self, problem: Problem) -> Estimate:
        """The analysis and its expected error."""
        covariance, first = self.covariance[self.guess], first_guesses(problem)[self.guess][0]
        kinds = np.zeros(len(problem.value), np.int64)
        everywhere = np.argwhere(np.ones(first.shape, bool))
        across = covariance.between(everywhere, np.zeros(len(everywhere), np.int64), problem.places, kinds)
        matrix = covariance.between(problem.places, kinds, problem.places, kinds)
        variance = self.inflation * problem.error**2
        departure = problem.value - first[tuple(problem.places.T)] - covariance.mean[0]
        scale = best_factor(matrix, variance, departure) ** 2 if self.each_case else 1.0
        solver = cho_factor(scale * matrix + np.diag(variance), lower=True)
        mean = first + covariance.mean[0] + scale * (across @ cho_solve(solver, departure)).reshape(first.shape)
        left = scale * covariance.rows[0, 0, 0, 0] - scale**2 * (across * cho_solve(solver, across.T).T).sum(1)
        deviation = self.spread * np.sqrt(left.clip(min=0.0)).reshape(first.shape)
        return Estimate(mean[None], deviation[None])


def first_guesses(problem: Problem) -> dict[str, np.ndarray]:
    """First guesses by name, shape (variable, y, x)."""
    return {"background": problem.background, "mean of members": problem.members.mean(0)}


def best_factor(matrix: np.ndarray, variance: np.ndarray, departure: np.ndarray) -> float:
    """The factor f that makes departures (n,) of covariance f^2 H B H^T + R most likely, of ``FACTORS``."""
    root = np.sqrt(variance)
    values, vectors = np.linalg.eigh(matrix / (root[:, None] * root))
    squares = np.square(vectors.T @ (departure / root))
    expected = 1.0 + FACTORS[:, None] ** 2 * values.clip(min=0.0)
    return float(FACTORS[np.argmax(-(np.log(expected) + squares / expected).sum(1))])


def estimated(problems: Iterable[Problem]) -> dict[str, CrossCovariance]:
    """Mean and covariance of the errors of each first guess, over cases."""
    errors: dict[str, list[np.ndarray]] = {}
    for problem in problems:
        for name, guess in first_guesses(problem).items():
            errors.setdefault(name, []).append(problem.truth - guess)
    return {name: CrossCovariance.estimate([np.stack(each)]) for name, each in errors.items()}


def crps(analyse: Callable[[Problem], Estimate], problems: list[Problem], thinned: int = 1) -> float:
    """Mean CRPS of estimates at every ``thinned``-th point, each variable over its deviation."""
    truths = [problem.truth[:, ::thinned, ::thinned] for problem in problems]
    scale = np.std(truths, axis=(0, 2, 3))
    scores = [analyse(problem).scores(truth)[0] / scale for problem, truth in zip(problems, truths, strict=True)]
    return float(np.mean(scores))


def tuned(method, choices: Mapping[str, tuple], crps: Callable[[object], float]):
    """The method with the settings of the least CRPS: the best value of one after the other, twice round.

    Args:
        choices: values of each setting; crps: of a method, over cases that no score is reported for.
    """
    costs: dict[tuple, float] = {}

    def cost(tried) -> float:
        key = tuple(getattr(tried, name) for name in choices)
        if key not in costs:
            costs[key] = crps(tried)
        return costs[key]

    for _ in range(2):
        for name, values in choices.items():
            method = min((replace(method, **{name: value}) for value in values), key=cost)
    return method


def best_filters(
    problems: list[Problem], choices: Mapping[str, tuple], counts: Iterable[int], thinned: int, scored: int = 1
) -> dict[str, tuple[Callable[[Problem], Estimate], int]]:
    """LETKF of so many members each, with the settings that suit some cases at every ``thinned``-th point best.

    Its analyses are of every ``scored``-th point.
    """
    filters = {}
    for count in counts:
        few = [problem.first(count) for problem in problems]
        best = tuned(
            Filter(), choices, lambda tried, few=few: crps(partial(tried.analyse, thinned=thinned), few, thinned)
        )
        print(f"LETKF of {count}: {', '.join(f'{name} {getattr(best, name)}' for name in choices)}", flush=True)
        filters[f"LETKF of {count}"] = (
            (lambda each, best=best, count=count: best.analyse(each.first(count), scored)),
            count,
        )
    return filters
