"""From a case to stations, tokens and points: what a network that reads reports is given.

Reports are departures from a regression that is fitted to the given reports alone (`fields.regression`): there is no
background. Stations are given with their true places and heights; places enter as offsets between points, and as
fields (`features`) that any domain has, with relief and land by the same broad means on every grid.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from mlrtma_dist.clock import day_of_year
from mlrtma_dist.fields.regression import Regression
from mlrtma_dist.fields.static import Static, grid_points, with_broad_ground
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.points import Points, cartesian
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.image_encoding import Images
from mlrtma_dist.methods.predictands import Channels
from mlrtma_dist.methods.regression_guess import regression_on
from mlrtma_dist.methods.report_times import other_times
from mlrtma_dist.nn.report_points import PointSet, Stations
from mlrtma_dist.observations.sun import solar_elevation

WIDTHS = (60e3, 180e3, 540e3)  # m, of the set convolutions
LARGEST = 4.0  # departures beyond so many scales count as these in set convolutions, which one report spoils widely
FEW = 16  # stations to which tokens, and stations among themselves, attend
FEATURES = 7  # of every point, beside the number of reports of each variable
TOKEN_FIELDS = 1  # of a token beside a point's features: the deviation of the terrain in it
STEP = 10.0  # m over which the first guess is differenced


def fields_count(channels: Channels) -> int:
    """Channels of a token's input."""
    variables = len(channels.variables)
    return FEATURES + TOKEN_FIELDS + variables + 2 * variables * len(WIDTHS)


