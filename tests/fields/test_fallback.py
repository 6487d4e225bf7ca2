"""Fallback: the second first guess answers exactly where the first is silent."""

from dataclasses import dataclass

import numpy as np

from mlrtma_dist.fields.fallback import Fallback
from mlrtma_dist.grid.points import Points


@dataclass
class Guess:
    """Says ``value`` north of ``south`` and nothing elsewhere; its spread is a tenth of it."""

    name: str
    value: float
    south: float = -91.0

    def mean(self, variable, points):
        return np.where(points.latitude > self.south, self.value + points.latitude, np.nan)

    def spread(self, variable, points):
        return np.full(len(points), self.value / 10)


def places(latitude) -> Points:
    zero = np.zeros(len(latitude))
    return Points(np.asarray(latitude, float), zero, np.zeros((len(latitude), 3)), zero, zero, zero)


def test_each_place_hears_the_first_that_knows_it():
    both = Fallback(Guess("file", 100.0, south=10.0), Guess("regression", 500.0))
    points = places([0.0, 20.0, 5.0, 30.0])
    np.testing.assert_array_equal(both.mean("t2m", points), [500.0, 120.0, 505.0, 130.0])
    np.testing.assert_array_equal(both.spread("t2m", points), [50.0, 10.0, 50.0, 10.0])


def test_where_the_first_knows_everything_the_second_is_not_asked():
    class Silent:
        name = "silent"

        def mean(self, variable, points):
            raise AssertionError("asked")

        spread = mean

    points = places([20.0, 30.0])
    both = Fallback(Guess("file", 100.0), Silent())
    np.testing.assert_array_equal(both.mean("t2m", points), [120.0, 130.0])
    np.testing.assert_array_equal(both.spread("t2m", points), [10.0, 10.0])


def test_its_name_tells_of_both():
    both = Fallback(Guess("gridded: a.nc", 1.0), Guess("regression", 2.0))
    assert both.name == "gridded: a.nc; where it has none: regression"


def test_below_a_share_of_one_both_are_mixed_and_the_second_alone_fills_what_is_missing():
    mixed = Fallback(Guess("file", 100.0, south=10.0), Guess("regression", 500.0), share=0.25)
    points = places([0.0, 20.0])
    np.testing.assert_array_equal(mixed.mean("t2m", points), [500.0, 0.25 * 120.0 + 0.75 * 520.0])
    np.testing.assert_array_equal(mixed.spread("t2m", points), [50.0, 0.25 * 10.0 + 0.75 * 50.0])
    assert mixed.name.startswith("0.25 of file and the rest, or where it has none: regression")
