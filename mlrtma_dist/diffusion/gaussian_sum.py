"""A covariance that is a sum of Gaussians of distance: separable in y and x, so that all it needs are small products.

    C(r) = sum over j of v_j exp(-r^2 / (2 l_j^2))           r in grid points; channels are independent of each other

Of the departures d it is the classical B. What is left unknown of d where d + sigma n is known has the covariance

    C_sigma = (B^-1 + sigma^-2)^-1,   in Fourier space  B(k) sigma^2 / (B(k) + sigma^2),

which is no sum of Gaussians, but is fitted by one, of weights of either sign, to some thousandths of its variance.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from scipy.special import j0
from torch import Tensor

from mlrtma_dist.diffusion.noise import normal
from mlrtma_dist.grid.box import Box

HIGHEST = 2.0 * math.sqrt(math.pi)  # radius of the disc of wave numbers with the area of a grid's, radians a point
REACH = 4.0  # lengths after which a Gaussian is taken as zero
OFFSET = 1 << 24  # added to the numbers of points, which may lie before a domain's first one
SHORTEST, FITTED = 0.4, 28  # shortest length of a fit, points; number of lengths
WAVES = (np.arange(600) + 0.5) * HIGHEST / 600
SINGULAR = 1e-6  # share of the largest singular value below which a fit has no say: larger weights cancel each other


@dataclass(frozen=True)
class GaussianSum:
    """See the module's description.

    Attributes:
        power: eigenvalues of the covariance of each channel at ``WAVES``, at least 0, shape (channel, wave).
        longest: the longest length that is told from others, grid points.
        domain: points of the whole domain in y and x; periodic: whether y, x wrap.
    """

    power: np.ndarray
    longest: float
    domain: tuple[int, int]
    periodic: tuple[bool, bool]

    def below_noise(self, sigma: float) -> "GaussianSum":
        """C_sigma; an infinite sigma gives the covariance itself."""
        if math.isinf(sigma):
            return self
        return replace(self, power=self.power * sigma**2 / (self.power + sigma**2))

    @cached_property
    def length(self) -> Tensor:
        """Lengths l of the Gaussians, grid points, float64, shape (length,)."""
        return torch.from_numpy(np.geomspace(SHORTEST, 1.5 * self.longest, FITTED))

    @cached_property
    def variance(self) -> Tensor:
        """Weights v of the Gaussians, of either sign, float64, shape (channel, length)."""
        return self._fitted(self.power)

    def _fitted(self, power: np.ndarray) -> Tensor:
        """Weights of the Gaussians whose sum has nearly this power, float64, shape (channel, length)."""
        far = REACH * self.longest
        distance = np.concatenate([np.linspace(0.0, min(8.0, far), 33), np.linspace(min(8.0, far), far, 120)[1:]])
        waves = j0(distance[:, None] * WAVES) * WAVES * (HIGHEST / len(WAVES)) / (2.0 * np.pi)
        basis = np.exp(-0.5 * (distance[:, None] / self.length.numpy()) ** 2)
        area = np.sqrt((distance + 0.5) * np.gradient(distance))[:, None]  # many far points weigh as much as a near one
        return torch.from_numpy(np.linalg.lstsq(area * basis, area * (waves @ power.T), rcond=SINGULAR)[0].T.copy())

    def along(self, axis: int, places: Tensor, others: Tensor) -> Tensor:
        """exp(-(a - b)^2 / (2 l^2)) of coordinates on an axis, shapes (n,) and (m,); returns (length, n, m)."""
        distance = (places[:, None] - others).double().abs()
        scale = -0.5 / self.length.to(distance).square()[:, None, None]
        if not self.periodic[axis]:
            return (scale * distance.square()).exp()
        size = self.domain[axis]
        distance = distance % size
        distance = torch.minimum(distance, size - distance)  # the n-th nearest image is n half domains away, or more
        images = range(int(2.0 * 1.5 * REACH * self.longest / size) + 1)
        away = ((distance if number % 2 == 0 else -distance) + (number + 1) // 2 * size for number in images)
        return sum((scale * each.square()).exp() for each in away)

    def between(self, places: Tensor, channel: Tensor) -> Tensor:
        """Covariances of n points, grid coordinates (n, 2), of channels (n,); shape (n, n)."""
        product = self.along(0, places[:, 0], places[:, 0]) * self.along(1, places[:, 1], places[:, 1])
        covariance = torch.einsum("nj,jnm->nm", self.variance.to(product)[channel], product)
        return torch.where(channel[:, None] == channel, covariance, 0.0)

    def field(self, places: Tensor, channel: Tensor, weights: Tensor, box: Box) -> Tensor:
        """sum over n of C(point, place_n) weights_n on a box, float64, shape (member, channel, y, x).

        Args:
            places: grid coordinates (y, x), shape (n, 2); channel: of each, shape (n,).
            weights: shape (member, n).
        """
        rows, columns = _points(box, weights)
        fields = torch.zeros(len(weights), len(self.power), *box.shape, dtype=torch.float64, device=places.device)
        for number, variance in enumerate(self.variance.to(fields)):
            own = (channel == number).nonzero()[:, 0]
            if len(own):
                in_y = self.along(0, rows, places[own, 0]) * variance[:, None, None]
                in_x = self.along(1, places[own, 1], columns)
                for part_y, part_x in zip(in_y, in_x, strict=True):
                    fields[:, number] += torch.einsum("yn,mn,nx->myx", part_y, weights[:, own].double(), part_x)
        return fields

    def draw(self, keys: Tensor, box: Box, step: int) -> Tensor:
        """Random fields with this covariance on a box, float64, shape (key, channel, y, x).

        White noise on the domain's points, and beyond its edges as far as it matters, is convolved with the square root
        of the covariance.

        Args:
            keys: two words each, such as seed and member, shape (key, 2); step: other fields for each.
        """
        far = math.ceil(1.5 * REACH * self.longest)
        sides, kernels = [], []
        for axis, points in enumerate(_points(box, keys)):
            first, last = (
                (0, self.domain[axis]) if self.periodic[axis] else (int(points[0]) - far, int(points[-1]) + far + 1)
            )
            nodes = torch.arange(first, last, device=keys.device)
            kernel = self.along(axis, points, nodes)
            if not self.periodic[axis]:  # the same noise for a point, whatever the box
                kernel = torch.where((points[:, None] - nodes).abs() <= far, kernel, 0.0)
                first, last = first + OFFSET, last + OFFSET
            sides += [first, last]
            kernels.append(kernel)
        white = normal(keys, Box(*sides), len(self.power), step)
        fields = torch.zeros(len(keys), len(self.power), *box.shape, dtype=torch.float64, device=keys.device)
        root = self._fitted(np.sqrt(self.power)).to(fields)
        for in_y, in_x, share in zip(*kernels, root.T, strict=True):
            fields += share[:, None, None] * torch.einsum("ya,kcab,xb->kcyx", in_y, white, in_x)
        return fields


def _points(box: Box, like: Tensor) -> tuple[Tensor, Tensor]:
    return (
        torch.arange(box.y0, box.y1, device=like.device),
        torch.arange(box.x0, box.x1, device=like.device),
    )


def gaussian_power(variance: Sequence[float], length: Sequence[float]) -> np.ndarray:
    """Eigenvalues at ``WAVES`` of a sum of Gaussians of these variances and lengths (grid points), shape (wave,)."""
    squared = np.square(length)
    return (np.asarray(variance) * 2.0 * np.pi * squared * np.exp(-0.5 * WAVES[:, None] ** 2 * squared)).sum(1)
