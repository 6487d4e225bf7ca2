"""Case: everything known of one time on one box of a domain. Whatever is analysed is a Case.

Hours of report files, archives, stores and simulated worlds are sources of cases (`Cases`); every method of
`methods.registry` analyses any case that has what the method declares that it needs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from mlrtma_dist import names
from mlrtma_dist.fields.ensemble import Ensemble
from mlrtma_dist.fields.first_guess import FirstGuess
from mlrtma_dist.fields.imagery import NO_IMAGERY, Imagery
from mlrtma_dist.fields.static import Static, grid_points, station_points
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.points import Points, plane_points
from mlrtma_dist.observations.reports import report_numbers
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.twins import twin_numbers


@dataclass(frozen=True)
class Contents:
    """What every case of a source holds.

    Attributes:
        domain: the grid.
        variables: names of what is analysed.
        units: of the variables, SI.
        observed: types of observation; with a background they are the variables.
        background: whether there is a gridded first guess of every variable.
        truth: whether the fields are known.
        error: whether there is a field of the error of every first guess, too.
        boxes: whether every case is a box in another place of a larger domain; none is then the state before another.
        imagery: names of the channels that cases may have; imagery_units: of the channels.
    """

    domain: Domain
    variables: tuple[str, ...]
    units: tuple[str, ...]
    observed: tuple[str, ...]
    background: bool
    truth: bool
    error: bool = False
    boxes: bool = False
    imagery: tuple[str, ...] = ()
    imagery_units: tuple[str, ...] = ()

    @property
    def unit_of(self) -> dict[str, str]:
        """The unit of each variable, in their order."""
        return dict(zip(self.variables, self.units, strict=True))

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields of a case at rest: backgrounds, their errors, truths, in the order of the variables."""
        parts = ("background",) * self.background + ("error",) * self.error + ("truth",) * self.truth
        return tuple(f"{part}_{name}" for part in parts for name in self.variables)


Before = Callable[[np.timedelta64], dict[str, np.ndarray] | None]


def no_earlier_state(lag: np.timedelta64) -> None:
    """The state before a case of a source without times that follow each other: none."""


