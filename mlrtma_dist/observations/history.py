"""A station against its own other reports: values that never change, values that jump and come back.

The reports of the window and of whatever other hours were read count, also those that are too late or too early to be
analysed. A series is one station, network and variable in time; of several reports at one time the last one counts, and
what is found of it holds for its copies of the same value.
"""

from dataclasses import dataclass, field

import numpy as np

from mlrtma_dist.observations.departures import robust_deviation
from mlrtma_dist.observations.reports import group, measurements, station_numbers
from mlrtma_dist.observations.table import Flag, Observations

CALM = 0.1  # m/s: a calm may last all night
SAME = 1e-6  # of the unit: two conversions of one number differ by less


@dataclass(frozen=True)
class HistoryLimits:
    """How long a value may stay and how fast it may change; variables that are not named are not judged.

    Attributes:
        stuck: hours over which a value must change at least once. In the 24 hours of surface airways reports of
            1995-03-18 (33,000 temperatures in whole degrees, quiet and foggy places among them) 0.1 % of temperatures
            and dew points stand longer than 18 h, 0.03 % of the pressures longer than 12 h, and no wind but a calm
            longer than 6 h. Visibility, ceiling and cover stay "10 miles, unlimited, clear" for days.
        fewest: reports within that time; fewer do not show that nothing moved.
        step: SI an hour. 35 degF is the largest hourly change of temperature that MADIS lets pass (its surface quality
            control notes), here for the dew point, too; pressure half more than its 10 hPa of the altimeter setting; of
            the wind's vector 15 m/s, which 0.1 % of those reports exceed.
        factor: robust standard deviations of all reports' departures from what their two neighbours in time make of
            them by linear interpolation; what departs further is a spike, too. 5 flags one Gaussian in 1.7 million.
        sample: reports from which that deviation is taken.
        longest: hours between reports that are compared, and that a value may stand without being reported.
        same_station: m within which reports of one name are of one station.
    """

    stuck: dict[str, float] = field(default_factory=lambda: {"t2m": 18.0, "d2m": 18.0, "psfc": 12.0, "wind": 6.0})
    fewest: int = 6
    step: dict[str, float] = field(default_factory=lambda: {"t2m": 19.4, "d2m": 19.4, "psfc": 1500.0, "wind": 15.0})
    factor: float = 5.0
    sample: int = 100
    longest: float = 3.0
    same_station: float = 50e3


@dataclass(frozen=True)
class _Series:
    """Series of one kind, one below the other in order of time.

    Attributes:
        series, hours: number of the series and time of each report, shape (m,).
        value: one or both components, shape (m, p).
        rows: table rows (k, p) of all reports, copies too; ``place`` their report, shape (k,).
    """

    series: np.ndarray
    hours: np.ndarray
    value: np.ndarray
    rows: np.ndarray
    place: np.ndarray


def check_history(observations: Observations, limits: HistoryLimits = HistoryLimits()) -> Observations:
    """Flag stuck values (``Flag.STUCK``) and spikes (``Flag.STEP``); a wind is judged as one vector.

    Rows with another flag than TIME or OUTSIDE are neither judged nor compared with.
    """
    usable = (observations.flags & ~np.uint32(Flag.TIME | Flag.OUTSIDE)) == 0
    usable &= ~np.isnat(observations.time)
    station = station_numbers(observations, limits.same_station)
    stuck, step = np.zeros(len(observations), dtype=bool), np.zeros(len(observations), dtype=bool)
    for kind, rows in measurements(observations).items():
        rows = rows[usable[rows].all(axis=1)]
        if not len(rows) or kind not in {*limits.stuck, *limits.step}:
            continue
        history = _series(observations, station, rows)
        if kind in limits.stuck:
            _mark(stuck, observations, history, _stuck(history, limits.stuck[kind], limits, calm_passes=kind == "wind"))
        if kind in limits.step:
            _mark(
                step, observations, history, _spikes(history, limits.step[kind], limits.longest) | _odd(history, limits)
            )
    return observations.flagged(stuck, Flag.STUCK).flagged(step, Flag.STEP)


def _series(observations: Observations, station: np.ndarray, rows: np.ndarray) -> _Series:
    first = rows[:, 0]
    series = group(station[first], observations.network[first])
    hours = observations.time[first].astype("datetime64[s]").astype(np.int64) / 3600.0
    report = group(series, hours)  # numbered in order of series, then time
    last = np.zeros(report.max() + 1, dtype=np.int64)
    np.maximum.at(last, report, np.arange(len(report)))
    return _Series(series[last], hours[last], observations.value[rows[last]], rows, report)


