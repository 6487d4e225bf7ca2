"""The answer of a method that gives members: their mean is the analysis, their deviation its error.

The members are held once, on the box and one point around it, and everything else is computed of them where it is
wanted, some rows at a time.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from mlrtma_dist import names
from mlrtma_dist.fields.consistency import make_consistent
from mlrtma_dist.grid.points import Points
from mlrtma_dist.grid.rim import Rim
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.ensemble_fields import by_rows
from mlrtma_dist.methods.events import gaussian_below
from mlrtma_dist.methods.learned import GridAnswer
from mlrtma_dist.methods.method import ALONE, Fields, Share
from mlrtma_dist.methods.team import ALONE_IN_TEAM, Team
from mlrtma_dist.nn.neighbourhood import Alone, Neighbourhood

Batch = tuple[range, Mapping[str, np.ndarray]]  # numbers of members, and variable -> fields (member, y, x), SI
INNER = (..., slice(1, -1), slice(1, -1))  # the box without the points around it


@dataclass(frozen=True)
class EnsembleAnswer:
    """Members of an analysis on the case's box (`methods.method.Answer`).

    Attributes:
        mean: their mean.
        around: variable -> each of them on the box and one point around it, SI, float32 (member, y + 2, x + 2).
        background: variable -> first guess there, SI (y + 2, x + 2); empty: there is none.
        observation_error: standard deviation assumed of each report, analysis space, NaN where not used, shape (n,).
        first_guess: variable -> first guess on the box that `fields` gives; None: the background.
    """

    mean: GridAnswer
    around: dict[str, np.ndarray]
    background: dict[str, np.ndarray]
    observation_error: np.ndarray
    first_guess: Mapping[str, np.ndarray] | None = None
    everywhere = False

    @classmethod
    def of(
        cls,
        case: Case,
        count: int,
        batches: Iterable[Batch],
        observation_error: np.ndarray,
        neighbourhood: Neighbourhood | None,
        team: Team = ALONE_IN_TEAM,
        first_guess: Mapping[str, np.ndarray] | None = None,
    ) -> "EnsembleAnswer":
        """The answer of members that are made consistent. Collective among the tiles and the team.

        Args:
            case: that is analysed on this rank's tile; of the answer's case the box is this rank's rows of it.
            count: of members; batches: those of this rank, as many batches on every rank of the team.
            first_guess: on the case's box, where it is another than the background that members depart from.
        """
        here = neighbourhood or Alone(case.domain.shape, (case.domain.periodic,) * 2)
        boxes = team.boxes(case.box)
        box = boxes[team.number]
        shape = (count, box.shape[0] + 2, box.shape[1] + 2)
        around: dict[str, np.ndarray] = {}
        for numbers, fields in batches:
            around = around or {name: np.empty(shape, np.float32) for name in fields}
            for received, part in team.scatter(numbers, _padded_members(here, fields), boxes, 1):
                for index, own in enumerate(around.values()):
                    own[received.start : received.stop] = part[:, index]
        for number in range(count):  # one at a time: no second copy of all
            make_consistent({name: each[number] for name, each in around.items()}, case.reported)
        background = {}
        if case.first_guess is not None:
            fields = np.stack([np.asarray(case.background_of(name), np.float32) for name in around])
            rows = slice(box.y0 - case.box.y0, box.y1 - case.box.y0 + 2)
            background = dict(zip(around, _padded(here, fields[None])[0][:, rows], strict=True))
        own_case = _on_rows(case, box)
        mean = {name: each.mean(0, dtype=np.float64).astype(np.float32) for name, each in around.items()}
        increments = {name: _increment(name, each, background) for name, each in mean.items()}
        of_mean = GridAnswer(own_case, {name: each[INNER] for name, each in mean.items()}, increments)
        rows = slice(box.y0 - case.box.y0, box.y1 - case.box.y0)
        before = None
        if first_guess is not None:  # a network's analysis has none
            before = {name: first_guess[name][rows] for name in around if name in first_guess}
        return cls(of_mean, around, background, observation_error, before)

    @property
    def case(self) -> Case:
        """What was analysed, on the box of the answer."""
        return self.mean.case

    @property
    def count(self) -> int:
        """Number of members."""
        return len(next(iter(self.around.values())))

    @property
    def variables(self) -> tuple[str, ...]:
        """The analysed variables."""
        return self.mean.variables

    @property
    def weight(self) -> np.ndarray:
        """One for each used report of an analysed variable, NaN for the others, shape (n,)."""
        return self.mean.weight

    @cached_property
    def members(self) -> dict[str, np.ndarray]:
        """Variable -> every member on the box, SI, float32 (member, y, x); no copy."""
        return {name: each[INNER] for name, each in self.around.items()}

    @cached_property
    def error(self) -> dict[str, np.ndarray]:
        """Variable -> standard deviation of the members, SI, float32 (y, x)."""
        return {name: by_rows(lambda part: part.std(0, ddof=1), each) for name, each in self.members.items()}

    def fields(self, share: Share = ALONE, progress: Callable[[str, float], None] = lambda name, part: None) -> Fields:
        """Mean, first guess and error on the box."""
        fields = self.mean.fields(share, progress)
        first_guess = fields.first_guess if self.first_guess is None else dict(self.first_guess)
        return Fields(fields.values, first_guess, self.error)

    def members_of(self, fields: Fields, share: Share = ALONE) -> dict[str, np.ndarray]:
        """The members on the box; see `methods.method.Answer`."""
        return self.members

    def members_at(self, variable: str, points: Points) -> np.ndarray:
        """Every member at points, analysis space, shape (member, m)."""
        believed, places = self.mean.believed(variable, points), self.mean.places(points)
        values = []
        for member in self.around[variable]:
            one = replace(self.mean, around={variable: _increment(variable, member, self.background)})
            values.append(believed + one.increment(variable, places))
        return np.stack(values)

    def below(self, variable: str, points: Points, limits: np.ndarray) -> np.ndarray:
        """Probability that a report would lie below limits, analysis space, shape (m, k); see `events.below`.

        Every member has the Gaussian error that is assumed of reports of the variable.
        """
        rows = self.case.observations.variable == variable
        error = np.nanmedian(self.observation_error[rows]) if np.isfinite(self.observation_error[rows]).any() else 0.0
        members = self.members_at(variable, points)
        return np.mean([gaussian_below(each, np.full(len(points), error), limits) for each in members], axis=0)

    def at(self, variable: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Mean of the members and their standard deviation at points, analysis space, shape (m,) each."""
        return self.mean.at(variable, points)[0], self.members_at(variable, points).std(0, ddof=1)