@dataclass(frozen=True, eq=False)
class Case:
    """Everything known of one time on one box of a domain; numpy, SI.

    Attributes:
        static: terrain and land of the whole domain.
        box: the grid points that are to be analysed here.
        time: analysis time, UTC, datetime64[s].
        observations: judged reports with their flags, n rows, of the whole domain or of the box (see the source).
        used: mask of the reports that an analysis may use, shape (n,).
        withheld: mask of the reports by which the analysis is verified, shape (n,).
        first_guess: what is believed before the observations are used; None: nothing.
        place: grid coordinates (y, x) of the reports where their table has no latitude, shape (n, 2); None: they
            follow from latitude and longitude.
        members: of an ensemble; None: there is none.
        truth: variable -> field on the box, shape (y, x), SI; None where it is not known.
        background: variable -> first guess on the box, shape (y, x), SI, where the source holds it as fields; empty:
            the first guess is evaluated where it is wanted.
        background_error: variable -> standard deviation of the error of that field, shape (y, x), analysis space, where
            it is known; else empty.
        notes: what a reader of the product must know, one sentence each.
        variables: names of what is to be analysed; empty: everything that the method knows.
        units: of variables that are not in ``names.VARIABLES``.
        in_time: half width of the window of which methods in time use every report, the flag of time notwithstanding;
            None: that of all methods.
        imagery: named fields on the grid that are neither reports nor a first guess, such as a satellite's channels.
        before: the true fields of the source so long before ``time``, as ``truth``; None where it has none then.
        influence: how far earlier reports of each report's station have moved the first guess at its place, analysis
            space, shape (n,), where an analysis is the background; None: not known, or not at all.
    """

    static: Static
    box: Box
    time: np.datetime64
    observations: Observations
    used: np.ndarray
    withheld: np.ndarray
    first_guess: FirstGuess | None = None
    place: np.ndarray | None = None
    members: Ensemble | None = None
    truth: dict[str, np.ndarray] | None = None
    background: dict[str, np.ndarray] = field(default_factory=dict)
    background_error: dict[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict)
    in_time: np.timedelta64 | None = None
    imagery: Imagery = NO_IMAGERY
    before: Before = no_earlier_state
    influence: np.ndarray | None = None

    @property
    def domain(self) -> Domain:
        """The whole grid."""
        return self.static.domain

    @cached_property
    def points(self) -> Points:
        """Where the reports were made, n of them; latitude and longitude (0, 0) where a report has none."""
        table = self.observations
        if self.domain.is_plane:
            return plane_points(self.domain, self.grid_place)
        latitude, longitude = (np.where(np.isfinite(a), a, 0.0) for a in (table.latitude, table.longitude))
        return station_points(self.static, np.clip(latitude, -90.0, 90.0), longitude, table.elevation)

    @cached_property
    def grid_place(self) -> np.ndarray:
        """Grid coordinates (y, x) of the reports, shape (n, 2); NaN where a report has no position."""
        if self.place is not None:
            return self.place
        table = self.observations
        if not len(table):
            return np.empty((0, 2))
        return np.stack(self.domain.index(table.latitude, table.longitude), axis=1)

    @cached_property
    def value(self) -> np.ndarray:
        """Reports in analysis space, shape (n,)."""
        value = np.full(len(self.observations), np.nan)
        for name in np.unique(self.observations.variable):
            rows = self.observations.variable == name
            value[rows] = names.to_analysis(str(name), self.observations.value[rows])
        return value

    @cached_property
    def station_number(self) -> np.ndarray:
        """Number of the station of each report, one for all its names (`observations.twins`), shape (n,)."""
        return twin_numbers(self.observations)

    @cached_property
    def report_number(self) -> np.ndarray:
        """Number of the report to which each row belongs (`observations.reports`), shape (n,)."""
        return report_numbers(self.observations)

    @cached_property
    def reported(self) -> frozenset[str]:
        """Variables of which a report is used."""
        return frozenset(np.unique(self.observations.variable[self.used]).tolist())

    @cached_property
    def departure(self) -> np.ndarray:
        """Report minus first guess in analysis space, shape (n,)."""
        return self._from_first_guess[0]

    @cached_property
    def spread(self) -> np.ndarray:
        """Standard deviation of the first guess at the reports, analysis space, shape (n,)."""
        return self._from_first_guess[1]

    @cached_property
    def _from_first_guess(self) -> tuple[np.ndarray, np.ndarray]:
        if self.first_guess is None:
            return np.full(len(self.used), np.nan), np.zeros(len(self.used))
        return departures(self.first_guess, self.observations, self.points, self.value)

    def grid_points(self, rows=None, columns=None) -> Points:
        """The points of the box, or of the rows and columns of the domain that are given; see `static.grid_points`."""
        box_rows, box_columns = self.box.slices
        return grid_points(self.static, box_rows if rows is None else rows, box_columns if columns is None else columns)

    def background_of(self, variable: str) -> np.ndarray:
        """The first guess of a variable on the box, shape (y, x), SI; evaluated where the source holds no fields."""
        if variable in self.background:
            return self.background[variable]
        mean = self.first_guess.mean(variable, self.grid_points())
        return names.from_analysis(variable, mean).reshape(self.box.shape)


def departures(guess: FirstGuess, observations: Observations, points: Points, value: np.ndarray):
    """Departures from a first guess and its spread at reports, analysis space, shape (n,) each."""
    departure, spread = np.full(len(observations), np.nan), np.zeros(len(observations))
    for name in np.unique(observations.variable):
        rows = observations.variable == name
        departure[rows] = value[rows] - guess.mean(str(name), points[rows])
        spread[rows] = guess.spread(str(name), points[rows])
    return departure, spread


class Cases(Protocol):
    """A source of cases.

    Attributes:
        contents: what every case holds.
        time: UTC of every case, datetime64[s], shape (case,).
    """

    contents: Contents
    time: np.ndarray

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """A case on a box, with the reports of the whole domain.

        Args:
            number: of the case, 0 to ``len(time) - 1``.
            box: the grid points that are to be analysed.
            withheld: mask (n,) of the rows of `reports` that take no part; None: no report is withheld.
        """
        ...

    def reports(self, number: int) -> Observations:
        """The reports of a case before quality control, n rows: what is withheld is chosen from them."""
        ...