def _mark(mask: np.ndarray, observations: Observations, history: _Series, flagged: np.ndarray) -> None:
    """Set ``mask`` (n,) at the rows of the reports ``flagged`` (m,), and of their copies of the same value."""
    same = (np.abs(observations.value[history.rows] - history.value[history.place]) <= SAME).all(axis=1)
    mask[history.rows[flagged[history.place] & same]] = True


def _stuck(history: _Series, hours: float, limits: HistoryLimits, *, calm_passes: bool) -> np.ndarray:
    """Mask (m,) of the reports in runs of one value that last ``hours`` and more."""
    starts = np.ones(len(history.series), dtype=bool)
    starts[1:] = history.series[1:] != history.series[:-1]
    starts[1:] |= (np.abs(np.diff(history.value, axis=0)) > SAME).any(axis=1)
    starts[1:] |= np.diff(history.hours) > limits.longest
    run = np.cumsum(starts) - 1
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(starts)) - 1
    long = (history.hours[last] - history.hours[first] >= hours) & (last - first + 1 >= limits.fewest)
    if calm_passes:
        long &= np.linalg.norm(history.value[first], axis=1) > CALM
    return long[run]


def _spikes(history: _Series, step: float, longest: float) -> np.ndarray:
    """Mask (m,) of the reports that leave their neighbours in time faster than ``step`` an hour while those agree.

    The neighbours are the reports before and after; for the first and the last report of a series the two next to it.
    Within an hour a whole hour's change is allowed: a squall takes minutes.
    """
    size = len(history.series)

    def far(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whether two reports each, row numbers (k,), can be compared, and whether they are too far apart."""
        inside = (one >= 0) & (one < size) & (other >= 0) & (other < size)
        one, other = np.where(inside, one, 0), np.where(inside, other, 0)
        interval = np.abs(history.hours[one] - history.hours[other])
        comparable = inside & (history.series[one] == history.series[other]) & (interval <= 2.0 * longest)
        change = np.linalg.norm(history.value[one] - history.value[other], axis=1)
        return comparable, comparable & (change > step * np.maximum(interval, 1.0))

    own = np.arange(size)
    near = {k: far(own, own + k) for k in (-2, -1, 1, 2)}
    spikes = np.zeros(size, dtype=bool)
    for one, other in ((-1, 1), (-2, -1), (1, 2)):
        alone = ~near[-1][0] | ~near[1][0]  # at an end of its series
        both, far_apart = far(own + one, own + other)
        if (one, other) == (-1, 1):
            spikes |= both & ~far_apart & near[-1][1] & near[1][1]
        else:
            spikes |= both & ~far_apart & alone & near[one if one > 0 else other][1]
    return spikes


def _odd(history: _Series, limits: HistoryLimits) -> np.ndarray:
    """Mask (m,) of the reports too far from the interpolation of those before and after, by the table's own measure.

    The deviation is the larger of those told by the median and the 90 % quantile: a tenth of bad reports does not widen
    it. A bad report draws its neighbours' interpolation to itself: of three in a row only the one that departs most is
    flagged.
    """
    size = len(history.series)
    departure = np.zeros(size)
    middle = np.arange(1, size - 1)
    before, after = np.diff(history.hours)[:-1], np.diff(history.hours)[1:]
    whole = (history.series[middle - 1] == history.series[middle]) & (
        history.series[middle + 1] == history.series[middle]
    )
    middle = middle[whole & (before <= limits.longest) & (after <= limits.longest)]
    if len(middle) < limits.sample:
        return np.zeros(size, dtype=bool)
    share = (history.hours[middle] - history.hours[middle - 1]) / (
        history.hours[middle + 1] - history.hours[middle - 1]
    )
    between = history.value[middle - 1] + share[:, None] * (history.value[middle + 1] - history.value[middle - 1])
    departure[middle] = np.linalg.norm(history.value[middle] - between, axis=1)
    components = history.value.shape[1]
    deviation = max(robust_deviation(departure[middle], components, part) for part in (0.5, 0.9))
    odd = np.zeros(size, dtype=bool)
    most = (departure[middle] >= departure[middle - 1]) & (departure[middle] >= departure[middle + 1])
    odd[middle] = most & (departure[middle] > max(limits.factor * deviation, SAME))
    return odd
