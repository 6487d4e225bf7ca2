"""The section ``training:``: the cases that methods estimate covariances from."""

from dataclasses import dataclass

from mlrtma_dist import clock
from mlrtma_dist.samples.sources import CasesSection


@dataclass(frozen=True)
class TrainingCasesSection:
    """The section ``training:``, cases that methods estimate covariances from.

    Attributes:
        cases: their source, as in the section ``cases:``.
        before: date, UTC; cases from it on are not used; null: all are.
    """

    cases: CasesSection
    before: str | None = None

    def __post_init__(self):
        if self.before is not None:
            clock.parse_time(self.before)
