"""Own influence: how far the reports of a station have moved a field at the station's own place.

Where an analysis is the background of the next one, a station's next report lies near that background because its last
one has made it so, and not because the background is good there: report and background are not independent. What a
station has put in is taken out before its departure tells of the background's error (`methods.error_calibration`).
"""

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from itertools import chain
from pathlib import Path

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.atomic import write_text
from mlrtma_dist.observations.reports import group
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.observations.twins import twin_numbers

COLUMNS = ("station", "variable", "latitude", "longitude", "influence")
MOVED = 0.01  # degrees: a station that is farther from where it was, as a ship, has put in nothing here
LEAST = 1e-3  # analysis space: less of stations that report no longer is forgotten


@dataclass(frozen=True, eq=False)
class OwnInfluence:
    """Of n stations and variables.

    Attributes:
        station, variable: names, shape (n,).
        latitude, longitude: of the station, degrees, shape (n,).
        influence: the field at the station minus the field without any report of it, analysis space, shape (n,).
    """

    station: np.ndarray
    variable: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    influence: np.ndarray

    def of(self, observations: Observations) -> np.ndarray:
        """The influence of each report's own station and variable, shape (n,); 0 where none is known.

        Of a station of several names (`twins`), of which now one and now another is used, it is the largest of theirs.
        """
        keys = zip(observations.station.tolist(), observations.variable.tolist(), strict=True)
        rows = [self._rows.get(key, ()) for key in keys]
        report = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
        own = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
        north = np.abs(observations.latitude[report] - self.latitude[own])
        east = np.abs((observations.longitude[report] - self.longitude[own] + 180.0) % 360.0 - 180.0)
        distance = np.maximum(north, east)
        near = np.flatnonzero(distance <= MOVED)
        near = near[np.argsort(-distance[near], kind="stable")]
        result = np.zeros(len(rows))
        result[report[near]] = self.influence[own[near]]  # of several the nearest, which is the last one
        return _of_all_names(result, observations)

    def with_silent(self, earlier: "OwnInfluence", left: Mapping[str, float]) -> "OwnInfluence":
        """With what stations that are not among these have put into the first guess.

        Args:
            earlier: influence on the first guess; left: variable -> share of it in the analysis, 1 where it is absent.
        """
        share = np.array([left.get(str(name), 1.0) for name in earlier.variable])
        influence = share * earlier.influence
        own = np.array([key not in self._rows for key in earlier._keys], dtype=bool) & (np.abs(influence) >= LEAST)
        return OwnInfluence(
            np.concatenate([self.station, earlier.station[own]]),
            np.concatenate([self.variable, earlier.variable[own]]),
            np.concatenate([self.latitude, earlier.latitude[own]]),
            np.concatenate([self.longitude, earlier.longitude[own]]),
            np.concatenate([self.influence, influence[own]]),
        )

    @cached_property
    def _rows(self) -> Mapping[tuple[str, str], list[int]]:
        """Station and variable -> rows; several where stations far apart share a name, as ships do."""
        rows: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for row, key in enumerate(self._keys):
            rows[key].append(row)
        return rows

    @property
    def _keys(self) -> list[tuple[str, str]]:
        return list(zip(map(str, self.station), map(str, self.variable), strict=True))

    def write(self, path: Path) -> None:
        """Write a table of CSV, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for station, name, *numbers in zip(*(getattr(self, column) for column in COLUMNS), strict=True):
            writer.writerow([station, name, *(f"{number:.6g}" for number in numbers)])
        write_text(path, text.getvalue())

    @classmethod
    def read(cls, path: Path) -> "OwnInfluence":
        """Read what `write` has written.

        Raises:
            InputError: it cannot be read, or is no such table.
        """
        try:
            rows = list(csv.reader(StringIO(path.read_text(encoding="utf-8"), newline="")))
            if not rows or tuple(rows[0]) != COLUMNS:
                raise ValueError(f"expected the columns {', '.join(COLUMNS)}")
            station, variable, *numbers = zip(*rows[1:], strict=True) if rows[1:] else ((),) * len(COLUMNS)
            latitude, longitude, influence = (np.array(column, dtype=np.float64) for column in numbers)
            if not all(np.isfinite(column).all() for column in (latitude, longitude, influence)):
                raise ValueError("expected finite numbers")
        except (OSError, ValueError, csv.Error) as error:
            raise InputError(f"{path}: no table of the stations' own influence: {error}: remove it") from error
        return cls(np.array(station, dtype=str), np.array(variable, dtype=str), latitude, longitude, influence)


def _of_all_names(influence: np.ndarray, observations: Observations) -> np.ndarray:
    """Influence of each row's name as that of its station: the largest of its names in the table, shape (n,)."""
    station = group(twin_numbers(observations), observations.variable)
    pairs = group(station, observations.station)
    several = np.bincount(station[np.unique(pairs, return_index=True)[1]], minlength=station.max(initial=-1) + 1) > 1
    largest, order = np.zeros(len(several)), np.argsort(np.abs(influence), kind="stable")
    largest[station[order]] = influence[order]  # the last one stays
    return np.where(several[station], largest[station], influence)


def influence_path(gridded: Path) -> Path:
    """The file of own influence beside a gridded file."""
    return gridded.with_suffix(".influence.csv")
