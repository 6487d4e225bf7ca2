"""Localisation: the published function, and that it stays a covariance in place and height."""

import numpy as np
import pytest

from mlrtma_dist.linalg.localisation import Localisation, gaspari_cohn


def test_the_function_is_that_of_gaspari_and_cohn():
    """Eq. 4.10 with c = 1/2 at z = r / c = 0, 1/2, 1, 3/2, 2, worked out by hand in fractions."""
    at_half = -(0.5**5) / 4 + 0.5**4 / 2 + 5 * 0.5**3 / 8 - 5 * 0.5**2 / 3 + 1
    beyond = 1.5**5 / 12 - 1.5**4 / 2 + 5 * 1.5**3 / 8 + 5 * 1.5**2 / 3 - 7.5 + 4 - 2 / 4.5
    got = gaspari_cohn(np.array([0.0, 0.25, 0.5, 0.75, 1.0, 7.0]))
    assert got == pytest.approx([1.0, at_half, 5 / 24, beyond, 0.0, 0.0], abs=1e-14)


def test_it_falls_without_a_jump_from_one_to_zero():
    values = gaspari_cohn(np.linspace(0.0, 1.2, 100_001))
    steps = np.diff(values)
    assert (steps <= 1e-14).all() and np.abs(steps).max() < 3e-5 and (values >= 0).all()


def test_place_and_height_multiply_and_each_ends_at_its_own_scale(places, generator):
    points = places(generator, 60, 6.0)
    both = Localisation(300e3, 900.0).matrix(points, points)
    distance = np.sqrt(((points.position[:, None] - points.position) ** 2).sum(axis=-1))
    rise = np.abs(points.elevation[:, None] - points.elevation)
    assert both == pytest.approx(gaspari_cohn(distance / 300e3) * gaspari_cohn(rise / 900.0), abs=1e-14)
    assert (both[(distance >= 300e3) | (rise >= 900.0)] == 0.0).all()
    assert Localisation(300e3).matrix(points, points) == pytest.approx(gaspari_cohn(distance / 300e3), abs=1e-14)


def test_it_is_positive_definite_on_a_sphere_with_heights(places, generator):
    points = places(generator, 300, 15.0)
    assert np.linalg.eigvalsh(Localisation(900e3, 1500.0).matrix(points, points)).min() > -1e-10


@pytest.mark.parametrize("radius, height", [(0.0, None), (-1.0, 5.0), (1e5, 0.0), (float("nan"), None)])
def test_a_scale_that_is_not_positive_is_refused(radius, height):
    with pytest.raises(ValueError, match="expected a positive radius and height"):
        Localisation(radius, height)
