"""A covariance system in observation space, solved in a Krylov space and guarded against what is no covariance.

    (I + M) x = b,   M = H' C H'^T        C the covariance of a field, observations divided by the deviations of errors

x is sought in the space of b, M b, M^2 b, ... of a few dimensions, with the basis V orthonormal (Arnoldi 1951) and
T = V^T M V of as many rows. For an exact C, x = V (1 + T)^-1 V^T b are the iterates of conjugate gradients.

C of a trained network is neither symmetric nor positive, which makes conjugate gradients diverge: T is made symmetric,
and of its eigenvectors only those of a positive eigenvalue, an observed variance, contribute to the increment C H'^T x.
So x is never longer than b. The fields C H'^T V are kept until the end, one per dimension.
"""

from collections.abc import Callable

import torch
from torch import Tensor

LEAST = 1e-12  # of the first vector, below which a new direction is rounding error


@torch.no_grad()
def solve(
    pull: Callable[[Tensor], Tensor],
    push: Callable[[Tensor], Tensor],
    right: Tensor,
    total: Callable[[Tensor], Tensor],
    iterations: int,
    tolerance: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Solve (1 + push pull) x = b by at most ``iterations`` products with each, every member for itself.

    Args:
        pull: C H'^T, from (member, n) to fields (member, channel, y, x).
        push: H', from such fields to (member, n).
        right: b, shape (member, n), float64.
        total: sum of a tensor over the tiles.
        iterations: dimensions of the space, at least 1.
        tolerance: on |b - (1 + M) x| / |b|, below which no further product is taken.

    Returns:
        x, shape (member, n), and the increment C H'^T x, which costs nothing more.
    """
    norm = total(right.square().sum(-1)).sqrt()
    basis = (right / norm.clamp(min=torch.finfo(right.dtype).tiny)[:, None])[None]
    matrix = right.new_zeros(len(right), iterations + 1, iterations + 1)
    images: list[Tensor] = []
    for number in range(iterations):
        images.append(pull(basis[number]))
        applied = push(images[number])
        scale = total(applied.square().sum(-1)).sqrt()
        for _ in range(2):  # once leaves rounding errors
            along = total((basis * applied).sum(-1))
            matrix[:, : number + 1, number] += along.T
            applied = applied - (along[:, :, None] * basis).sum(0)
        beyond = total(applied.square().sum(-1)).sqrt()
        share = _shares(matrix[:, : number + 1, : number + 1], norm)
        goes_on = (beyond > LEAST * scale) & (beyond * share[0][:, number].abs() > tolerance * norm)
        if number + 1 == iterations or not bool(total(goes_on.sum()) > 0):  # the same on all tiles
            break
        beyond = torch.where(goes_on, beyond, 0.0)
        matrix[:, number + 1, number] = beyond
        following = torch.where(goes_on, 1.0 / beyond, 0.0)[:, None] * applied
        basis = torch.cat([basis, following[None]])
    weights = torch.einsum("mk,kmn->mn", share[0], basis)
    increment = sum(part[:, None, None, None].to(image) * image for part, image in zip(share[1].T, images, strict=True))
    return weights, increment


def _shares(matrix: Tensor, norm: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of the basis in x and in the increment, each of shape (member, k), for T of shape (member, k, k)."""
    values, vectors = torch.linalg.eigh(0.5 * (matrix + matrix.mT))
    solution = norm[:, None] * vectors[:, 0] / (1.0 + values.clamp(min=0.0))
    positive = torch.where(values > 0.0, solution, 0.0)
    return (vectors @ solution[:, :, None])[..., 0], (vectors @ positive[:, :, None])[..., 0]
