"""Method and Answer: what every way to make an analysis is asked, and what it answers.

A method analyses a `methods.case.Case`. Its answer can be evaluated on the case's box, and at any points: at a
station's own height exactly where the method can, else interpolated from the grid with the first guess's correction
for height. `methods.registry` names all methods.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case

if TYPE_CHECKING:  # a classical analysis needs no torch
    from mlrtma_dist.nn.neighbourhood import Neighbourhood


@dataclass(frozen=True)
class Share:
    """The part of one analysis that this rank computes, and how the parts of all ranks are summed.

    Attributes:
        number: of this rank among those that analyse the same case; count: of these ranks.
        total: sum of an array over them, element by element, the same on every rank; collective.
        threads: that this rank may use; 0: one per core.
    """

    number: int = 0
    count: int = 1
    total: Callable[[np.ndarray], np.ndarray] = lambda array: array
    threads: int = 0


ALONE = Share()


@dataclass(frozen=True)
class Fields:
    """An analysis on the box of a case.

    Attributes:
        values: variable -> analysis, SI, float32 (y, x).
        first_guess: variable -> first guess, SI, float32 (y, x); empty where the method has none.
        error: variable -> standard deviation of the analysis error in analysis space (natural logarithm for
            visibility and ceiling, else SI), float32 (y, x); empty where the method does not know it.
        probability: variable -> probability of a value below each of its limits (`names.EVENTS`), float32
            (limit, y, x), of the variables whose distribution the method analyses.
    """

    values: dict[str, np.ndarray]
    first_guess: dict[str, np.ndarray] = field(default_factory=dict)
    error: dict[str, np.ndarray] = field(default_factory=dict)
    probability: dict[str, np.ndarray] = field(default_factory=dict)


class Answer(Protocol):
    """An analysis of one case.

    An answer that has members also has ``members_of(fields, share)``: variable -> its members on the box, SI, float32
    (member, y, x), of the variables that have some, given the answer's fields. One whose error at points is theirs
    alone also has ``members_at(variable, points)``, analysis space, shape (member, m), and their number ``count``. One
    that evaluates all variables at once, whichever is asked for, has ``together`` true.

    Attributes:
        weight: weight of the variational quality control of each report in (0, 1], shape (n,), NaN where not used.
        observation_error: standard deviation assumed of each report, analysis space, shape (n,), NaN where not used.
        variables: that are analysed.
        everywhere: whether ``at`` answers at any point of the domain; else only at points that the box owns.
    """

    variables: tuple[str, ...]
    everywhere: bool
    weight: np.ndarray
    observation_error: np.ndarray

    def fields(self, share: Share = ALONE, progress: Callable[[str, float], None] = ...) -> Fields:
        """The analysis on the case's box. Collective over the ranks of ``share``.

        Args:
            share: the part of the work that is this rank's.
            progress: called with a variable's name and the share of its work done, in [0, 1].
        """
        ...

    def at(self, variable: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Analysis and standard deviation of its error at points, analysis space, shape (m,) each."""
        ...


class Method(Protocol):
    """A way to make an analysis."""

    def analyse(self, case: Case, neighbourhood: "Neighbourhood | None" = None) -> Answer:
        """Analyse a case.

        Args:
            case: reports, first guess and what else the registry says that the method needs.
            neighbourhood: of the box, which a network asks for a halo; None: the box is the domain.

        Raises:
            InputError: the case lacks what the method needs.
        """
        ...
