"""Scores of predicted distributions: CRPS, spread over error, and how often truths fall into each tenth of them.

The distribution is that of an answer's members, else a Gaussian of the analysis and its error. A calibrated one has a
spread over error of 1 and every tenth in the same share of the cases: the rank histogram (Hamill 2001) of an ensemble,
whose ranks are spread evenly over ten bins, so that ensembles of any size and Gaussians are compared. The CRPS of
members is the fair one (Ferro 2014), and their spread that of one more draw about their mean, sqrt(1 + 1/M) times the
standard deviation. A report has an error of its own, which every member is given (`crps_of_inexact`,
`place_of_reports`).
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import ndtr

from mlrtma_dist.linalg.noise import normal, uniform
from mlrtma_dist.methods.ensemble_fields import by_rows
from mlrtma_dist.verification.crps import crps_ensemble, crps_gaussian, crps_of_matches
from mlrtma_dist.verification.match import Matches, write_rows

TENTHS = 10
SEED = 0  # of the errors that members are given
STATIONS, FIELDS = "stations", "fields"  # at which a distribution is scored
SUMS = ("crps", "variance", "points")  # of a case, before the counts of the tenths
COLUMNS = ("at", "method", "variable", "n", "crps", "rmse", "spread", "spread_over_error")
BINNED = ("method", "variable", "side", "limit", "n", "predicted", "observed")


@dataclass(frozen=True)
class DistributionScore:
    """The scores of one method and variable: a row of ``distributions.csv``.

    Attributes:
        at: stations, or fields; method, variable: what was scored; n: reports, or points.
        crps, rmse, spread: analysis space; at stations the spread includes the report's error.
        tenths: share of the truths in each tenth of the distribution.
    """

    at: str
    method: str
    variable: str
    n: int
    crps: float
    rmse: float
    spread: float
    tenths: tuple[float, ...]

    @property
    def spread_over_error(self) -> float:
        """1 where the distribution is as wide as its errors are large."""
        return self.spread / self.rmse if self.rmse else float("nan")


@dataclass(frozen=True)
class ReliabilityRow:
    """Cases of similar predicted probability: a row of ``reliability.csv``.

    Attributes:
        side: above (at or above) or below the limit, SI; n: points; predicted: mean probability; observed: how often.
    """

    method: str
    variable: str
    side: str
    limit: float
    n: int
    predicted: float
    observed: float


def tenth_place(matches: Matches) -> np.ndarray:
    """Where a report lies in the predicted distribution, 0 to 1, shape (n,); NaN where that is not complete.

    That of the match where the method gave it, else of a Gaussian; a distribution at limits has none.
    """
    deviation = np.where(matches.deviation > 0.0, matches.deviation, np.nan)
    gaussian = np.where(np.isnan(matches.crps), ndtr(-matches.error / deviation), np.nan)
    return np.where(np.isfinite(matches.place), matches.place, gaussian)


def place_of_reports(members: np.ndarray, value: np.ndarray, error: np.ndarray, keys: Sequence[str]) -> np.ndarray:
    """Rank of each report among the members with errors drawn for them, within 0 to 1, shape (n,).

    Args:
        members: shape (member, n); value: of the reports; error: its standard deviation; shape (n,) both.
        keys: of the draws, one for each report: the same key draws the same errors, whoever asks.
    """
    count = len(members)
    places = np.array([zlib.crc32(key.encode()) for key in keys], dtype=np.int64)
    if not len(places):
        return np.empty(0)
    noise, within = normal(SEED, np.arange(count)[:, None], places), uniform(SEED, count, places)
    return ((members + error * noise < value).sum(0) + within) / (count + 1)


def crps_of_inexact(members: np.ndarray, value: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Fair CRPS of members that each have a Gaussian error, shape (n,); arguments as of `place_of_reports`.

    The score of a mixture of Gaussians in closed form (Grimit et al. 2006, eq. 5), pairs of different members only.
    """
    count, total = len(members), np.zeros(len(value))
    for number in range(1, count):
        total += _distance(members[number:] - members[:-number], np.sqrt(2.0) * error).sum(0)
    return _distance(members - value, error).mean(0) - total / (count * (count - 1))


