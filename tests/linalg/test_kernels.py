"""Correlation functions: their values by hand, where they end, and that they are correlations at all."""

import numpy as np
import pytest
from scipy.special import gamma, kv

from mlrtma_dist.linalg.kernels import KERNELS, NODE_SPACING, ROUNDING, SUPPORT

R = np.array([0.0, 0.25, 0.5, 1.0, 1.5, 3.0])


def test_askey_is_the_fourth_power_of_what_is_left_to_the_edge_of_its_support():
    assert KERNELS["askey"](R**2) == pytest.approx([1.0, 0.31640625, 0.0625, 0.0, 0.0, 0.0], abs=1e-15)


def test_matern32_is_the_general_matern_function_of_smoothness_three_halves():
    r = R[1:]
    # Rasmussen and Williams 2006, eq. 4.14, with r for sqrt(2 nu) r / l
    general = 2 ** (1 - 1.5) / gamma(1.5) * r**1.5 * kv(1.5, r)
    assert KERNELS["matern32"](r**2) == pytest.approx(general, rel=1e-12)
    assert KERNELS["matern32"](np.zeros(1)) == pytest.approx([1.0])


def test_gaussian_falls_to_exp_minus_one_half_at_one_length():
    assert KERNELS["gaussian"](R**2) == pytest.approx(np.exp(-(R**2) / 2), rel=1e-14)


def test_rounded_is_flat_at_the_origin_and_an_exponential_far_away():
    far = np.array([20.0, 21.0])
    assert KERNELS["rounded"](np.zeros(1)) == pytest.approx([1.0])
    assert 1.0 - KERNELS["rounded"](np.array([1e-6]))[0] == pytest.approx(1e-6 / (2 * ROUNDING), rel=1e-4)
    assert np.diff(np.log(KERNELS["rounded"](far**2)))[0] == pytest.approx(-1.0, abs=1e-4)


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_is_one_at_no_distance_and_falls_to_zero_at_its_support(name):
    r = np.linspace(0.0, min(SUPPORT[name], 40.0), 500)
    value = KERNELS[name](r**2)
    assert value[0] == 1.0 and value[-1] < 1e-12 and (np.diff(value) <= 0).all()


@pytest.mark.parametrize("name", KERNELS)
def test_a_square_that_rounding_made_negative_is_no_distance(name):
    assert KERNELS[name](np.array([-1e-6], np.float32)) == pytest.approx([1.0], abs=3e-6)


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_works_in_place_and_keeps_single_precision(name):
    squared = (R**2).astype(np.float32)
    value = KERNELS[name](squared)
    assert np.shares_memory(value, squared) and value.dtype == np.float32
    assert value == pytest.approx(KERNELS[name](R**2), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("width", [0.05, 0.5, 1.0, 3.0])
def test_every_kernel_is_positive_semi_definite_in_six_dimensions(name, width, generator):
    c = width * generator.uniform(-1.0, 1.0, (150, 6))
    squared = ((c[:, None] - c) ** 2).sum(axis=-1)
    assert np.linalg.eigvalsh(KERNELS[name](squared))[0] > -1e-12 * len(c)


def test_a_lower_power_would_not_be_positive_definite_in_six_dimensions():
    """Between the corners and the centre of a cube, (1 - r) fails where (1 - r)^4 does not."""
    corners = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 6), axis=-1).reshape(-1, 6)
    smallest = []
    for power in (1, 4):
        values = []
        for edge in np.linspace(0.1, 0.6, 26):
            r = np.linalg.norm(edge * (corners[:, None] - corners), axis=-1)
            values.append(np.linalg.eigvalsh(np.maximum(1 - r, 0.0) ** power)[0])
        smallest.append(min(values))
    assert smallest[0] < -1e-3 and smallest[1] > -1e-12


@pytest.mark.parametrize("name", [n for n, spacing in NODE_SPACING.items() if spacing is not None])
def test_polynomials_through_nodes_at_the_stated_spacing_err_by_no_more_than_is_said_beside_it(name):
    """The claim beside NODE_SPACING, with numpy's own interpolation."""
    worst = 0.0
    for count in (3, 4, 5, 8):
        half = 0.5 * NODE_SPACING[name] * (count - 1)
        x = np.linspace(-half, half, 101)
        node = half * np.polynomial.chebyshev.chebpts1(count)
        for station in np.linspace(-2.0 * half, 0.0, 41):
            values = KERNELS[name]((node - station) ** 2)
            polynomial = np.polynomial.Polynomial.fit(node, values, count - 1)
            worst = max(worst, np.abs(polynomial(x) - KERNELS[name]((x - station) ** 2)).max())
    print(f"{name}: {worst:.1e}")
    assert worst < 2e-3
