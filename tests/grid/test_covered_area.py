"""The area that places cover, against the polygons of shapely."""

import numpy as np
import pytest
from shapely import MultiPoint, Point, Polygon, get_coordinates
from shapely.ops import nearest_points

from mlrtma_dist.grid.covered_area import CORNERS, CoveredArea

MARGIN = 0.05


def places(kind: str, generator) -> np.ndarray:
    """One place, two, some on a line, or many."""
    if kind == "line":
        return np.linspace(0.0, 1.0, 7)[:, None] * np.array([1.0, 0.5])
    return generator.uniform(-1.0, 1.0, ({"one": 1, "two": 2, "many": 60}[kind], 2))


@pytest.mark.parametrize("kind", ["one", "two", "line", "many"])
def test_it_is_the_convex_hull_widened_by_the_margin(kind, generator):
    inner = places(kind, generator)
    own, hull = Polygon(CoveredArea.around(inner, MARGIN).vertices), MultiPoint(inner).convex_hull
    narrower = np.cos(np.pi / CORNERS)  # of a polygon beside its circle
    assert own.buffer(1e-9).covers(hull.buffer(0.99 * narrower * MARGIN)) and hull.buffer(1.01 * MARGIN).covers(own)


@pytest.mark.parametrize("kind", ["one", "two", "line", "many"])
def test_nearest_points_and_distances_are_those_of_shapely(kind, generator):
    area, asked = CoveredArea.around(places(kind, generator), MARGIN), generator.uniform(-3.0, 3.0, (500, 2))
    polygon = Polygon(area.vertices)
    nearest, distance = area.nearest(asked)
    np.testing.assert_allclose(distance, [polygon.distance(Point(each)) for each in asked], atol=1e-12)
    expected = np.concatenate([get_coordinates(nearest_points(polygon, Point(each))[0]) for each in asked])
    np.testing.assert_allclose(nearest, expected, atol=1e-9)


def test_places_inside_stay_as_they_are_to_the_last_bit(generator):
    inner = places("many", generator)
    area = CoveredArea.around(inner, MARGIN)
    for asked in (inner, np.concatenate([inner, [[5.0, 5.0]]]), inner[:0]):
        nearest, distance = area.nearest(asked)
        np.testing.assert_array_equal(nearest[: len(inner)], asked[: len(inner)])
        assert not distance[: len(inner)].any()
