"""Analysed cases: the background of every case is an analysis of its reports, with its error, by a method.

What a network learns from them is how the truth departs from analyses. The error that an analysis expects is scaled in
every case so that the departures of the truth from it have the deviation one in its unit: how large errors are follows
from the analysis of the hour that a network is used on, not from the cases that it learnt from.
"""

from dataclasses import dataclass, replace

import numpy as np

from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.about_analysis import about_analysis
from mlrtma_dist.methods.case import Case, Cases, Contents
from mlrtma_dist.methods.method import Method
from mlrtma_dist.methods.regression_guess import on_regression
from mlrtma_dist.observations.table import Observations


@dataclass(frozen=True)
class Analysis:
    """The section ``analysis:`` of cases: the background is an analysis of the reports.

    Attributes:
        method: of the registry, without weights, that knows its error.
        shares: of the stations that the analysis uses, one after the other from case to case; the reports of the others
            are left out of the case.
        seed: by which stations are chosen.
    """

    method: str = "threedvar"
    shares: tuple[float, ...] = (1.0,)
    seed: int = 0

    def __post_init__(self):
        if not self.shares or not all(0.0 < share <= 1.0 for share in self.shares) or self.seed < 0:
            raise ValueError(
                f"analysis: expected shares above 0 and up to 1, and seed >= 0, got {self.shares} and {self.seed}"
            )


@dataclass(frozen=True)
class Analysed:
    """The cases of a source about their analyses (`methods.case.Cases`).

    Attributes:
        source: of the cases, whose truth is known; section: how they are analysed; method: that does it.
            It begins with a regression on the reports, as hours without a background do.
    """

    source: Cases
    section: Analysis
    method: Method

    @property
    def contents(self) -> Contents:
        """What every case holds."""
        return replace(self.source.contents, background=True, error=True)

    @property
    def time(self) -> np.ndarray:
        """UTC of every case, datetime64[s], shape (case,)."""
        return self.source.time

    def reports(self, number: int) -> Observations:
        """The reports of a case, n rows."""
        return self.source.reports(number)

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """A case on a box with the reports of the whole domain; see `methods.case.Cases.case`.

        The analysis is that of the whole domain, whatever the box.
        """
        source = self.source.case(number, Box.whole(self.contents.domain.shape), withheld)
        source = self._thinned(source, number)
        names = self.contents.variables
        case = about_analysis(on_regression(source, names), self.method, self.section.method, names)
        cut = {
            name: {each: field[box.slices] for each, field in fields.items()}
            for name, fields in (
                ("background", case.background),
                ("background_error", self._scaled(case, source)),
                ("truth", source.truth or {}),
            )
        }
        return replace(case, box=box, variables=source.variables, **cut)

    def case_of_tile(self, number: int, box: Box) -> Case:
        """The same: a writer takes the reports that its box owns."""
        return self.case(number, box)

    def _thinned(self, case: Case, number: int) -> Case:
        """The case with the reports of the share of the stations that its number has."""
        share = self.section.shares[number % len(self.section.shares)]
        stations = case.station_number.max(initial=-1) + 1
        random = np.random.default_rng((self.section.seed, number))
        chosen = np.zeros(stations, dtype=bool)
        chosen[random.permutation(stations)[: max(1, round(share * stations))]] = True
        rows = chosen[case.station_number]
        place = None if case.place is None else case.place[rows]
        return replace(
            case, observations=case.observations[rows], used=case.used[rows], withheld=case.withheld[rows], place=place
        )

    @staticmethod
    def _scaled(case: Case, source: Case) -> dict[str, np.ndarray]:
        """The errors of the analysis in the size that the truth's departures from it have."""
        if source.truth is None:
            return case.background_error
        scaled = {}
        for name, error in case.background_error.items():
            departure = (source.truth[name] - case.background[name]) / error
            scaled[name] = error * np.sqrt(np.nanmean(departure**2, dtype=np.float64)).astype(np.float32)
        return scaled
