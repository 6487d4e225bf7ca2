"""Solvers for symmetric positive definite systems; the inner product is an argument."""

from typing import Callable

import numpy as np


class ConvergenceError(ValueError):
    """An iteration did not reach its tolerance."""


def conjugate_gradient(
    apply: Callable[[np.ndarray], np.ndarray],
    right: np.ndarray,
    *,
    precondition: Callable[[np.ndarray], np.ndarray] = lambda r: r,
    dot: Callable[[np.ndarray, np.ndarray], float] = np.dot,
    tolerance: float = 1e-6,
    most_iterations: int = 500,
) -> np.ndarray:
    """Solve A x = b by preconditioned conjugate gradients (Hestenes and Stiefel 1952).

    Args:
        apply: x -> A x, A symmetric positive definite.
        right: b, shape (n,).
        precondition: r -> M^-1 r, M near to A.
        dot: inner product; summed over all ranks where vectors are spread over ranks.
        tolerance: on |b - A x| / |b|.
        most_iterations: after so many the solver gives up.

    Returns:
        x, shape (n,).

    Raises:
        ConvergenceError: tolerance not reached; says how far it came.
    """
    x = np.zeros_like(right)
    size = np.sqrt(dot(right, right))
    if size == 0.0:
        return x
    residual = right.copy()
    z = precondition(residual)
    direction = z.copy()
    rho = dot(residual, z)
    for _ in range(most_iterations):
        applied = apply(direction)
        step = rho / dot(direction, applied)
        x += step * direction
        residual -= step * applied
        if np.sqrt(dot(residual, residual)) <= tolerance * size:
            return x
        z = precondition(residual)
        previous, rho = rho, dot(residual, z)
        direction = z + (rho / previous) * direction
    raise ConvergenceError(
        f"conjugate gradients: residual {np.sqrt(dot(residual, residual)) / size:.1e} of the right-hand side after "
        f"{most_iterations} iterations, wanted {tolerance:.1e}: raise most_iterations or check the observation errors"
    )
