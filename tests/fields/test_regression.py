"""Regression: recovers what is in its span, resists gross errors, and knows nothing without reports."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.fields import climatology
from mlrtma_dist.fields.regression import basis_functions, fit_regression
from mlrtma_dist.grid.points import Points, cartesian
from mlrtma_dist.names import VARIABLES

TIME = np.datetime64("2022-08-24T06:00:00")
SEED = 20220824
# Prior standard deviations in units of the climatological deviation, as the module documents them.
PRIOR = np.array([1.0, 0.8, 0.8, 0.3, 0.3, 0.3, 0.1, 0.1, 0.1, 0.1, 0.4, 0.2, 0.2, 0.3, 0.4])


def make_points(latitude, longitude, elevation, land=1.0, relief=0.0) -> Points:
    latitude, longitude, elevation = (np.atleast_1d(np.asarray(a, float)) for a in (latitude, longitude, elevation))
    full = np.ones(len(latitude))
    return Points(latitude, longitude, cartesian(latitude, longitude), elevation, land * full, relief * full)


def scattered(count: int, seed: int = SEED) -> Points:
    """Places over the size of the CONUS, up to 3 km high."""
    generator = np.random.default_rng(seed)
    place = (generator.uniform(low, high, count) for low, high in ((27, 49), (-120, -72), (0, 3000)))
    return make_points(*place, generator.uniform(0, 1, count), generator.normal(0, 200, count))


CENTRE = make_points(38.0, -96.0, 500.0)
NEW = scattered(400, seed=1)


def fit(name, points, value, error=0.5):
    return fit_regression(CENTRE, TIME, {name: (points, value, np.full(len(points), error))})


def axes_and_origin():
    regression = fit("t2m", make_points([], [], []), np.empty(0))
    return regression.origin, regression.axes


def inside(regression, name, points) -> Points:
    """The points within the hull of the variable's reports."""
    place = (points.position - regression.origin) @ regression.axes.T / 1e6
    return points[regression.coefficients[name].area.nearest(place)[1] == 0.0]


def climate(name, points):
    return climatology.mean(name, points.latitude, points.elevation, TIME)


@pytest.mark.parametrize("name", VARIABLES)
def test_without_a_report_it_is_climatology_with_the_error_of_the_prior(name):
    regression = fit(name, make_points([], [], []), np.empty(0))
    np.testing.assert_array_equal(regression.mean(name, NEW), climate(name, NEW))
    deviation = climatology.deviation(name, CENTRE.latitude)[0]
    prior = deviation * np.sqrt((basis_functions(NEW, regression.origin, regression.axes) ** 2) @ PRIOR**2)
    if name == "psfc":
        prior = prior * climatology.standard_pressure_ratio(NEW.elevation)
    np.testing.assert_allclose(regression.spread(name, NEW), prior, rtol=1e-9)
    at_centre = make_points(38.0, -96.0, 0.0, land=0.0)  # only the constant is left of the basis
    assert regression.spread(name, at_centre)[0] == pytest.approx(deviation, rel=1e-9)


def test_the_axes_point_east_and_north_at_the_centre():
    origin, axes = axes_and_origin()
    basis = basis_functions(make_points([38.0, 39.0], [-95.0, -96.0], [0.0, 1000.0], relief=100.0), origin, axes)
    degree = 6371.2e3 * np.deg2rad(1.0) / 1e6
    assert basis[0, 1] == pytest.approx(degree * np.cos(np.deg2rad(38.0)), rel=1e-3)  # x
    assert basis[1, 2] == pytest.approx(degree, rel=1e-3) and abs(basis[1, 1]) < 1e-9  # y
    np.testing.assert_allclose(basis[1, 10:], [1.0, 0.0, basis[1, 2], 1.0, 0.1], atol=1e-9)  # z, zx, zy, land, relief


