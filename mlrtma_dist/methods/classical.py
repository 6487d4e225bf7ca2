"""Classical methods on cases: a departure method is fitted to each variable and evaluated over the grid in blocks.

The first guess is corrected by the increments of the fits. Both components of a wind are analysed as one vector where
the method has an isotropic covariance (`methods.wind`). No array larger than one field of the box is made: the grid is
walked in blocks of 48 x 48 points on the rank's threads (numpy and BLAS work outside the interpreter's lock). Boxes
that begin on multiples of ``BLOCK`` give the values of the whole domain to the last bit.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from threadpoolctl import threadpool_limits

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.consistency import make_consistent
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.departure_kind import DepartureKind, Prior
from mlrtma_dist.methods.departure_method import Fit
from mlrtma_dist.methods.events import at_limits, gaussian_below
from mlrtma_dist.methods.hour_settings import HourSettings
from mlrtma_dist.methods.indicators import IndicatorFit
from mlrtma_dist.methods.method import ALONE, Fields, Share
from mlrtma_dist.methods.settings import Classical, VariableSettings, for_vectors
from mlrtma_dist.methods.variable_fit import fit_variable, has_distribution
from mlrtma_dist.methods.wind import WIND, WindComponent, fit_wind, wind_rows
from mlrtma_dist.names import EVENTS, variable

BLOCK = 48  # grid points: 120 km at 2.5 km, smooth enough for few nodes, large enough for BLAS
ERROR_BLOCK = 32  # coarse points of a block of the error field
ERROR_SPACING = 40e3  # m between the points at which the analysis error is computed; interpolated between
# Variables that `make_consistent` changes, and by which others.
LIMITED_BY = {"d2m": ("t2m",), "gust": ("wind_speed", *WIND)}

Progress = Callable[[str, float], None]


def no_progress(name: str, share: float) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class ClassicalMethod:
    """A departure method applied to every variable of a case.

    Attributes:
        kind: how the departure method of a variable is made.
        settings: what the classical methods assume of each variable.
        hours: the settings scaled to each hour; shared by the methods of one run.
    """

    kind: DepartureKind
    settings: Classical
    hours: HourSettings
    alignment = BLOCK  # boxes that begin on multiples of it give the values of the whole domain

    @property
    def name(self) -> str:
        """Of the method."""
        return self.kind.name

    def analyse(self, case: Case, neighbourhood=None) -> "ClassicalAnswer":
        """Fit the method to the departures of every variable; see `methods.method.Method.analyse`.

        Raises:
            InputError: no first guess, or a method of ensembles without members.
        """
        if case.first_guess is None:
            raise InputError(f"method {self.name}: the case of {case.time} has no first guess, which it corrects")
        names = self._variables(case)
        modelled = tuple(name for name in names if not has_distribution(self.kind, self.settings, case, name))
        assumed = {name: self.settings.variables[name] for name in names}
        if self.kind.covariance:
            assumed |= self.hours.of(case, modelled, self.kind.members)
        fits: dict[str, Fit] = {}
        winds = wind_rows(case.observations, case.used) if self.kind.isotropic else ()
        if len(winds) and set(WIND) <= set(names):
            fits |= self._fit_wind(case, assumed[WIND[0]], winds)
        for name in (each for each in names if each not in fits):
            fits[name] = fit_variable(self.kind, self.settings, case, name, assumed[name])
        return ClassicalAnswer(case, {name: fits[name] for name in names}, assumed)

    def _variables(self, case: Case) -> tuple[str, ...]:
        """The variables of the settings that the case is to be analysed in."""
        return tuple(name for name in self.settings.variables if not case.variables or name in case.variables)

    def _fit_wind(self, case: Case, assumed: VariableSettings, rows: np.ndarray) -> dict[str, Fit]:
        """Fit the method to both components at once, from the ``rows`` (n, 2) of their reports."""
        method = self.kind.method(Prior(WIND[0], for_vectors(self.settings), Covariance(assumed.covariance)))
        error = np.full(len(rows), assumed.observation_error)
        fit = fit_wind(method, case.points[rows[:, 0]], case.departure[rows], error)
        order = np.argsort(rows, axis=0)  # weights stand in the order of each component's own reports
        return {name: WindComponent(fit, column, fit.weight[order[:, column]]) for column, name in enumerate(WIND)}


@dataclass(frozen=True)
class ClassicalAnswer:
    """First guess plus the fitted increments of every variable (`methods.method.Answer`).

    Attributes:
        case: what was analysed; fits: variable -> fit; assumed: variable -> settings of the fit.
    """

    case: Case
    fits: dict[str, Fit]
    assumed: Mapping[str, VariableSettings]
    everywhere = True

    @property
    def variables(self) -> tuple[str, ...]:
        """The analysed variables."""
        return tuple(self.fits)

    @cached_property
    def weight(self) -> np.ndarray:
        """Weight of the variational quality control of each report in (0, 1], shape (n,), NaN where not used."""
        weight = np.full(len(self.case.used), np.nan)
        for name, fit in self.fits.items():
            weight[self.case.used & (self.case.observations.variable == name)] = fit.weight
        return weight

    @cached_property
    def observation_error(self) -> np.ndarray:
        """Standard deviation assumed of each report, analysis space, shape (n,), NaN where not used."""
        assumed = {name: each.observation_error for name, each in self.assumed.items()}
        error = np.array([assumed.get(str(name), np.nan) for name in self.case.observations.variable])
        return np.where(self.case.used, error, np.nan)

    def at(self, variable: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Analysis and standard deviation of its error at points, analysis space, shape (m,) each.

        The same limits hold between variables as on the grid, so that what is verified is the product.
        """
        guess, fit = self.case.first_guess, self.fits[variable]
        value = guess.mean(variable, points) + fit.increment(points)
        error = np.hypot(fit.error(points), guess.spread(variable, points))
        others = [name for name in LIMITED_BY.get(variable, ()) if name in self.fits]
        if others and len(points):
            values = {name: guess.mean(name, points) + self.fits[name].increment(points) for name in others}
            values[variable] = value
            make_consistent(values)
            value = values[variable]
        return value, error

    def below(self, variable: str, points: Points, limits: np.ndarray) -> np.ndarray:
        """Probability that a report would lie below limits, analysis space, shape (m, k); see `events.below`."""
        fit = self.fits[variable]
        if isinstance(fit, IndicatorFit):
            return at_limits(fit.edges, fit.below(points), limits)
        value, error = self.at(variable, points)
        return gaussian_below(value, np.hypot(error, self.assumed[variable].observation_error), limits)

    def fields(self, share: Share = ALONE, progress: Progress = no_progress) -> Fields:
        """The analysis on the case's box; see `methods.method.Answer.fields`."""
        fields = Fields({})
        for names, evaluate, columns in self._evaluations():
            last = names[-1]
            result = self._walk(evaluate, columns, share, lambda part, s=last: progress(s, 0.8 * part))
            for number, name in enumerate(names):
                guess, value = result[number], result[len(names) + number]
                fields.first_guess[name] = variable(name).from_analysis(guess).astype(np.float32)
                fields.values[name] = variable(name).from_analysis(value).astype(np.float32)
                fields.error[name] = self._error(name, share)
            if columns > 2 * len(names):
                fields.probability[last] = result[2 * len(names) :]
            progress(last, 1.0)
        make_consistent(fields.values)
        return fields

    def _evaluations(self) -> Iterator[tuple[tuple[str, ...], Callable[[Points], np.ndarray], int]]:
        """Names of variables evaluated together, what gives their columns (m, columns) at points, and their number.

        Columns are the first guesses, the analyses and, of a distribution, the probability of each of its `EVENTS`.
        """
        wind = isinstance(self.fits.get(WIND[0]), WindComponent)
        for name, fit in self.fits.items():
            if isinstance(fit, IndicatorFit):
                yield (name,), partial(self._distribution, name, fit), 2 + len(EVENTS[name])
            elif not (wind and name in WIND):
                yield (name,), partial(self._values, (name,), fit.increment), 2
        if wind:
            yield WIND, partial(self._values, WIND, self.fits[WIND[0]].wind.increment), 2 * len(WIND)

    def _values(self, names: tuple[str, ...], increment, points: Points) -> np.ndarray:
        """First guesses and analyses at points, analysis space, shape (m, 2 names)."""
        guess = np.stack([self.case.first_guess.mean(name, points) for name in names], axis=1)
        return np.concatenate([guess, guess + increment(points).reshape(guess.shape)], axis=1)

    def _distribution(self, name: str, fit: IndicatorFit, points: Points) -> np.ndarray:
        """First guess, median and probabilities at points, shape (m, 2 + events)."""
        below, limits = fit.below(points), variable(name).to_analysis(np.array(EVENTS[name]))
        columns = self.case.first_guess.mean(name, points), fit.median(below)
        return np.column_stack([*columns, at_limits(fit.edges, below, limits)])

    def _walk(self, evaluate: Callable[[Points], np.ndarray], columns: int, share: Share, progress) -> np.ndarray:
        """What ``evaluate`` gives at the points of the box, block by block, float32 (columns, y, x)."""
        case, box = self.case, self.case.box
        result = np.empty((columns, *box.shape), np.float32)

        def work(rows: slice, along: slice) -> None:
            place = (slice(None), _moved(rows, box.y0), _moved(along, box.x0))
            result[place] = evaluate(case.grid_points(rows, along)).T.reshape(result[place].shape)

        _each(list(_blocks(box, BLOCK, 1)), work, share.threads, progress)
        return result

    def _error(self, name: str, share: Share) -> np.ndarray:
        """Standard deviation of the analysis error on the box, float32 (y, x), from a coarse subset of the points.

        The blocks of the coarse field are dealt out to the ranks, whose sum is the same whatever their number.
        """
        case, box = self.case, self.case.box
        rows, columns = case.domain.shape
        step = max(1, min(round(ERROR_SPACING / case.domain.spacing_metres), rows // 4, columns // 4))
        coarse = np.zeros((-(-rows // step), -(-columns // step)), np.float32)

        def work(*block: slice) -> None:
            points = case.grid_points(*block)
            target = tuple(slice(each.start // step, -(-each.stop // step)) for each in block)
            error = np.hypot(self.fits[name].error(points), case.first_guess.spread(name, points))
            coarse[target] = error.reshape(coarse[target].shape)

        blocks = list(_blocks(Box.whole((rows, columns)), ERROR_BLOCK * step, step))
        if share.count == 1:
            blocks = [block for block in blocks if _touches(block, box, step)]
        _each(blocks[share.number :: share.count], work, share.threads, lambda part: None)
        coarse = share.total(coarse)
        if step == 1:
            return coarse[box.slices]
        row = np.minimum(np.arange(box.y0, box.y1) / step, coarse.shape[0] - 1)
        column = np.minimum(np.arange(box.x0, box.x1) / step, coarse.shape[1] - 1)
        return bilinear(coarse, *np.meshgrid(row, column, indexing="ij"))


def _blocks(box: Box, size: int, step: int) -> Iterator[tuple[slice, slice]]:
    """Slices of the domain, of ``size`` points between multiples of it, every ``step``-th taken, that cover a box."""
    for row in range(box.y0 // size * size, box.y1, size):
        for column in range(box.x0 // size * size, box.x1, size):
            yield (
                slice(max(row, box.y0), min(row + size, box.y1), step),
                slice(max(column, box.x0), min(column + size, box.x1), step),
            )


def _touches(block: tuple[slice, slice], box: Box, step: int) -> bool:
    """Whether a coarse block holds a point that the bilinear interpolation on the box needs."""
    sides = zip(block, ((box.y0, box.y1), (box.x0, box.x1)), strict=True)
    return all(part.start < high + step and part.stop > low - step for part, (low, high) in sides)


def _moved(part: slice, start: int) -> slice:
    return slice(part.start - start, part.stop - start)


def _each(blocks: list, work: Callable, threads: int, progress: Callable[[float], None]) -> None:
    """Do ``work`` on every block, each thread with one BLAS thread."""
    with threadpool_limits(1), ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as pool:
        for done, _ in enumerate(pool.map(lambda block: work(*block), blocks), start=1):
            progress(done / len(blocks))
