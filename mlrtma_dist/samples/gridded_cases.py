"""Cases whose reports are points of gridded fields, and such points as labels beside the reports of another source.

Alone the section ``gridded:`` is a source of cases, of which training gives some points and takes others as targets: an
observing-system experiment on a real field. Beside ``reports:`` or ``archive:`` its points are targets alone
(``Flag.LABEL``), which no method is given and no score counts.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.derived import Derived
from mlrtma_dist.samples.gridded_reports import GriddedReports
from mlrtma_dist.samples.judgement import Assumptions, Judge


@dataclass(frozen=True)
class GriddedCases:
    """Times of gridded fields as cases whose reports are the fields' points (`methods.case.Cases`).

    Attributes:
        static: domain and terrain; section: what is read.
        assumptions: what quality control and the regression assume of each variable; their names are analysed.
    """

    static: Static
    section: GriddedReports
    assumptions: Assumptions
    is_judged = True

    @cached_property
    def time(self) -> np.ndarray:
        """Valid times of the fields, datetime64[s], shape (case,), ascending."""
        return np.array(list(self.section.files_at), "datetime64[s]")

    @property
    def contents(self) -> Contents:
        """What every case holds; the first guess is a regression on the reports."""
        names = tuple(self.assumptions)
        units = tuple(VARIABLES[name].unit for name in names)
        return Contents(self.static.domain, names, units, names, background=True, truth=False)

    def reports(self, number: int) -> Observations:
        """The reports of a case before they are judged, n rows."""
        if not self._last or self._last[0] != number:
            self._last[:] = [number, self.section.reports(self.static, self.time[number])]
        return self._last[1]

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """The case of a time; see `methods.case.Cases.case`."""
        judge = Judge(self.assumptions, np.timedelta64(0, "s"))
        return judge.case(self.static, self.time[number], self.reports(number), None, box, withheld=withheld)

    def case_of_tile(self, number: int, box: Box) -> Case:
        """The same with its first guess as fields on the box: what a store keeps."""
        case = self.case(number, box)
        return replace(case, background={name: case.background_of(name) for name in self.contents.variables})

    @cached_property
    def _last(self) -> list:
        """Number and reports of the case that was read last."""
        return []


@dataclass(frozen=True)
class Labelled(Derived):
    """A source whose cases have points of gridded fields as labels beside their reports (`methods.case.Cases`).

    Attributes:
        source: of the cases; section: the fields.
    """

    section: GriddedReports

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """A case with the labels of the whole domain behind its reports; see `methods.case.Cases.case`."""
        return self._with_labels(self.source.case(number, box, withheld), number)

    def case_of_tile(self, number: int, box: Box) -> Case:
        """The same with the source's fields: what a store keeps."""
        return self._with_labels(self.source.case_of_tile(number, box), number)

    def _with_labels(self, case: Case, number: int) -> Case:
        if not self._last or self._last[0] != number:
            names = self.contents.observed
            self._last[:] = [number, self.section.labels(case.static, self.time[number], names)]
        labels = self._last[1]
        neither = np.zeros(len(labels), dtype=bool)
        return replace(
            case,
            observations=Observations.concatenate([case.observations, labels]),
            used=np.concatenate([case.used, neither]),
            withheld=np.concatenate([case.withheld, neither]),
        )

    @cached_property
    def _last(self) -> list:
        """Number and labels of the case that was read last."""
        return []
