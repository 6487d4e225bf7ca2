"""What the others give at a station: as an analysis without it gives, whatever the errors of the reports are."""

import numpy as np
import pytest
from report_cases import toy

from mlrtma_dist.fields.static import station_points
from mlrtma_dist.methods.local import leave_one_out

COUNT = 30


def test_of_errors_that_differ_and_of_several_columns_it_is_that_of_an_analysis_without_the_station(exponential):
    random = np.random.default_rng(5)
    rows, columns = toy().domain.shape
    place = toy().domain.position(random.uniform(5, rows - 5, COUNT), random.uniform(5, columns - 5, COUNT))
    points = station_points(toy(), *place, np.full(COUNT, 500.0))
    error = random.uniform(0.3, 2.0, COUNT) / np.sqrt(random.uniform(0.05, 1.0, COUNT))  # as quality control weighs
    departure = random.standard_normal((COUNT, 3))
    covariance = exponential.matrix(points, points).astype(np.float64)
    result = leave_one_out(exponential, points, departure, error, size=COUNT)

    def analysed(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """The increment at all stations from those of the rows ``kept``."""
        matrix = covariance[np.ix_(kept, kept)] + np.diag(error[kept] ** 2)
        return covariance[:, kept] @ np.linalg.solve(matrix, values[kept])

    every = np.arange(COUNT)
    for station in every:
        others = every[every != station]
        np.testing.assert_allclose(result.increment[station], analysed(departure, others)[station], atol=1e-12)
        influence = analysed(departure, every) - analysed(departure, others)
        left = influence - analysed(influence, others)  # after the others have been analysed again
        np.testing.assert_allclose(result.kept[station] * influence[station], left[station], rtol=1e-9)
    assert result.kept.min() > 0.05 and result.kept.max() < 0.95


def test_a_station_alone_keeps_all_and_one_beside_an_exact_report_nothing(exponential):
    points = station_points(toy(), np.full(2, 40.0), np.full(2, -105.0), np.full(2, 500.0))
    alone = leave_one_out(exponential, points[[0]], np.ones(1), np.ones(1), size=2)
    assert alone.kept.tolist() == [1.0] and alone.increment == pytest.approx(0.0)
    beside = leave_one_out(exponential, points, np.ones(2), np.array([1.0, 1e-3]), size=2)
    assert beside.kept[0] == pytest.approx(0.0, abs=1e-6)
