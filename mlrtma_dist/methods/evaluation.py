"""Evaluation of the fits of all variables on a block of the grid: what several of them need is evaluated once.

These are the points, the first guess, and the components that the covariances of several variables have in common:
those of wind, wind speed and gust, and of the limits of visibility and ceiling, differ in their variance alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np

from mlrtma_dist.fields.first_guess import FirstGuess, means
from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.mesh import Area
from mlrtma_dist.linalg.sources import JoinedSources, Sources, join
from mlrtma_dist.methods.departure_method import Fit, within
from mlrtma_dist.methods.events import at_limits
from mlrtma_dist.methods.indicators import IndicatorFit
from mlrtma_dist.methods.method import Fields
from mlrtma_dist.methods.wind import WIND, WindComponent
from mlrtma_dist.names import EVENTS, variable

Place = tuple[slice, slice]  # rows and columns of a field


@dataclass(frozen=True)
class Evaluation:
    """Variables that one fit gives together.

    Attributes:
        names: of the variables.
        fit: of the variable, or of the wind whose components they are.
    """

    names: tuple[str, ...]
    fit: Any

    @property
    def parts(self) -> tuple[Fit, ...]:
        """The fits of which the fit is made (see `departure_method.Fit`), or itself."""
        return getattr(self.fit, "parts", (self.fit,))

    def values(self, first: np.ndarray, increments: list[np.ndarray], points: Points) -> np.ndarray:
        """The analysis at n points, analysis space, shape (v, n); arguments as of ``write``."""
        if isinstance(self.fit, IndicatorFit):
            return self.fit.median(self.fit.distribution(first[0], increments))[None]
        whole = increments[0] if self.parts == (self.fit,) else self.fit.combined(points, first[0], increments)
        return first + whole.reshape(len(points), len(self.names)).T

    def write(
        self,
        first: np.ndarray,
        increments: list[np.ndarray],
        points: Points,
        fields: Fields,
        place: Place,
    ) -> None:
        """Write first guess, analysis and probabilities at n points in the fields.

        Args:
            first: first guess of each variable, analysis space, shape (v, n).
            increments: of the parts at the points.
            fields: that are written; place: of the points in them.
        """
        if isinstance(self.fit, IndicatorFit):
            (name,), below = self.names, self.fit.distribution(first[0], increments)
            values = self.fit.median(below)[None]
            limits = variable(name).to_analysis(np.array(EVENTS[name]))
            target = fields.probability[name][(slice(None), *place)]
            target[...] = at_limits(self.fit.edges, below, limits).T.reshape(target.shape)
        else:
            values = self.values(first, increments, points)
        for name, each, value in zip(self.names, first, values, strict=True):
            for target, column in ((fields.first_guess[name][place], each), (fields.values[name][place], value)):
                target[...] = variable(name).from_analysis(column).reshape(target.shape)


def evaluations(fits: dict[str, Fit]) -> list[Evaluation]:
    """What gives all variables, each once."""
    wind = fits.get(WIND[0])
    if not isinstance(wind, WindComponent):
        return [Evaluation((name,), fit) for name, fit in fits.items()]
    others = [Evaluation((name,), fit) for name, fit in fits.items() if name not in WIND]
    return [*others, Evaluation(WIND, wind.wind)]


@dataclass(frozen=True)
class JoinedEvaluation:
    """All variables.

    Attributes:
        members: the evaluations of the variables.
        joined: the increments of those of their parts that are fields of sources.
        alone: the other parts; None in the place of one that is joined.
    """

    members: tuple[Evaluation, ...]
    joined: JoinedSources
    alone: tuple[Fit | None, ...]

    @classmethod
    def of(cls, fits: dict[str, Fit]) -> "JoinedEvaluation":
        """The evaluation of fits."""
        members = tuple(evaluations(fits))
        parts = [part for each in members for part in each.parts]
        sources = [getattr(part, "sources", None) for part in parts]
        joined = join([each for each in sources if isinstance(each, Sources)])
        alone = (None if isinstance(each, Sources) else part for part, each in zip(parts, sources, strict=True))
        return cls(members, joined, tuple(alone))

    def within(self, area: Area) -> "JoinedEvaluation":
        """The evaluation made ready for an area; see `departure_method.within`."""
        alone = (None if part is None else within(part, area) for part in self.alone)
        return replace(self, joined=self.joined.within(area), alone=tuple(alone))

    def write(self, guess: FirstGuess, points: Points, fields: Fields, place: Place) -> None:
        """Write first guess, analysis and probabilities at the points of a ``place`` in the fields."""
        first = means(guess, tuple(fields.values), points)
        for each, own, increments in self._increments(first, points):
            each.write(own, increments, points, fields, place)

    def at(self, guess: FirstGuess, points: Points) -> dict[str, np.ndarray]:
        """The analysis of each variable at m points, analysis space, shape (m,), before variables limit each other."""
        first = means(guess, tuple(name for each in self.members for name in each.names), points)
        result: dict[str, np.ndarray] = {}
        for each, own, increments in self._increments(first, points):
            result |= zip(each.names, each.values(own, increments, points), strict=True)
        return result

    def _increments(self, first: Mapping[str, np.ndarray], points: Points) -> Iterator[tuple]:
        """Each evaluation, its first guess (v, n) of ``first``, and the increments of its parts at n points."""
        joined = iter(self.joined.at(points))
        increments = [next(joined) if part is None else part.increment(points) for part in self.alone]
        ends = accumulate(len(each.parts) for each in self.members)
        for each, end in zip(self.members, ends, strict=True):
            own = np.stack([first[name].astype(np.float64) for name in each.names])
            yield each, own, increments[end - len(each.parts) : end]
