"""Judgement: quality control of the reports of one time, by themselves and against a first guess.

    reports -> flags (by themselves) -> first guess -> flags (against it, against neighbours) -> departures

Withheld stations take no part in any of this; they get flags and departures of their own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from mlrtma_dist import names
from mlrtma_dist.fields.ensemble import Ensemble
from mlrtma_dist.fields.fallback import Fallback
from mlrtma_dist.fields.first_guess import FirstGuess
from mlrtma_dist.fields.gridded import GriddedFirstGuess
from mlrtma_dist.fields.regression import fit_regression
from mlrtma_dist.fields.static import Static, grid_points, station_points
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case, Cases, departures
from mlrtma_dist.methods.settings import Assumption
from mlrtma_dist.methods.wind import WIND
from mlrtma_dist.observations.buddies import check_buddies
from mlrtma_dist.observations.departures import check_departures
from mlrtma_dist.observations.error_table import fill_errors
from mlrtma_dist.observations.own_influence import OwnInfluence
from mlrtma_dist.observations.quality import check_elevation, check_reports
from mlrtma_dist.observations.reports import wind_partner
from mlrtma_dist.observations.speeds import OF_WINDS, share_speed, with_speeds
from mlrtma_dist.observations.station_lists import NO_LISTS, StationLists
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.observations.twins import twin_numbers
from mlrtma_dist.samples.derived import Derived

TERRAIN_BOXES = 5  # grid boxes across, in which the terrain's range around a station is taken
Assumptions = Mapping[str, Assumption]


@dataclass(frozen=True)
class Judge:
    """How the reports of a time are judged.

    Attributes:
        assumptions: variable -> standard deviations assumed; the variables that are kept after the reports were
            judged by themselves.
        window: half width of the observation window.
        lists: operational station lists and observation errors.
        twins_tell: whether the other names of a withheld station take part; they tell what it measured.
        window_only: whether a case has the reports of its windows alone. The others then serve the checks of a
            station's own series, and are left out before all that they have no part in: the analysis is the same,
            sooner.
        in_time: half width of the window of methods in time, where it is wider; None: it is the same.
        background_share: of a gridded background in the first guess; the rest is a regression on the reports.
        influence: of stations whose reports have made the gridded background; None: it does not depend on them.
    """

    assumptions: Assumptions
    window: np.timedelta64
    lists: StationLists = NO_LISTS
    twins_tell: bool = False
    window_only: bool = False
    background_share: float = 1.0
    in_time: np.timedelta64 | None = None
    influence: OwnInfluence | None = None

    def case(
        self,
        static: Static,
        time: np.datetime64,
        observations: Observations,
        gridded: GriddedFirstGuess | Ensemble | None,
        box: Box,
        *,
        withheld: np.ndarray | None = None,
        members: Ensemble | None = None,
    ) -> Case:
        """The case of one time: reports judged and the first guess made.

        Args:
            static: domain and terrain.
            time: analysis time.
            observations: as read, n rows of all variables.
            gridded: background; None: a regression on the reports is the first guess.
            box: the grid points to be analysed.
            withheld: mask (n,) of the reports that take no part; None: no report is withheld.
            members: of an ensemble, for methods that use them.
        """
        withheld = np.zeros(len(observations), dtype=bool) if withheld is None else withheld
        unseen = withheld if self.twins_tell else withheld | _twins_of(observations, withheld)
        observations, points = self._by_themselves(static, observations, time, withheld)
        if not set(OF_WINDS).isdisjoint(self.assumptions):
            observations, rows = with_speeds(observations)
            points, withheld, unseen = points[rows], withheld[rows], unseen[rows]
        # Only now: which names are one station, and which reports contradict themselves, follows from all that was
        # measured, whatever is analysed of it.
        rows = self._rows_of_case(observations, time)
        observations, points, withheld, unseen = (each[rows] for each in (observations, points, withheld, unseen))
        value = _analysis_space(observations)

        def make(used: np.ndarray) -> tuple[FirstGuess, list[str]]:
            return self._first_guess(static, time, gridded, observations, (points, value), used)

        guess, notes = make(observations.usable & ~unseen)
        departure, spread = departures(guess, observations, points, value)
        observations = self._against(observations, points, departure, spread, unseen)
        used = _whole_winds(observations, observations.usable & ~unseen & np.isfinite(departure))
        complete = gridded is not None and set(self.assumptions) <= set(gridded.variables)
        if not complete or self.background_share < 1.0:
            guess, notes = make(used)  # the rejected reports helped to make the regression: made again without them
        return Case(
            static,
            box,
            time,
            observations,
            used,
            withheld,
            guess,
            members=members,
            notes=tuple(notes),
            variables=tuple(self.assumptions),
            in_time=self.in_time,
            influence=self._influence_on(guess, observations, points),
        )

    def _rows_of_case(self, observations: Observations, time: np.datetime64) -> np.ndarray:
        """Mask of the reports of a case, shape (n,): of the variables, and with ``window_only`` of the windows."""
        rows = np.isin(observations.variable, list(self.assumptions))
        if self.window_only:
            distant = np.abs(observations.time - time) > (self.window if self.in_time is None else self.in_time)
            rows &= ((observations.flags & np.uint32(Flag.TIME)) == 0) | ~(distant | np.isnat(observations.time))
        return rows

    def _influence_on(self, guess: FirstGuess, observations: Observations, points: Points) -> np.ndarray | None:
        """`Case.influence` of a first guess where it has values of the background; that on a regression is small."""
        if self.influence is None or not isinstance(guess, Fallback):
            return None
        result = self.background_share * self.influence.of(observations)
        for name in np.unique(observations.variable):
            rows = observations.variable == name
            result[rows] *= guess.reaches(str(name), points[rows])
        return result

    def again(self, case: Case) -> Case:
        """A case whose reports are judged against its own first guess; what is used is what passes."""
        unseen = case.withheld if self.twins_tell else case.withheld | _twins_of(case.observations, case.withheld)
        observations = self._against(case.observations, case.points, case.departure, case.spread, unseen)
        used = case.used & observations.usable & ~unseen & np.isfinite(case.departure)
        return replace(case, observations=observations, used=_whole_winds(observations, used))

    def _by_themselves(self, static, observations, time, withheld) -> tuple[Observations, Points]:
        """The reports with every flag that needs no first guess, and where they were made."""
        observations = check_reports(
            observations, time=time, window=self.window, domain=static.domain, withheld=withheld, lists=self.lists
        )
        if self.lists.errors is not None:
            observations = fill_errors(observations, self.lists.errors)
        points = _places(static, observations)
        return _check_heights(static, observations, points), points

    def _against(self, observations, points: Points, departure, spread, unseen) -> Observations:
        """The reports with the flags of the checks against the first guess and against neighbours."""
        deviation = _by_variable(observations, lambda name: self.assumptions[name].background_deviation)
        observations = check_departures(observations, departure, np.hypot(spread, deviation), withheld=unseen)
        observations = check_buddies(observations, departure, points.position, points.elevation, withheld=unseen)
        return share_speed(observations)

    def _first_guess(self, static, time, gridded, observations, columns, used) -> tuple[FirstGuess, list[str]]:
        """The first guess, and what a reader must know of it; a regression uses the rows of the mask ``used``."""
        points, value = columns
        error = _by_variable(observations, lambda name: self.assumptions[name].observation_error)
        reports = {}
        for name in self.assumptions:
            rows = used & (observations.variable == name)
            reports[name] = points[rows], value[rows], error[rows]
        middle = (slice(size // 2, size // 2 + 1) for size in static.domain.shape)
        regression = fit_regression(grid_points(static, *middle), time, reports)
        without = [name for name, (places, _, _) in reports.items() if len(places) == 0]
        if gridded is None:
            return regression, [
                f"no usable report of {name}: first guess and analysis are climatology" for name in without
            ]
        notes = [gridded.note] if gridded.note else []
        for name in reports:
            if name not in gridded.variables:
                instead = "climatology, as no report is usable" if name in without else "a regression on its reports"
                notes.append(f"the background has no {name}: its first guess is {instead}")
        return Fallback(gridded, regression, self.background_share), notes


def _by_variable(observations: Observations, number: Callable[[str], float]) -> np.ndarray:
    """A number of each report's variable, shape (n,)."""
    result = np.empty(len(observations))
    for name in np.unique(observations.variable):
        result[observations.variable == name] = number(str(name))
    return result


