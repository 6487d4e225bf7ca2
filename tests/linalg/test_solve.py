"""Solvers against numpy's, and robust weights against the function that they minimise."""

import numpy as np
import pytest
from scipy.linalg import cho_factor
from scipy.optimize import minimize

from mlrtma_dist.linalg.robust import huber_weight, median_scale, reweight
from mlrtma_dist.linalg.solve import ConvergenceError, DiagonalUpdate, conjugate_gradient


def positive_definite(generator, n: int, condition: float) -> np.ndarray:
    q, _ = np.linalg.qr(generator.standard_normal((n, n)))
    return q @ np.diag(np.geomspace(1.0, condition, n)) @ q.T


def test_conjugate_gradients_solve_what_numpy_solves(generator):
    a, b = positive_definite(generator, 60, 1e4), generator.standard_normal(60)
    x = conjugate_gradient(lambda v: a @ v, b, tolerance=1e-12)
    assert x == pytest.approx(np.linalg.solve(a, b), abs=1e-7)


def test_n_distinct_eigenvalues_take_n_iterations(generator):
    q, _ = np.linalg.qr(generator.standard_normal((50, 50)))
    a, b = q @ np.diag(np.repeat([1.0, 2.0, 5.0, 9.0, 11.0], 10)) @ q.T, generator.standard_normal(50)
    x = conjugate_gradient(lambda v: a @ v, b, tolerance=1e-10, most_iterations=5)
    assert a @ x == pytest.approx(b, abs=1e-8)


def test_an_exact_preconditioner_takes_one_iteration(generator):
    a, b = positive_definite(generator, 40, 1e6), generator.standard_normal(40)
    inverse = np.linalg.inv(a)
    x = conjugate_gradient(lambda v: a @ v, b, precondition=lambda v: inverse @ v, most_iterations=1)
    assert x == pytest.approx(np.linalg.solve(a, b), rel=1e-6, abs=1e-8)


def test_a_zero_right_hand_side_has_the_zero_solution():
    assert (conjugate_gradient(lambda v: 2 * v, np.zeros(3)) == 0.0).all()


def test_the_inner_product_that_is_handed_in_is_the_one_used(generator):
    """Two halves of a vector on two ranks: the sum of their products gives the answer of one."""
    a, b = positive_definite(generator, 20, 100.0), generator.standard_normal(20)
    calls = []

    def dot(x, y):
        calls.append(1)
        return np.dot(x[:13], y[:13]) + np.dot(x[13:], y[13:])

    x = conjugate_gradient(lambda v: a @ v, b, dot=dot, tolerance=1e-12)
    assert x == pytest.approx(np.linalg.solve(a, b), abs=1e-9) and len(calls) > 20


def test_giving_up_says_how_far_it_came_and_what_to_do(generator):
    a, b = positive_definite(generator, 50, 1e6), generator.standard_normal(50)
    message = r"residual \d\.\de.* after 3 iterations, wanted 1.0e-06: raise most_iterations"
    with pytest.raises(ConvergenceError, match=message):
        conjugate_gradient(lambda v: a @ v, b, most_iterations=3)


def test_updates_of_the_diagonal_solve_what_numpy_solves_whatever_came_before(generator):
    a, b = positive_definite(generator, 40, 1e3), generator.standard_normal(40)
    system = DiagonalUpdate(cho_factor(a, lower=True), b)
    for rows in ([], [3], [3, 17, 30], [17], [], range(40)):
        extra = np.zeros(40)
        extra[list(rows)] = generator.uniform(0.0, 1e4, len(rows))
        assert system.solve(extra) == pytest.approx(np.linalg.solve(a + np.diag(extra), b), abs=1e-9)


def test_the_median_scale_of_gaussian_numbers_is_their_deviation_even_with_a_tenth_of_gross_errors():
    values = 2.0 * np.random.default_rng(1).standard_normal(20001)
    assert median_scale(values) == pytest.approx(2.0, rel=0.03)
    values[:2000] = 1e6
    assert median_scale(values) == pytest.approx(2.0, rel=0.2)


def test_huber_weights_by_hand():
    assert huber_weight(np.array([0.0, -1.0, 1.5, -3.0, 15.0]), 1.5) == pytest.approx([1.0, 1.0, 1.0, 0.5, 0.1])
    assert huber_weight(np.array([1e9]), None).tolist() == [1.0]


def test_reweighting_minimises_the_function_that_huber_wrote(generator):
    """J = 1/2 w'Bw + sum rho((d - Bw) / r), minimised by scipy over w without any weights."""
    n, limit = 12, 1.5
    b, r = positive_definite(generator, n, 50.0), generator.uniform(0.5, 1.5, n)
    d = generator.standard_normal(n) * 5.0
    d[0] = 60.0

    def cost(w):
        e = np.abs(d - b @ w) / r
        return 0.5 * w @ b @ w + np.where(e < limit, 0.5 * e**2, limit * e - 0.5 * limit**2).sum()

    solve = lambda r_squared: np.linalg.solve(b + np.diag(r_squared), d)  # noqa: E731
    w, v = reweight(solve, r, limit, settled=1e-9, most_iterations=5000)
    best = minimize(cost, np.zeros(n), method="BFGS", options={"gtol": 1e-9, "maxiter": 5000})
    assert cost(w) <= best.fun + 1e-6 * abs(best.fun)
    assert b @ w == pytest.approx(b @ best.x, abs=1e-3)
    assert v[0] < 0.5 and v.max() <= 1.0


def test_without_a_limit_one_solution_is_enough():
    calls = []

    def solve(r_squared):
        calls.append(r_squared)
        return np.array([9.0, -9.0])

    w, v = reweight(solve, np.ones(2), None, settled=1e-3, most_iterations=50)
    assert len(calls) == 1 and w.tolist() == [9.0, -9.0] and v.tolist() == [1.0, 1.0]
