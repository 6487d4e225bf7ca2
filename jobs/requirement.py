"""The section ``require:``: what an analysis or a verification must rest on, or the run ends with exit code 4."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mlrtma_dist.fields.fallback import rests_on_climatology
from mlrtma_dist.methods.case import Case
from mlrtma_dist.names import VARIABLES

TOO_FEW = 4  # exit code


@dataclass(frozen=True)
class Requirement:
    """The section ``require:`` of a configuration.

    Attributes:
        observations: number of reports, of all variables together, that the analysis of each time must use, or that
            must be verified of each time; 0: none; null: a time of which nothing but climatology is known falls short.
        variables: variable -> number of reports of it alone.
    """

    observations: int | None = None
    variables: dict[str, int] = field(default_factory=dict)

    def __post_init__(self):
        unknown = [name for name in self.variables if name not in VARIABLES]
        if unknown:
            raise ValueError(f"require: variables: expected some of {', '.join(VARIABLES)}, got {', '.join(unknown)}")
        if min(self.observations or 0, *self.variables.values(), 0) < 0:
            raise ValueError(f"require: expected numbers of reports >= 0, got {self.observations} and {self.variables}")

    def shortfalls(self, counts: Mapping[str, int], where: str, verb: str) -> list[str]:
        """What falls short of the numbers, a sentence each.

        Args:
            counts: variable -> number of reports.
            where: domain and time; verb: what the reports are: "used", "verified".
        """
        lines = [
            f"{where}: {counts.get(name, 0)} reports of {name} are {verb}, {least} are required (require.variables)"
            for name, least in self.variables.items()
            if counts.get(name, 0) < least
        ]
        total = sum(counts.values())
        if total < (self.observations or 0):
            lines.append(
                f"{where}: {total} reports are {verb}, {self.observations} are required (require.observations)"
            )
        return lines

    def shortfalls_of(self, case: Case, variables: tuple[str, ...]) -> list[str]:
        """What falls short in the analysis of a case, a sentence each."""
        names = case.observations.variable[case.used]
        counts = {name: int(np.count_nonzero(names == name)) for name in variables}
        where = f"{case.domain.name} {str(case.time)[:16]}"
        lines = self.shortfalls(counts, where, "used")
        if self.observations is None and all(rests_on_climatology(case.first_guess, name) for name in variables):
            lines.append(
                f"{where}: the analysis is climatology alone: no report is used and there is no background"
                " (--require-observations 0 accepts it)"
            )
        return lines
