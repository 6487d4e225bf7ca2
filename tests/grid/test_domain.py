"""Domain: positions, indices and wind axes on every kind of projection that a user may name."""

import numpy as np
import pytest

from mlrtma_dist import config
from mlrtma_dist.grid.domain import EARTH_RADIUS, Corner, Domain, Size, load_domain, rotate, wrap_longitude

DOMAINS = {
    "lambert, 25 N tangent": (
        "+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=265 +R=6371200",
        (19.229, 233.723),
        60e3,
        90,
        60,
    ),
    "lambert, two secants": (
        "+proj=lcc +lat_1=30 +lat_2=60 +lat_0=40 +lon_0=10 +R=6371200",
        (35.0, -10.0),
        50e3,
        60,
        50,
    ),
    "lambert, southern tangent": (
        "+proj=lcc +lat_1=-35 +lat_2=-35 +lat_0=-35 +lon_0=145 +R=6371200",
        (-45.0, 125.0),
        50e3,
        70,
        50,
    ),
    "polar stereographic, over the north pole": (
        "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=210 +R=6371200",
        (65.0, 165.0),
        50e3,
        110,
        110,
    ),
    "polar stereographic, south": (
        "+proj=stere +lat_0=-90 +lat_ts=-60 +lon_0=0 +R=6371200",
        (-60.0, 200.0),
        50e3,
        60,
        60,
    ),
    "mercator": ("+proj=merc +lat_ts=20 +lon_0=200 +R=6371200", (18.07, 198.47), 25e3, 32, 22),
    "mercator across the date line": ("+proj=merc +lat_ts=20 +lon_0=180 +R=6371200", (-20.0, 170.0), 50e3, 40, 20),
    "rotated pole": (
        "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +R=6371200",
        (43.0, 5.0),
        0.5,
        50,
        50,
    ),
    "EPSG 3413": ("EPSG:3413", (60.0, -60.0), 50e3, 40, 50),
    "EPSG 3035, an ellipsoid": ("EPSG:3035", (40.0, -5.0), 50e3, 40, 40),
}
GEOGRAPHIC = {
    "longlat": ("+proj=longlat +R=6371200", (40.0, -10.0), 0.25, 49, 33),
    "longlat across the date line": ("+proj=longlat +R=6371200", (-25.0, 170.0), 0.5, 41, 31),
    "longlat from 200 east": ("EPSG:4326", (10.0, 200.0), 0.5, 41, 31),
    "longlat all round": ("+proj=longlat +R=6371200", (-90.0, 0.0), 1.0, 360, 181),
}


def make(projection, corner, spacing, x, y) -> Domain:
    return Domain("test", "test", projection, Size(x, y), spacing, Corner(*corner))


@pytest.mark.parametrize("name", [*DOMAINS, *GEOGRAPHIC])
def test_index_is_the_inverse_of_latitude_and_longitude(name):
    domain = make(*(DOMAINS | GEOGRAPHIC)[name])
    row, column = domain.index(*domain.latitude_longitude())
    expected_row, expected_column = np.meshgrid(range(domain.size.y), range(domain.size.x), indexing="ij")
    np.testing.assert_allclose(row, expected_row, atol=1e-6)
    np.testing.assert_allclose(column, expected_column, atol=1e-6)


@pytest.mark.parametrize("name", [*DOMAINS, *GEOGRAPHIC])
def test_first_point_is_the_stated_corner(name):
    projection, corner, *rest = (DOMAINS | GEOGRAPHIC)[name]
    latitude, longitude = make(projection, corner, *rest).latitude_longitude(slice(0, 1), slice(0, 1))
    assert latitude.item() == pytest.approx(corner[0], abs=1e-7)
    assert wrap_longitude(longitude.item() - corner[1]) == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("name", DOMAINS)
def test_convergence_is_the_bearing_of_the_grids_own_columns(name):
    """Truth: central differences of the projection along a column, in metres east and north."""
    domain = make(*DOMAINS[name])
    inner = [np.linspace(1, n - 2, 9).astype(int) for n in domain.shape]
    x, y = np.meshgrid(domain.x[inner[1]], domain.y[inner[0]])
    longitude, latitude = domain._inverse(x, y)
    step = 1e-3 * domain.spacing
    ahead, behind = domain._inverse(x, y + step), domain._inverse(x, y - step)
    east = wrap_longitude(ahead[0] - behind[0]) * np.cos(np.deg2rad(latitude))
    north = ahead[1] - behind[1]
    bearing = np.arctan2(-east, north)  # counter-clockwise from true north
    convergence = domain.convergence(latitude, longitude)
    away_from_pole = np.abs(latitude) < 89.0
    # differences are taken on the sphere; on an ellipsoid the metres of a degree differ by 0.7 %
    tolerance = 8e-3 if "EPSG" in name else 1e-6
    np.testing.assert_allclose(np.sin(convergence - bearing)[away_from_pole], 0.0, atol=tolerance)
    assert np.all(np.cos(convergence - bearing)[away_from_pole] > 0.99)
    assert np.ptp(convergence) > 0.05 or "mercator" in name, "the case must turn the wind"