def _whole_winds(observations: Observations, used: np.ndarray) -> np.ndarray:
    """``used`` without the components of winds whose other component is not used, where winds are used at all.

    A table of eastward components alone is analysed as it is.
    """
    wind, partner = np.isin(observations.variable, WIND), wind_partner(observations)
    whole = wind & (partner >= 0) & used & used[partner]
    return used & (~wind | whole) if whole.any() else used


def _twins_of(observations: Observations, withheld: np.ndarray) -> np.ndarray:
    """Mask of the rows of a station that is withheld under this or another name, shape (n,)."""
    if not withheld.any():
        return withheld
    number = twin_numbers(observations)
    return np.isin(number, number[withheld])


def _places(static: Static, observations: Observations) -> Points:
    latitude = np.where(np.isfinite(observations.latitude), observations.latitude, 0.0)
    longitude = np.where(np.isfinite(observations.longitude), observations.longitude, 0.0)
    return station_points(static, np.clip(latitude, -90.0, 90.0), longitude, observations.elevation)


def _check_heights(static: Static, observations: Observations, points: Points) -> Observations:
    """Stations where the terrain is known only: it is not beyond the grid's edge."""
    domain = static.domain
    if not static.has_terrain.any():
        return observations
    row, column = domain.index(points.latitude, points.longitude)
    inside = domain.contains(points.latitude, points.longitude)
    row = np.clip(np.rint(row), 0, domain.size.y - 1).astype(np.int64)
    column = np.clip(np.rint(column), 0, domain.size.x - 1).astype(np.int64)
    span = maximum_filter(static.terrain, TERRAIN_BOXES) - minimum_filter(static.terrain, TERRAIN_BOXES)
    inside &= static.has_terrain[row, column]
    terrain, spread = (np.where(inside, field[row, column], np.nan) for field in (static.terrain, span))
    return check_elevation(observations, terrain=terrain, terrain_range=spread)


def _analysis_space(observations: Observations) -> np.ndarray:
    value = np.full(len(observations), np.nan)
    for name in np.unique(observations.variable):
        rows = observations.variable == name
        value[rows] = names.to_analysis(str(name), observations.value[rows])
    return value


@dataclass(frozen=True)
class Judged(Derived):
    """A source whose reports are judged against each case's own first guess (`methods.case.Cases`).

    Attributes:
        source: of the cases; judge: of their reports.
    """

    judge: Judge

    @classmethod
    def over(cls, cases: Cases, assumptions: Assumptions) -> Cases:
        """The cases, judged where their source does not do so itself and a background is there to judge against."""
        if getattr(cases, "is_judged", False) or not cases.contents.background:
            return cases
        return cls(cases, Judge(assumptions, np.timedelta64(0, "s")))

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """A case with judged reports; see `methods.case.Cases.case`."""
        return self.judge.again(self.source.case(number, box, withheld))
