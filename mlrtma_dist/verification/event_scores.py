"""Scores of events: whether low visibility, low ceilings, strong wind and gusts were analysed where they were.

An event is a report below a limit of `names.EVENTS` for visibility and ceiling, at or above it for wind and gust. With
a hits, b false alarms and c misses of the analysis (Wilks 2019, chapter 9),

    POD = a / (a + c),   FAR = b / (a + b),   CSI = a / (a + b + c),   frequency bias = (a + b) / (a + c),

and with p the predicted probability and o = 1 where the event was reported, else 0,

    Brier score = mean (p - o)^2,   skill = 1 - Brier score / (f (1 - f)),   f the events' frequency in the sample:

a skill of zero is that of the sample's own climatology.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlrtma_dist.names import EVENTS, VARIABLES
from mlrtma_dist.verification.match import BELOW, Matches, write_rows

AT_OR_ABOVE = ("wind_speed", "gust")  # whose events are large values
BINS = np.linspace(0.0, 1.0, 11)  # of predicted probability, for reliability
CALM = 3.0  # m/s below which a direction is not scored: it turns with every breath
COLUMNS = ("method", "variable", "limit", "n", "events", "pod", "far", "csi", "frequency_bias", "brier", "skill")


@dataclass(frozen=True)
class EventScore:
    """The scores of one method and event: a row of ``events.csv``, in its order, and its reliability.

    Attributes:
        method, variable: what was scored; limit: of the event, SI.
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
                score = _score(own, variable, limit, getattr(own, BELOW[number]))
                if score.events:
                    scores.append(score)
    return scores


def as_probabilities(matches: Matches, variable: str, limit: float) -> Matches:
    """The scored rows of a variable with the probability of an event as prediction, and 1 where it was reported."""
    rows = matches.select((matches.variable == variable) & matches.scored)
    below = getattr(rows, BELOW[EVENTS[variable].index(limit)])
    reported, analysed, probability = _events(rows, variable, limit, below)
    certain = np.where(np.isfinite(probability), probability, analysed)
    return replace(rows, observation=reported.astype(np.float64), prediction=certain)


def _score(rows: Matches, variable: str, limit: float, below: np.ndarray) -> EventScore:
    """The score of one method and event, from its rows and the probability of a value below the limit."""
    reported, analysed, probability = _events(rows, variable, limit, below)
    hits, alarms, misses = (reported & analysed).sum(), (~reported & analysed).sum(), (reported & ~analysed).sum()
    certain = np.where(np.isfinite(probability), probability, analysed)
    brier, frequency = float(np.mean((certain - reported) ** 2)), float(np.mean(reported))
    variance = frequency * (1.0 - frequency)
    return EventScore(
        str(rows.method[0]),
        variable,
        limit,
        len(rows),
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
    east, north = (_by_report(own.select(variable=name)) for name in ("u10", "v10"))
    common = [key for key in east if key in north]
    if not common:
        return float("nan")
    (u_o, u_a), (v_o, v_a) = (np.array([each[key] for key in common]).T for each in (east, north))
    blowing = (np.hypot(u_o, v_o) >= CALM) & (np.hypot(u_a, v_a) >= CALM)
    turn = np.arctan2(u_a * v_o - v_a * u_o, u_a * u_o + v_a * v_o)[blowing]
    return float(np.rad2deg(np.mean(np.abs(turn)))) if len(turn) else float("nan")


def _by_report(rows: Matches) -> dict[tuple, tuple[float, float]]:
    """Observation and prediction by domain, time, station, place and fold; of several at one place the last."""
    time = rows.time.astype(np.int64)  # a number is equal to itself, also where no time is known
    keys = zip(rows.domain, time, rows.station, rows.latitude, rows.longitude, rows.fold, strict=True)
    return dict(zip(keys, zip(rows.observation, rows.prediction, strict=True), strict=True))


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def write_events(path: str | Path, scores: Sequence[EventScore]) -> None:
    """Write ``events.csv``: the columns ``COLUMNS``, limits in SI."""
    write_rows(path, COLUMNS, ([getattr(score, name) for name in COLUMNS] for score in scores))
