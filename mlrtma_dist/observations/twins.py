"""SimulatedWeather: one station that stands in a table under several names.

A WMO number in one bulletin and an ICAO name in another, a three-letter name in an old archive, a station in two
sources. Names do not tell (72565 and KDEN); place, time and values do: of the 5,958 names of a RAP file 1,130 are
second names, over CONUS 441 of 2,807. Two stations are twins if

* they lie within 3 km: the two halves' coordinates are rounded, or those of an airport and of its sensor;
* they differ by less than 60 m in height, where both are known;
* at the times nearest to each other, at most 10 minutes apart, all that both measured of temperature, dew point and
  wind agrees to within rounding to whole degrees and 10 minutes' change; one of these must be among it;
* no network lists both -- a network does not list a station twice --, or they lie within 100 m.

The nearest pairs are joined first, and never so that a network stands twice in a group: in a dense network neighbours
agree on quiet nights, and would else grow together to whole cities.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

from mlrtma_dist.grid.points import cartesian
from mlrtma_dist.observations.reports import group, station_numbers
from mlrtma_dist.observations.table import Observations


@dataclass(frozen=True)
class TwinLimits:
    """How far twins may be apart.

    Attributes:
        distance: m. Of the pairs of a RAP file that share a time, 76 % below 3 km agree in all they measured, 20 %
            between 3 and 5 km, as many as at 5 to 20 km: beyond 3 km they agree by chance.
        height: m.
        same_place: m within which two names are one place, whatever their network; below 0: never.
        same_station: m within which reports of one name are of one station (``quality.ReportLimits``).
        seconds: between the reports that are compared; SYNOP stands at the hour, METAR seven minutes before it.
        values: largest difference, SI: half a degree of rounding and as much in ten minutes; two knots of wind.
    """

    distance: float = 3e3
    height: float = 60.0
    same_place: float = 100.0
    same_station: float = 50e3
    seconds: float = 600.0
    values: dict[str, float] = field(default_factory=lambda: {"t2m": 1.05, "d2m": 1.55, "u10": 1.6, "v10": 1.6})


def twin_numbers(observations: Observations, limits: TwinLimits = TwinLimits()) -> np.ndarray:
    """Number the stations, twins under one number.

    Labels are stations of their own, behind the others: as twins they would join stations near them, or keep two names
    of one station apart.

    Args:
        observations: the table; rows without a position or a finite value are of their own name's station alone.
        limits: how far twins may be apart.

    Returns:
        Number of each row's station, shape (n,). It does not depend on the order of the rows, but for its value.
    """
    labels = observations.labels
    if labels.any():
        number = np.empty(len(labels), dtype=np.int64)
        number[~labels] = twin_numbers(observations[~labels], limits)
        number[labels] = len(labels) + station_numbers(observations[labels], limits.same_station)
        return number
    station = station_numbers(observations, limits.same_station)
    if not len(station):
        return station
    pairs, distance = _near(observations, station, limits.distance)
    names = observations.station[np.unique(station, return_index=True)[1]]
    networks = _networks(observations, station, np.unique(pairs))
    measured = _Measured(observations, station, np.unique(pairs), limits)
    leader = np.arange(len(names))
    members = {number: networks[number] for number in networks}
    # ties by name, so that the order of rows decides nothing
    low, high = np.sort(names[pairs], axis=1).T if len(pairs) else (names[:0], names[:0])
    for row in np.lexsort((high, low, distance)):
        one, two = (_root(leader, station_) for station_ in pairs[row])
        separate = members[one].isdisjoint(members[two]) or distance[row] <= limits.same_place
        if one != two and separate and measured.agree(*pairs[row]):
            leader[two] = one
            members[one] = members[one] | members[two]
    roots = np.array([_root(leader, number) for number in range(len(leader))])
    return roots[station]


def twin_names(observations: Observations, limits: TwinLimits = TwinLimits()) -> np.ndarray:
    """The name under which each row's station and its twins are known together, shape (n,): the first by alphabet.

    All rows of one name have one name here, also where ships far apart share it.
    """
    names, of_name = np.unique(np.char.strip(observations.station), return_inverse=True)
    number = twin_numbers(observations, limits)
    leader = np.arange(len(names))
    # names that share a station number are one; ``names`` is sorted, and the lower index leads
    for name, station in np.unique(np.stack([of_name, _first_of(number, of_name)], axis=1), axis=0):
        one, two = sorted((_root(leader, name), _root(leader, station)))
        leader[two] = one
    return names[np.array([_root(leader, k) for k in range(len(names))], dtype=np.int64)[of_name]]


def _first_of(number: np.ndarray, of_name: np.ndarray) -> np.ndarray:
    """The lowest name index that occurs with each row's station number, shape (n,)."""
    lowest = np.full(number.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(lowest, number, of_name)
    return lowest[number]


def _root(leader: np.ndarray, number: int) -> int:
    while leader[number] != number:
        number = leader[number]
    return int(number)


def _near(observations: Observations, station: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of stations, shape (k, 2), that come within ``limit`` m of each other, and how near, m, shape (k,)."""
    latitude, longitude = observations.latitude, observations.longitude
    placed = np.flatnonzero(np.isfinite(latitude) & np.isfinite(longitude) & (np.abs(latitude) <= 90))
    rows = placed[np.unique(group(station[placed], latitude[placed], longitude[placed]), return_index=True)[1]]
    place = cartesian(latitude[rows], longitude[rows])
    close = cKDTree(place).query_pairs(limit, output_type="ndarray") if len(rows) else np.empty((0, 2), dtype=np.int64)
    distance = np.linalg.norm(place[close[:, 0]] - place[close[:, 1]], axis=1)
    pairs = np.sort(station[rows][close], axis=1)
    other = pairs[:, 0] != pairs[:, 1]
    pairs, distance = pairs[other], distance[other]
    order = np.lexsort((distance, pairs[:, 1], pairs[:, 0]))
    first = np.unique(pairs[order], axis=0, return_index=True)[1]  # of several places of a ship the nearest
    return pairs[order][first], distance[order][first]


def _networks(observations: Observations, station: np.ndarray, numbers: np.ndarray) -> dict[int, frozenset[str]]:
    """The networks of each wanted station; the wind types 2xx of PrepBUFR count as their mass types 1xx."""
    rows = np.isin(station, numbers)
    by_number: dict[int, set[str]] = {int(number): set() for number in numbers}
    for number, network in {*zip(station[rows].tolist(), observations.network[rows].tolist(), strict=True)}:
        by_number[number].add("1" + network[1:] if len(network) == 3 and network.isdigit() else network)
    return {number: frozenset(networks) for number, networks in by_number.items()}


class _Measured:
    """What stations measured, for comparison."""

    def __init__(self, observations: Observations, station: np.ndarray, numbers: np.ndarray, limits: TwinLimits):
        self.limits = limits
        self.height: dict[int, float] = {}
        self.series: dict[tuple[int, str], tuple[np.ndarray, np.ndarray]] = {}
        usable = np.isin(station, numbers) & np.isfinite(observations.value) & ~np.isnat(observations.time)
        for number in numbers:
            self.height[int(number)] = np.nan
        rows = np.flatnonzero(usable & np.isfinite(observations.elevation))
        for number, height in zip(station[rows].tolist(), observations.elevation[rows].tolist(), strict=True):
            self.height[number] = height
        for variable in limits.values:
            rows = np.flatnonzero(usable & (observations.variable == variable))
            rows = rows[np.lexsort((observations.value[rows], observations.time[rows], station[rows]))]
            starts = np.flatnonzero(np.diff(station[rows], prepend=-1))
            for part in np.split(rows, starts[1:]) if len(rows) else ():
                seconds = observations.time[part].astype("datetime64[s]").astype(np.float64)
                self.series[int(station[part[0]]), variable] = seconds, observations.value[part]

    def agree(self, one: int, two: int) -> bool:
        """Whether two stations measured the same where they can be compared."""
        one, two = int(one), int(two)
        if abs(self.height[one] - self.height[two]) > self.limits.height:  # NaN: not known, compares false
            return False
        compared = 0
        for variable, limit in self.limits.values.items():
            if (one, variable) not in self.series or (two, variable) not in self.series:
                continue
            (time, value), (other_time, other_value) = self.series[one, variable], self.series[two, variable]
            interval = np.abs(time[:, None] - other_time)
            if interval.min() > self.limits.seconds:
                continue
            nearest = interval == interval.min()
            if np.abs(value[:, None] - other_value)[nearest].min() > limit:
                return False
            compared += 1
        return compared > 0
