"""CRPS against its integral and against the package properscoring."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from mlrtma_dist.verification.crps import crps_at_limits, crps_ensemble, crps_gaussian, crps_of_matches
from mlrtma_dist.verification.match import Matches


@pytest.fixture
def generator():
    return np.random.default_rng(5)


def integral(distribution, y: float, ends: tuple[float, float]) -> float:
    below, _ = quad(lambda x: distribution(x) ** 2, ends[0], y, limit=200)
    above, _ = quad(lambda x: (distribution(x) - 1) ** 2, y, ends[1], limit=200)
    return below + above


def test_of_probabilities_below_limits_it_is_that_of_a_distribution_on_the_values_between(generator):
    values, limits = np.array([0.0, 0.2, 0.5, 1.0]), np.array([0.1, 0.4, 0.8])
    members = values[generator.integers(0, 4, (200, 6))]
    below = (members[..., None] < limits).mean(axis=0)
    observation = values[[0, 1, 2, 3, 2, 1]]
    expected = crps_ensemble(members, observation)
    np.testing.assert_allclose(crps_at_limits(below, limits, values, observation), expected, rtol=1e-12)


def test_of_a_match_it_is_that_of_the_method_where_the_match_has_it():
    columns = {"station": ["a", "b"], "observation": [1.0, 2.0], "prediction": [1.5, 2.5], "spread": [0.3, 0.3]}
    matches = Matches.build(
        method="m", variable="sky_cover", observation_error=[0.4, np.nan], crps=[np.nan, 0.7], **columns
    )
    np.testing.assert_allclose(crps_of_matches(matches), [crps_gaussian(1.5, 0.5, np.array([1.0]))[0], 0.7])


@pytest.mark.parametrize("mean, deviation, y", [(0.0, 1.0, 0.0), (1.5, 0.4, 0.2), (-3.0, 5.0, 9.0)])
def test_of_a_gaussian_it_is_the_integral(mean, deviation, y):
    expected = integral(norm(mean, deviation).cdf, y, (mean - 12 * deviation, mean + 12 * deviation))
    assert crps_gaussian(np.array([mean]), deviation, np.array([y])) == pytest.approx([expected], rel=1e-7)


def test_of_members_it_is_the_integral_of_their_steps(generator):
    """The step function is integrated exactly, on the intervals between members and the observation."""
    members, y = generator.normal(0.0, 1.0, (7, 5)), generator.normal(0.0, 1.0, 5)
    for column in range(5):
        knots = np.sort(np.append(members[:, column], y[column]))
        middle = 0.5 * (knots[1:] + knots[:-1])
        steps = (members[:, column] <= middle[:, None]).mean(axis=1) - (middle > y[column])
        expected = (steps**2 * np.diff(knots)).sum()
        got = crps_ensemble(members[:, [column]], y[[column]])
        assert got == pytest.approx([expected], rel=1e-12)


def test_the_fair_score_does_not_know_how_many_members_were_drawn(generator):
    """Its mean over draws is the score of the distribution; the plain one exceeds it by 1/N of the spread."""
    y = np.zeros(200_000)
    truth = float(crps_gaussian(np.zeros(1), 1.0, np.zeros(1))[0])
    members = generator.normal(0.0, 1.0, (3, len(y)))
    assert crps_ensemble(members, y, fair=True).mean() == pytest.approx(truth, abs=5e-3)
    half_distance = 1.0 / np.sqrt(np.pi)  # half of the mean distance of two draws
    assert crps_ensemble(members, y).mean() == pytest.approx(truth + half_distance / 3, abs=5e-3)


def test_without_spread_both_are_the_absolute_error():
    mean, y = np.array([1.0, -2.0]), np.array([3.0, -2.5])
    assert crps_gaussian(mean, np.array([0.0, 0.0]), y) == pytest.approx([2.0, 0.5])
    assert crps_ensemble(mean[None], y) == pytest.approx([2.0, 0.5])


def test_both_agree_with_properscoring(generator):
    peer = pytest.importorskip("properscoring", reason="needs the package properscoring (extra 'tests')")
    members, y = generator.normal(3.0, 2.0, (8, 400)), generator.normal(3.0, 2.0, 400)
    assert crps_ensemble(members, y) == pytest.approx(peer.crps_ensemble(y, members.T), rel=1e-10)
    deviation = generator.uniform(0.1, 3.0, 400)
    assert crps_gaussian(members[0], deviation, y) == pytest.approx(peer.crps_gaussian(y, members[0], deviation))


def test_what_is_no_forecast_is_refused():
    with pytest.raises(ValueError, match="expected deviations >= 0"):
        crps_gaussian(np.zeros(1), -1.0, np.zeros(1))
    with pytest.raises(ValueError, match=r"at least 2 member\(s\), got 1"):
        crps_ensemble(np.zeros((1, 3)), np.zeros(3), fair=True)