@pytest.mark.parametrize("name", ["t2m", "psfc", "visibility"])
def test_a_polynomial_in_place_and_height_is_recovered_far_from_the_prior(name):
    points, (origin, axes) = scattered(2000), axes_and_origin()
    deviation = climatology.deviation(name, CENTRE.latitude)[0]
    truth = deviation * 2.5 * PRIOR * np.random.default_rng(SEED).choice([-1.0, 1.0], 15)

    def field(where):
        reduction = climatology.standard_pressure_ratio(where.elevation) if name == "psfc" else 1.0
        return climate(name, where) + basis_functions(where, origin, axes) @ truth * reduction

    error = 1e-3 * deviation
    regression = fit(name, points, field(points), error)
    new = inside(regression, name, NEW)
    assert len(new) > 350
    anomaly = np.abs(field(new) - climate(name, new))
    assert np.median(anomaly) > deviation  # what is recovered is not climatology
    assert np.abs(regression.mean(name, new) - field(new)).max() < 0.005 * deviation
    assert (np.abs(regression.mean(name, new) - field(new)) < 4 * regression.spread(name, new)).all()


def test_a_tenth_of_gross_errors_does_not_matter():
    generator = np.random.default_rng(SEED)
    points, (origin, axes) = scattered(1500), axes_and_origin()
    truth = climatology.deviation("t2m", CENTRE.latitude)[0] * PRIOR * generator.normal(size=15)
    clean = climate("t2m", points) + basis_functions(points, origin, axes) @ truth + generator.normal(0, 1, 1500)
    dirty = clean + 30.0 * (generator.uniform(size=1500) < 0.1)
    field = climate("t2m", NEW) + basis_functions(NEW, origin, axes) @ truth
    errors = {
        name: fit("t2m", points, value, 1.0).mean("t2m", NEW) - field
        for name, value in (("clean", clean), ("dirty", dirty))
    }
    basis, anomaly = basis_functions(points, origin, axes), dirty - climate("t2m", points)
    plain = basis_functions(NEW, origin, axes) @ (np.linalg.lstsq(basis, anomaly, rcond=None)[0] - truth)
    assert np.sqrt((errors["clean"] ** 2).mean()) < 0.3
    assert np.sqrt((errors["dirty"] ** 2).mean()) < 0.6
    assert np.sqrt((plain**2).mean()) > 2.5  # what least squares makes of them: a tenth of 30 K


def test_it_shrinks_steadily_to_climatology_and_its_error_grows_as_reports_vanish():
    anomaly, points = 6.0, scattered(1000)
    away, spread = [], []
    for count in (1000, 100, 10, 1, 0):
        kept = points[:count]
        regression = fit("t2m", kept, climate("t2m", kept) + anomaly, 1.0)
        away.append(np.mean(regression.mean("t2m", NEW) - climate("t2m", NEW)))
        spread.append(np.mean(regression.spread("t2m", NEW)))
    assert away[0] == pytest.approx(anomaly, abs=0.05) and away[-1] == 0.0
    assert (np.diff(away) < 0).all(), away
    assert (np.diff(spread) > 0).all(), spread


def test_a_crowd_at_one_place_counts_as_one_report():
    one = make_points(38.0, -96.0, 500.0)
    before = fit("t2m", one[:0], np.empty(0)).spread("t2m", one)[0] ** 2
    # fifty that agree have the error of their instruments, 1 K; a single one stands for the weather around it, too
    for count, variance in ((50, 1.0**2), (1, climatology.deviation("t2m", CENTRE.latitude)[0] ** 2)):
        points = one[np.zeros(count, dtype=int)]
        regression = fit("t2m", points, climate("t2m", points) + 5.0, 1.0)
        gain = before / (before + variance)  # of one report
        assert regression.mean("t2m", one)[0] - climate("t2m", one)[0] == pytest.approx(5.0 * gain)
        assert regression.spread("t2m", one)[0] ** 2 == pytest.approx(before * (1.0 - gain))


def test_pressure_on_a_standard_atmosphere_with_mountains_is_exact():
    points = scattered(800)
    sea = 101900.0
    regression = fit("psfc", points, sea * climatology.standard_pressure_ratio(points.elevation), 20.0)
    new = inside(regression, "psfc", NEW)
    expected = sea * climatology.standard_pressure_ratio(new.elevation)
    assert new.elevation.max() > 2900.0
    assert np.abs(regression.mean("psfc", new) - expected).max() < 5.0


