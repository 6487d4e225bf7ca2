"""Flight category: each limit from both sides, the lower of two, probabilities, a real national analysis."""

import eccodes
import numpy as np
import pytest

from mlrtma_dist.names import EVENTS, FOOT, MILE, UNLIMITED_CEILING
from mlrtma_dist.physics.flight_category import (
    CATEGORIES,
    OF_EVENTS,
    category_probabilities,
    flight_category,
    most_likely_category,
    or_worse,
)


@pytest.mark.parametrize(
    ("feet", "miles", "category"),
    [
        (400, 10, "LIFR"),
        (500, 10, "IFR"),
        (900, 10, "IFR"),
        (1000, 10, "MVFR"),
        (3000, 10, "MVFR"),
        (3100, 10, "VFR"),
        (25000, 0.75, "LIFR"),
        (25000, 1, "IFR"),
        (25000, 2.5, "IFR"),
        (25000, 3, "MVFR"),
        (25000, 5, "MVFR"),
        (25000, 6, "VFR"),
        (400, 4, "LIFR"),
        (1500, 0.5, "LIFR"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reports_in_feet_and_miles_have_the_category_of_the_standard_limits(feet, miles, category, dtype):
    number = flight_category(np.array([feet * FOOT], dtype), np.array([miles * MILE], dtype))
    assert CATEGORIES[int(number[0])] == category


def test_no_ceiling_is_no_limit_and_what_is_unknown_has_no_category():
    number = flight_category(np.array([UNLIMITED_CEILING, np.nan, 3000.0]), np.array([24000.0, 24000.0, np.nan]))
    np.testing.assert_array_equal(number, np.array([3.0, np.nan, np.nan], np.float32))


def test_a_value_on_a_limit_keeps_its_category_when_a_file_rounds_it_to_ten_bits():
    limits = np.array([500, 1000, 3000]) * FOOT
    mantissa, exponent = np.frexp(limits)
    rounded = np.ldexp(np.rint(mantissa * 2**10), exponent - 10)
    assert (rounded != limits).any()
    far = np.full(3, 24000.0)
    np.testing.assert_array_equal(flight_category(rounded, far), flight_category(limits, far))


def test_the_national_analysis_of_a_real_hour_has_the_same_categories(real_data):
    def values(kind):
        with open(real_data / f"ncv/grib_files_200711210135_NCV_{kind}_A.grb2", "rb") as file:
            handle = eccodes.codes_grib_new_from_file(file)
        field = eccodes.codes_get_values(handle)
        eccodes.codes_release(handle)
        return field

    ceiling, visibility, theirs = (values(kind) for kind in ("CEILING", "VISIBILITY", "FLIGHTCAT"))
    present = theirs > 0  # 1: sky obscured to the ground, 2 to 5: LIFR to VFR
    ours, theirs = flight_category(ceiling[present], visibility[present]), np.maximum(theirs[present] - 2, 0)
    differs = ours != theirs
    assert present.sum() > 400_000 and differs.mean() < 3e-4
    # their ceilings are rounded to steps of 0.4 m: these points lie on a limit
    limits = np.array([500, 1000, 3000]) * FOOT
    assert np.abs(ceiling[present][differs][:, None] - limits).min(axis=1).max() < 0.65


def test_probabilities_are_between_those_of_the_same_weather_and_of_independent_ones(generator):
    one, other = np.sort(generator.uniform(size=(2, 4, 500)), axis=1)
    worse, p, q = or_worse(one, other), one[OF_EVENTS], other[OF_EVENTS]
    np.testing.assert_allclose(worse, 0.5 * np.maximum(p, q) + 0.5 * (p + q - p * q), rtol=1e-12)
    assert (worse >= np.maximum(p, q)).all() and (worse <= p + q - p * q).all()
    certain = np.array([0.0, 0.0, 0.0, 1.0])[:, None]  # MVFR by one of the two
    np.testing.assert_allclose(or_worse(certain, np.zeros((4, 1)))[:, 0], [0.0, 0.0, 1.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_four_probabilities_are_shares_of_one_and_the_largest_is_the_most_likely(generator, dtype):
    one, other = np.sort(generator.uniform(size=(2, 4, 500)), axis=1).astype(dtype)
    each = category_probabilities(one, other)
    assert each.shape == (4, 500) and each.dtype == dtype and (each >= 0.0).all()
    np.testing.assert_allclose(each.sum(axis=0), 1.0, rtol=1e-6)
    np.testing.assert_allclose(np.cumsum(each, axis=0)[:3], or_worse(one, other), atol=1e-6)
    number = most_likely_category(one, other)
    assert number.dtype == np.float32 and (each[number.astype(int), np.arange(500)] == each.max(axis=0)).all()
    one[2, 7] = np.nan
    assert np.isnan(most_likely_category(one, other)[7]) and np.isnan(most_likely_category(one, other)).sum() == 1


def test_certain_probabilities_of_a_report_have_the_category_of_its_values():
    """Limits of events lie between the values of reports, those of categories on them."""
    feet, miles = np.meshgrid([100, 200, 400, 500, 900, 1000, 3000, 3100, 9000], [0.25, 0.5, 0.75, 1, 2.5, 3, 5, 6])
    ceiling, visibility = feet.ravel() * FOOT, miles.ravel() * MILE
    below = [
        (value < np.array(EVENTS[name])[:, None]).astype(float)
        for name, value in (("visibility", visibility), ("ceiling", ceiling))
    ]
    np.testing.assert_array_equal(most_likely_category(*below), flight_category(ceiling, visibility))
