"""Quality control of the reports by themselves: what can be judged without a first guess.

Each check takes a table and returns it with one more bit of ``Flag`` set; no row is removed or
changed. The two components of a wind are one measurement: a bit set on one is set on the other.
The limits and their reasons are listed in docs/quality_control.md.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.points import cartesian
from mlrtma_dist.names import variable
from mlrtma_dist.observations.history import HistoryLimits, check_history
from mlrtma_dist.observations.listed import check_lists
from mlrtma_dist.observations.reports import group, share_wind, wind_partner
from mlrtma_dist.observations.station_lists import NO_LISTS, StationLists
from mlrtma_dist.observations.table import Flag, Observations
from mlrtma_dist.observations.twins import TwinLimits, twin_numbers

HISTORY = HistoryLimits()
HALF_HOUR = np.timedelta64(30, "m")
MARGIN = 300e3  # m around the domain from which reports help: a station there still moves the edge by a tenth

# Visibility and ceiling are clipped into their valid range by the transform to analysis space: a report of
# 0 m means "less than the smallest step", one of 75 km (the last step of WMO code table 4377) is good.
OPEN_RANGE = {"visibility": (0.0, 80e3), "ceiling": (0.0, 30e3)}


@dataclass(frozen=True)
class ReportLimits:
    """How far a report may go before it is flagged.

    Attributes:
        dew_point_excess: K by which a dew point may exceed the temperature: 0.5 for a dew point in whole
            degrees beside a temperature in tenths, 0.1 for both rounded to tenths.
        gust_deficit: m/s by which a gust may fall below the mean wind: one knot (0.51) of rounding and 0.1.
        same_place: m within which two stations are at one place; coordinates are often rounded to 0.01 degree.
        same_station: m within which reports of one name are of one station. Ships that hide their call sign
            share a name ("SHIP"); a moving ship makes under 25 km in half an hour.
        elevation: m by which station and terrain may differ on flat ground: what 2.5 km terrain and
            coordinates in hundredths of a degree make of gentle hills.
        elevation_per_range: m more for each m of the terrain's own range around the station: a summit and a
            valley floor lie within that range of the terrain's value.
    """

    dew_point_excess: float = 0.6
    gust_deficit: float = 0.6
    same_place: float = 100.0
    same_station: float = 50e3
    elevation: float = 150.0
    elevation_per_range: float = 1.0


def check_reports(
    observations: Observations,
    *,
    time: np.datetime64,
    window: np.timedelta64 = HALF_HOUR,
    domain: Domain | None = None,
    margin: float = MARGIN,
    limits: ReportLimits = ReportLimits(),
    withheld: np.ndarray | None = None,
    lists: StationLists = NO_LISTS,
    history: HistoryLimits = HISTORY,
) -> Observations:
    """Set every flag that needs neither a first guess nor terrain.

    Args:
        observations: the table as read.
        time: analysis time.
        window: reports further than this from ``time`` are flagged.
        domain: where the analysis is made; None or a plane flags nothing as outside.
        margin: m around the domain; reports further out are flagged.
        limits: the other limits.
        withheld: see ``check_duplicates``.
        lists: operational station lists; none by default.
        history: limits of a station against its own other reports.

    Raises:
        ValueError: the table holds a variable that ``names`` does not know.
    """
    observations = check_position(observations)
    observations = check_range(observations)
    observations = check_time(observations, time=time, window=window)
    if domain is not None and not domain.is_plane:
        observations = check_outside(observations, domain=domain, margin=margin)
    observations = check_lists(observations, lists)
    observations = check_consistency(observations, limits=limits)
    observations = check_history(share_wind(observations), history)
    return check_duplicates(observations, time=time, limits=limits, withheld=withheld)


def check_position(observations: Observations) -> Observations:
    """Flag latitudes beyond 90 degrees, longitudes outside [-180, 180) and either missing."""
    possible = (
        (np.abs(observations.latitude) <= 90.0) & (observations.longitude >= -180.0) & (observations.longitude < 180.0)
    )
    return observations.flagged(~possible, Flag.POSITION)


def check_range(observations: Observations) -> Observations:
    """Flag values that are not finite or outside ``Variable.valid``.

    Raises:
        ValueError: unknown variable.
    """
    impossible = ~np.isfinite(observations.value)
    for name in np.unique(observations.variable):
        low, high = OPEN_RANGE.get(name, variable(str(name)).valid)
        rows = observations.variable == name
        impossible |= rows & ~((observations.value >= low) & (observations.value <= high))
    return share_wind(observations.flagged(impossible, Flag.RANGE))


def check_time(observations: Observations, *, time: np.datetime64, window: np.timedelta64 = HALF_HOUR) -> Observations:
    """Flag reports without a time or further than ``window`` from ``time``; the edge is inside."""
    return observations.flagged(~(np.abs(observations.time - time) <= window), Flag.TIME)  # NaT compares false


def check_outside(observations: Observations, *, domain: Domain, margin: float) -> Observations:
    """Flag reports outside ``domain`` widened by ``margin`` m; impossible positions are left to ``check_position``."""
    placed = np.flatnonzero(check_position(observations).flags & Flag.POSITION == 0)
    outside = np.zeros(len(observations), dtype=bool)
    outside[placed] = ~domain.contains(observations.latitude[placed], observations.longitude[placed], margin)
    return observations.flagged(outside, Flag.OUTSIDE)


def check_consistency(observations: Observations, *, limits: ReportLimits = ReportLimits()) -> Observations:
    """Flag dew points above the temperature and gusts below the mean wind of the same station and time.

    The temperature and the mean wind are kept: humidity sensors fail more often than thermometers, and a
    gust is an optional group. Only values without another flag are compared with.
    """
    report = group(observations.station, observations.latitude, observations.longitude, observations.time)
    good = observations.good
    partner = wind_partner(observations)
    paired = good & (observations.variable == "u10") & (partner >= 0)
    with np.errstate(all="ignore"):  # rows that are no wind, or out of range
        speed = np.hypot(observations.value, observations.value[partner])
    warmest = _extreme(report, observations.value, good & (observations.variable == "t2m"), np.fmax)
    calmest = _extreme(report, speed, paired, np.fmin)
    with np.errstate(invalid="ignore"):  # NaN: nothing to compare with
        moist = (observations.variable == "d2m") & (observations.value > warmest + limits.dew_point_excess)
        weak = (observations.variable == "gust") & (observations.value < calmest - limits.gust_deficit)
    return observations.flagged(moist | weak, Flag.CONSISTENCY)


def check_duplicates(
    observations: Observations,
    *,
    time: np.datetime64,
    limits: ReportLimits = ReportLimits(),
    withheld: np.ndarray | None = None,
) -> Observations:
    """Flag all but one report of each station and variable, whatever its names and sources.

    Of one station and its twins (``twins``) the good report nearest ``time``, to the minute, stays; of equally near
    ones that of the source of lower ``precedence``, of one source the nearer, then the later row: a correction follows
    what it corrects. Of two stations within ``same_place`` that report the same value (wind: both components) at the
    same time, the first good row stays.

    Rows that are ``withheld``, a mask of shape (n,), and the others are looked at apart: a report that the analysis is
    not to know of must not take another one from it.
    """
    withheld = np.zeros(len(observations), dtype=bool) if withheld is None else withheld
    # two names of one network at one place that differ in a digit are two instruments: here only copies go
    station = twin_numbers(observations, TwinLimits(same_station=limits.same_station, same_place=-1.0))
    key = group(station, observations.variable, withheld)
    distance = np.abs((observations.time - time).astype("timedelta64[s]").astype(np.float64))
    distance[np.isnat(observations.time)] = np.inf
    minute = np.round(distance / 60.0)  # sources round times: PrepBUFR to a hundredth of an hour
    later = -np.arange(len(observations))
    order = np.lexsort((later, distance, observations.precedence, minute, ~observations.good, key))
    repeated = np.zeros(len(observations), dtype=bool)
    repeated[order[1:]] = key[order[1:]] == key[order[:-1]]
    observations = share_wind(observations.flagged(repeated, Flag.DUPLICATE))
    return share_wind(observations.flagged(_copies(observations, withheld, limits.same_place), Flag.DUPLICATE))


def check_elevation(
    observations: Observations, *, terrain: np.ndarray, terrain_range: np.ndarray, limits: ReportLimits = ReportLimits()
) -> Observations:
    """Flag stations whose height contradicts the terrain; a missing height or terrain is not a fault.

    Args:
        observations: the table.
        terrain: terrain height at each report, m, shape (n,), NaN where not known.
        terrain_range: highest minus lowest terrain within a few grid boxes of each report, m, shape (n,).
        limits: ``elevation`` and ``elevation_per_range``.

    Raises:
        ValueError: the arrays are not of the table's length.
    """
    for name, array in (("terrain", terrain), ("terrain_range", terrain_range)):
        if np.shape(array) != (len(observations),):
            raise ValueError(
                f"{name}: expected one value per report, shape ({len(observations)},), got {np.shape(array)}"
            )
    allowed = limits.elevation + limits.elevation_per_range * np.nan_to_num(terrain_range)
    with np.errstate(invalid="ignore"):
        wrong = np.abs(observations.elevation - terrain) > allowed
    return observations.flagged(wrong, Flag.ELEVATION)


def _extreme(report: np.ndarray, value: np.ndarray, rows: np.ndarray, choose: np.ufunc) -> np.ndarray:
    """The largest or smallest ``value`` (n,) among ``rows`` of each row's report, NaN where there is none."""
    extreme = np.full(report.max(initial=-1) + 1, np.nan)
    choose.at(extreme, report[rows], value[rows])
    return extreme[report]


def _copies(observations: Observations, withheld: np.ndarray, same_place: float) -> np.ndarray:
    """Mask of good rows that repeat an earlier good row at the same place, time and value, shape (n,)."""
    rows = np.flatnonzero(observations.good & np.isfinite(observations.latitude) & np.isfinite(observations.longitude))
    partner = wind_partner(observations)
    other = np.where(partner >= 0, observations.value[partner], 0.0)
    # Six decimals: the same report through two unit conversions differs in the last digits of a float.
    alike = group(
        observations.variable[rows],
        observations.time[rows],
        observations.value[rows].round(6),
        other[rows].round(6),
        withheld[rows],
    )
    place = cartesian(observations.latitude[rows], observations.longitude[rows])
    # Unlike reports are moved apart in a fourth dimension, so that one search finds alike reports at one place.
    tree = cKDTree(np.column_stack([place, alike * 10.0 * same_place]))
    pairs = tree.query_pairs(same_place, output_type="ndarray")
    copies = np.zeros(len(observations), dtype=bool)
    copies[rows[pairs.max(axis=1)] if len(pairs) else []] = True
    return copies
