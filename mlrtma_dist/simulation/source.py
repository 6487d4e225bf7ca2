"""What the sources of simulated planes share: cases without a date, whose reports stand at grid points."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlrtma_dist.fields.first_guess import FirstGuess
from mlrtma_dist.fields.plane import PlaneFirstGuess
from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.linalg.noise import distinct_points, normal
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.observations.table import Observations

EPOCH = np.datetime64("2000-01-01T00:00:00", "s")  # the cases have no date; one per hour from here on names them


def hours_from_epoch(numbers: np.ndarray) -> np.ndarray:
    """The times that name cases of these numbers, datetime64[s], shape (n,)."""
    return EPOCH + numbers.astype("timedelta64[h]")


@dataclass(frozen=True)
class PlaneReports:
    """Reports at grid points of a plane, n rows.

    Attributes:
        place: grid points (y, x), integers of shape (n, 2).
        kind: number of each one's type, shape (n,).
        value, error: SI, shape (n,).
    """

    place: np.ndarray
    kind: np.ndarray
    value: np.ndarray
    error: np.ndarray

    def __len__(self) -> int:
        return len(self.value)

    def on(self, shape: tuple[int, int]) -> "PlaneReports":
        """Those on the first rows and columns of the plane, as many as ``shape`` says."""
        rows = (self.place < shape).all(axis=1)
        return PlaneReports(self.place[rows], self.kind[rows], self.value[rows], self.error[rows])


Drawn = tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray], PlaneReports]  # truth, background, reports


@dataclass(frozen=True)
class PlaneCases:
    """Cases of a world on a periodic plane, or on its first rows and columns (`methods.case.Cases`).

    Attributes:
        contents: what every case holds.
        law: the world, whose statistics are known.
        draw: the whole case of a number: truth and background by variable, shape (y, x), and reports.
        first: number of the first case in the world; count: of cases.
        times: the times that name the cases of some numbers.
    """

    contents: Contents
    law: object
    draw: Callable[[int], Drawn]
    first: int
    count: int
    times: Callable[[np.ndarray], np.ndarray] = hours_from_epoch

    @property
    def time(self) -> np.ndarray:
        """The times that name the cases, datetime64[s], shape (case,)."""
        return self.times(np.arange(self.first, self.first + self.count))

    @cached_property
    def static(self) -> Static:
        """The flat ground of the plane."""
        return load_static(self.contents.domain)

    def reports(self, number: int) -> Observations:
        """The reports of a case, n rows."""
        return self.case(number, Box.whole(self.contents.domain.shape)).observations

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        """A case on a box with the reports of the whole domain; see `methods.case.Cases.case`."""
        truth, background, reports = self.draw(self.first + number)
        reports = reports.on(self.contents.domain.shape)
        time, count = self.time[number], len(reports)
        table = Observations.build(
            station=np.full(count, ""),
            latitude=np.nan,
            longitude=np.nan,
            time=np.full(count, time),
            variable=np.array(self.contents.observed)[reports.kind],
            value=reports.value,
            error=reports.error,
            source="simulated",
        )
        withheld = np.zeros(count, dtype=bool) if withheld is None else withheld
        return Case(
            self.static,
            box,
            time,
            table,
            ~withheld,
            withheld,
            self._first_guess(background),
            place=reports.place,
            truth={name: field[box.slices] for name, field in truth.items()},
            background={name: field[box.slices] for name, field in background.items()},
            variables=self.contents.variables,
            units=self.contents.unit_of,
        )

    def case_of_tile(self, number: int, box: Box) -> Case:
        """The same: a writer takes the reports that its box owns."""
        return self.case(number, box)

    def _first_guess(self, background: Mapping[str, np.ndarray]) -> FirstGuess | None:
        return PlaneFirstGuess(self.contents.domain, background, "simulated background") if background else None


def point_reports(truth: np.ndarray, deviation: float, seed: int, count: int, member: int, channels) -> PlaneReports:
    """Reports of one field at distinct grid points, all of one type, with independent Gaussian errors.

    Args:
        truth: the field, shape (y, x); deviation: of the errors, in its unit.
        seed, member: of which places and errors are a function; channels: of the noise of both.
        count: of the reports.
    """
    place = distinct_points(seed, truth.shape, count, member=member, channel=channels[0])
    noise = normal(seed, *place.T, member=member, channel=channels[1])
    value = truth[tuple(place.T)] + deviation * noise
    return PlaneReports(place, np.zeros(count, np.int64), value, np.full(count, deviation))
