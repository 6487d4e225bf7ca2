"""Diagnostics on linear Gaussian systems, where assumed errors are right or wrong by a known factor."""

import numpy as np
import pytest

from mlrtma_dist.verification.diagnostics import (
    LEAST_ROWS,
    DiagnosticError,
    diagonal_chi_square,
    estimate_errors,
    innovation_chi_square,
    spread_skill,
)
from mlrtma_dist.verification.match import Matches

SIZE, TIMES = 120, 60  # stations and independent analyses


def background_covariance(position: np.ndarray) -> np.ndarray:
    """Standard deviation 1.5, second-order autoregressive with a length of a tenth of the line."""
    distance = np.abs(position[:, None] - position[None, :]) / 0.1
    return 2.25 * (1.0 + distance) * np.exp(-distance)


def analysed(assumed_variance: float, seed: int):
    """d_ob and d_oa, shape (TIMES, SIZE), of OI where R = 1 is true and ``assumed_variance`` assumed; and B."""
    generator = np.random.default_rng(seed)
    covariance = background_covariance(np.sort(generator.uniform(0.0, 1.0, SIZE)))
    root = np.linalg.cholesky(covariance + 1e-9 * np.eye(SIZE))
    departure = generator.normal(size=(TIMES, SIZE)) - generator.normal(size=(TIMES, SIZE)) @ root.T
    gain = np.linalg.solve(covariance + assumed_variance * np.eye(SIZE), covariance).T
    return departure, departure - departure @ gain.T, covariance


def estimated(assumed: float, seed: int = 21):
    departure, residual, covariance = analysed(assumed**2, seed)
    rows = TIMES * SIZE
    estimates = estimate_errors(
        departure.ravel(),
        residual.ravel(),
        np.full(rows, assumed),
        variable=np.full(rows, "t2m"),
        network=np.full(rows, "187"),
        station=np.tile([f"S{index}" for index in range(SIZE)], TIMES),
    )
    return estimates[0], covariance


def test_the_true_observation_and_background_errors_are_estimated_where_they_were_assumed():
    row, covariance = estimated(1.0)
    assert row.network == "all" and row.n == TIMES * SIZE and row.assumed == 1.0
    assert row.lower <= 1.0 <= row.upper and row.ratio == pytest.approx(1.0, abs=0.03)
    assert row.background == pytest.approx(1.5, rel=0.05)


@pytest.mark.parametrize("assumed", [0.5, 2.0])
def test_an_observation_error_wrong_by_two_is_detected_and_the_estimate_is_that_of_theory(assumed):
    row, covariance = estimated(assumed)
    # E[d_oa d_ob^T] = R' (B + R')^-1 (B + R), with R' assumed and R = I true
    assumed_total = covariance + assumed**2 * np.eye(SIZE)
    expected = assumed**2 * np.trace(np.linalg.solve(assumed_total, covariance + np.eye(SIZE))) / SIZE
    assert row.estimated == pytest.approx(np.sqrt(expected), rel=0.04)
    assert row.lower > assumed if assumed < 1.0 else row.upper < assumed


def test_an_observation_of_weight_w_is_judged_by_its_inflated_error():
    generator = np.random.default_rng(22)
    weight = generator.choice([0.25, 1.0], 6000)
    departure = generator.normal(size=6000) * np.sqrt(4.0 + 1.0 / weight)  # B = 4, R / w
    residual = departure / weight / (4.0 + 1.0 / weight)
    columns = {"variable": np.full(6000, "t2m"), "network": np.full(6000, ""), "station": np.arange(6000).astype(str)}
    weighted = estimate_errors(departure, residual, np.ones(6000), weight=weight, **columns)[0]
    plain = estimate_errors(departure, residual, np.ones(6000), **columns)[0]
    assert weighted.ratio == pytest.approx(1.0, abs=0.05) and plain.ratio > 1.4


def test_networks_with_too_few_reports_count_in_the_total_alone():
    size = 3 * LEAST_ROWS
    network = np.where(np.arange(size) < LEAST_ROWS - 1, "few", "many")
    departure = np.random.default_rng(23).normal(size=size)
    departure[-1] = np.nan
    rows = estimate_errors(
        departure,
        0.5 * departure,
        np.ones(size),
        variable=np.full(size, "t2m"),
        network=network,
        station=np.arange(size).astype(str),
    )
    assert [(row.network, row.n) for row in rows] == [("all", size - 1), ("many", size - LEAST_ROWS)]


