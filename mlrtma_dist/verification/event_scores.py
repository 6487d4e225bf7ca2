"""Scores of events: whether low visibility, low ceilings, strong wind and gusts were analysed where they were.

An event is a report below a limit of `names.EVENTS` for visibility and ceiling, at or above it for wind and gust. With
a hits, b false alarms and c misses of the analysis (Wilks 2019, chapter 9),

    POD = a / (a + c),   FAR = b / (a + b),   CSI = a / (a + b + c),   frequency bias = (a + b) / (a + c),

and with p the predicted probability and o = 1 where the event was reported, else 0,

    Brier score = mean (p - o)^2,   skill = 1 - Brier score / (f (1 - f)),   f the events' frequency in the sample:

a skill of zero is that of the sample's own climatology. The flight category is scored at reports of both visibility and
ceiling; its events are LIFR, IFR or worse, and MVFR or worse.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlrtma_dist.names import EVENTS, VARIABLES, from_analysis
from mlrtma_dist.physics.flight_category import CATEGORIES, flight_category, most_likely_category, or_worse
from mlrtma_dist.verification.match import BELOW, Matches, write_rows

CATEGORY = "flight_category"  # as a variable of scores
AT_OR_ABOVE = ("wind_speed", "gust")  # whose events are large values
BINS = np.linspace(0.0, 1.0, 11)  # of predicted probability, for reliability
CALM = 3.0  # m/s below which a direction is not scored: it turns with every breath
COLUMNS = ("method", "variable", "limit", "n", "events", "pod", "far", "csi", "frequency_bias", "brier", "skill")


@dataclass(frozen=True)
class EventScore:
    """The scores of one method and event: a row of ``events.csv``, in its order, and its reliability.

    Attributes:
        method, variable: what was scored; limit: of the event, SI; of a flight category its number in ``CATEGORIES``.
        n: reports with a prediction; events: those that are the event.
        pod, far, csi, frequency_bias: of the analysed value, NaN where a denominator is zero.
        brier, skill: of the predicted probability.
        reliability: predicted probability, frequency of the event and number of reports by bin of predicted
            probability, shape (3, bins), NaN where a bin is empty; not written to ``events.csv``.
    """

    method: str
    variable: str
    limit: float
    n: int
    events: int
    pod: float
    far: float
    csi: float
    frequency_bias: float
    brier: float
    skill: float
    reliability: np.ndarray


@dataclass(frozen=True)
class SpeedScore:
    """Whether the speeds of a method are distributed as those of the reports, and how far its direction is off.

    Attributes:
        method, variable: what was scored; n: reports.
        mean, strong: mean and 95th percentile of the analysis over those of the reports.
        direction: mean absolute error of the wind's direction where both speeds are at least ``CALM``, degrees; NaN
            for a gust.
    """

    method: str
    variable: str
    n: int
    mean: float
    strong: float
    direction: float


def score_events(matches: Matches) -> list[EventScore]:
    """The scores of every method and event, by variable and limit; a limit that no report passed is left out."""
    table = matches.select(matches.scored)
    scores = []
    for variable, limits in EVENTS.items():
        rows = table.select(variable=variable)
        for number, limit in enumerate(limits):
            for method in rows.methods:
                own = rows.select(method=method)
                events = _events(own, variable, limit, getattr(own, BELOW[number]))
                scores.append(_score(method, variable, limit, *events))
    for number in range(len(CATEGORIES) - 1):
        for method in table.methods:
            events = _category_events(table.select(method=method), number)
            scores.append(_score(method, CATEGORY, float(number), *events))
    return [score for score in scores if score.events]


def as_probabilities(matches: Matches, variable: str, limit: float) -> Matches:
    """The scored rows of a variable with the probability of an event as prediction, and 1 where it was reported.

    Of a flight category they are the rows of visibility where a ceiling was reported, too.
    """
    table, parts = matches.select(matches.scored), []
    for method in table.methods:
        own = table.select(method=method)
        if variable == CATEGORY:
            rows, events = at_common_reports(own, "visibility", "ceiling")[0], _category_events(own, int(limit))
        else:
            rows = own.select(variable=variable)
            events = _events(rows, variable, limit, getattr(rows, BELOW[EVENTS[variable].index(limit)]))
        reported, analysed, probability = events
        certain = np.where(np.isfinite(probability), probability, analysed)
        parts.append(replace(rows, observation=reported.astype(np.float64), prediction=certain))
    return Matches.concatenate(parts)


def _score(
    method: str, variable: str, limit: float, reported: np.ndarray, analysed: np.ndarray, probability: np.ndarray
) -> EventScore:
    """The score of one method and event, from the arrays (n,) of `_events`."""
    hits, alarms, misses = (reported & analysed).sum(), (~reported & analysed).sum(), (reported & ~analysed).sum()
    certain = np.where(np.isfinite(probability), probability, analysed)
    brier, frequency = (float(np.mean(each)) if len(each) else np.nan for each in ((certain - reported) ** 2, reported))
    variance = frequency * (1.0 - frequency)
    return EventScore(
        method,
        variable,
        limit,
        len(reported),
        int(reported.sum()),
        _ratio(hits, hits + misses),
        _ratio(alarms, hits + alarms),
        _ratio(hits, hits + alarms + misses),
        _ratio(hits + alarms, hits + misses),
        brier,
        1.0 - _ratio(brier, variance),
        _reliability(certain, reported),
    )


def _events(rows: Matches, variable: str, limit: float, below: np.ndarray):
    """Masks of the reported and the analysed events and the predicted probability, shape (n,) each."""
    edge = float(VARIABLES[variable].to_analysis(limit))
    reported, analysed = rows.observation < edge, rows.prediction < edge
    return (~reported, ~analysed, 1.0 - below) if variable in AT_OR_ABOVE else (reported, analysed, below)


def _category_events(own: Matches, number: int):
    """What `_events` gives, of one method's flight category of a number or a worse one."""
    visibility, ceiling = at_common_reports(own, "visibility", "ceiling")
    below = [np.stack([getattr(each, name) for name in BELOW]) for each in (visibility, ceiling)]
    likely = most_likely_category(*below)
    category = np.where(np.isfinite(likely), likely, _category(visibility.prediction, ceiling.prediction))
    reported = _category(visibility.observation, ceiling.observation)
    return reported <= number, category <= number, or_worse(*below)[number]


