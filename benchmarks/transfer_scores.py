"""Scores of flight categories and of other variables at withheld stations, and baselines, for transfer_curve.py.

The Brier score here is the sum of those of the three events LIFR, IFR or worse, MVFR or worse, at withheld stations
that report both visibility and ceiling. Every station is withheld once, in `FOLDS` parts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from mlrtma_dist import names
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.points import Points
from mlrtma_dist.methods.case import Case
from mlrtma_dist.methods.events import below
from mlrtma_dist.methods.predictands import Channels
from mlrtma_dist.methods.report_encoding import read_reports
from mlrtma_dist.physics.flight_category import CATEGORIES, flight_category, or_worse
from mlrtma_dist.samples.store import Store

FOLDS, DRAWS = 4, 1000
BOTH = ("visibility", "ceiling")
LENGTHS = (30e3, 60e3, 100e3, 160e3, 250e3)  # m, of the Gaussian weights, of which training hours choose one
BESIDE = 0.05  # weight of the hour's own frequencies beside those of near stations
HOURS = 6  # of local solar time in a bin of climatology
INLAND, HIGH = 0.95, 1000.0  # share of land around, and m above the sea: kinds of station
LIMITS = {name: np.asarray(names.to_analysis(name, np.array(names.EVENTS[name]))) for name in BOTH}

Probability = Callable[[Case, Points, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Scores:
    """Of one method at the hours that are scored.

    Attributes:
        brier: of each report of both, shape (n,); station: of each, str; event: whether each is MVFR or worse.
        squares: old variable -> squared errors, shape (m,); of: variable -> station of each.
    """

    brier: np.ndarray
    station: np.ndarray
    event: np.ndarray
    squares: dict[str, np.ndarray]
    of: dict[str, np.ndarray]


def parts(stores: list[Store]) -> Iterator[Case]:
    """The cases of stores, each with a part of its stations withheld, part by part."""
    for store in stores:
        for number in range(len(store.time)):
            case = store.case(number, Box.whole(store.layout.shape))
            usable = case.used | (case.withheld & case.observations.usable)
            fold = np.random.default_rng(number).permutation(case.station_number.max() + 1) % FOLDS
            for part in range(FOLDS):
                out = fold[case.station_number] == part
                yield replace(case, used=usable & ~out, withheld=usable & out)


def pairs(case: Case, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the reports among ``mask`` that have both visibility and ceiling, shape (2, n), and their categories."""
    rows = []
    for name in BOTH:
        own = np.flatnonzero(mask & (case.observations.variable == name) & np.isfinite(case.value))
        rows.append(dict(zip(case.report_number[own].tolist(), own.tolist(), strict=True)))
    common = sorted(rows[0].keys() & rows[1].keys())
    index = np.array([[own[number] for number in common] for own in rows]).reshape(2, -1)
    value = case.observations.value
    return index, flight_category(value[index[1]], value[index[0]])


def events(category: np.ndarray) -> np.ndarray:
    """Whether each report is LIFR, IFR or worse, MVFR or worse, shape (3, n)."""
    return category <= np.arange(len(CATEGORIES) - 1)[:, None]


def score(stores: list[Store], probability: Probability, method=None, old: tuple[str, ...] = ()) -> Scores:
    """Score probabilities (3, n) of the events, and the analysis of ``old`` variables by a method."""
    brier, station, event = [], [], []
    squares: dict[str, list] = {name: [] for name in old}
    of: dict[str, list] = {name: [] for name in old}
    for case in parts(stores):
        rows, category = pairs(case, case.withheld)
        answer = method.analyse(case) if method is not None else case
        predicted = probability(answer, case.points[rows[0]], rows[0])
        truth = events(category)
        brier.append(((predicted - truth) ** 2).sum(0))
        station.append(case.observations.station[rows[0]])
        event.append(truth[-1])
        for name in old:
            own = case.withheld & (case.observations.variable == name) & np.isfinite(case.value)
            squares[name].append((answer.at(name, case.points[own])[0] - case.value[own]) ** 2)
            of[name].append(case.observations.station[own])
    joined = [{name: np.concatenate(each) for name, each in group.items()} for group in (squares, of)]
    return Scores(np.concatenate(brier), np.concatenate(station), np.concatenate(event), *joined)


