"""Conjugate gradients in observation space, guarded against a matrix that is not positive definite.

    (I + H' C H'^T) x = b        (Hestenes and Stiefel 1952), C the covariance of a field, observations divided by
                                 the deviations of their errors

C of an exact denoiser is positive, so that p^T A p >= |p|^2 in every direction p. The Jacobian of a trained network is
neither symmetric nor positive: a member stops, with what it has, before a direction in which p^T A p < |p|^2 / 2.
"""

from collections.abc import Callable

import torch
from torch import Tensor

TOLERANCE = 1e-10  # of the right-hand side's norm, below which a member has converged
LEAST_CURVATURE = 0.5  # of |p|^2, which an exact covariance never falls short of


@torch.no_grad()
def solve(
    pull: Callable[[Tensor], Tensor],
    push: Callable[[Tensor], Tensor],
    right: Tensor,
    dot: Callable[[Tensor, Tensor], Tensor],
    iterations: int,
) -> tuple[Tensor, Tensor | None]:
    """Solve (1 + push pull) x = b by at most ``iterations`` products with each, every member for itself.

    Args:
        pull: C H'^T, from (member, n) to fields (member, channel, y, x).
        push: H', from such fields to (member, n).
        right: b, shape (member, n), float64.
        dot: inner product over the observations of all tiles, shape (member,).

    Returns:
        x, shape (member, n), and pull(x), which costs nothing more; None where the first residual has converged.
    """
    x, image = torch.zeros_like(right), None
    residual, direction = right, right
    square = dot(residual, residual)
    enough = TOLERANCE**2 * square
    running = square > 0
    for _ in range(iterations):
        if not bool(running.any()):
            break
        pulled = pull(direction)
        applied = direction + push(pulled)
        curvature = dot(direction, applied)
        running = running & (curvature >= LEAST_CURVATURE * dot(direction, direction))
        step = torch.where(running, square / torch.where(running, curvature, 1.0), 0.0)
        x = x + step[:, None] * direction
        moved = step[:, None, None, None].to(pulled.dtype) * pulled
        image = moved if image is None else image + moved
        residual = residual - step[:, None] * applied
        previous, square = square, dot(residual, residual)
        running = running & (square > enough)
        direction = residual + torch.where(running, square / previous, 0.0)[:, None] * direction
    return x, image
