"""3D-Var with outer loops: optimal interpolation where H is linear, a minimum of J where it is not, J falls."""

import numpy as np
import pytest
from gaussian_fields import EVERYWHERE, FIELD, SHAPE, conditional_mean, covariance, observed

from mlrtma_dist.methods.best_linear import BestLinear
from mlrtma_dist.methods.outer_loops import OuterLoops
from mlrtma_dist.observations.indirect import IndirectTypes

WEAK, STRONG = IndirectTypes(0.3, 1.0, 1.0), IndirectTypes(2.0, 1.0, 1.0)


def test_with_a_linear_operator_it_is_optimal_interpolation_in_one_loop():
    prior, observations, inflation = covariance(), observed(15, 3), np.array([1.0, 2.0, 0.5, 1.0, 1.0])
    minimum = OuterLoops(prior, WEAK, inflation).minimise(*observations)
    np.testing.assert_allclose(minimum.field, BestLinear(prior, 3, inflation).analyse(*observations), atol=1e-8)
    np.testing.assert_allclose(minimum.field, conditional_mean(prior, *observations, inflation), atol=1e-8)
    assert len(minimum.costs) <= 3


def cost(prior, types, observations, field) -> float:
    """J by dense matrices."""
    places, kind, values, error = observations
    whole = prior.between(EVERYWHERE, FIELD, EVERYWHERE, FIELD)
    departure = field.ravel() - prior.mean[FIELD]
    misfit = values - types.values(field[:, *places.T].T, kind)
    return 0.5 * float(departure @ np.linalg.solve(whole, departure) + np.sum((misfit / error) ** 2))


def root_of(prior) -> np.ndarray:
    return np.linalg.cholesky(prior.between(EVERYWHERE, FIELD, EVERYWHERE, FIELD))


def measured(prior, types):
    """Observations of all types of a truth drawn from the prior."""
    places, kind, noise, error = observed(25, 5)
    drawn = root_of(prior) @ np.random.default_rng(5).standard_normal(len(FIELD))
    truth = (prior.mean[FIELD] + drawn).reshape(3, *SHAPE)
    return places, kind, types.values(truth[:, *places.T].T, kind) + error * noise, error


@pytest.mark.parametrize("types", [WEAK, STRONG], ids=["weak", "strong"])
@pytest.mark.parametrize("from_interpolation", [False, True])
def test_cost_falls_in_every_loop_to_a_state_from_which_no_direction_leads_down(types, from_interpolation):
    prior, first = covariance(), None
    observations = measured(prior, types)
    if from_interpolation:
        first = BestLinear(prior, 3, np.ones(3)).analyse(*(column[observations[1] < 3] for column in observations))
    minimum = OuterLoops(prior, types, np.ones(5), most_loops=2000, enough=1e-12).minimise(*observations, first=first)
    assert 2 < len(minimum.costs) < 2000 and np.all(np.diff(minimum.costs) < 0.0)
    assert cost(prior, types, observations, minimum.field) == pytest.approx(minimum.costs[-1], rel=1e-6)
    for seed in range(20):  # the slope of J by the dense matrices, in directions as large as the fields themselves
        direction = (root_of(prior) @ np.random.default_rng(seed).standard_normal(len(FIELD))).reshape(3, *SHAPE)
        up, down = (cost(prior, types, observations, minimum.field + step * direction) for step in (1e-4, -1e-4))
        assert abs(up - down) / 2e-4 < 1e-4 * minimum.costs[-1], "the slope at a minimum is zero"


def test_the_state_at_the_observations_is_that_of_the_field():
    prior, observations = covariance(), observed(25, 5)
    minimum = OuterLoops(prior, STRONG, np.ones(5)).minimise(*observations)
    np.testing.assert_allclose(minimum.field[:, *observations[0].T].T, minimum.state, atol=1e-9)


def test_accurate_speeds_and_a_direction_are_believed():
    prior, places = covariance(), np.array([[2, 3], [2, 3], [2, 3]])
    observations = places, np.array([0, 1, 2]), np.array([0.0, 1.5, 0.4]), np.full(3, 0.01)
    speed = STRONG.values(np.array([[0.0, 1.5, 0.4]]), np.array([3]))
    told = (
        np.concatenate([places[:1], places]),
        np.array([3, 0, 1, 2]),
        np.concatenate([speed, observations[2]]),
        np.array([0.01, 0.01, 2.0, 2.0]),
    )
    analysis = OuterLoops(prior, STRONG, np.ones(5)).analyse(*told)[:, 2, 3]
    assert STRONG.values(analysis[None], np.array([3]))[0] == pytest.approx(speed[0], abs=0.02)
