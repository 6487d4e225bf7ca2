"""Sources: the field of an increment, sum_j B(p, q_j) w_j, made ready for the many points of an area of a grid.

Components that are smooth in place and height are evaluated at the nodes of a mesh (``mesh.py``), of which an area
has some hundred times fewer than points. Rough ones, and those that know of land or relief, which change from point to
point, are evaluated at every point from the sources in their reach. What several fields have in common is evaluated
once (``join``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from mlrtma_dist.grid.points import Points, distinct
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
        return cls.weighted(components, q, [w] * len(components))

    @classmethod
    def weighted(cls, components: "tuple[Component, ...]", q: Points, weights: Sequence[np.ndarray]) -> "Sources":
        """The field of a sum of components from m sources, whose weights (m,) or (m, k) differ by component."""
        parts = (ComponentSources(component, q, w) for component, w in zip(components, weights, strict=True))
        return cls(tuple(parts), weights[0].shape[1:])

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


@dataclass(frozen=True)
class JoinedSources:
    """Several fields, whose common components are evaluated once.

    Attributes:
        parts: of each component that any field has, of variance one, with the columns of all fields that have it.
        owners: of each part the numbers of these fields and their columns in the part.
        columns: of each field, () or (k,), what follows the points in its shape.
    """

    parts: tuple[ComponentSources | MeshField, ...]
    owners: tuple[tuple[tuple[int, slice], ...], ...]
    columns: tuple[tuple[int, ...], ...]

    def at(self, p: Points) -> list[np.ndarray]:
        """The fields at a compact block of n points, shape (n,) or (n, k) each, float64."""
        result = [np.zeros((len(p), *columns)) for columns in self.columns]
        if len(p):
            for part, owners in zip(self.parts, self.owners, strict=True):
                values = part.at(p)
                for number, place in owners:
                    result[number] += values[:, place].reshape(result[number].shape)
        return result

    def within(self, area: Area) -> "JoinedSources":
        """The fields made ready for the points of an area, in which ``at`` is sooner done."""
        return replace(self, parts=tuple(part.within(area) for part in self.parts))


def join(sources: Sequence[Sources]) -> JoinedSources:
    """Join fields: components that differ in variance alone become one, whose sources are those of all its fields."""
    members: dict[Component, list[tuple[int, ComponentSources]]] = {}
    for number, each in enumerate(sources):
        for part in each.parts:
            assert isinstance(part, ComponentSources), "fields are joined before they are made ready for an area"
            members.setdefault(replace(part.component, variance=1.0), []).append((number, part))
    parts, owners = [], []
    for component, group in members.items():
        weights = [np.atleast_2d(part.weight.T).T * part.component.variance for _, part in group]
        ends = accumulate(weight.shape[1] for weight in weights)
        places = [slice(end - weight.shape[1], end) for end, weight in zip(ends, weights, strict=True)]
        points, weight = _merged([part.points for _, part in group], weights)
        parts.append(ComponentSources(component, points, weight))
        owners.append(tuple((number, place) for (number, _), place in zip(group, places, strict=True)))
    return JoinedSources(tuple(parts), tuple(owners), tuple(each.columns for each in sources))


def _merged(points: list[Points], weights: list[np.ndarray]) -> tuple[Points, np.ndarray]:
    """Each place of several sets of sources once, and the weights (m, k) of all sets, zero where one lacks a place."""
    every = Points(*(np.concatenate([getattr(each, field.name) for each in points]) for field in fields(Points)))
    first, number = distinct(every)
    merged = np.zeros((len(first), sum(weight.shape[1] for weight in weights)))
    row = column = 0
    for weight in weights:
        height, width = weight.shape
        np.add.at(merged[:, column : column + width], number[row : row + height], weight)
        row, column = row + height, column + width
    return every[first], merged