def _distance(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Mean absolute value of a Gaussian."""
    deviation = np.broadcast_to(deviation, mean.shape)
    z = np.divide(mean, deviation, out=np.zeros(mean.shape), where=deviation > 0)
    spread = mean * (2.0 * ndtr(z) - 1.0) + 2.0 * deviation * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    return np.where(deviation > 0, spread, np.abs(mean))


def score_matches(matches: Matches) -> list[DistributionScore]:
    """The scores of every method and variable at withheld stations, where a distribution is complete."""
    place, crps = tenth_place(matches), crps_of_matches(matches)
    complete = matches.scored & np.isfinite(place) & np.isfinite(crps)
    scores = []
    for method in matches.methods:
        for variable in matches.variables:
            rows = complete & (matches.method == method) & (matches.variable == variable)
            if rows.any():
                rmse, spread = (_root(each[rows]) for each in (matches.error, matches.deviation))
                counts = np.histogram(place[rows], TENTHS, (0.0, 1.0))[0]
                tenths = tuple((counts / rows.sum()).tolist())
                mean = float(crps[rows].mean())
                scores.append(
                    DistributionScore(STATIONS, method, variable, int(rows.sum()), mean, rmse, spread, tenths)
                )
    return scores


def _root(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def sums_of_members(members: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The sums ``SUMS`` over points and the counts of the tenths, shape (3 + TENTHS,).

    Args:
        members: shape (member, y, x); truth: shape (y, x); analysis space. Points without a truth are left out.
    """
    count = len(members)

    def scores(part: np.ndarray, true: np.ndarray) -> np.ndarray:
        crps = crps_ensemble(part.reshape(count, -1), true.ravel(), fair=True).reshape(true.shape[1:])
        return np.stack([crps, part.var(0, ddof=1) * (1.0 + 1.0 / count), (part < true).sum(0)])

    crps, variance, rank = by_rows(scores, members, truth[None])
    complete = np.isfinite(truth) & np.isfinite(crps)
    ranks = np.bincount(rank[complete].astype(np.int64), minlength=count + 1)
    edges, cumulative = np.linspace(0.0, 1.0, count + 2), np.concatenate([[0], np.cumsum(ranks)])
    tenths = np.diff(np.interp(np.linspace(0.0, 1.0, TENTHS + 1), edges, cumulative))
    sums = (each[complete].sum(dtype=np.float64) for each in (crps, variance))
    return np.concatenate([[*sums, complete.sum()], tenths])


def sums_of_gaussians(value: np.ndarray, error: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """As `sums_of_members`, of Gaussians of mean ``value`` and deviation ``error``, shape (y, x)."""
    complete = np.isfinite(truth) & np.isfinite(value) & (error > 0.0)
    value, error, truth = (each[complete].astype(np.float64) for each in (value, error, truth))
    tenths = np.histogram(ndtr((truth - value) / error), TENTHS, (0.0, 1.0))[0]
    crps = crps_gaussian(value, error, truth).sum() if len(value) else 0.0
    return np.concatenate([[crps, np.square(error).sum(), len(value)], tenths])


def score_sums(
    sums: Mapping[str, np.ndarray], errors: Mapping[str, np.ndarray], variables: Sequence[str]
) -> list[DistributionScore]:
    """The scores of every method and variable against known fields, where a distribution is predicted.

    Args:
        sums: method -> those of `sums_of_members`, shape (case, variable, 3 + TENTHS).
        errors: method -> sums of ``field_scores``, shape (case, variable, 3).
    """
    scores = []
    for method, own in sums.items():
        for index, variable in enumerate(variables):
            crps, variance, points, *tenths = own[:, index].sum(0)
            if points:
                square, count = errors[method][:, index, 1:].sum(0)
                rmse, spread = float(np.sqrt(square / count)), float(np.sqrt(variance / points))
                shares, mean = tuple(float(each / points) for each in tenths), float(crps / points)
                scores.append(DistributionScore(FIELDS, method, variable, int(points), mean, rmse, spread, shares))
    return scores


def reliability_sums(probability: np.ndarray, happened: np.ndarray) -> np.ndarray:
    """Points, summed probability and events by tenth of the probability, shape (TENTHS, 3)."""
    complete = np.isfinite(probability)
    number = np.minimum((probability[complete] * TENTHS).astype(np.int64), TENTHS - 1)
    weights = np.ones(len(number)), probability[complete], happened[complete]
    return np.stack([np.bincount(number, weights=each, minlength=TENTHS) for each in weights], 1)


def reliability_rows(sums: Mapping[str, np.ndarray], limits: Sequence[tuple[str, str, float]]) -> list[ReliabilityRow]:
    """The rows of every method, limit and tenth that has points.

    Args:
        sums: method -> those of `reliability_sums`, shape (limit, TENTHS, 3); limits: variable, side and limit.
    """
    return [
        ReliabilityRow(method, *limit, int(points), float(predicted / points), float(events / points))
        for method, own in sums.items()
        for limit, bins in zip(limits, own, strict=True)
        for points, predicted, events in bins
        if points
    ]


def write_distributions(path: str | Path, scores: Sequence[DistributionScore]) -> None:
    """Write ``distributions.csv``: the columns ``COLUMNS`` and the share of the truths in each tenth."""
    header = [*COLUMNS, *(f"tenth_{number}" for number in range(1, TENTHS + 1))]
    write_rows(path, header, ([*(getattr(score, name) for name in COLUMNS), *score.tenths] for score in scores))


def write_reliability(path: str | Path, rows: Sequence[ReliabilityRow]) -> None:
    """Write ``reliability.csv``: the columns ``BINNED``, limits in SI."""
    write_rows(path, BINNED, ([getattr(row, name) for name in BINNED] for row in rows))
