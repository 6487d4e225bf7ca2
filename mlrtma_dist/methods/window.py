"""Window: the reports of several hours about one analysis, each at its own time, and a first guess at those times.

Of one station and variable a classical method uses the report nearest to the analysis time. A method in time uses
the others of the window, too: those that quality control flags for no other reason than that one is nearer, or, where
the window of methods in time is wider than that of all methods (``Case.in_time``), that they are too early or too late
for these. They then carry the flag OTHER_TIME instead.

The first guess at a time is the case's own plus the change of a regression on the reports of each hour:

    x_b(p, t) = x_b(p, 0) + g(p, t) - g(p, 0),   g linear in time between the hours that have reports,

and g itself where the case's first guess is a regression: the course of the day is then no departure.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from mlrtma_dist.fields.first_guess import FirstGuess, means
from mlrtma_dist.fields.regression import Regression
from mlrtma_dist.grid.points import Points, TimedPoints, hours_of
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.regression_guess import regression_on
from mlrtma_dist.methods.wind import WIND
from mlrtma_dist.observations.reports import wind_partner
from mlrtma_dist.observations.table import Flag, Observations

SLOT = 0.5  # hours; of a station one report per slot is used
ENOUGH = 0.5  # share of the reports of the fullest hour below which an hour has no regression of its own
REGARDLESS = np.uint32(Flag.DUPLICATE | Flag.BUDDY)
NEARER = np.uint32(Flag.DUPLICATE | Flag.TIME)  # why another report of the station is used in its place


@dataclass(frozen=True, eq=False)
class WindowCase(Case):
    """A case whose points have times, of whose window all reports are used."""

    @classmethod
    def of(cls, case: Case, variables: Iterable[str] | None = None) -> "WindowCase":
        """The case with the reports of its whole window, and a first guess at their times.

        Args:
            variables: of which several reports of a station are used; None: of all.
        """
        if isinstance(case, cls):
            return case
        columns = {f.name: getattr(case, f.name) for f in fields(Case)}
        used = used_in_window(case, variables)
        window = cls(**columns | {"used": used, "observations": _flagged(case.observations, used & ~case.used)})
        return replace(window, first_guess=_in_time(window))

    @cached_property
    def points(self) -> TimedPoints:
        """Where and when the reports were made, n of them."""
        return TimedPoints.at(super().points, self.hours)

    @cached_property
    def hours(self) -> np.ndarray:
        """Of each report after the analysis time, shape (n,)."""
        return hours_after(self)


def analysed_case(case: Case, answer: object) -> Case:
    """The case whose reports an answer used: that of its window of a method in time, else the one that was analysed."""
    own = getattr(answer, "case", case)
    return own if isinstance(own, WindowCase) else case


def hours_after(case: Case) -> np.ndarray:
    """Hours of each report after the analysis time, shape (n,); zero of a report without a time."""
    seconds = (case.observations.time - case.time).astype("timedelta64[s]")
    return np.where(np.isnat(seconds), 0.0, seconds.astype(np.float64) / 3600.0)


def used_in_window(case: Case, variables: Iterable[str] | None = None) -> np.ndarray:
    """Mask of the reports that a method in time uses, shape (n,): those used, and of each station others of the window.

    Of these one per slot, the one nearest to the middle of the slot; none of a station that is withheld.
    """
    table, hours = case.observations, hours_after(case)
    others = ((table.flags & ~_regardless(case, hours)) == 0) & ~case.used & np.isfinite(case.value)
    others &= np.isfinite(case.departure) & ~np.isnat(table.time)
    others &= ~np.isin(case.station_number, np.unique(case.station_number[case.withheld]))
    others &= np.isin(table.variable, list(case.reported if variables is None else case.reported & set(variables)))
    slot = np.rint(hours / SLOT)
    rows = np.flatnonzero(case.used | others)
    order = np.lexsort((-rows, np.abs(hours - slot * SLOT)[rows], ~case.used[rows]))
    rows = rows[order]
    _, kinds = np.unique(table.variable[rows], return_inverse=True)
    keys = np.stack([case.station_number[rows], kinds, slot[rows].astype(np.int64)], axis=1)
    _, first = np.unique(keys, axis=0, return_index=True)
    used = case.used.copy()
    used[rows[first]] = True
    return _whole_winds(case, used)


def _regardless(case: Case, hours: np.ndarray) -> np.ndarray:
    """The flags that keep no report out of the window, shape (n,)."""
    if case.in_time is None:
        return np.full(len(hours), REGARDLESS)
    inside = np.abs(hours) <= case.in_time / np.timedelta64(1, "h")
    return np.where(inside, REGARDLESS | np.uint32(Flag.TIME), REGARDLESS)


def _flagged(table: Observations, others: np.ndarray) -> Observations:
    """The table with the flag OTHER_TIME, instead of those that a nearer report gave, on the rows of a mask (n,)."""
    flags = np.where(others, (table.flags & ~NEARER) | np.uint32(Flag.OTHER_TIME), table.flags)
    return replace(table, flags=flags.astype(np.uint32))


def _whole_winds(case: Case, used: np.ndarray) -> np.ndarray:
    """``used`` without a component of the wind whose other component is not used, where both are analysed."""
    wind, partner = np.isin(case.observations.variable, WIND), wind_partner(case.observations)
    if not set(WIND) <= case.reported:
        return used
    return used & (~wind | ((partner >= 0) & used[partner]))


@dataclass(frozen=True)
class GuessInTime:
    """A first guess at any time of a window; see `fields.first_guess.FirstGuess`.

    Attributes:
        base: at the analysis time; None: the regressions are all that is believed.
        hours: of the regressions after the analysis time, increasing, shape (k,); regressions: k >= 1 of them.
    """

    base: FirstGuess | None
    hours: np.ndarray
    regressions: tuple[Regression, ...]

    @property
    def name(self) -> str:
        """In words."""
        several = len(self.hours) > 1
        if self.base is not None and not several:
            return self.base.name
        own = f"{self.base.name} with the change of " if self.base is not None else ""
        return f"{own}a regression on place and terrain" + f" for each of {len(self.hours)} hours" * several

    @property
    def variables(self) -> frozenset[str]:
        """Of a gridded background; none of a regression."""
        return frozenset(getattr(self.base, "variables", ()))

    def mean(self, variable: str, points: Points) -> np.ndarray:
        """The first guess in analysis space at the points at their times, shape (n,)."""
        return self.means((variable,), points)[variable]

    def means(self, variables: tuple[str, ...], points: Points) -> dict[str, np.ndarray]:
        """``mean`` of several variables."""
        if self.base is None:
            return self._regressed(variables, points, hours_of(points))
        result = dict(means(self.base, variables, points))
        if len(self.hours) > 1 and isinstance(points, TimedPoints):
            then, now = (self._regressed(variables, points, hours) for hours in (points.hours, np.zeros(len(points))))
            result = {name: result[name] + then[name] - now[name] for name in variables}
        return result

    def spread(self, variable: str, points: Points) -> np.ndarray:
        """Standard deviation of its error that no covariance carries, shape (n,)."""
        if self.base is not None:
            return self.base.spread(variable, points)
        result = np.zeros(len(points))
        for rows, share, regression in self._shares(hours_of(points)):
            result[rows] += share * regression.spread(variable, points[rows])
        return result

    def _regressed(self, variables: tuple[str, ...], points: Points, hours: np.ndarray) -> dict[str, np.ndarray]:
        result = {name: np.zeros(len(points)) for name in variables}
        for rows, share, regression in self._shares(hours):
            for name, value in regression.means(variables, points[rows]).items():
                result[name][rows] += share * value
        return result

    def _shares(self, hours: np.ndarray):
        """Rows, their weights and their regression: linear in time, constant before the first and after the last."""
        place = np.interp(hours, self.hours, np.arange(len(self.hours)))
        for number, regression in enumerate(self.regressions):
            share = np.maximum(1.0 - np.abs(place - number), 0.0)
            rows = np.flatnonzero(share)
            if len(rows):
                yield rows, share[rows], regression


def _in_time(case: WindowCase) -> FirstGuess:
    """The first guess of a window."""
    if case.domain.is_plane:
        return case.first_guess
    variables = case.variables or tuple(sorted(case.reported))
    kinds = tuple(sorted({*variables, *np.unique(case.observations.variable).tolist()}))
    past = (case.time - case.time.astype("datetime64[h]")) / np.timedelta64(1, "h")
    whole = np.rint(case.hours + past)  # of the clock, whatever is analysed
    every, count = np.unique(whole[case.used], return_counts=True)
    chosen = every[count >= ENOUGH * count.max(initial=0)]
    if not len(chosen):
        return case.first_guess
    base = None if isinstance(case.first_guess, Regression) else case.first_guess
    regressions = tuple(_regression(case, kinds, whole, hour) for hour in chosen)
    middle = np.array([np.mean(case.hours[case.used & (whole == hour)]) for hour in chosen])
    return GuessInTime(base, middle, regressions)


def _regression(case: WindowCase, variables: Iterable[str], hours: np.ndarray, hour: float) -> Regression:
    """The regression on the used reports of one of the hours, shape (n,); of a variable with few then, on all."""
    own, rows = {}, hours == hour
    for name in variables:
        every = case.used & (case.observations.variable == name)
        fullest = np.unique(hours[every], return_counts=True)[1].max(initial=0)
        own[name] = every & rows if np.count_nonzero(every & rows) >= ENOUGH * fullest else every
    return regression_on(case, own, case.points)