def test_its_name_counts_the_reports_of_each_variable():
    points = scattered(7)
    reports = {"t2m": (points, climate("t2m", points), np.ones(7)), "gust": (points[:0], np.empty(0), np.empty(0))}
    assert fit_regression(CENTRE, TIME, reports).name.endswith("(reports: t2m 7, gust 0)")


def steep(points) -> np.ndarray:
    """A temperature whose anomaly rises by 12 K over 1000 km, and is bent; without error."""
    origin, axes = axes_and_origin()
    basis = basis_functions(points, origin, axes)
    return climate("t2m", points) + basis @ np.array([3.0, 12.0, 6.0, 4.0, -5.0, 4.0, 3.0, -3.0, 3.0, -3.0] + 5 * [0.0])


def test_between_the_reports_nothing_depends_on_their_hull():
    points = scattered(300)
    limited = fit("t2m", points, steep(points))
    free = replace(limited, coefficients={"t2m": replace(limited.coefficients["t2m"], area=None)})
    assert len(inside(limited, "t2m", points)) == 300
    between = inside(limited, "t2m", scattered(300, seed=2))
    assert 200 < len(between) < 300
    for where in (points, between):
        np.testing.assert_array_equal(limited.mean("t2m", where), free.mean("t2m", where))
        np.testing.assert_array_equal(limited.spread("t2m", where), free.spread("t2m", where))


def test_away_from_the_reports_climatology_takes_over_and_the_error_grows_to_its_own():
    box = scattered(600)
    points = box[(box.longitude > -105.0) & (box.longitude < -85.0)]
    regression = fit("t2m", points, steep(points))
    away = make_points(np.full(60, 38.0), np.linspace(-85.0, 20.0, 60), np.zeros(60))
    anomaly = regression.mean("t2m", away) - climate("t2m", away)
    largest = np.abs(steep(points) - climate("t2m", points)).max()
    assert np.abs(anomaly).max() < 1.1 * largest, "a cubic would be 1000 K off"
    assert (np.diff(np.abs(anomaly[5:])) < 0).all() and abs(anomaly[-1]) < 0.01 * largest
    spread = regression.spread("t2m", away)
    assert (np.diff(spread[5:]) > 0).all()
    assert spread[-1] == pytest.approx(climatology.deviation("t2m", away.latitude)[-1], rel=0.01)


def test_the_step_from_the_hull_outwards_is_continuous():
    points = scattered(300)
    regression = fit("t2m", points, steep(points))
    across = make_points(np.full(4000, 30.0), np.linspace(-85.0, -55.0, 4000), np.zeros(4000))
    assert len(inside(regression, "t2m", across)) > 1000
    for values in (regression.mean("t2m", across), regression.spread("t2m", across)):
        assert np.abs(np.diff(values)).max() < 0.1  # K in 700 m


def test_several_variables_at_once_are_each_by_itself_inside_and_outside_their_hulls():
    east, west = (scattered(200, seed)[np.arange(side, 200, 2)] for seed, side in ((3, 0), (4, 1)))
    reports = {name: (east, steep(east), np.full(100, 0.5)) for name in ("t2m", "d2m", "psfc")}
    reports["wind_speed"] = west, 3.0 + steep(west) / 10.0, np.full(100, 0.5)
    reports["ceiling"] = west[:0], np.empty(0), np.empty(0)
    regression = fit_regression(CENTRE, TIME, reports)
    areas = [each.area for each in regression.coefficients.values()]
    assert areas[0] is areas[1] is areas[2] and areas[3] is not areas[0] and areas[4] is None
    latitude, longitude = (each.ravel() for each in np.meshgrid(np.linspace(40, 60, 6), np.linspace(-130, -60, 6)))
    far = make_points(latitude, longitude, np.full(36, 100.0))
    for points in (east[:5], NEW, far):
        together = regression.means(tuple(reports), points)
        for name in reports:
            np.testing.assert_allclose(together[name], regression.mean(name, points), rtol=1e-12, err_msg=name)
