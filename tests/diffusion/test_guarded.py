"""The guarded solver: dense algebra's answer for a covariance, and that of its positive part for what is none."""

import pytest
import torch

from mlrtma_dist.diffusion.guarded import solve

POINTS, REPORTS = 12, 6


def system(values, seed=0):
    """A symmetric C of these eigenvalues, an H, and the maps that solve takes; one member, fields of (1, POINTS)."""
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.linalg.qr(torch.randn(POINTS, POINTS, generator=generator, dtype=torch.float64))[0]
    covariance = vectors @ torch.diag(values) @ vectors.T
    operator = vectors[:, :REPORTS].T  # observes eigenvectors of C, so that its positive part is known
    right = torch.randn(1, REPORTS, generator=generator, dtype=torch.float64)
    return (
        covariance,
        operator,
        right,
        lambda weights: (weights @ operator @ covariance).reshape(-1, 1, 1, POINTS),
        lambda field: field.flatten(1) @ operator.T,
    )


def dense(covariance, operator, right):
    """x and C H^T x."""
    x = torch.linalg.solve(torch.eye(REPORTS) + operator @ covariance @ operator.T, right.T).T
    return x, (x @ operator @ covariance).reshape(-1, 1, 1, POINTS)


def test_a_covariance_gives_the_solution_and_its_increment():
    covariance, operator, right, pull, push = system(torch.linspace(0.1, 300.0, POINTS).double())
    results = solve(pull, push, right, lambda tensor: tensor, REPORTS)
    for result, expected in zip(results, dense(covariance, operator, right), strict=True):
        torch.testing.assert_close(result, expected, rtol=1e-9, atol=1e-9)


def test_of_what_is_no_covariance_the_positive_part_gives_the_increment():
    values = torch.tensor([3.0, -0.999, 2.0, -1.0, -40.0, 0.5, *[1.0] * 6], dtype=torch.float64)
    _, operator, right, pull, push = system(values)
    x, increment = solve(pull, push, right, lambda tensor: tensor, REPORTS)
    positive, *_ = system(values.clamp(min=0))
    torch.testing.assert_close(increment, dense(positive, operator, right)[1], rtol=1e-8, atol=1e-8)
    assert x.norm() <= right.norm()


@pytest.mark.parametrize("iterations", [1, 3])
def test_few_iterations_are_those_of_conjugate_gradients(iterations):
    covariance, operator, right, pull, push = system(torch.linspace(0.1, 300.0, POINTS).double())
    matrix = torch.eye(REPORTS) + operator @ covariance @ operator.T
    x, residual = torch.zeros_like(right[0]), right[0]
    direction = residual
    for _ in range(iterations):  # Hestenes and Stiefel 1952
        step = residual @ residual / (direction @ matrix @ direction)
        x, following = x + step * direction, residual - step * matrix @ direction
        direction = following + following @ following / (residual @ residual) * direction
        residual = following
    torch.testing.assert_close(solve(pull, push, right, lambda tensor: tensor, iterations)[0][0], x)


def test_nothing_to_solve_gives_no_increment():
    *_, pull, push = system(torch.ones(POINTS).double())
    x, increment = solve(pull, push, torch.zeros(2, REPORTS).double(), lambda tensor: tensor, 3)
    assert not x.any() and not increment.any() and increment.shape == (2, 1, 1, POINTS)
