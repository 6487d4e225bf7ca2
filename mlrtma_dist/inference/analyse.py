"""Analyse: fit a method to each variable of a problem, and evaluate it over the grid in blocks.

No array larger than one field is made: the grid is walked in blocks of 48 x 48 points, on as many
threads as there are cores (numpy and BLAS work outside the interpreter's lock).
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from mlrtma_dist.fields.consistency import make_consistent
from mlrtma_dist.fields.static import Static, grid_points
from mlrtma_dist.grid.interpolate import bilinear
from mlrtma_dist.grid.points import Points
from mlrtma_dist.inference.analysis import Analysis
from mlrtma_dist.inference.problem import Problem, wind_rows
from mlrtma_dist.methods.departure_method import Fit
from mlrtma_dist.methods.settings import ISOTROPIC, Classical, build_method, for_vectors
from mlrtma_dist.methods.wind import WIND, WindComponent, fit_wind
from mlrtma_dist.names import variable

BLOCK = 48  # grid points: 120 km at 2.5 km, smooth enough for few nodes, large enough for BLAS
ERROR_BLOCK = 32  # coarse points of a block of the error field
ERROR_SPACING = 40e3  # m between the points at which the analysis error is computed; interpolated between


def solve(problem: Problem, method: str, settings: Classical) -> dict[str, Fit]:
    """Fit a method to every variable's departures.

    Raises:
        InputError: a method of ensembles, and no ensemble or one without a variable.
    """
    fits = {}
    winds = wind_rows(problem.observations, problem.used) if method in ISOTROPIC else ()
    if len(winds):
        fits |= _solve_wind(problem, method, settings, winds)
    for name, assumed in settings.variables.items():
        if name in fits:
            continue
        rows = problem.used & (problem.observations.variable == name)
        error = np.full(int(rows.sum()), assumed.observation_error)
        members = problem.ensemble and partial(problem.ensemble.perturbations, name)
        made = build_method(method, settings, name, problem.covariance[name], members)
        fits[name] = made.fit(problem.points[rows], problem.departure[rows], error)
    return {name: fits[name] for name in settings.variables}


def _solve_wind(problem: Problem, method: str, settings: Classical, rows: np.ndarray) -> dict[str, WindComponent]:
    """Fit a method to both components at once, from the ``rows`` (n, 2) of their reports."""
    made = build_method(method, for_vectors(settings), WIND[0], problem.covariance[WIND[0]])
    error = np.full(len(rows), settings.variables[WIND[0]].observation_error)
    fit = fit_wind(made, problem.points[rows[:, 0]], problem.departure[rows], error)
    order = np.argsort(rows, axis=0)  # weights stand in the order of each component's own reports
    return {name: WindComponent(fit, column, fit.weight[order[:, column]]) for column, name in enumerate(WIND)}


def at_reports(problem: Problem, fits: dict[str, Fit], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The analysis and its error where reports were made, each at the report's own place and height.

    Args:
        problem: the problem.
        fits: of ``solve``.
        rows: mask (n,) of the reports asked for.

    Returns:
        Analysis and standard deviation of its error in analysis space, each of shape (n,), NaN elsewhere.
    """
    value, error = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for name, fit in fits.items():
        mine = rows & (problem.observations.variable == name) & np.isfinite(problem.departure)
        points = problem.points[mine]
        value[mine] = problem.value[mine] - problem.departure[mine] + fit.increment(points)
        error[mine] = np.hypot(fit.error(points), problem.spread[mine])
    _hold_at_reports(problem, fits, rows, value)
    return value, error


def _hold_at_reports(problem: Problem, fits: dict[str, Fit], rows: np.ndarray, value: np.ndarray) -> None:
    """``make_consistent`` where reports were made, in place: what is verified is what the product says."""
    for held, others in (("d2m", ("t2m",)), ("gust", WIND)):
        mine = rows & (problem.observations.variable == held) & np.isfinite(value)
        if not mine.any() or not {held, *others} <= set(fits):
            continue
        points = problem.points[mine]
        values = {name: problem.first_guess.mean(name, points) + fits[name].increment(points) for name in others}
        values[held] = value[mine]
        make_consistent(values)
        value[mine] = values[held]


