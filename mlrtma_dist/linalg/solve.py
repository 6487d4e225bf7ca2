"""Solvers for symmetric positive definite systems; the inner product is an argument."""

from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_solve

from mlrtma_dist.errors import InputError


class ConvergenceError(InputError):
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


class DiagonalUpdate:
    """Solutions of (A + diag(extra)) x = b for a factored A, one b, and ``extra`` that is zero in most rows.

    Sherman, Morrison and Woodbury: with Z the columns of A^-1 and D the part of diag(extra) where extra was ever
    positive, x = x_0 - Z (1 + D Z')^-1 D x_0, Z' the rows of Z there. Columns are kept from one ``extra`` to the next.
    """

    def __init__(self, factor: tuple[np.ndarray, bool], right: np.ndarray):
        """Solve without ``extra``; ``factor`` as of ``scipy.linalg.cho_factor``, ``right`` is b, (n,) or (n, k)."""
        self._factor = factor
        self._first = cho_solve(factor, right, check_finite=False)
        self._rows = np.empty(0, np.int64)
        self._columns = np.empty((len(right), 0))

    def solve(self, extra: np.ndarray) -> np.ndarray:
        """x, shape of b, for ``extra`` >= 0 of shape (n,)."""
        new = np.setdiff1d(np.flatnonzero(extra), self._rows)
        if len(new):
            unit = np.zeros((len(extra), len(new)))
            unit[new, np.arange(len(new))] = 1.0
            column = cho_solve(self._factor, unit, overwrite_b=True, check_finite=False)
            self._rows, self._columns = np.append(self._rows, new), np.hstack([self._columns, column])
        rows, d = self._rows, extra[self._rows]
        inner = np.eye(len(rows)) + d[:, None] * self._columns[rows]
        return self._first - self._columns @ np.linalg.solve(inner, (d * self._first[rows].T).T)
