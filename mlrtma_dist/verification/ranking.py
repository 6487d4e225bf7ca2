"""Ranking: which methods err least at the same stations beyond what chance explains, and which are one line."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.scores import Difference, Score, paired_difference, rmse

# Share of the rmse by which predictions may differ, in the root mean square, that are one line in a figure. OI and
# 3D-Var differ by 0 to 0.08 on most variables, and their rmse by elevation by 1.6 % at most, two widths of a line;
# pressure without a background differs by 0.18 and 17 %, other methods by 0.2 to 1.
ONE_LINE = 0.1


@dataclass(frozen=True)
class Ranking:
    """The methods of one variable by their rmse.

    Attributes:
        scores: of all stations, the least rmse first.
        differences: method -> its rmse minus the least one; all but the first have one.
    """

    scores: Sequence[Score]
    differences: dict[str, Difference]

    @classmethod
    def of(cls, matches: Matches, scores: Sequence[Score], clusters: np.ndarray) -> "Ranking":
        """Rank methods.

        Args:
            matches: scored rows of one variable.
            scores: of all stations, those without an observation left out.
            clusters: what the bootstrap draws, shape (n,).
        """
        order = sorted(scores, key=lambda row: row.rmse)
        return cls(
            order,
            {
                row.method: paired_difference(matches, row.method, order[0].method, clusters=clusters)
                for row in order[1:]
            },
        )

    @property
    def decided(self) -> bool:
        """Whether there are enough stations to tell methods apart."""
        return all(math.isfinite(difference.lower) for difference in self.differences.values())

    @property
    def best(self) -> tuple[str, ...]:
        """The method of the least rmse and those that are not clearly worse; of too few stations the first alone."""
        first = self.scores[0].method
        if not self.decided:
            return (first,)
        return (first, *(method for method, difference in self.differences.items() if not difference.significant))


@dataclass(frozen=True)
class Standing:
    """How a method does over several variables.

    Attributes:
        method: its name.
        best: number of variables in which it is among the best (`Ranking.best`); variables: number with a score of it.
        excess: geometric mean of its rmse over the least one of each variable, minus 1.
    """

    method: str
    best: int
    variables: int
    excess: float


def standings(rankings: Iterable[Ranking]) -> list[Standing]:
    """The methods over several variables, the most often best first, of equals the one that errs least on average."""
    rankings = list(rankings)
    rows = []
    for method in dict.fromkeys(row.method for ranking in rankings for row in ranking.scores):
        own = [(row, ranking) for ranking in rankings for row in ranking.scores if row.method == method]
        ratios = [row.rmse / ranking.scores[0].rmse for row, ranking in own if ranking.scores[0].rmse > 0]
        excess = float(np.exp(np.mean(np.log(ratios)))) - 1.0 if ratios else 0.0
        rows.append(Standing(method, sum(method in ranking.best for _, ranking in own), len(own), excess))
    return sorted(rows, key=lambda row: (-row.best, row.excess))


def alike(matches: Matches, methods: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Methods whose predictions are one line in a figure.

    Args:
        matches: scored rows of one variable.
        methods: in their order.

    Returns:
        The first method of each group -> the methods of the group, in their order.
    """
    groups: dict[str, tuple[str, ...]] = {}
    rows = {method: matches.select(method=method) for method in methods}
    for method in methods:
        same = next((first for first in groups if _same(rows[first], rows[method])), method)
        groups[same] = (*groups.get(same, ()), method)
    return groups


def _same(one: Matches, other: Matches) -> bool:
    """Whether two methods predict alike at the same observations, which stand in one order."""
    if len(one) != len(other) or not np.array_equal(one.station, other.station):
        return False
    return rmse(one.prediction - other.prediction) <= ONE_LINE * rmse(one.error)
