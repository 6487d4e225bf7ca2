"""Analyses that keep the spread of the reports."""

import numpy as np
import pytest

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.methods.spread import FEWEST, Local, Stretch, fit_spread, stretch_to, without_itself
from mlrtma_dist.methods.threedvar import ThreeDVar

BROAD = Covariance((Component(4.0, "askey", 600e3),))
LOCAL = Local((Component(1.5, "askey", 40e3),), 0.4)


def stations(generator, count: int) -> Points:
    position = np.column_stack([generator.uniform(0.0, 1e6, (count, 2)), np.zeros(count)])
    zero = np.zeros(count)
    return Points(zero, zero, position, zero, zero, zero)


def field(generator, points: Points, noise: float) -> np.ndarray:
    """Positive reports: 5 + a Gaussian field of the broad covariance + noise."""
    root = np.linalg.cholesky(BROAD.matrix(points, points).astype(float) + 1e-6 * np.eye(len(points)))
    return np.maximum(
        5.0 + root @ generator.standard_normal(len(points)) + noise * generator.standard_normal(len(points)), 0.0
    )


def fitted(points: Points, value: np.ndarray, error: float):
    deviation = np.full(len(points), error)
    smooth = ThreeDVar(BROAD, None).fit(points, value - 5.0, deviation)
    guess = lambda where: np.full(len(where), 5.0)  # noqa: E731
    near = ThreeDVar(Covariance(LOCAL.covariance), None)
    return fit_spread(smooth, near, LOCAL, BROAD, points=points, value=value, guess=guess, error=deviation)


def test_leaving_out_by_one_inverse_equals_leaving_out_by_solving_again(generator):
    points = stations(generator, 40)
    departure, error = generator.standard_normal(40), generator.uniform(0.3, 0.8, 40)
    matrix = BROAD.matrix(points, points).astype(float)
    expected = np.empty(40)
    for i in range(40):
        rest = np.delete(np.arange(40), i)
        system = matrix[np.ix_(rest, rest)] + np.diag(error[rest] ** 2)
        expected[i] = matrix[i, rest] @ np.linalg.solve(system, departure[rest])
    np.testing.assert_allclose(without_itself(BROAD, points, departure, error), expected, atol=1e-9)


def test_predictions_get_mean_and_deviation_of_the_reports_even_where_they_end_at_zero(generator):
    value = np.maximum(generator.normal(2.0, 2.0, 3000), 0.0)
    predicted = 2.0 + 0.6 * (value - value.mean()) + generator.normal(0.0, 0.3, 3000)
    stretched = stretch_to(value, predicted)(predicted)
    assert stretched.mean() == pytest.approx(value.mean(), rel=0.01)
    assert stretched.std() == pytest.approx(value.std(), rel=0.02)
    assert stretched.min() >= 0.0


def test_at_stations_never_seen_speeds_are_spread_as_reports_are_and_reports_are_kept_at_their_own_place(generator):
    points = stations(generator, 600)
    value = field(generator, points, 1.2)
    seen, unseen = np.arange(400), np.arange(400, 600)
    fit = fitted(points[seen], value[seen], 1.2)
    analysed = 5.0 + fit.increment(points[unseen])
    smooth = 5.0 + fit.smooth.increment(points[unseen])
    print(f"deviation: reports {value[unseen].std():.2f}, best {smooth.std():.2f}, stretched {analysed.std():.2f}")
    assert smooth.std() < 0.93 * value[unseen].std()
    assert analysed.std() == pytest.approx(value[unseen].std(), rel=0.08)
    assert analysed.mean() == pytest.approx(value[unseen].mean(), rel=0.05)
    at_home = 5.0 + fit.increment(points[seen])
    residual = np.abs(at_home - value[seen])
    assert np.median(residual) < 0.25 * np.median(np.abs(5.0 + fit.smooth.increment(points[seen]) - value[seen]))
    assert fit.error(points[unseen]).min() > fit.smooth.error(points[unseen]).min()


def test_few_reports_are_not_stretched(generator):
    points = stations(generator, FEWEST - 1)
    value = field(generator, points, 1.0)
    fit = fitted(points, value, 1.0)
    assert fit.stretch == Stretch() and fit.local is None
    np.testing.assert_allclose(fit.increment(points), np.maximum(5.0 + fit.smooth.increment(points), 0.0) - 5.0)


def test_a_local_part_needs_a_covariance_and_an_error():
    for covariance, error in (((), 1.0), (LOCAL.covariance, 0.0)):
        with pytest.raises(ValueError, match="local: expected"):
            Local(covariance, error)