@pytest.mark.parametrize("name", ["lambert, 25 N tangent", "polar stereographic, over the north pole", "rotated pole"])
def test_wind_along_a_column_blows_where_the_column_leads(name):
    """A parcel carried by the turned wind for a minute ends farther up its own column."""
    domain = make(*DOMAINS[name])
    row, column = np.array([5.0, 30.0, 40.0]), np.array([4.0, 20.0, 45.0])
    latitude, longitude = (np.diag(a) for a in domain.latitude_longitude(row.astype(int), column.astype(int)))
    u, v = rotate(np.zeros(3), np.full(3, 20.0), domain.convergence(latitude, longitude))
    moved_latitude = latitude + np.rad2deg(v * 60.0 / EARTH_RADIUS)
    moved_longitude = longitude + np.rad2deg(u * 60.0 / EARTH_RADIUS / np.cos(np.deg2rad(latitude)))
    new_row, new_column = domain.index(moved_latitude, moved_longitude)
    assert np.all(new_row - row > 0.01)
    np.testing.assert_allclose(new_column, column, atol=1e-4)


def test_lambert_convergence_is_the_cone_constant_times_the_longitude_from_the_central_meridian():
    """Snyder, Map Projections: A Working Manual (1987), chapter 15: n = sin(tangent latitude). West of the central
    meridian grid north lies to the left of true north."""
    domain = load_domain("conus")
    angle = domain.convergence(np.array([40.0, 40.0, 40.0]), np.array([-125.0, -95.0, -65.0]))
    np.testing.assert_allclose(angle, np.sin(np.deg2rad(25.0)) * np.deg2rad([30.0, 0.0, -30.0]), atol=1e-9)


def test_turning_to_the_earth_and_back_changes_nothing():
    generator = np.random.default_rng(1)
    u, v, angle = generator.normal(size=(3, 100))
    back = rotate(*rotate(u, v, angle), -angle)
    np.testing.assert_allclose(back, (u, v), atol=1e-14)


def test_a_rotated_grid_counts_in_degrees_about_its_own_pole():
    domain = make(
        "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +R=6371200", (50.75, 18.0), 0.5, 11, 11
    )
    latitude, longitude = domain.latitude_longitude()
    assert not domain.is_geographic
    np.testing.assert_allclose(
        latitude[:, 0], 50.75 + 0.5 * np.arange(11), atol=1e-9
    )  # the rotated meridian through the corner
    np.testing.assert_allclose(longitude[:, 0], 18.0, atol=1e-9)
    assert domain.spacing_metres == pytest.approx(np.deg2rad(0.5) * EARTH_RADIUS)


def test_spacing_in_feet_is_told_in_metres():
    domain = make("EPSG:2263", (40.5, -74.2), 1000.0, 10, 10)  # New York Long Island, US survey feet
    assert domain.spacing_metres == pytest.approx(304.8006, abs=1e-3)


def test_a_longlat_grid_across_the_date_line_contains_both_sides():
    domain = make(*GEOGRAPHIC["longlat across the date line"])
    assert domain.contains([-20.0, -20.0, -20.0], [175.0, -175.0, 0.0]).tolist() == [True, True, False]


def test_margin_of_contains_is_in_metres():
    domain = make("+proj=merc +lat_ts=0 +lon_0=0 +R=6371200", (0.0, 0.0), 10e3, 11, 11)
    west = -np.rad2deg(np.array([4e3, 6e3]) / EARTH_RADIUS)
    assert domain.contains(np.full(2, 0.1), west, margin=5e3).tolist() == [True, False]


def test_a_projection_that_proj_does_not_know_is_named():
    with pytest.raises(config.ConfigError, match="domain test.*nonsense"):
        make("+proj=nonsense", (40.0, 0.0), 1e3, 5, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"corner": Corner(95.0, -115.0)}, "a south-west corner on the map .* got latitude 95, longitude -115"),
        ({"corner": Corner(-90.0, -115.0)}, "a south-west corner on the map .* got latitude -90"),
        ({"spacing": float("inf")}, "a positive spacing, got 5 x 4 at inf"),
        ({"size": Size(10**9, 10**9)}, "fewer than 2147483648"),
        ({"name": "../elsewhere"}, "a name that can begin a file's name"),
        ({"projection": "+proj=longlat +R=6371200", "spacing": 20.0}, "4 rows of 20 degrees from 40 reach 100 degrees"),
    ],
)
def test_a_grid_that_lies_nowhere_is_named_before_anything_is_read(change, message):
    lambert = "+proj=lcc +lat_1=40 +lat_2=40 +lat_0=40 +lon_0=-100 +R=6371200"
    definition = {
        "name": "here",
        "projection": lambert,
        "size": Size(5, 4),
        "spacing": 1e3,
        "corner": Corner(40.0, -100.0),
    }
    assert Domain(title="t", **definition).shape == (4, 5)
    with pytest.raises(config.ConfigError, match=message):
        Domain(title="t", **definition | change)
