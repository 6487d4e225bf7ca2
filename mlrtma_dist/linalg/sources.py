"""Sources: the field of an increment, sum_j B(p, q_j) w_j, made ready for the many points of an area of a grid.

Components that are smooth in place and height are evaluated at the nodes of a mesh (``mesh.py``), of which an area
has some hundred times fewer than points. Rough ones, and those that know of land or relief, which change from point to
point, are evaluated at every point from the sources in their reach.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.mesh import Area, Series

if TYPE_CHECKING:
    from mlrtma_dist.linalg.covariance import Component


@dataclass(frozen=True)
class ComponentSources:
    """The sources of one component of a covariance.

    Attributes:
        component: of the covariance.
        points: where the m sources are.
        weight: shape (m,) or (m, k).
    """

    component: "Component"
    points: Points
    weight: np.ndarray

    def at(self, p: Points) -> np.ndarray:
        """The field at a compact block of n points, shape (n,) or (n, k), float64."""
        return self.component.product(p, self.points, self.weight)

    def within(self, area: Area) -> "ComponentSources | MeshField":
        """The field for points of an area."""
        mesh = self.component.mesh(area)
        if mesh is not None:
            return MeshField(mesh.series(self.at(mesh.points)), self.weight.shape[1:])
        near = self.component.reached(area.points, self.points)
        return replace(self, points=self.points[near], weight=self.weight[near])


@dataclass(frozen=True)
class MeshField:
    """The field of one component in an area, carried by a mesh.

    Attributes:
        series: of the field.
        columns: () or (k,), what follows the points in the shape of the field.
    """

    series: Series
    columns: tuple[int, ...]

    def at(self, p: Points) -> np.ndarray:
        """The field at n points of the area, shape (n,) or (n, k), float64."""
        return self.series.at(p).reshape(len(p), *self.columns)

    def within(self, area: Area) -> "MeshField":
        """Itself: a part of its area has the same series."""
        return self


@dataclass(frozen=True)
class Sources:
    """The field of all components.

    Attributes:
        parts: of each component.
        columns: () or (k,), what follows the points in the shape of the field.
    """

    parts: tuple[ComponentSources | MeshField, ...]
    columns: tuple[int, ...]

    @classmethod
    def of(cls, components: "tuple[Component, ...]", q: Points, w: np.ndarray) -> "Sources":
        """The field of a sum of components from m sources of weights ``w``, shape (m,) or (m, k)."""
        return cls(tuple(ComponentSources(component, q, w) for component in components), w.shape[1:])

    def at(self, p: Points) -> np.ndarray:
        """The field at a compact block of n points, shape (n,) or (n, k), float64."""
        result = np.zeros((len(p), *self.columns))
        if len(p):
            for part in self.parts:
                result += part.at(p)
        return result

    def within(self, area: Area) -> "Sources":
        """The field made ready for the points of an area, in which ``at`` is sooner done."""
        return replace(self, parts=tuple(part.within(area) for part in self.parts))
