"""A case whose background is an analysis of its reports: what another method gives, with the error that it expects.

The reports enter by that analysis and must not be used again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.method import Answer, Method

if TYPE_CHECKING:  # a classical analysis needs no torch
    from mlrtma_dist.nn.neighbourhood import Neighbourhood


@dataclass(frozen=True)
class AnalysisGuess:
    """An analysis as a first guess (`fields.first_guess.FirstGuess`).

    Attributes:
        answer: the analysis; name: for provenance.
        before: variable -> the first guess of the analysis itself on the case's box, SI (y, x).
    """

    answer: Answer
    name: str
    before: dict[str, np.ndarray]

    def mean(self, variable: str, points: Points) -> np.ndarray:
        """The analysis in analysis space, shape (n,); NaN of a variable that is not analysed."""
        return self._at(variable, points)[0]

    def spread(self, variable: str, points: Points) -> np.ndarray:
        """The error that it expects, analysis space, shape (n,)."""
        return self._at(variable, points)[1]

    def _at(self, variable: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        if variable in self.answer.variables:
            return self.answer.at(variable, points)
        nothing = np.full(len(points), np.nan)
        return nothing, nothing


def about_analysis(
    case: Case, method: Method, name: str, variables: Iterable[str], neighbourhood: "Neighbourhood | None" = None
) -> Case:
    """The case with the analysis of its reports by a method as background.

    Args:
        method: that analyses; name: of it.
        variables: that are needed.
        neighbourhood: of the case's box; None: the box is the domain.

    Raises:
        InputError: the method does not analyse a variable, or does not say how large the error is.
    """
    answer = method.analyse(case, neighbourhood)
    fields, needed = answer.fields(), tuple(variables)
    absent = [each for each in needed if each not in fields.values]
    if absent:
        raise InputError(
            f"variables: members are drawn of {', '.join(needed)} together, but the analysis by {name} of the case of"
            f" {case.time} has no {', '.join(absent)}: analyse them, too, by naming them or no variables at all, or"
            " give their reports"
        )
    missing = [each for each in needed if not np.all(fields.error.get(each, np.nan) > 0.0)]
    if missing:
        raise InputError(
            f"method {name} gives no analysis with its error of {', '.join(missing)} for the case of {case.time}:"
            " set diffusion.about to a method that does, such as threedvar"
        )
    return replace(
        case,
        first_guess=AnalysisGuess(answer, f"analysis by {name}", fields.first_guess),
        background={each: fields.values[each] for each in needed},
        background_error={each: fields.error[each] for each in needed},
    )
