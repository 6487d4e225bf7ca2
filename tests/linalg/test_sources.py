"""Fields that are joined are those that each has by itself, and what they share is evaluated once."""

import numpy as np

from mlrtma_dist.grid.points import Points
from mlrtma_dist.linalg.covariance import Component, Covariance
from mlrtma_dist.linalg.sources import join

SHARED = Component(2.0, "matern32", 300e3, 500.0)
LOCAL = Component(0.5, "askey", 40e3)
OTHER = Component(1.0, "askey", 700e3, 1100.0, 3.2, 510.0)


def places(generator, count: int) -> Points:
    """Places on a plane of 1000 km."""
    zero = np.zeros(count)
    position = np.column_stack([generator.uniform(0.0, 1e6, (count, 2)), zero])
    elevation, land, relief = (scale * generator.uniform(0.0, 1.0, count) for scale in (2e3, 1.0, 50.0))
    return Points(zero, zero, position, elevation, land, relief)


def test_joined_fields_are_those_that_each_has_by_itself(generator):
    q, where = places(generator, 80), places(generator, 50)
    twice = q[np.r_[0:30, 0:10]]  # some places report twice
    fields = [
        Covariance((SHARED, LOCAL)).sources(q, generator.standard_normal((80, 3))),
        Covariance((Component(0.7, "matern32", 300e3, 500.0), OTHER)).sources(twice, generator.standard_normal(40)),
        Covariance((OTHER,)).sources(q[:0], np.zeros(0)),
    ]
    joined = join(fields)
    assert [part.component.variance for part in joined.parts] == [1.0] * 3  # of five components
    values = joined.at(where)
    for field, value in zip(fields, values, strict=True):
        assert value.shape == (50, *field.columns)
        np.testing.assert_allclose(value, field.at(where), atol=2e-5)


def test_places_that_several_fields_share_are_one_source(generator):
    q, other = places(generator, 20), places(generator, 5)
    more = Points(*(np.concatenate([getattr(q, name), getattr(other, name)]) for name in q.__dataclass_fields__))
    joined = join([Covariance((SHARED,)).sources(each, np.ones(len(each))) for each in (q, more)])
    (part,) = joined.parts
    assert len(part.points) == 25 and sorted(part.weight.sum(axis=0) / SHARED.variance) == [20.0, 25.0]


def test_nothing_joined_is_nothing(generator):
    assert join([]).at(places(generator, 3)) == []