def _category(visibility: np.ndarray, ceiling: np.ndarray) -> np.ndarray:
    """The flight category of values in analysis space, shape (n,)."""
    return flight_category(from_analysis("ceiling", ceiling), from_analysis("visibility", visibility))


def _reliability(probability: np.ndarray, reported: np.ndarray) -> np.ndarray:
    """Predicted probability, frequency of the event and number of reports by bin, shape (3, bins)."""
    number = np.clip(np.digitize(probability, BINS) - 1, 0, len(BINS) - 2)
    size = np.bincount(number, minlength=len(BINS) - 1).astype(np.float64)
    sums = [np.bincount(number, weights=each, minlength=len(size)) for each in (probability, reported)]
    with np.errstate(invalid="ignore"):
        return np.stack([*(each / size for each in sums), size])


def score_speeds(matches: Matches) -> list[SpeedScore]:
    """The scores of every method that analyses wind speed or gust."""
    table = matches.select(matches.scored)
    scores = []
    for variable in (name for name in AT_OR_ABOVE if name in table.variables):
        for method in table.select(variable=variable).methods:
            own = table.select(method=method)
            rows = own.select(variable=variable)
            mean = _ratio(rows.prediction.mean(), rows.observation.mean())
            strong = _ratio(*(np.percentile(values, 95.0) for values in (rows.prediction, rows.observation)))
            direction = _direction_error(own) if variable == "wind_speed" else float("nan")
            scores.append(SpeedScore(method, variable, len(rows), mean, strong, direction))
    return scores


def _direction_error(own: Matches) -> float:
    """Mean absolute error of the direction of one method's winds, degrees."""
    east, north = at_common_reports(own, "u10", "v10")
    (u_o, u_a), (v_o, v_a) = ((each.observation, each.prediction) for each in (east, north))
    blowing = (np.hypot(u_o, v_o) >= CALM) & (np.hypot(u_a, v_a) >= CALM)
    turn = np.arctan2(u_a * v_o - v_a * u_o, u_a * u_o + v_a * v_o)[blowing]
    return float(np.rad2deg(np.mean(np.abs(turn)))) if len(turn) else float("nan")


def at_common_reports(own: Matches, *variables: str) -> list[Matches]:
    """The rows of one method of each variable where all of them were reported, in one order."""
    tables = [own.select(variable=name) for name in variables]
    numbers = [_by_report(table) for table in tables]
    common = [key for key in numbers[0] if all(key in each for each in numbers)]
    return [
        table.select(np.array([each[key] for key in common], dtype=np.int64))
        for table, each in zip(tables, numbers, strict=True)
    ]


def _by_report(rows: Matches) -> dict[tuple, int]:
    """Number of the row by domain, time, station, place and fold; of several at one place the last."""
    time = rows.time.astype(np.int64)  # a number is equal to itself, also where no time is known
    keys = zip(rows.domain, time, rows.station, rows.latitude, rows.longitude, rows.fold, strict=True)
    return {key: number for number, key in enumerate(keys)}


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def write_events(path: str | Path, scores: Sequence[EventScore]) -> None:
    """Write ``events.csv``: the columns ``COLUMNS``, limits in SI."""
    write_rows(path, COLUMNS, ([getattr(score, name) for name in COLUMNS] for score in scores))
