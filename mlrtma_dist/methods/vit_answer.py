"""The answer of a network that reads reports: exact at any points, and on the grid interpolated between some of them.

At a point the network is asked for the point's own height. On the grid it is asked at every n-th point, and the
analysis is carried from there to the heights between by its vertical gradient.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from mlrtma_dist import names
from mlrtma_dist.fields.consistency import GIVES_WAY, LIMITED_BY, make_consistent
from mlrtma_dist.fields.static import grid_points, with_broad_ground
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.events import at_limits, gaussian_below
from mlrtma_dist.methods.indicators import ONE_DEVIATION, quantile
from mlrtma_dist.methods.learned import WithoutWeights
from mlrtma_dist.methods.method import ALONE, Fields, Share
from mlrtma_dist.methods.predictands import PREDICTANDS, limits, values
from mlrtma_dist.methods.report_encoding import Reports
from mlrtma_dist.methods.torch_threads import task_threads
from mlrtma_dist.nn.report_points import Stations
from mlrtma_dist.nn.report_transformer import Encoded

if TYPE_CHECKING:
    from mlrtma_dist.methods.vit import TransformerMethod

SPACING = 20e3  # m between the points of the grid at which the network is asked, at most
AT_ONCE = 8192  # points that are decoded at once: 200 MB


@dataclass(frozen=True)
class Values:
    """The analysis at m points, analysis space.

    Attributes:
        value: variable -> analysis, shape (m,); gradient: of the value, per km.
        error: variable -> standard deviation of a report's difference from the analysis, shape (m,).
        below: variable with limits -> probability below each of its limits, ascending, shape (m, k).
    """

    value: dict[str, np.ndarray]
    error: dict[str, np.ndarray]
    gradient: dict[str, np.ndarray]
    below: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class TransformerAnswer(WithoutWeights):
    """What the network makes of a case (`methods.method.Answer`).

    Attributes:
        case: what was analysed; method: the network; reports: what it was given.
        stations, encoded: as tensors, and what the network made of them.
    """

    case: Case
    method: "TransformerMethod"
    reports: Reports
    stations: Stations
    encoded: Encoded
    everywhere = True
    together = True

    @property
    def variables(self) -> tuple[str, ...]:
        """The analysed variables."""
        of_case = self.case.variables or self.method.variables
        return tuple(name for name in self.method.variables if name in of_case)

    def at(self, variable: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Analysis and standard deviation of its error at points, analysis space, shape (m,) each.

        The network predicts how far a report lies from the analysis; the report's own error is taken out of that.
        """
        values = self._values(points)
        return values.value[variable], analysis_error(variable, values.error[variable])

    def below(self, variable: str, points: Points, limits_: np.ndarray) -> np.ndarray:
        """Probability that a report would lie below limits, analysis space, shape (m, k); see `events.below`."""
        return at_limits(edges(variable), self._values(points).below[variable], limits_)

    def fields(self, share: Share = ALONE, progress=lambda name, part: None) -> Fields:
        """The analysis on the case's box; see `methods.method.Answer.fields`."""
        box, static = self.case.box, self.case.static
        step = max(1, int(SPACING / self.case.domain.spacing_metres))
        rows, columns = (
            np.unique(np.minimum(np.arange(low // step, -(-(high - 1) // step) + 1) * step, size - 1))
            for (low, high), size in zip(((box.y0, box.y1), (box.x0, box.x1)), static.domain.shape, strict=True)
        )
        points = _chosen(static, rows, columns)
        at, spread = self._values(points, share), between(box, rows, columns)
        rise = (static.terrain[box.slices] - spread(points.elevation)) / 1000.0
        result = Fields({})

        def field(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
            value = spread(at.value[name]) + spread(at.gradient[name]) * rise
            probability = None
            if name in names.EVENTS:
                events = np.asarray(names.to_analysis(name, np.array(names.EVENTS[name])))
                below = at_limits(edges(name), at.below[name], events)
                probability = np.stack([spread(each) for each in below.T])
            value = np.asarray(names.from_analysis(name, value), np.float32)
            return value, spread(analysis_error(name, at.error[name])), probability

        with task_threads(len(self.variables), share) as each:
            for name, (value, error, probability) in zip(self.variables, each(field, self.variables), strict=True):
                result.values[name], result.error[name] = value, error
                if probability is not None:
                    result.probability[name] = probability
                progress(name, 1.0)
        make_consistent(result.values, self.case.reported)
        return result

    def _values(self, points: Points, share: Share = ALONE) -> Values:
        """The analysis at points; that of the points asked last is kept, as all variables are known at once."""
        for places, there in self._last:
            if places is points or places.equals(points):
                return there
        parts = self._parts([points[slice(start, start + AT_ONCE)] for start in range(0, len(points), AT_ONCE)], share)
        joined = [
            {name: np.concatenate([getattr(part, field)[name] for part in parts]) for name in getattr(parts[0], field)}
            for field in ("value", "error", "gradient", "below")
        ]
        values = Values(*joined)
        make_ordered(values, self.case.reported)
        self._last[:] = [(points, values)]
        return values

    @cached_property
    def _last(self) -> list[tuple[Points, Values]]:
        """The points that were asked for last, and the analysis there."""
        return []

    def _parts(self, parts: list[Points], share: Share) -> list[Values]:
        """The analysis at every part of some points: on a CPU of as many at a time as the rank has threads."""
        if self.encoded.tokens.device.type != "cpu" or len(parts) < 2:
            return [self._part(part, share) for part in parts]
        if self.method.source is not None:
            self.method.source.answer(self.case)  # here, as all threads need it
        with task_threads(len(parts), share) as each:
            return each(partial(self._part, share=replace(share, threads=1)), parts)

    @torch.no_grad()
    def _part(self, points: Points, share: Share) -> Values:
        """The analysis at some points."""
        channels = self.method.reported
        at = self.method.distributions(self.encoded, self.reports, self.case, points, self.stations, share)
        points = with_broad_ground(self.case.static, points)
        mean, spread, gradient = (
            part[0].cpu().numpy().astype(np.float64) for part in (at.mean, at.spread, at.gradient)
        )
        result = Values({}, {}, {}, {})
        reported = dict(zip(channels.variables, self.reports.reported, strict=True))
        for name in self.variables:
            scale = PREDICTANDS[name].scale
            if not reported[name]:
                self._add_climatology(result, name, points)
            elif name in channels.smooth:
                column = channels.smooth.index(name)
                guess, slope = self.reports.first_guess(name, points)
                result.value[name] = guess + scale * mean[:, column]
                result.error[name] = scale * spread[:, column]
                result.gradient[name] = slope + scale * gradient[:, column]
            else:
                below = ascending(at.below[name][0].cpu().numpy().astype(np.float64))
                result.below[name] = below
                result.value[name], result.error[name] = summary(name, below)
                result.gradient[name] = np.zeros(len(points))
        return result

    def _add_climatology(self, result: Values, name: str, points: Points) -> None:
        """The first guess of a variable that no station reports, which is climatology, with its error."""
        guess, slope = self.reports.first_guess(name, points)
        spread = self.reports.guess.spread(name, points)
        result.value[name], result.error[name] = guess, np.hypot(spread, PREDICTANDS[name].error)
        result.gradient[name] = slope
        if name in self.method.reported.classes:
            result.below[name] = gaussian_below(guess, result.error[name], limits(name))


def between(box: Box, rows: np.ndarray, columns: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Bilinear interpolation from the points of some rows and columns of the grid to all of a box.

    Returns:
        From values at the points, row by row, to the field on the box, float32, shape (y, x).
    """
    ends = (box.y0, box.y1, rows), (box.x0, box.x1, columns)
    (south, up), (west, right) = (_between(np.arange(low, high), knots) for low, high, knots in ends)
    up = up[:, None]

    def spread(values: np.ndarray) -> np.ndarray:
        coarse = values.reshape(len(rows), len(columns)).astype(np.float32)
        lines = coarse[:, west] * (1 - right) + coarse[:, np.minimum(west + 1, len(columns) - 1)] * right
        return lines[south] * (1 - up) + lines[np.minimum(south + 1, len(rows) - 1)] * up

    return spread


def _between(lines: np.ndarray, knots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each line the last of the ascending ``knots`` before it, and how far it lies towards the next."""
    place = np.interp(lines, knots, np.arange(len(knots)))
    first = np.floor(place).astype(np.int64)
    return first, (place - first).astype(np.float32)


def ascending(below: np.ndarray) -> np.ndarray:
    """Probabilities (m, k) that were given one by one, in order: the mean of both ways to order them."""
    upward = np.maximum.accumulate(below, axis=1)
    return 0.5 * (upward + np.minimum.accumulate(below[:, ::-1], axis=1)[:, ::-1])


def edges(name: str) -> np.ndarray:
    """First value, limits and last value of a variable with limits, analysis space, shape (k + 2,)."""
    centre = values(name)
    return np.concatenate([centre[:1], limits(name), centre[-1:]])


def summary(name: str, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Analysis and deviation of distributions (m, k) of a variable with limits, analysis space, shape (m,) each.

    The analysis is the median, where the variable says so, with half the interval of 68 % as its deviation; else the
    mean and the standard deviation.
    """
    if PREDICTANDS[name].median:
        low, middle, high = (quantile(edges(name), below, level) for level in (ONE_DEVIATION[0], 0.5, ONE_DEVIATION[1]))
        return middle, 0.5 * (high - low)
    ends = np.zeros((len(below), 1)), np.ones((len(below), 1))
    share = np.diff(np.concatenate([ends[0], below, ends[1]], axis=1), axis=1)
    centre = values(name)
    mean = share @ centre
    return mean, np.sqrt(np.maximum(share @ centre**2 - mean**2, 0.0))


def analysis_error(name: str, error: np.ndarray) -> np.ndarray:
    """Deviation of the analysis from the truth, from that of reports from the analysis; at least a third of it."""
    return np.sqrt(np.maximum(error**2 - PREDICTANDS[name].error ** 2, (error / 3.0) ** 2))


def make_ordered(at: Values, reported: Collection[str]) -> None:
    """Limit a dew point by the temperature, and a gust from below by the wind's speed, in place."""
    at.value.update({name: at.value[name].copy() for name in (*LIMITED_BY, *GIVES_WAY) if name in at.value})
    make_consistent(at.value, reported)


def _chosen(static, rows: np.ndarray, columns: np.ndarray) -> Points:
    """The grid's points of some rows and columns, row by row."""
    whole = grid_points(static, slice(0, 1), slice(0, 1))
    parts = [grid_points(static, slice(row, row + 1))[columns] for row in rows]
    return Points(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(whole)})
