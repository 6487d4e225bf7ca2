"""4D-Var of station reports: departures on the grid in the hours of a window, by all reports of the window.

    d_0 = B^1/2 v        d_k = c M(d_k-1) + sqrt(1 - c^2) B^1/2 w_k        x_k = x_b(k) + d_k
    J = |v|^2 / 2 + sum over k of |w_k|^2 / 2 + sum over k of |R_k^-1/2 (y_k - H_k(x_b(k)) - H_k d_k)|^2 / 2

x_b(k) is the first guess at each time (`methods.window`), M a model of departures (`methods.fourdvar_model`), and c its
correlation: where M keeps departures, every d_k has the covariance B, c = 0 is 3D-Var of each time by itself and c = 1
3D-Var of all reports of the window. H interpolates bilinearly; a report is compared with the nearest time of a window.
Its departure is that from the first guess at its own place, height and time, as in every classical method.
Covariance, observation errors and the weights of quality control are those of optimal interpolation in time.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.first_guess import means
from mlrtma_dist.fields.static import grid_points
from mlrtma_dist.grid.box import Box, inside
from mlrtma_dist.grid.points import Points, TimedPoints
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.classical import ClassicalAnswer, ClassicalMethod
from mlrtma_dist.methods.fourdvar import Observations, ObservedWindow, Trajectory, minimise
from mlrtma_dist.methods.fourdvar_answer import FourDVarAnswer
from mlrtma_dist.methods.fourdvar_blocks import ReportBlocks
from mlrtma_dist.methods.fourdvar_error import PosteriorDraws, WindowReports, smoothed_squares, window_variance
from mlrtma_dist.methods.fourdvar_model import ForecastDepartures, Model, persistence
from mlrtma_dist.methods.fourdvar_root import GridRoot, Interpolation, split_by_spacing
from mlrtma_dist.methods.fourdvar_settings import FourDVarSettings
from mlrtma_dist.methods.lam import LamMethod
from mlrtma_dist.methods.wind import WIND
from mlrtma_dist.methods.window import WindowCase

HOUR = np.timedelta64(3600, "s")


@dataclass(frozen=True)
class ReportsWindow(ObservedWindow):
    """The problem of one window of departures; states have the shape (variable, y, x).

    Attributes:
        observed: of each time, the first at the start; None where nothing is observed.
        root: B^1/2 of controls (times, fields, y, x); shape: of the control of one time.
        model: M; correlation: c.
        blocks: what preconditions; None: nothing does.
        total: sum over tiles: every rank has the whole domain.
    """

    observed: list[Observations | None]
    root: Callable[[Tensor], Tensor]
    shape: tuple[int, int, int]
    model: Model
    correlation: float
    blocks: ReportBlocks | None = None
    total: Callable[[Tensor], Tensor] = lambda tensor: tensor

    @property
    def dual(self) -> bool:
        """With an exact emulator what persists says too little of the window, and its control is short."""
        return self.correlation < 1.0 or self.model is persistence

    @property
    def nothing(self) -> Tensor:
        """The control z = 0: v, and w of every step where the model has errors, shape (times, fields, y, x)."""
        steps = len(self.observed) if self.correlation < 1.0 else 1
        return torch.zeros(steps, *self.shape, dtype=torch.float64)

    def states(self, control: Tensor) -> list[Tensor]:
        """d_0 to d_K."""
        departures, before = self.root(control), None
        states, error = [departures[0]], (1.0 - self.correlation**2) ** 0.5
        for number in range(1, len(self.observed)):
            coming = self.correlation * self.model(number - 1, before, states[-1])
            before = states[-1]
            states.append(coming + error * departures[number] if error else coming)
        return states

    def precondition(self, residual: np.ndarray) -> np.ndarray:
        """The answer where departures persist, about: the model is near to that."""
        return residual if self.blocks is None else self.blocks(residual)


@dataclass(frozen=True)
class Problem:
    """What the method solves of one case.

    Attributes:
        window: of 4D-Var; now: number of its time that is the analysis time.
        guesses: x_b at its times, shape (time, variable, y, x); rows: of the reports that are used.
        points: of the grid, row by row; spacing: between them, m.
        reports: of each variable; covariances: what the grid resolves of B; unresolved: variance of the rest.
    """

    window: ReportsWindow
    now: int
    guesses: Tensor
    rows: np.ndarray
    points: Points
    reports: dict[str, WindowReports]
    covariances: dict[str, Covariance]
    unresolved: tuple[float, ...]
    spacing: float


@dataclass(frozen=True)
class ReportsFourDVar:
    """The method.

    Attributes:
        base: optimal interpolation in time; settings: of 4D-Var.
        forecast: the network of ``settings.forecast``; None where the model is persistence.
    """

    base: ClassicalMethod
    settings: FourDVarSettings
    forecast: LamMethod | None = None

    def analyse(self, case: Case, neighbourhood=None) -> "FourDVarAnswer":
        """Analyse a case by all reports of its window; see `methods.method.Method.analyse`.

        Every rank analyses the whole domain and keeps its own box.

        Raises:
            InputError: no window, no report in it, a variable of the network that is not analysed, a grid that is too
                coarse for a covariance, or a first guess that does not cover the grid.
            ConvergenceError: see `fourdvar.minimise`.
        """
        if case.in_time is None and not isinstance(case, WindowCase):
            raise InputError(
                f"method fourdvar: the case of {case.time} has no window of several hours: set in_time_minutes of its"
                " reports or archive, such as --set cases.reports.in_time_minutes=210"
            )
        base = self.base.analyse(case)
        problem = self.problem(base)
        answer = self.minimised(problem)
        departures, guess = (each[problem.now].numpy() for each in (answer.states, problem.guesses))
        guess = dict(zip(problem.reports, guess, strict=True))
        variances = partial(self.variances, problem, answer.control)
        return FourDVarAnswer.cut(base, guess, departures, problem.rows, variances, answer.iterations)

    def minimised(self, problem: "Problem") -> Trajectory:
        """The departures of the least J."""
        loops = self.settings.outer_loops
        return minimise(problem.window, outer_loops=loops, kept=True, **self._solver)

    def variances(self, problem: "Problem", control: Tensor) -> dict[str, np.ndarray]:
        """Of the error of the analysis, by `methods.fourdvar_error`, square of analysis space, each (y, x).

        Args:
            control: about which the window is linear.
        """
        resolved: dict[str, np.ndarray] = {}
        for name, reports in problem.reports.items():
            if name == WIND[1] and WIND[0] in resolved and reports.equals(problem.reports[WIND[0]]):
                resolved[name] = resolved[WIND[0]]
                continue
            own = problem.points, problem.covariances[name], reports, self.settings.correlation
            resolved[name] = window_variance(*own).reshape(problem.window.shape[1:])
        ratio = np.ones(len(resolved))
        if self.forecast is not None and self.settings.error_members:
            drawn, persistent = self.smoothed_draws(problem, control)
            ratio = drawn.sum(0) / persistent.sum(0)
        columns = zip(resolved.items(), ratio, problem.unresolved, strict=True)
        return {name: own * factor + variance for (name, own), factor, variance in columns}

    def smoothed_draws(self, problem: "Problem", control: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """`fourdvar_error.smoothed_squares` of this window, and of that where departures persist by the same noise."""
        windows = problem.window, replace(problem.window, model=persistence)
        draws = (PosteriorDraws.about(window, control, problem.now, **self._solver).draw for window in windows)
        members, spacing = self.settings.error_members, problem.spacing
        return tuple(smoothed_squares(draw, members, spacing) for draw in draws)

    @property
    def _solver(self) -> dict:
        return {"tolerance": self.settings.tolerance, "most_iterations": self.settings.most_iterations}

    @property
    def step(self) -> np.timedelta64:
        """From one time of the window to the next."""
        return HOUR if self.forecast is None else self.forecast.step

    def _names(self, base: ClassicalAnswer) -> tuple[str, ...]:
        """The variables of the state."""
        windows = self.base.settings.variables
        timed = tuple(name for name in base.variables if windows[name].window is not None)
        if self.forecast is None:
            names = timed
        else:
            names = self.forecast.variables
            if missing := [name for name in names if name not in timed]:
                raise InputError(
                    f"method fourdvar: its network forecasts {', '.join(names)}, of which {', '.join(missing)} are not"
                    " analysed: name all of them in 'variables', in a file of settings with their key 'window'"
                )
        if not names and base.variables:
            raise InputError(
                f"method fourdvar: no key 'window' in the settings of {', '.join(base.variables)}, by which reports of"
                " several hours are analysed: name variables that have one, or another file of settings"
            )
        if not names or not base.case.reported & set(names):
            raise InputError(
                f"method fourdvar: the case of {base.case.time} has no report of {', '.join(names) or 'any variable'}"
                " within window_minutes, with which quality control begins: widen window_minutes (and in_time_minutes),"
                " or use another method"
            )
        return names

    def problem(self, base: ClassicalAnswer) -> "Problem":
        """What is solved of the case that optimal interpolation in time has analysed; raises as `analyse` does."""
        names = self._names(base)
        case, domain = base.case, base.case.domain
        kind = np.full(len(case.used), -1)
        for number, name in enumerate(names):
            kind[case.observations.variable == name] = number
        place = case.grid_place
        rows = np.flatnonzero(case.used & (kind >= 0) & inside(np.nan_to_num(place, nan=-9.0), domain.shape))
        if not len(rows):
            raise InputError(
                f"method fourdvar: the case of {case.time} has no report of {', '.join(names)} on {domain.name}, only"
                " some outside of its grid, which it cannot use: name a larger domain, or use another method"
            )
        slot = np.rint(case.hours[rows] * (HOUR / self.step)).astype(np.int64)
        order = np.argsort(slot, kind="stable")  # as the window joins its times
        rows, slot = rows[order], slot[order]
        first, last = slot.min(initial=0), slot.max(initial=0)
        points = grid_points(case.static, slice(0, domain.shape[0]), slice(0, domain.shape[1]))
        guesses = _first_guesses(case, points, names, np.arange(first, last + 1) * (self.step / HOUR))
        parts = [split_by_spacing(Covariance(base.assumed[name].covariance), domain.spacing_metres) for name in names]
        if fine := [name for name, (own, _) in zip(names, parts, strict=True) if not own.components]:
            raise InputError(
                f"method fourdvar: no covariance component of {', '.join(fine)} is as long as the"
                f" {domain.spacing_metres:g} m between points of {domain.name}: use a finer grid, or another method"
            )
        resolved, unresolved = [own for own, _ in parts], np.array([variance for _, variance in parts])[kind[rows]]
        root = GridRoot(domain, points, dict(zip(names, resolved, strict=True)), self.settings.most_whole)
        deviation = np.sqrt(base.observation_error[rows] ** 2 / base.weight[rows] + unresolved)
        reports, observed = Interpolation.to(place[rows], kind[rows], domain.shape), []
        of_each = {}
        for number, name in enumerate(names):
            own = kind[rows] == number
            columns = (reports.cells[:, own].numpy(), reports.weights[:, own].numpy())
            of_each[name] = WindowReports(*columns, slot[own], deviation[own])
        for number in range(first, last + 1):
            own = slot == number
            columns = (torch.from_numpy(each[own]) for each in (case.departure[rows], deviation))
            observed.append(Observations(*columns, reports[own]) if own.any() else None)
        model = persistence
        if self.forecast is not None:
            whole = replace(case, box=Box.whole(domain.shape))
            model = ForecastDepartures(self.forecast, whole, case.time + first * self.step, guesses)
        shape = (root.fields, *domain.shape)
        places = Points(**{column.name: getattr(case.points, column.name)[rows] for column in fields(Points)})
        c = self.settings.correlation
        window = ReportsWindow(observed, root, shape, model, c)
        if window.dual or self.settings.error_members:  # draws begin with those of departures that persist
            blocks = ReportBlocks(places, kind[rows], slot, deviation, resolved, correlation=c)
            window = replace(window, blocks=blocks)
        covariances = dict(zip(names, resolved, strict=True))
        unresolved = tuple(variance for _, variance in parts)
        return Problem(window, -first, guesses, rows, points, of_each, covariances, unresolved, domain.spacing_metres)


def _first_guesses(case: WindowCase, points: Points, names: tuple[str, ...], hours: np.ndarray) -> Tensor:
    """x_b on the grid at hours after the analysis time, analysis space, shape (times, variable, y, x)."""
    fields = []
    for hour in hours:
        guess = means(case.first_guess, names, TimedPoints.at(points, hour))
        fields.append(np.stack([guess[name].reshape(case.domain.shape) for name in names]))
    result = torch.from_numpy(np.stack(fields)).double()
    if not bool(result.isfinite().all()):
        raise InputError(
            f"method fourdvar: the first guess of {case.time} does not cover {case.domain.name} in every one of"
            f" {', '.join(names)}: name a background that does, or none"
        )
    return result