@dataclass(frozen=True)
class Reports:
    """The given reports of a case.

    Attributes:
        channels: how values are given to the network; static: the domain's; time: of the analysis.
        guess: the regression on these reports.
        points: where the s stations are.
        place: their coordinates (y, x) on the domain's grid, shape (s, 2).
        age: hours after the analysis time, shape (s,).
        plain: departures in units of the scale, NaN where not reported, shape (s, variables).
        values, present: as of `nn.report_points.Stations`, shape (s, channels).
        row: number of the case's row of every variable, -1 where not reported, shape (s, variables).
        tree: of the stations' positions; None: there is no station.
        images: the imagery of the case, of a network that is given any.
        station: number of the station of each row, shape (s,), where a station may have several; None: each has one.
    """

    channels: Channels
    static: Static
    time: np.datetime64
    guess: Regression
    points: Points
    place: np.ndarray
    age: np.ndarray
    plain: np.ndarray
    values: np.ndarray
    present: np.ndarray
    row: np.ndarray
    tree: cKDTree | None
    images: Images | None = None
    station: np.ndarray | None = None

    @property
    def reported(self) -> np.ndarray:
        """Whether any station reports each variable, shape (variables,)."""
        return (self.row >= 0).any(axis=0)

    def near(self, position: np.ndarray, neighbours: int, skip: int = 0) -> np.ndarray:
        """Numbers of the nearest stations of positions (m, 3), -1 where there are fewer, shape (m, neighbours)."""
        count = 0 if self.tree is None else min(neighbours, self.tree.n - skip)
        near = np.full((len(position), neighbours), -1)
        if count > 0 and len(position):
            near[:, :count] = self.tree.query(position, k=np.arange(1 + skip, 1 + skip + count))[1]
        return near

    def _near_others(self, points: Points, neighbours: int) -> np.ndarray:
        """Numbers of the rows of other stations nearest to each, -1 where there are fewer, shape (s, neighbours)."""
        if self.station is None or not len(self.points):
            return self.near(points.position, neighbours, skip=1)
        most = int(np.unique(self.station, return_counts=True)[1].max())
        near = self.near(points.position, neighbours + most)
        near = np.where(self.station[near] == self.station[:, None], -1, near)
        order = np.argsort(near < 0, axis=1, kind="stable")  # own rows to the end
        return np.take_along_axis(near, order, axis=1)[:, :neighbours]

    def features(self, points: Points) -> np.ndarray:
        """What is known of points whatever domain they lie on, shape (m, FEATURES + variables)."""
        sun = solar_elevation(points.latitude, points.longitude, self.time)
        season = 2.0 * np.pi * (day_of_year(self.time) - 202.0) / 365.25
        phi = np.deg2rad(points.latitude)
        columns = [
            points.elevation / 1000.0,
            points.relief / 300.0,
            points.land,
            np.abs(np.sin(phi)),
            np.sin(np.deg2rad(sun)),
            np.tanh(points.latitude / 10.0) * np.cos(season),
            np.tanh(points.latitude / 10.0) * np.sin(season),
        ]
        counts = np.log1p(np.isfinite(self.plain).sum(0)) / 8.0  # 3,000 reports are 1
        return np.column_stack([*columns, np.broadcast_to(counts, (len(points), len(counts)))])

    def point_set(self, points: Points, near: np.ndarray) -> PointSet:
        """Points and the numbers of the stations near them as tensors, a batch of one."""
        ground = np.column_stack([points.elevation / 1000.0, points.relief / 1000.0, points.land])
        return PointSet(
            tensor(points.position), tensor(self.features(points)), tensor(ground), torch.from_numpy(near)[None]
        )

    def stations(self, beside: np.ndarray | None = None) -> Stations:
        """The stations as tensors, a batch of one; where there is none, one that reports nothing.

        Args:
            beside: further features of the stations, shape (s, columns).
        """
        points, values, present, age = self.points, self.values, self.present, self.age
        if not len(points):
            points = grid_points(self.static, slice(0, 1), slice(0, 1))
            values = present = np.zeros((1, self.channels.count))
            age = np.zeros(1)
            beside = None if beside is None else np.zeros((1, beside.shape[1]))
        there = self.point_set(points, self._near_others(points, FEW))
        place = self.place if len(self.place) else np.full((1, 2), -np.inf)
        there = self.with_further(there, age, place, beside)
        return Stations(there, tensor(values), tensor(present))

    def with_further(self, points: PointSet, age: np.ndarray, place: np.ndarray, beside: np.ndarray | None) -> PointSet:
        """Points with all features: age (m,), what stands ``beside`` (m, columns), and the imagery there.

        Args:
            place: of the points on the domain's grid (y, x), shape (m, 2).
        """
        further = [age[:, None], *([] if beside is None else [beside])]
        if self.images is not None:
            further.append(self.images.points(place))
        return replace(points, features=torch.cat([points.features, *map(tensor, further)], -1))

    def first_guess(self, name: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """The first guess at points and its vertical gradient per km, analysis space, shape (m,) each."""
        higher = replace(points, elevation=points.elevation + STEP, relief=points.relief + STEP)
        value = self.guess.mean(name, points)
        return value, (self.guess.mean(name, higher) - value) * (1000.0 / STEP)


def read_reports(
    case: Case, chosen: np.ndarray, channels: Channels, images: Images | None = None, of_station: int = 1
) -> Reports:
    """The reports of a case that a network is given.

    Args:
        chosen: mask of the case's reports, shape (n,).
        images: the imagery that it is given beside them.
        of_station: reports of one station and variable at most; those beside the chosen one are rows of their own with
            their own ages, and take no part in the regression.
    """
    table, variables = case.observations, channels.variables
    rows = chosen & np.isin(table.variable, variables) & np.isfinite(case.grid_place).all(1) & np.isfinite(case.value)
    of = {name: rows & (table.variable == name) for name in variables}
    places = with_broad_ground(case.static, case.points)
    guess = regression_on(case, of, places)
    if of_station > 1:
        rows = rows | (other_times(case, rows, of_station) & np.isfinite(case.grid_place).all(1))
        of = {name: rows & (table.variable == name) for name in variables}
    number = np.full(len(table), -1)
    first, number[rows] = np.unique(case.report_number[rows], return_index=True, return_inverse=True)[1:]
    first = np.flatnonzero(rows)[first]
    plain, row = np.full((len(first), len(variables)), np.nan), np.full((len(first), len(variables)), -1)
    values, present = np.zeros((2, len(first), channels.count))
    for column, name in enumerate(variables):
        at, points, value = number[of[name]], places[of[name]], case.value[of[name]]
        departure = (value - guess.mean(name, points)) / channels.scale[column]
        plain[at, column], row[at, column] = departure, np.flatnonzero(of[name])
        values[at, channels.slices[name]] = channels.of(name, departure, value)
        present[at, channels.slices[name]] = 1.0
    points = places[first]
    age = (table.time[first] - case.time).astype("timedelta64[s]").astype(np.float64) / 3600.0
    tree = cKDTree(points.position) if len(points) else None
    place = case.grid_place[first]
    station = case.station_number[first] if of_station > 1 else None
    return Reports(
        channels, case.static, case.time, guess, points, place, age, plain, values, present, row, tree, images, station
    )


def token_fields(reports: Reports, case: Case, patch: int) -> tuple[Tensor, PointSet]:
    """The fields of this tile's tokens, shape (1, fields, y, x), and the tokens as points, row by row."""
    points, deviation = tokens_of(case, patch)
    rows, columns = (-(-size // patch) for size in case.box.shape)
    point_set = reports.point_set(points, reports.near(points.position, FEW))
    own = np.concatenate([point_set.features[0].numpy().T, deviation[None]]).reshape(-1, rows, columns)
    first = case.box.y0 // patch, case.box.x0 // patch
    wide = set_convolutions(reports, case.domain, patch, (first[0], rows), (first[1], columns))
    imagery = [] if reports.images is None else [reports.images.tokens(case.box, patch)]
    return tensor(np.concatenate([own, wide, *imagery])), point_set


def tokens_of(case: Case, patch: int) -> tuple[Points, np.ndarray]:
    """The tokens of a box as points with the means of their squares, and the deviation of the terrain in each, km."""
    box, static = case.box, case.static
    rows, columns = (np.arange(low, high, patch) for low, high in ((box.y0, box.y1), (box.x0, box.x1)))
    fields = [static.terrain, *static.broad, static.terrain.astype(np.float64) ** 2]
    terrain, smooth, land, squares = (_means(field[box.slices], patch) for field in fields)
    y, x = np.meshgrid(rows + 0.5 * (patch - 1), columns + 0.5 * (patch - 1), indexing="ij")
    latitude, longitude = (part.ravel() for part in case.domain.position(y, x))
    points = Points(latitude, longitude, cartesian(latitude, longitude), terrain, land, terrain - smooth)
    return points, np.sqrt(np.maximum(squares - terrain**2, 0.0)) / 300.0


def _means(field: np.ndarray, patch: int) -> np.ndarray:
    """Means over squares of ``patch`` points, incomplete ones at the far edge over the points they have, shape (n,)."""
    starts = [np.arange(0, size, patch) for size in field.shape]
    sums = np.add.reduceat(np.add.reduceat(field.astype(np.float64), starts[0], 0), starts[1], 1)
    counts = [np.diff([*start, size]) for start, size in zip(starts, field.shape, strict=True)]
    return (sums / np.outer(*counts)).ravel()


def set_convolutions(
    reports: Reports, domain: Domain, patch: int, y: tuple[int, int], x: tuple[int, int]
) -> np.ndarray:
    """Density and mean departure of every variable at tokens, by Gaussians of `WIDTHS`, shape (channels, y, x).

    With w_gi = exp(-|x_g - s_i|^2 / 2 l^2) the density is sum_i w_gi and the mean sum_i w_gi d_i / density. The
    Gaussian separates into a factor of y and one of x, so that all sums are one product of two matrices.

    Args:
        y, x: first token and number of tokens.
    """
    present = np.isfinite(reports.plain)
    values = np.clip(np.where(present, reports.plain, 0.0), -LARGEST, LARGEST)
    columns = np.concatenate([present, values], axis=1).T.astype(np.float32)  # (2 variables, s)
    centres = [(np.arange(first, first + count) + 0.5) * patch - 0.5 for first, count in (y, x)]
    parts = []
    for width in WIDTHS:
        steps = width / domain.spacing_metres
        in_y, in_x = (
            np.exp(-0.5 * ((centre[:, None] - reports.place[:, axis]) / steps) ** 2).astype(np.float32)
            for axis, centre in enumerate(centres)
        )
        sums = np.einsum("cys,xs->cyx", columns[:, None, :] * in_y, in_x, optimize=True)
        density, total = np.split(sums, 2)
        parts += [np.log1p(density), total / np.maximum(density, 0.1)]
    return np.concatenate(parts)


def tensor(rows: np.ndarray) -> Tensor:
    """Rows as a tensor, a batch of one."""
    return torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32))[None]
