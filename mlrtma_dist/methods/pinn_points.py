"""Collocation points of a physics-informed network, and the classical analysis with its derivatives there.

The analysis has no derivatives in closed form: they are taken as central differences, over 20 km, 50 m of height and a
quarter of an hour. A place that is moved keeps its land fraction, and its height above the sea.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from mlrtma_dist.fields.static import station_points
from mlrtma_dist.grid.domain import EARTH_RADIUS
from mlrtma_dist.grid.points import Points, TimedPoints, cartesian, hours_of, plane_points
from mlrtma_dist.methods import local
from mlrtma_dist.methods.classical import ClassicalAnswer
from mlrtma_dist.methods.window import WindowCase
from mlrtma_dist.nn.space_time import Jet
from mlrtma_dist.physics.surface import Ground

STEP = (20e3, 20e3, 50.0, 0.25)  # of the differences: m to the east, north and up, hours
SECONDS = 3600.0
LEVELS = 9  # times of the window at which there are points
ROTATION = 7.292e-5  # of the earth, s-1
NEIGHBOURS = 64  # reports that decide the error of the analysis at a point


@dataclass(frozen=True)
class Frame:
    """Coordinates of a network: m to the east and north of a place, height in m, and time in s.

    Attributes:
        latitude, longitude: of the origin, degrees; plane: whether positions are those of a plane.
    """

    latitude: float
    longitude: float
    plane: bool = False

    @classmethod
    def of(cls, points: Points, plane: bool) -> "Frame":
        """With its origin in the middle of n >= 1 points."""
        return cls(float(np.mean(points.latitude)), float(np.median(points.longitude)), plane)

    def coordinates(self, points: Points) -> torch.Tensor:
        """Shape (n, 4), float32."""
        if self.plane:
            x, y = points.position[:, 0], points.position[:, 1]
        else:
            turn = (points.longitude - self.longitude + 180.0) % 360.0 - 180.0
            x = EARTH_RADIUS * np.cos(np.deg2rad(self.latitude)) * np.deg2rad(turn)
            y = EARTH_RADIUS * np.deg2rad(points.latitude - self.latitude)
        columns = [x, y, points.elevation, hours_of(points) * SECONDS]
        return torch.from_numpy(np.stack(columns, axis=1).astype(np.float32))

    def stretch(self, points: Points) -> torch.Tensor:
        """Factor by which a derivative by the first coordinate is one by metres to the east, shape (n,)."""
        if self.plane:
            return torch.ones(len(points))
        ratio = np.cos(np.deg2rad(self.latitude)) / np.cos(np.deg2rad(points.latitude))
        return torch.from_numpy(ratio.astype(np.float32))

    def moved(self, points: TimedPoints, axis: int, sign: float) -> TimedPoints:
        """The points, moved by a step along one coordinate."""
        step = sign * STEP[axis]
        if axis == 3:
            return replace(points, hours=points.hours + step)
        if axis == 2:
            return replace(points, elevation=points.elevation + step, relief=points.relief + step)
        if self.plane:
            offset = np.zeros(3)
            offset[axis] = step
            return replace(points, position=points.position + offset)
        latitude, longitude = points.latitude, points.longitude
        turn = np.rad2deg(step / EARTH_RADIUS)
        if axis == 0:
            longitude = longitude + turn / np.cos(np.deg2rad(latitude))
        else:
            latitude = latitude + turn
        return replace(points, latitude=latitude, longitude=longitude, position=cartesian(latitude, longitude))


@dataclass(frozen=True)
class Placement:
    """What all networks of a window share.

    Attributes:
        frame: of the coordinates; spacing: m between neighbouring stations, on average; hours: of the first and of the
            last used report.
    """

    frame: Frame
    spacing: float
    hours: tuple[float, float]

    @classmethod
    def of(cls, case: WindowCase) -> "Placement":
        """Of all used reports of a window, one at least."""
        places, hours = case.points[case.used], case.hours[case.used]
        frame = Frame.of(places, case.domain.is_plane)
        stations = _stations(frame, places)
        spacing = float(np.sqrt(np.prod(np.ptp(stations, axis=0) + 1.0) / len(stations)))
        return cls(frame, spacing, (hours.min(), hours.max()))


def _stations(frame: Frame, places: Points) -> np.ndarray:
    """Positions of stations to the east and north, m, each once, shape (s, 2)."""
    return np.unique(np.round(frame.coordinates(places).numpy()[:, :2].astype(np.float64), -2), axis=0)


@dataclass(frozen=True)
class Collocation:
    """Places on terrain at times of the window, near the reports.

    Attributes:
        frame: of the coordinates; points: n of them; spacing: m between neighbouring stations, on average.
        slope: of the terrain to the east and north, shape (2, n).
    """

    frame: Frame
    points: TimedPoints
    spacing: float
    slope: np.ndarray

    @classmethod
    def draw(
        cls, case: WindowCase, count: int, seed: int | tuple[int, int], placement: Placement, rows: np.ndarray
    ) -> "Collocation":
        """Places about the stations of reports of the window, as dense as these are, whatever box is analysed.

        Args:
            count: n; seed: of the draw; placement: of all used reports of the case.
            rows: mask of the used reports about which points are drawn, shape (reports,).
        """
        random, frame, spacing = np.random.default_rng(seed), placement.frame, placement.spacing
        stations = _stations(frame, case.points[rows])
        chosen = stations[random.integers(len(stations), size=count)] + random.normal(0.0, spacing, (count, 2))
        levels = np.linspace(*placement.hours, LEVELS)
        hours = levels[np.arange(count) % LEVELS]
        points = cls._on_terrain(case, frame, chosen)
        steps = [cls._on_terrain(case, frame, chosen + np.eye(2)[k] * s * STEP[0] / 2) for k in (0, 1) for s in (1, -1)]
        height = [each.elevation for each in steps]
        slope = np.stack([height[0] - height[1], height[2] - height[3]]) / STEP[0]
        return cls(frame, TimedPoints.at(points, hours), spacing, slope)

    @staticmethod
    def _on_terrain(case: WindowCase, frame: Frame, xy: np.ndarray) -> Points:
        if frame.plane:
            return plane_points(case.domain, xy[:, ::-1] / case.domain.spacing)
        latitude = frame.latitude + np.rad2deg(xy[:, 1] / EARTH_RADIUS)
        longitude = frame.longitude + np.rad2deg(xy[:, 0] / EARTH_RADIUS / np.cos(np.deg2rad(frame.latitude)))
        return station_points(case.static, np.clip(latitude, -89.0, 89.0), longitude, np.full(len(xy), np.nan))

    @cached_property
    def ground(self) -> Ground:
        """What the equations need of the place."""
        coriolis = 2.0 * ROTATION * np.sin(np.deg2rad(self.points.latitude))
        return Ground(_tensor(self.slope), _tensor(coriolis))

    @cached_property
    def sources(self) -> torch.Tensor:
        """An orthonormal basis of smooth sources at the points: cubic in time, linear in place; (n, 10), float32."""
        x, y, z, t = (self.frame.coordinates(self.points).numpy().astype(np.float64)).T
        x, y, z, t = ((each - each.mean()) / max(each.std(), 1e-9) for each in (x, y, z, t))
        basis = np.stack([np.ones_like(t), t, t**2, t**3, x, y, z, x * t, y * t, z * t], axis=1)
        return _tensor(np.linalg.qr(basis)[0])

    def differences(self, function) -> Jet:
        """The jet of a function of points that returns (n,), as of one output and member."""
        centre = function(self.points)
        sides = [[function(self.frame.moved(self.points, axis, sign)) for sign in (1, -1)] for axis in range(4)]
        return _jet(centre, sides)

    def error(self, answer: ClassicalAnswer, name: str) -> Jet:
        """The error that an analysis expects: from the same reports at a point and about it."""
        fit = answer.fits[name]
        fit = fit.wind.vector if hasattr(fit, "wind") else fit
        moved = [self.frame.moved(self.points, axis, sign) for axis in range(4) for sign in (1, -1)]
        every, count = [self.points, *moved], len(self.points)
        place = np.column_stack([self.points.position, self.points.hours * fit.hour_as_distance])
        near = fit.tree.query(place, k=range(1, min(NEIGHBOURS, fit.tree.n) + 1))[1]
        targets = TimedPoints(**{f: np.concatenate([getattr(p, f) for p in every]) for f in vars_of(self.points)})
        groups = [np.arange(len(every)) * count + number for number in range(count)]
        variance = local.posterior_variances(fit.covariance, targets, groups, fit.stations, near, fit.r_squared)
        own = np.maximum(np.sqrt(variance).reshape(len(every), count), 1e-6)
        spread = answer.case.first_guess.spread(name, self.points)
        own = np.hypot(own, spread)
        return _jet(own[0], [[own[1 + 2 * axis], own[2 + 2 * axis]] for axis in range(4)])


def vars_of(points: TimedPoints) -> tuple[str, ...]:
    """Names of the attributes of points."""
    return tuple(points.__dataclass_fields__)


def _jet(centre: np.ndarray, sides) -> Jet:
    steps = np.array(STEP) * np.array([1.0, 1.0, 1.0, SECONDS])
    first = np.stack([(up - down) / (2.0 * step) for (up, down), step in zip(sides, steps, strict=True)])
    second = np.stack(
        [(up - 2.0 * centre + down) / step**2 for (up, down), step in zip(sides[:2], steps, strict=False)]
    )
    return Jet(_tensor(centre)[None], _tensor(first)[:, None], _tensor(second)[:, None])


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