def _padded(here: Neighbourhood, fields: np.ndarray) -> np.ndarray:
    """Fields (a, b, y, x) of the tile with one point around it."""
    return here.rim(torch.from_numpy(fields), Rim.around(1, 1), "replicate").numpy()


def _padded_members(here: Neighbourhood, fields: Mapping[str, np.ndarray]) -> np.ndarray:
    """Members of every variable with one point around the tile, float32 (member, variable, y + 2, x + 2)."""
    stacked = np.stack([np.asarray(each, np.float32) for each in fields.values()], 1)
    if not len(stacked):  # a rank that has drawn all of its members
        return np.empty((*stacked.shape[:2], stacked.shape[2] + 2, stacked.shape[3] + 2), np.float32)
    return _padded(here, stacked)


def _increment(name: str, values: np.ndarray, background: Mapping[str, np.ndarray]) -> np.ndarray:
    """Values minus first guess in analysis space, or the values where there is no first guess, float32."""
    value = names.to_analysis(name, values)
    if name in background:
        value = value - names.to_analysis(name, background[name])
    return np.asarray(value, np.float32)


def _on_rows(case: Case, box) -> Case:
    """A case on some rows of its box."""
    if box == case.box:
        return case
    rows = slice(box.y0 - case.box.y0, box.y1 - case.box.y0)
    background = {name: field[rows] for name, field in case.background.items()}
    truth = None if case.truth is None else {name: field[rows] for name, field in case.truth.items()}
    return replace(case, box=box, background=background, truth=truth)
