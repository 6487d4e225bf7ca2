"""Draws: which reports of a case a learned method is given, and by which others its loss is measured.

Draw 0 is the case as it is: its used reports are given, its withheld ones are the targets; where it withholds none, a
fifth of its stations are. Any other draw divides the used reports anew, station by station, all names of a station on
one side. The share that is given varies over orders of magnitude, so that the network learns what few reports are
worth; most draws are near the density of an analysis. In a third of them some variables are missing, at all stations
or at half of them: networks of stations that measure less exist, many of them temperature and little else.

Labels (``Flag.LABEL``) are points of gridded fields beside the reports: targets of every draw, never given.
"""

import numpy as np

from mlrtma_dist.methods.case import Case

NEAR_ANALYSIS = 0.7  # share of the draws that withhold between the shares of WITHHELD, evenly
WITHHELD = (0.1, 0.5)
GIVEN = (0.002, 0.9)  # share given in the other draws, evenly in its logarithm
PLAIN = 0.2  # share of the stations that draw 0 withholds where the case withholds none
INCOMPLETE = 0.3  # share of the draws in which variables are missing
FEW_KINDS = 0.4  # share of those in which temperature is there and each other group with the probability OTHER_KIND
OTHER_KIND = 0.2
MISSING = (0.1, 0.95)  # between which lies the probability of each group of variables to be missing then
TOGETHER = dict.fromkeys(("u10", "v10", "wind_speed", "gust"), "wind")  # measured by one instrument
MOST_TARGETS = 800  # stations whose reports are targets: more cost time and tell little more of one hour


def divide(case: Case, draw: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks (n,) of the reports that are given and of those that are targets; the same on every rank."""
    if draw == 0 and case.withheld.any():
        return case.used, (case.withheld & case.observations.usable) | _labels(case, draw)
    random = random_of(case, draw, 0)
    station = case.station_number
    stations = np.unique(station[case.used])
    if draw == 0:
        share = 1.0 - PLAIN
    elif random.random() < NEAR_ANALYSIS:
        share = 1.0 - random.uniform(*WITHHELD)
    else:
        share = np.exp(random.uniform(*np.log(GIVEN)))
    order = random.permutation(stations)
    count = min(round(share * len(stations)), len(stations) - 1) if len(stations) else 0
    inputs, targets = order[:count], order[count : count + MOST_TARGETS]
    input_reports = case.used & np.isin(station, inputs) & ~_missing(case, draw)
    return input_reports, (case.used & np.isin(station, targets)) | _labels(case, draw)


def _labels(case: Case, draw: int) -> np.ndarray:
    """Mask (n,) of the labels that are targets of a draw: those of at most `MOST_TARGETS` points, others in each."""
    labels = case.observations.labels
    if not labels.any():
        return labels
    points = np.unique(case.report_number[labels])
    return labels & np.isin(case.report_number, random_of(case, draw, 5).permutation(points)[:MOST_TARGETS])


def _missing(case: Case, draw: int) -> np.ndarray:
    """Mask (n,) of the reports of variables that are missing in a draw; at least one group of variables is not."""
    random, names = random_of(case, draw, 3), np.unique(case.observations.variable[case.used])
    groups = sorted({TOGETHER.get(str(name), str(name)) for name in names})
    if draw == 0 or len(groups) < 2 or random.random() >= INCOMPLETE:
        return np.zeros(len(case.used), bool)
    few = "t2m" in groups and random.random() < FEW_KINDS
    gone = random.random(len(groups)) < (1.0 - OTHER_KIND if few else random.uniform(*MISSING))
    gone[groups.index("t2m") if few else random.integers(len(groups))] = False
    left_out = [name for name in names if gone[groups.index(TOGETHER.get(str(name), str(name)))]]
    everywhere = random.random() < 0.5
    stations = random.random(case.station_number.max(initial=-1) + 1) < 0.5
    return np.isin(case.observations.variable, left_out) & (everywhere | stations[case.station_number])


def heights(case: Case, draw: int, count: int, deviation: float) -> np.ndarray:
    """How far above its station each of ``count`` points is asked, m: 0 for half of them, and in draw 0 for all.

    What is asked beside a station's height must be carried there by the vertical gradient, which is so learnt.
    """
    if draw == 0:
        return np.zeros(count)
    random = random_of(case, draw, 1)
    return random.normal(0.0, deviation, count) * (random.random(count) < 0.5)


def random_of(case: Case, draw: int, use: int) -> np.random.Generator:
    """Random numbers of a draw, others for every use."""
    seconds = int(case.time.astype("datetime64[s]").astype(np.int64))
    return np.random.default_rng((abs(seconds), int(seconds < 0), draw, use))  # seeds are not negative
