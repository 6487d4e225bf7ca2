"""A source of cases that a function makes, for tests of stores, datasets and methods."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mlrtma_dist.fields.static import Static, load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import Domain, Size
from mlrtma_dist.methods.case import Case, Contents
from mlrtma_dist.observations.table import Observations


def plane(shape: tuple[int, int], *, periodic: bool = False, name: str = "plane") -> Domain:
    """A plane of ``shape`` (y, x) points, one metre apart."""
    return Domain(name, name, "plane", Size(shape[1], shape[0]), 1.0, periodic=periodic)


@dataclass(frozen=True)
class Reports:
    """Reports at places of a grid.

    Attributes:
        place: grid coordinates (y, x), shape (n, 2); value, error: SI, shape (n,); kind: number of the type.
        columns: others of `observations.table.Observations`, by name.
    """

    place: np.ndarray
    value: np.ndarray
    error: np.ndarray
    kind: np.ndarray
    columns: dict = field(default_factory=dict)


NO_REPORTS = Reports(np.empty((0, 2)), np.empty(0), np.empty(0), np.empty(0, int))


@dataclass(frozen=True)
class Invented:
    """A source of cases (`methods.case.Cases`).

    Attributes:
        contents: what every case holds; count: of cases, an hour apart.
        fields: (number, box) -> fields on the box in the order of ``contents.fields``, shape (field, y, x).
        reports_of: number -> reports of the whole domain.
    """

    contents: Contents
    fields: Callable[[int, Box], np.ndarray]
    reports_of: Callable[[int], Reports] = lambda number: NO_REPORTS
    count: int = 1

    @property
    def time(self) -> np.ndarray:
        return np.datetime64("2026-01-01", "s") + np.arange(self.count) * np.timedelta64(1, "h")

    @cached_property
    def static(self) -> Static:
        return load_static(self.contents.domain)

    def reports(self, number: int) -> Observations:
        return self.case(number, Box.whole(self.contents.domain.shape)).observations

    def case(self, number: int, box: Box, withheld: np.ndarray | None = None) -> Case:
        reports, domain, names = self.reports_of(number), self.contents.domain, self.contents.variables
        count = len(reports.value)
        latitude, longitude = (np.nan, np.nan) if domain.is_plane else domain.position(*reports.place.T)
        columns = {
            "station": np.full(count, "S"),
            "latitude": latitude,
            "longitude": longitude,
            "time": np.full(count, self.time[number]),
            "variable": np.array(self.contents.observed)[reports.kind],
            "value": reports.value,
            "error": reports.error,
        }
        table = Observations.build(**columns | reports.columns)
        withheld = np.zeros(count, dtype=bool) if withheld is None else withheld
        parts = np.split(self.fields(number, box), 2 if self.contents.background else 1)
        background, truth = ({}, *parts) if len(parts) == 1 else parts
        if len(parts) == 2:
            background = dict(zip(names, background, strict=True))
        return Case(
            self.static,
            box,
            self.time[number],
            table,
            table.usable & ~withheld,
            withheld,
            place=reports.place,
            truth=dict(zip(names, truth, strict=True)),
            background=background,
            variables=names,
            units=self.contents.unit_of,
        )

    case_of_tile = case