def of_network(answer, points: Points, _: np.ndarray) -> np.ndarray:
    """The events' probabilities by a network's answer."""
    return or_worse(*(below(answer, name, points, LIMITS[name]).T for name in BOTH))


def climatology(stores: list[Store]) -> Probability:
    """Frequencies of the training hours by kind of station and local solar hour, about those of all."""
    tables: dict[tuple[str, int], list] = {}
    for store in stores:
        for number in range(len(store.time)):
            case = store.case(number, Box.whole(store.layout.shape))
            rows, category = pairs(case, case.used)
            for key, each in zip(_classes(case, rows[0]), events(category).T, strict=True):
                tables.setdefault(key, []).append(each)
    every = np.concatenate([np.array(each) for each in tables.values()]).mean(0)
    frequency = {key: (np.sum(each, 0) + 50.0 * every) / (len(each) + 50.0) for key, each in tables.items()}

    def probability(case, points: Points, rows: np.ndarray) -> np.ndarray:
        return np.array([frequency.get(key, every) for key in _classes(case, rows)]).reshape(-1, 3).T

    return probability


def _classes(case: Case, rows: np.ndarray) -> list[tuple[str, int]]:
    """Kind of station (by the sea, high, other), and bin of local solar time, of rows."""
    points = case.points[rows]
    kind = np.where(points.land < INLAND, "sea", np.where(points.elevation > HIGH, "high", "other"))
    hour = (case.time.astype("datetime64[s]").astype(int) % 86400) / 3600.0 + case.observations.longitude[rows] / 15.0
    return list(zip(kind.tolist(), (hour % 24 // HOURS).astype(int).tolist(), strict=True))


def first_guess(case: Case, rows: np.ndarray) -> list[np.ndarray]:
    """Regression on the used reports of visibility and of ceiling, at rows of the case, analysis space."""
    reports = read_reports(case, case.used, Channels(BOTH))
    return [reports.guess.mean(name, case.points[rows]) for name in BOTH]


def quantile_matching(stores: list[Store]) -> Probability:
    """The regression with its values exchanged for those of equal rank among the training hours' reports."""
    guessed: list[list] = [[], []]
    reported: list[list] = [[], []]
    for case in parts(stores):
        rows, _ = pairs(case, case.withheld)
        for column, value in enumerate(first_guess(case, rows[0])):
            guessed[column].append(value)
            reported[column].append(case.value[rows[column]])
    ordered = [[np.sort(np.concatenate(each)) for each in group] for group in (guessed, reported)]

    def probability(case, points: Points, rows: np.ndarray) -> np.ndarray:
        matched = []
        for column, value in enumerate(first_guess(case, rows)):
            ranks = np.searchsorted(ordered[0][column], value) / len(ordered[0][column])
            index = np.minimum((ranks * len(ordered[1][column])).astype(int), len(ordered[1][column]) - 1)
            matched.append(names.from_analysis(BOTH[column], ordered[1][column][index]))
        return events(flight_category(matched[1], matched[0])).astype(np.float64)

    return probability


def gaussian_weights(length: float) -> Probability:
    """Frequencies of the events among the used reports, with Gaussian weights, and the hour's own beside them."""

    def probability(case, points: Points, rows: np.ndarray) -> np.ndarray:
        near, category = pairs(case, case.used)
        truth, place = events(category).astype(np.float64), case.points[near[0]].position
        hour = (truth.sum(1) + 1.0) / (truth.shape[1] + 20.0)
        squares = (points.position**2).sum(1)[:, None] + (place**2).sum(1) - 2.0 * points.position @ place.T
        weight = np.exp(-0.5 * np.maximum(squares, 0.0) / length**2)
        return (truth @ weight.T + BESIDE * hour[:, None]) / (weight.sum(1) + BESIDE)

    return probability


def interval(value: np.ndarray, other: np.ndarray, station: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """Ratio of two sums, and its interval of 95 %: whole stations drawn anew, the same for both."""
    _, number = np.unique(station, return_inverse=True)
    sums = np.stack([np.bincount(number, weights=each) for each in (value, other)])
    random = np.random.default_rng(seed)
    drawn = [sums[:, random.integers(0, sums.shape[1], sums.shape[1])].sum(1) for _ in range(DRAWS)]
    ratios = [one / two for one, two in drawn]
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(sums[0].sum() / sums[1].sum()), float(low), float(high)