def test_departures_that_contradict_a_positive_variance_give_no_estimate():
    departure = np.ones(40)
    rows = estimate_errors(
        departure,
        -departure,
        departure,
        variable=np.full(40, "t2m"),
        network=np.full(40, ""),
        station=np.arange(40).astype(str),
    )
    assert np.isnan(rows[0].estimated) and rows[0].background == pytest.approx(np.sqrt(2.0))


def test_chi_square_by_hand():
    full = innovation_chi_square(np.array([2.0, 3.0]), np.array([[2.0, 0.0], [0.0, 9.0]]))
    assert (full.value, full.n) == (pytest.approx(1.5), 2)
    spread, error = np.array([1.0, 0.0, np.nan]), np.array([1.0, 3.0, 1.0])
    diagonal = diagonal_chi_square(np.array([2.0, 3.0, 5.0]), spread, error)  # the third has no spread
    assert (diagonal.value, diagonal.n, diagonal.upper) == pytest.approx((full.value, full.n, full.upper))


def test_chi_square_of_correlated_departures_is_one_where_the_covariance_is_right():
    generator = np.random.default_rng(24)
    covariance = background_covariance(np.sort(generator.uniform(0.0, 1.0, 500))) + np.eye(500)
    departure = np.linalg.cholesky(covariance) @ generator.normal(size=500)
    right, doubled = innovation_chi_square(departure, covariance), innovation_chi_square(departure, 2.0 * covariance)
    assert right.consistent and not doubled.consistent
    assert doubled.value == pytest.approx(right.value / 2.0)
    scatter = 1.96 * np.sqrt(2 / 500)  # of a chi-square variable over its many degrees of freedom
    assert (right.lower, right.upper) == pytest.approx((1 - scatter, 1 + scatter), abs=0.01)


def test_chi_square_of_nothing_is_not_a_number_and_never_consistent():
    empty = diagonal_chi_square(np.array([]), np.array([]), np.array([]))
    assert np.isnan(empty.value) and empty.n == 0 and not empty.consistent


@pytest.mark.parametrize(
    ("departure", "covariance", "message"),
    [
        (np.ones(2), np.eye(3), "2 departures need a covariance of shape \\(2, 2\\)"),
        (np.array([1.0, np.nan]), np.eye(2), "1 of 2 departures are not finite"),
        (np.ones(2), -np.eye(2), "not positive definite"),
    ],
)
def test_departures_and_covariances_that_do_not_fit_are_errors(departure, covariance, message):
    with pytest.raises(DiagnosticError, match=message):
        innovation_chi_square(departure, covariance)


def withheld(factor: float) -> Matches:
    """Errors of spreads from 0.5 to 2.5, observation error 1; the method predicts ``factor`` times the spread."""
    generator = np.random.default_rng(25)
    spread = generator.uniform(0.5, 2.5, 4000)
    error = generator.normal(size=4000) * spread - generator.normal(size=4000)
    return Matches.build(
        method="oi",
        variable="t2m",
        station=np.arange(4000).astype(str),
        observation=np.zeros(4000),
        prediction=error,
        spread=factor * spread,
        observation_error=1.0,
    )


def test_a_right_spread_agrees_with_the_errors_in_every_bin():
    skill = spread_skill(withheld(1.0), bins=5)
    assert skill.lower <= 1.0 <= skill.upper and skill.ratio == pytest.approx(1.0, abs=0.04)
    assert [part.n for part in skill.bins] == [800] * 5
    assert skill.bins[0].predicted < 0.6 * skill.bins[-1].predicted
    np.testing.assert_allclose([part.actual / part.predicted for part in skill.bins], 1.0, atol=0.08)


def test_a_method_whose_predicted_error_is_too_small_is_detected():
    skill = spread_skill(withheld(0.5))
    variance = np.mean(np.square(withheld(1.0).spread))
    assert skill.lower > 1.0
    assert skill.ratio == pytest.approx(np.sqrt((variance + 1.0) / (variance / 4.0 + 1.0)), rel=0.04)


def test_matches_without_a_spread_have_no_skill_to_show():
    matches = Matches.build(method="oi", variable="t2m", station=["a"], observation=[1.0], prediction=[1.0])
    assert spread_skill(matches).n == 0 and spread_skill(matches).bins == ()
