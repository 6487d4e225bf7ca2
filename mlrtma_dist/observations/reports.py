"""Which rows of a table belong together: one station, one report, the two components of one wind.

No flag changes that, so a table and its flagged copies are grouped once (``kept``).
"""

import functools
from collections.abc import Callable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mlrtma_dist.grid.points import cartesian
from mlrtma_dist.observations.table import Observations


def group(*columns: np.ndarray) -> np.ndarray:
    """Number rows so that equal rows of ``columns``, each (n,), share a number from 0; NaN equals NaN."""
    number = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        values, rank = np.unique(column, return_inverse=True)
        number = np.unique(number * max(len(values), 1) + rank, return_inverse=True)[1]
    return number


def kept(function: Callable) -> Callable:
    """Keep the results of a function of a table, which reads no flags, for this table and its flagged copies."""

    @functools.wraps(function)
    def once(observations: Observations, *arguments):
        key = function.__name__, *arguments
        if key not in observations.groups:
            result = function(observations, *arguments)
            for array in result.values() if isinstance(result, dict) else [result]:
                array.setflags(write=False)  # all share it
            observations.groups[key] = result
        return observations.groups[key]

    return once


@kept
def report_numbers(observations: Observations) -> np.ndarray:
    """Number the reports: rows of one station, network, place, time and source share a number, shape (n,)."""
    columns = ("station", "network", "latitude", "longitude", "time", "source")
    return group(*(getattr(observations, name) for name in columns))


@kept
def station_numbers(observations: Observations, distance: float) -> np.ndarray:
    """Number the stations: rows of one name that lie within ``distance`` m of each other, shape (n,).

    Ships without a call sign of their own report under one shared name; they are told apart by place.
    Rows without a position count as lying at 0N 0E.
    """
    name = group(observations.station)
    latitude, longitude = np.nan_to_num(observations.latitude), np.nan_to_num(observations.longitude)
    place = group(name, latitude, longitude)
    first = np.unique(place, return_index=True)[1]
    if len(first) == name.max(initial=-1) + 1:
        return name
    # Names are moved apart in a fourth dimension, so that one search links the places of each name.
    corner = np.column_stack([cartesian(latitude[first], longitude[first]), name[first] * 10.0 * distance])
    pairs = cKDTree(corner).query_pairs(distance, output_type="ndarray")
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(first), len(first)))
    return connected_components(links, directed=False)[1][place]


@kept
def wind_partner(observations: Observations) -> np.ndarray:
    """The row of the other component of each wind, shape (n,), -1 where there is none.

    The k-th u10 of a station, network, place, time and source belongs to its k-th v10; where their numbers
    differ nobody can tell which belong together, and they stay alone.
    """
    partner = np.full(len(observations), -1)
    eastward, northward = (np.flatnonzero(observations.variable == name) for name in ("u10", "v10"))
    if not len(eastward) or not len(northward):
        return partner
    wind = np.concatenate([eastward, northward])
    report = report_numbers(observations[wind])
    of_east, of_north = report[: len(eastward)], report[len(eastward) :]
    size = report.max() + 1
    equal = np.bincount(of_east, minlength=size) == np.bincount(of_north, minlength=size)
    east = np.argsort(of_east, kind="stable")
    north = np.argsort(of_north, kind="stable")
    east, north = eastward[east[equal[of_east[east]]]], northward[north[equal[of_north[north]]]]
    partner[east], partner[north] = north, east
    return partner


def winds(observations: Observations) -> np.ndarray:
    """The rows of the u10 and v10 of every wind that has both, shape (m, 2)."""
    partner = wind_partner(observations)
    eastward = np.flatnonzero((observations.variable == "u10") & (partner >= 0))
    return np.stack([eastward, partner[eastward]], axis=1)


def share_wind(observations: Observations) -> Observations:
    """Give both components of each wind the flags of either."""
    partner = wind_partner(observations)
    flags = np.where(partner >= 0, observations.flags | observations.flags[partner], observations.flags)
    return observations.with_flags(flags)


@kept
def measurements(observations: Observations) -> dict[str, np.ndarray]:
    """The rows of each measurement by kind: shape (m, 1) for a variable, (m, 2) for "wind" (u10, v10).

    A wind component without its partner stands under its own name.
    """
    partner = wind_partner(observations)
    alone = {str(name): (observations.variable == name) & (partner < 0) for name in np.unique(observations.variable)}
    kinds = {name: np.flatnonzero(rows)[:, None] for name, rows in alone.items() if rows.any()}
    wind = winds(observations)
    if len(wind):
        kinds["wind"] = wind
    return kinds