def analyse(
    problem: Problem,
    fits: dict[str, Fit],
    settings: Classical,
    method: str,
    *,
    progress: Callable[[str, float], None] = lambda name, share: None,
) -> Analysis:
    """Evaluate fitted methods over the grid.

    Args:
        problem, fits: see ``solve``.
        settings: those of the fit.
        method: its name, for the product.
        progress: called with a variable's name and the share of its work done, in [0, 1].

    Returns:
        The analysis, first guess and error on the grid, and the departures at the reports.
    """
    values, guesses, errors = {}, {}, {}
    for names, increment in _together(fits):
        shown = names[-1]
        over = _over_grid(problem, names, increment, lambda share, shown=shown: progress(shown, 0.8 * share))
        for name, guess, value in zip(names, *over, strict=True):
            known = variable(name)
            guesses[name] = known.from_analysis(guess).astype(np.float32)
            values[name] = known.from_analysis(value).astype(np.float32)
            errors[name] = _error_over_grid(problem, name, fits[name])
        progress(shown, 1.0)
    make_consistent(values)
    return replace(diagnose(problem, fits, settings, method), values=values, first_guess=guesses, error=errors)


def diagnose(problem: Problem, fits: dict[str, Fit], settings: Classical, method: str) -> Analysis:
    """The analysis at the reports only: departures, assumed errors and weights, no fields."""
    analysed, _ = at_reports(problem, fits, problem.used)
    error = np.array([settings.variables[str(v)].observation_error for v in problem.observations.variable])
    weight = np.full(len(problem.used), np.nan)
    for name, fit in fits.items():
        weight[problem.used & (problem.observations.variable == name)] = fit.weight
    return Analysis(
        problem.static,
        problem.time,
        {},
        {},
        {},
        problem.observations,
        problem.departure,
        problem.value - analysed,
        np.where(problem.used, error, np.nan),
        weight,
        method,
        problem.first_guess.name,
        problem.notes,
    )


def _together(fits: dict[str, Fit]) -> list[tuple[tuple[str, ...], Callable[[Points], np.ndarray]]]:
    """Names of variables, and their increments (m, names) at points: both components of a wind cost as much as one."""
    if isinstance(fits.get(WIND[0]), WindComponent):
        alone = [((name,), fit.increment) for name, fit in fits.items() if name not in WIND]
        return [*alone, (WIND, fits[WIND[0]].wind.increment)]
    return [((name,), fit.increment) for name, fit in fits.items()]


def _over_grid(problem: Problem, names: tuple[str, ...], increment, progress) -> tuple[np.ndarray, np.ndarray]:
    """First guesses and analyses in analysis space, float32 (names, y, x); ``increment`` as of ``_together``."""
    shape = problem.static.domain.shape
    guess, value = np.empty((2, len(names), *shape), np.float32)

    def work(box):
        points, place = grid_points(problem.static, *box), (slice(None), *box)
        believed = np.stack([problem.first_guess.mean(name, points) for name in names])
        size = guess[place].shape
        guess[place] = believed.reshape(size)
        value[place] = (believed + increment(points).reshape(len(points), -1).T).reshape(size)

    _each(list(_boxes(shape, BLOCK, 1)), work, progress)
    return guess, value


def _error_over_grid(problem: Problem, name: str, fit: Fit) -> np.ndarray:
    """Standard deviation of the analysis error, float32 (y, x), from a coarse subset of the points."""
    static: Static = problem.static
    rows, columns = static.domain.shape
    step = max(1, min(round(ERROR_SPACING / static.domain.spacing_metres), rows // 4, columns // 4))
    coarse = np.empty((-(-rows // step), -(-columns // step)), np.float32)

    def work(box):
        points = grid_points(static, *box)
        target = tuple(slice(b.start // step, -(-b.stop // step)) for b in box)
        error = np.hypot(fit.error(points), problem.first_guess.spread(name, points))
        coarse[target] = error.reshape(coarse[target].shape)

    _each(list(_boxes((rows, columns), ERROR_BLOCK * step, step)), work, lambda share: None)
    if step == 1:
        return coarse
    row = np.minimum(np.arange(rows) / step, coarse.shape[0] - 1)
    column = np.minimum(np.arange(columns) / step, coarse.shape[1] - 1)
    return bilinear(coarse, *np.meshgrid(row, column, indexing="ij"))


def _boxes(shape: tuple[int, int], size: int, step: int):
    """Slices of ``size`` grid points, every ``step``-th taken, that cover ``shape``."""
    for row in range(0, shape[0], size):
        for column in range(0, shape[1], size):
            yield slice(row, min(row + size, shape[0]), step), slice(column, min(column + size, shape[1]), step)


def _each(boxes: list, work: Callable, progress: Callable[[float], None]) -> None:
    """Do ``work`` on every box, one thread a core, one BLAS thread each."""
    with threadpool_limits(1), ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for done, _ in enumerate(pool.map(work, boxes), start=1):
            progress(done / len(boxes))
