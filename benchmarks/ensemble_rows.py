"""Rows of Markdown for methods at withheld reports: rmse, CRPS, spread and rank histogram, with intervals."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlrtma_dist.verification.bootstrap import cluster_numbers, cluster_sums, interval, ratio_of_sums, resampled_sums
from mlrtma_dist.verification.crps import crps_of_matches
from mlrtma_dist.verification.distribution_scores import crps_of_inexact, place_of_reports, score_matches
from mlrtma_dist.verification.match import Matches
from mlrtma_dist.verification.paired import CRPS, STATIONS, PairedErrors

HEADS = ("method", "n", "rmse", "CRPS", "over that of {}", "spread / error", "least and largest share of a tenth")


def with_members(plain: Matches, members: np.ndarray) -> Matches:
    """Matches of a mean with what the members say: their spread, fair CRPS and the place of each report among them.

    Args:
        plain: n reports with their errors; members: shape (member, n), analysis space.
    """
    count = len(members)
    keys = [f"{time} {station}" for time, station in zip(plain.time, plain.station, strict=True)]
    return replace(
        plain,
        prediction=members.mean(0),
        spread=members.std(0, ddof=1) * np.sqrt(1.0 + 1.0 / count),
        crps=crps_of_inexact(members, plain.observation, plain.observation_error),
        place=place_of_reports(members, plain.observation, plain.observation_error, keys),
    )


def header(reference: str, unit: str) -> str:
    """The two first lines of the table."""
    heads = [each.format(reference) for each in HEADS]
    heads = [f"{each}, {unit}" if each in ("rmse", "CRPS") else each for each in heads]
    return f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|"


def row(own: Matches, reference: Matches, drawn: Sequence[np.ndarray]) -> str:
    """The line of one method.

    Args:
        own, reference: the same reports, row by row.
        drawn: labels of the rows that are drawn together, shape (n,) each, such as stations and hours: of the
            intervals the lowest of the lower ends and the highest of the upper ends count.
    """
    (score,) = score_matches(own)
    squares, crps = own.error**2, crps_of_matches(own)
    cells = [
        f"{score.rmse:.3f} {_interval(squares, drawn, 0.5)}",
        f"{score.crps:.3f} {_interval(crps, drawn, 1.0)}",
        "1" if own is reference else _ratio(own, reference, drawn),
        f"{score.spread_over_error:.2f}",
        f"{min(score.tenths):.3f}, {max(score.tenths):.3f}",
    ]
    return f"| {own.methods[0]} | {len(own):,} | {' | '.join(cells)} |"


def _interval(values: np.ndarray, drawn: Sequence[np.ndarray], power: float) -> str:
    """Ends of the interval of a mean, to a power."""
    ends = []
    for labels in drawn:
        number, size = cluster_numbers(labels)
        sums = resampled_sums(cluster_sums(number, size, values, np.ones(len(values))), seed=0)
        ends.append(interval(ratio_of_sums(sums, 0, 1) ** power, size))
    return f"({min(low for low, _ in ends):.3f}, {max(high for _, high in ends):.3f})"


def _ratio(own: Matches, reference: Matches, drawn: Sequence[np.ndarray]) -> str:
    """CRPS over that of the reference."""
    ratios = [
        PairedErrors(*(replace(each, station=labels) for each in (own, reference)), draw=(STATIONS,)).ratio(
            CRPS, own.variables
        )
        for labels in drawn
    ]
    low, high = min(each.lower for each in ratios), max(each.upper for each in ratios)
    return f"{ratios[0].value:.3f} ({low:.3f}, {high:.3f})"
