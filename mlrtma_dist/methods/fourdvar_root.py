"""The root of the background error covariance on a grid, of each variable by `methods.levels_root`.

Both components of a wind are those of a vector in space with the covariance B(p, q) I (`methods.wind`): three fields of
the control make two of the state. Components of a covariance that are shorter than the grid's spacing are no fields:
their variance belongs to the errors of reports.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mlrtma_dist.grid.domain import Domain
from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Covariance
from mlrtma_dist.methods.levels_root import LevelsRoot
from mlrtma_dist.methods.wind import WIND, in_space


def split_by_spacing(covariance: Covariance, spacing: float) -> tuple[Covariance, float]:
    """The components that a grid of a spacing in m resolves, and the variance of the others."""
    resolved = np.array([component.length >= spacing for component in covariance.components])
    return covariance.part(resolved), covariance.variance - covariance.part(resolved).variance


class GridRoot:
    """B^1/2 of the departures of several variables on a grid.

    Attributes:
        fields: of the control: one for each variable, three for a wind.
    """

    def __init__(self, domain: Domain, points: Points, covariances: Mapping[str, Covariance], most: int):
        """Factor the covariances.

        Args:
            points: of the grid, row by row, y x of them; covariances: of each variable of the state, in their order.
            most: points that are factored as a whole, see `methods.levels_root`.
        """
        self._shape, names = domain.shape, list(covariances)
        self._vectors = set(WIND) <= set(names)
        ones = np.ones(len(points))
        axes = [in_space(points, np.stack(each, 1)) for each in ((ones, 0 * ones), (0 * ones, ones))]
        self._axes = torch.from_numpy(np.stack(axes))  # east and north at every point, (2, points, 3)
        self._parts = []
        for name in names:
            if not (self._vectors and name == WIND[1]):
                self._parts.append((name, LevelsRoot(points, domain.shape, covariances[name], most)))
        self._order = [names.index(name) for name in self._of_parts()]
        self.fields = sum(self._width(name) for name, _ in self._parts)

    def _width(self, name: str) -> int:
        return 3 if self._vectors and name in WIND else 1

    def _of_parts(self) -> list[str]:
        """The variables in the order in which the parts make them."""
        parts = [WIND if self._width(name) == 3 else (name,) for name, _ in self._parts]
        return [name for part in parts for name in part]

    def __call__(self, control: Tensor) -> Tensor:
        """Departures (times, variable, y, x) of a control (times, fields, y, x)."""
        columns, first, departures = control.flatten(2), 0, []
        for name, root in self._parts:
            width = self._width(name)
            own = root(columns[:, first : first + width].flatten(0, 1)).unflatten(0, (-1, width))
            departures.append(torch.einsum("tcp,apc->tap", own, self._axes) if width == 3 else own)
            first += width
        joined = torch.cat(departures, 1)
        inverse = torch.argsort(torch.tensor(self._order))
        return joined[:, inverse].unflatten(2, self._shape)


@dataclass(frozen=True)
class Interpolation:
    """H: bilinear interpolation of a state (variable, y, x) to n reports.

    Attributes:
        number: of each report's variable, shape (n,).
        cells: of the grid around each report, numbers of points row by row, shape (4, n); weights: of the same.
        points: of the grid.
    """

    number: Tensor
    cells: Tensor
    weights: Tensor
    points: int

    @classmethod
    def to(cls, place: np.ndarray, number: np.ndarray, shape: tuple[int, int]) -> "Interpolation":
        """To reports at grid coordinates (y, x), shape (n, 2), at most half a cell outside a grid of a shape (y, x)."""
        place = np.clip(place, 0, np.array(shape) - 1)
        low = np.minimum(place.astype(np.int64), np.array(shape) - 2)
        share = place - low
        cells, weights = [], []
        for up in (0, 1):
            for across in (0, 1):
                cells.append((low[:, 0] + up) * shape[1] + low[:, 1] + across)
                weights.append(np.abs(1 - up - share[:, 0]) * np.abs(1 - across - share[:, 1]))
        columns = (torch.from_numpy(each) for each in (number, np.stack(cells), np.stack(weights)))
        return cls(*columns, shape[0] * shape[1])

    def __call__(self, state: Tensor) -> Tensor:
        """The equivalents of the reports, shape (n,)."""
        return (state.flatten()[self.number * self.points + self.cells] * self.weights).sum(0)

    def __getitem__(self, rows: np.ndarray) -> "Interpolation":
        """That to some of the reports, a mask (n,)."""
        own = torch.from_numpy(rows)
        return Interpolation(self.number[own], self.cells[:, own], self.weights[:, own], self.points)
