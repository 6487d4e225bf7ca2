"""Subdomains: overlapping parts of a large domain, each with a network of its own, and the weights that blend them.

    w_i(p) = g_a(y) g_b(x),   g_a = S((y - y_a) / o + 1/2) - S((y - y_(a+1)) / o + 1/2),   sum_i w_i(p) = 1,

as of finite basis physics-informed networks (Moseley et al. 2023): y_a are the lines between subdomains, o is the
width of the overlap, and S rises from 0 to 1 with two continuous derivatives. The differences of neighbouring steps
sum to one everywhere, and the outermost subdomains reach beyond the domain. Lines depend on the domain and the
settings alone, never on reports or ranks.
"""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.points import Points

FEWEST = 10  # grid points along a side of a subdomain


@dataclass(frozen=True)
class Subdomains:
    """The division of a domain.

    Attributes:
        domain: that is divided.
        lines: between subdomains: grid coordinates of those between rows and of those between columns, increasing.
        overlap: width of the band about a line that both neighbours share, in grid points.
    """

    domain: Domain
    lines: tuple[np.ndarray, np.ndarray]
    overlap: float

    @classmethod
    def of(cls, domain: Domain, side: float, overlap: float) -> "Subdomains":
        """As few equal parts as are no longer than ``side``; side and overlap in m on the grid. A side of 0: one.

        Raises:
            InputError: parts of fewer than `FEWEST` grid points along a side.
        """
        least = FEWEST * domain.spacing_metres
        if side and side < least:
            raise InputError(
                f"pinn.subdomain_km: expected at least {least / 1e3:g}, {FEWEST} points of {domain.name}, or 0 for one"
                f" network, got {side / 1e3:g}"
            )
        lines = []
        for count in domain.shape:
            length = (count - 1) * domain.spacing_metres
            parts = int(np.ceil(length / side - 1e-9)) if side else 1
            lines.append((count - 1) * np.arange(1, parts) / parts)
        return cls(domain, (lines[0], lines[1]), overlap / domain.spacing_metres)

    @property
    def count(self) -> int:
        """Number of subdomains."""
        return (len(self.lines[0]) + 1) * (len(self.lines[1]) + 1)

    def weights(self, points: Points) -> np.ndarray:
        """The weight of each subdomain at n points, row after row of subdomains from the south-west, shape (i, n)."""
        if self.domain.is_plane:
            place = points.position[:, 1::-1].T / self.domain.spacing
        else:
            place = self.domain.index(points.latitude, points.longitude)
        rows, columns = (self._along(*each) for each in zip(self.lines, place, strict=True))
        return (rows[:, None] * columns[None]).reshape(self.count, -1)

    def _along(self, lines: np.ndarray, place: np.ndarray) -> np.ndarray:
        """The weights along one axis at n grid coordinates, shape (parts, n)."""
        beyond = _smooth((place[None] - lines[:, None]) / self.overlap + 0.5)
        ends = np.ones((1, len(place))), np.zeros((1, len(place)))
        steps = np.concatenate([ends[0], beyond, ends[1]])
        return steps[:-1] - steps[1:]


def _smooth(share: np.ndarray) -> np.ndarray:
    """0 up to 0, 1 from 1, with two continuous derivatives; S(a) + S(1 - a) = 1."""
    a = np.clip(share, 0.0, 1.0)
    return a**3 * (10.0 - 15.0 * a + 6.0 * a**2)
