"""Scores of events and of the distribution of speeds as compact tables, for the page on accuracy."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from accuracy_tables import NAMES, how

from mlrtma_dist.names import EVENTS, FOOT, MILE
from mlrtma_dist.physics.flight_category import CATEGORIES
from mlrtma_dist.verification.event_scores import (
    CATEGORY,
    COLUMNS,
    EventScore,
    SpeedScore,
    score_events,
    score_speeds,
)
from mlrtma_dist.verification.match import Matches

OF_EVENTS = ("threedvar", "nearest", "gaussian_weights")  # methods in the table of events, the first one in full
OF_TABLES = ("first_guess", "nearest", "gaussian_weights", "threedvar")  # methods of which events are scored
SCORED = ("u10", "v10", *EVENTS)  # which the scores of events and speeds need
FEET, MILES = (200, 500, 1000, 3000), (0.5, 1, 3, 5)
EVENT_HEADER = (
    "event",
    "n",
    "events",
    "POD",
    "FAR",
    "CSI",
    "frequency bias",
    "nearest: CSI",
    "Brier score",
    "skill",
    "nearest: skill",
    "Gaussian weights: skill",
    "boxes: CSI",
    "boxes: skill",
)
SPEED_HEADER = ("speed", "method", "n", "mean", "95th percentile", "direction, degrees")


def event_table(matches: Mapping[float | None, Matches]) -> str:
    """A line for each event: 3-D-Var at single stations beside reference methods, then in boxes.

    Args:
        matches: by the side of the boxes withheld, km; None: single stations.
    """
    scores = {km: {(s.variable, s.limit, s.method): s for s in score_events(own)} for km, own in matches.items()}
    boxes = next((scores[km] for km in scores if km is not None), {})
    lines = [_line(EVENT_HEADER), "|---" * len(EVENT_HEADER) + "|"]
    for (variable, limit, method), score in scores[None].items():
        if method == OF_EVENTS[0]:
            nearest, weights = (scores[None].get((variable, limit, name)) for name in OF_EVENTS[1:])
            far = boxes.get((variable, limit, method))
            cells = [event_words(score), f"{score.n}", f"{score.events}"]
            cells += [_two(score.pod), _two(score.far), _two(score.csi), _two(score.frequency_bias)]
            cells += [_of(nearest, "csi"), f"{score.brier:.4f}", _two(score.skill), _of(nearest, "skill")]
            lines.append(_line([*cells, _of(weights, "skill"), _of(far, "csi"), _of(far, "skill")]))
    return "\n".join(lines)


def speed_table(matches: Matches) -> str:
    """Mean and 95th percentile of analysed over reported speeds, and the error of direction, for each method."""
    words = {"wind_speed": "wind speed", "gust": "gust"}
    lines = [_line(SPEED_HEADER), "|---" * len(SPEED_HEADER) + "|"]
    for score in score_speeds(matches):
        if score.method in OF_TABLES:
            direction = f"{score.direction:.0f}" if score.direction == score.direction else ""
            ratios = [f"{score.mean:.3f}", f"{score.strong:.3f}"]
            lines.append(_line([words[score.variable], NAMES[score.method], f"{score.n}", *ratios, direction]))
    return "\n".join(lines)


def event_words(score: EventScore) -> str:
    """The event in the units of aviation; limits lie between values that are reported (`names.EVENTS`)."""
    if score.variable == CATEGORY:
        return CATEGORIES[int(score.limit)] + (" or worse" if score.limit else "")
    if score.variable == "visibility":
        miles = min(MILES, key=lambda each: abs(each * MILE - score.limit))
        return f"visibility {'at most' if score.limit > miles * MILE else 'below'} {miles:g} mi"
    if score.variable == "ceiling":
        feet = min(FEET, key=lambda each: abs(each * FOOT - score.limit))
        return f"ceiling {'at most' if score.limit > feet * FOOT else 'below'} {feet} ft"
    return f"{score.variable.replace('_', ' ')} at least {score.limit:g} m/s"


def write_event_csv(path: Path, matches: Mapping[str, Mapping[float | None, Matches]]) -> None:
    """Write every event score of every set of data and way of withholding, one in a line."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("data", "withheld", *COLUMNS))
        for data, ways in matches.items():
            for km, own in ways.items():
                for score in score_events(own.select(np.isin(own.method, OF_TABLES))):
                    writer.writerow((data, how(km), *(getattr(score, name) for name in COLUMNS)))


def _of(score: EventScore | SpeedScore | None, name: str) -> str:
    return _two(getattr(score, name)) if score is not None else ""


def _two(value: float) -> str:
    return f"{value:.2f}" if value == value else "–"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
