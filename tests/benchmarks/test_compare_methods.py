"""Two methods side by side: ratios that are known, on the reports that both predict."""

import sys
from pathlib import Path

import numpy as np
import pytest

from mlrtma_dist.verification.match import Matches

BENCHMARKS = str(Path(__file__).resolve().parents[2] / "benchmarks")


@pytest.fixture
def compare_methods():
    """The benchmark as a module."""
    sys.path.insert(0, BENCHMARKS)
    try:
        import compare_methods

        yield compare_methods
    finally:
        sys.path.remove(BENCHMARKS)


def matches(method: str, factor: float, stations: int) -> Matches:
    """Errors of a method that are ``factor`` times the same normal numbers."""
    error = np.random.default_rng(1).normal(size=400)
    error = error[:stations] / np.sqrt(np.mean(error[:300] ** 2))  # one, on the reports of both
    return Matches.build(
        method=method,
        variable="gust",
        time=np.datetime64("2026-01-01T00:00:00"),
        station=np.array([f"S{number}" for number in range(stations)]),
        observation=np.full(stations, 12.0),
        prediction=12.0 + factor * error,
        spread=factor,
        observation_error=0.0,
        below_1=0.1 * factor,
        below_2=1.0,
        below_3=1.0,
    )


def test_ratios_of_rmse_crps_and_brier_scores_are_those_of_the_errors(compare_methods):
    one, two = compare_methods.common([matches("a", 0.8, 400), matches("b", 1.0, 300)], "a", "b")
    assert len(one) == len(two) == 300 and one.station.tolist() == two.station.tolist()
    ((count, own, other, ratio, low, high, crps, skill),) = compare_methods.compare(one, two).values()
    assert count == 300 and ratio == pytest.approx(0.8) == pytest.approx(low) == pytest.approx(high)
    assert own / other == pytest.approx(0.8) and skill == pytest.approx(1.0)
    assert crps == pytest.approx(0.8)
    # below 10 m/s: no report; below 15 and 20 m/s: all, and both are sure
    brier = compare_methods.brier_ratios(one, two)
    assert brier[0] == pytest.approx(0.64) and np.isnan(brier[1:]).all()


def test_the_pooled_interval_is_over_dates(compare_methods):
    tables = {}
    for method, factors in (("a", (0.5, 2.0)), ("b", (1.0, 1.0))):
        parts = []
        for name in compare_methods.POOLED:
            for day, factor in enumerate(factors, 1):
                parts.append(
                    Matches.build(
                        method=method,
                        variable=name,
                        time=np.datetime64(f"2026-01-0{day}T00:00:00"),
                        station=np.array(["A", "B"]),
                        observation=np.zeros(2),
                        prediction=np.full(2, factor),
                    )
                )
        tables[method] = Matches.concatenate(parts)
    ratio, low, high = compare_methods.pooled_over_dates(tables["a"], tables["b"])
    assert ratio == pytest.approx(np.sqrt((0.25 + 4.0) / 2.0))
    assert (low, high) == pytest.approx((0.5, 2.0))  # one date alone, twice
