"""The root of a covariance on a grid of any size: coarse points factored as a whole, the others level by level.

    x_c = L v_c            the points of every s-th row and column, B_cc = L L'
    x_i = a_i . x_N(i) + sqrt(d_i) v_i      every other point, N(i) neighbours of it among the points before it
    a_i = B_NN^-1 B_Ni     d_i = B_ii - a_i . B_Ni

Each level halves the stride: first come the middles of its cells, then those of their edges, a quarter of them at
once. N(i) are those of the points nearest to i whose covariance with it is largest: behind a ridge they are not the
nearest. This is the approximation of Vecchia (1988; Datta et al. 2016). Left out is what a point has in common with
points before it and not with its neighbours. Whatever B depends on (terrain, coast) enters by B's own values, and its
kernels need not be separable. A grid that is small enough has coarse points alone: there the root is exact.
"""

from collections.abc import Iterator

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.spatial import cKDTree
from torch import Tensor

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance

NEIGHBOURS = 50  # of a point of a finer level; the error of B falls by a third from 30 to 50
CANDIDATES = 150  # nearest points, of which they are chosen
SPLIT = 2  # in y and x, of the points of a level: points that come at once have no other covariance than by neighbours
ADDED = 1e-5  # of the variance, on the diagonal: the matrix is of single precision, its smallest eigenvalues are noise
BLOCK = 1000  # points whose neighbours' matrices are factored at once: 20 MB


class LevelsRoot:
    """B^1/2 of one variable, linear, with its exact adjoint and tangent linear.

    Attributes:
        stride: of the coarse points; 1: every point is one of them.
    """

    def __init__(self, points: Points, shape: tuple[int, int], covariance: Covariance, most: int):
        """Factor the covariance.

        Args:
            points: of the grid, row by row; shape: y and x of them; most: points that are factored as a whole.
        """
        self.stride = stride_of(shape, most)
        coarse, *finer = levels(shape, self.stride)
        self._lower, self._finer, order = factor(points[coarse], covariance), [], coarse
        for level in finer:
            self._finer.append(_conditioned(points[order], points[level], covariance))
            order = np.concatenate([order, level])
        self._order = torch.from_numpy(order)
        self._place = torch.argsort(self._order)

    def __call__(self, control: Tensor) -> Tensor:
        """B^1/2 v of k controls, shape (k, points), double precision."""
        own = control[:, self._order].T if self._finer else control.T
        count = len(self._lower)
        values = self._lower @ own[:count]
        for product, deviation in self._finer:
            following = slice(count, count + len(deviation))
            count = following.stop
            values = torch.cat([values, _Product.apply(values, *product) + deviation * own[following]])
        return values[self._place].T if self._finer else values.T


def stride_of(shape: tuple[int, int], most: int) -> int:
    """The least power of two by which the rows and columns of a grid become few enough points."""
    stride = 1
    while -(-shape[0] // stride) * -(-shape[1] // stride) > most:
        stride *= 2
    return stride


def levels(shape: tuple[int, int], stride: int) -> Iterator[np.ndarray]:
    """The points of a grid, numbers row by row: those of every ``stride``-th row and column, then level by level."""
    number = np.arange(shape[0] * shape[1]).reshape(shape)
    yield number[::stride, ::stride].ravel()
    while stride > 1:
        half = stride // 2
        for first_y, first_x in ((half, half), (0, half), (half, 0)):
            for y, x in np.ndindex(SPLIT, SPLIT):
                own = number[first_y + y * stride :: SPLIT * stride, first_x + x * stride :: SPLIT * stride]
                if own.size:
                    yield own.ravel()
        stride = half


def factor(points: Points, covariance: Covariance) -> Tensor:
    """L of B = L L', lower triangular, double precision, shape (points, points)."""
    matrix = torch.from_numpy(covariance.matrix(points, points)).double()
    matrix.diagonal().add_(ADDED * covariance.variance)
    lower, failed = torch.linalg.cholesky_ex(matrix)
    assert not failed, "a covariance is positive definite"
    return lower


def _conditioned(before: Points, points: Points, covariance: Covariance) -> tuple[tuple, Tensor]:
    """The weights a of n points' neighbours among m before them, as matrices (n, m) and (m, n), and sqrt(d), (n, 1)."""
    count, added = min(NEIGHBOURS, len(before)), ADDED * covariance.variance
    nearest = cKDTree(before.position).query(points.position, k=range(1, 1 + min(CANDIDATES, len(before))))[1]
    neighbours, weights = np.empty((len(points), count), np.int32), np.empty((len(points), count))
    deviations = np.empty((len(points), 1))
    for start in range(0, len(points), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(points)))
        own, candidates = points[rows[:, None]], nearest[rows]
        towards = covariance.matrices(own, before[candidates])[:, 0]
        chosen = np.argpartition(-towards, count - 1, axis=1)[:, :count]
        near, towards = (np.take_along_axis(each, chosen, 1) for each in (candidates, towards.astype(np.float64)))
        among = covariance.matrices(before[near], before[near]) + added * np.eye(count)
        neighbours[rows], weights[rows] = near, np.linalg.solve(among, towards[:, :, None])[:, :, 0]
        left = covariance.variance + added - (weights[rows] * towards).sum(1, keepdims=True)
        deviations[rows] = np.sqrt(np.maximum(left, added))
    first = np.arange(0, neighbours.size + 1, count, dtype=np.int32)  # of 32 bits: a quarter less memory
    matrix = csr_array((weights.ravel(), neighbours.ravel(), first), shape=(len(points), len(before)))
    return (matrix, matrix.T.tocsr()), torch.from_numpy(deviations)


class _Product(torch.autograd.Function):
    """A sparse matrix times k columns; differentiable twice, and in forward mode, which PyTorch's own is not."""

    @staticmethod
    def forward(ctx, values: Tensor, matrix: csr_array, transposed: csr_array) -> Tensor:
        ctx.matrices = matrix, transposed
        return torch.from_numpy(matrix @ values.detach().numpy())

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        matrix, transposed = ctx.matrices
        return _Product.apply(gradient.contiguous(), transposed, matrix), None, None

    @staticmethod
    def jvp(ctx, tangent: Tensor, *others: None) -> Tensor:
        return torch.from_numpy(ctx.matrices[0] @ tangent.detach().numpy())
