"""Cases that are made of those of another source, one by one."""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.methods.case import Cases, Contents
from mlrtma_dist.observations.table import Observations


@dataclass(frozen=True)
class Derived:
    """What a source of cases (`methods.case.Cases`) takes over from the one that it is made of.

    Attributes:
        source: of the cases.
    """

    source: Cases

    @property
    def contents(self) -> Contents:
        """What every case holds."""
        return self.source.contents

    @property
    def time(self) -> np.ndarray:
        """UTC of every case, datetime64[s], shape (case,)."""
        return self.source.time

    @property
    def edge(self) -> int:
        """Points on a side of the source's chunks."""
        return getattr(self.source, "edge", 1)

    @property
    def law(self):
        """The simulated world that the cases come from; None: they are real."""
        return getattr(self.source, "law", None)

    @property
    def is_judged(self) -> bool:
        """Whether the source judges its reports itself."""
        return getattr(self.source, "is_judged", False)

    def reports(self, number: int) -> Observations:
        """The reports of a case before they are judged, n rows."""
        return self.source.reports(number)
