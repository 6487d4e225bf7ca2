"""The answer of a method that gives members: their mean is the analysis, their deviation its error."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlrtma_dist.fields.consistency import make_consistent
from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.learned import GridAnswer
from mlrtma_dist.methods.method import ALONE, Fields, Share
from mlrtma_dist.nn.neighbourhood import Neighbourhood


@dataclass(frozen=True)
class EnsembleAnswer:
    """Members of an analysis on the case's box (`methods.method.Answer`).

    Attributes:
        mean: their mean.
        members: each of them.
        observation_error: standard deviation assumed of each report, analysis space, NaN where not used, shape (n,).
    """

    mean: GridAnswer
    members: tuple[GridAnswer, ...]
    observation_error: np.ndarray
    everywhere = False

    @classmethod
    def of(
        cls,
        case: Case,
        members: dict[str, np.ndarray],
        observation_error: np.ndarray,
        neighbourhood: Neighbourhood | None,
    ) -> "EnsembleAnswer":
        """The answer of members (member, y, x) of each variable, SI, made consistent. Collective among the tiles."""
        members = {name: each.copy() for name, each in members.items()}
        make_consistent(members, case.reported)
        mean = {name: each.mean(0, dtype=np.float64).astype(np.float32) for name, each in members.items()}
        count = len(next(iter(members.values())))
        each = [{name: fields[number] for name, fields in members.items()} for number in range(count)]
        of_mean, *of_members = GridAnswer.of_each(case, [mean, *each], neighbourhood)
        return cls(of_mean, tuple(of_members), observation_error)

    @property
    def variables(self) -> tuple[str, ...]:
        """The analysed variables."""
        return self.mean.variables

    @property
    def weight(self) -> np.ndarray:
        """One for each used report of an analysed variable, NaN for the others, shape (n,)."""
        return self.mean.weight

    @cached_property
    def error(self) -> dict[str, np.ndarray]:
        """Variable -> standard deviation of the members, SI, float32 (y, x)."""
        stacked = {name: np.stack([each.values[name] for each in self.members]) for name in self.variables}
        return {name: fields.std(0, ddof=1) for name, fields in stacked.items()}

    def fields(self, share: Share = ALONE, progress: Callable[[str, float], None] = lambda name, part: None) -> Fields:
        """Mean, first guess and error on the box."""
        fields = self.mean.fields(share, progress)
        return Fields(fields.values, fields.first_guess, self.error)

    def members_at(self, variable: str, points: Points) -> np.ndarray:
        """Every member at points, analysis space, shape (member, m)."""
        believed, places = self.mean.believed(variable, points), self.mean.places(points)
        return np.stack([believed + each.increment(variable, places) for each in self.members])

    def at(self, variable: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Mean of the members and their standard deviation at points, analysis space, shape (m,) each."""
        return self.mean.at(variable, points)[0], self.members_at(variable, points).std(0, ddof=1)
