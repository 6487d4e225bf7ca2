"""The shipped domains against every file of NOAA's on those grids: terrain, land masks, URMA and the National Blend."""

import eccodes
import numpy as np
import pytest

from mlrtma_dist.grid.domain import load_domain, wrap_longitude
from mlrtma_dist.grid.interpolate import same_grid
from mlrtma_dist.io.grib import read_grib

FILES = [
    *[
        (d, f"terrain/{d}_{kind}.grib{'' if d == 'guam' else '2'}")
        for d in ("conus", "alaska", "hawaii", "guam", "puerto_rico")
        for kind in ("terrain", "landmask")
    ],
    *[(d, f"urma/{d}_tmax_20170824_12z_to_20170825_00z.grib2") for d in ("alaska", "hawaii", "puerto_rico")],
    ("conus", "nbm/conus_t2m_valid_20250901_01z.grib2"),
]
SCANNING = {"nbm/conus_t2m_valid_20250901_01z.grib2": 80}
EARTH = 6371200.0
# It states a last point that is not 2500 m times the number of points from the first: see its own test below.
LAST_POINT_UNRELIABLE = ("urma/puerto_rico_tmax_20170824_12z_to_20170825_00z.grib2",)


def message(path):
    with open(path, "rb") as file:
        return eccodes.codes_grib_new_from_file(file)


def degrees(handle, which):
    return tuple(
        eccodes.codes_get(handle, f"{axis}Of{which}GridPointInDegrees", float) for axis in ("latitude", "longitude")
    )


def distance(one, other) -> float:
    """Largest distance along a meridian or a parallel, degrees of arc (1e-4 is 11 m). Alaska's terrain file rounds
    the spacing to 2976.56 m, which is 5 m at the far corner: 1.2e-4 degree of longitude at 64 N, 0.5e-4 of arc."""
    east = wrap_longitude(np.asarray(one[1]) - other[1]) * np.cos(np.deg2rad(other[0]))
    return float(np.max(np.maximum(np.abs(np.asarray(one[0]) - other[0]), np.abs(east))))


@pytest.fixture(autouse=True)
def _domains_need_the_folder(real_data):
    """The shipped domains name their terrain below the folder of real data."""


@pytest.mark.parametrize(("name", "file"), FILES)
def test_size_spacing_and_first_corner_are_those_of_the_file(real_data, name, file):
    domain, handle = load_domain(name), message(real_data / file)
    assert (eccodes.codes_get(handle, "Ni"), eccodes.codes_get(handle, "Nj")) == (domain.size.x, domain.size.y)
    assert eccodes.codes_get(handle, "scanningMode") == SCANNING.get(file, 64)
    assert eccodes.codes_get(handle, "edition") == (1 if file.endswith("grib") else 2)
    latitude, longitude = domain.latitude_longitude(slice(0, 1), slice(0, 1))
    stated = degrees(handle, "First")
    assert abs(latitude.item() - stated[0]) <= 1e-4
    assert abs(wrap_longitude(longitude.item() - stated[1])) <= 1e-4
    keys = ("DiInMetres", "DjInMetres") if "merc" in domain.projection else ("DxInMetres", "DyInMetres")
    for key in keys:  # Alaska's terrain file rounds to the centimetre
        assert eccodes.codes_get(handle, key, float) == pytest.approx(domain.spacing, abs=5e-3)


@pytest.mark.parametrize(
    ("name", "file"), [f for f in FILES if f[0] in ("hawaii", "puerto_rico") and f[1] not in LAST_POINT_UNRELIABLE]
)
def test_last_corner_is_the_one_that_the_file_states(real_data, name, file):
    stated = degrees(message(real_data / file), "Last")
    assert distance(load_domain(name).latitude_longitude(slice(-1, None), slice(-1, None)), stated) <= 1e-4


@pytest.mark.parametrize(("name", "file"), [FILES[0], FILES[2], FILES[10]])
def test_last_corner_is_the_one_that_eccodes_iterator_reaches(real_data, name, file):
    """Lambert and polar stereographic messages state no last point; a peer's projection walks there."""
    domain, handle = load_domain(name), message(real_data / file)
    last = tuple(eccodes.codes_get_double_array(handle, k)[-1] for k in ("latitudes", "longitudes"))
    assert distance(domain.latitude_longitude(slice(-1, None), slice(-1, None)), last) <= 1e-4


@pytest.mark.parametrize(("name", "file"), FILES)
def test_the_reader_puts_the_file_on_the_domains_own_grid(real_data, name, file):
    domain = load_domain(name)
    (field,) = read_grib(real_data / file)
    assert same_grid(field.domain, domain)
    assert not same_grid(field.domain, load_domain("hawaii" if name != "hawaii" else "guam"))
    corners = [0, -1], [0, -1]
    assert distance(field.domain.latitude_longitude(*corners), domain.latitude_longitude(*corners)) <= 1e-4


def test_guams_files_state_another_sphere_than_they_use(real_data):
    """GRIB1 knows one sphere, 6367470 m; the last point (truncated to 1e-3 degree) is that of 6371200 m."""
    for kind in ("terrain", "landmask"):
        path = real_data / f"terrain/guam_{kind}.grib"
        handle = message(path)
        assert eccodes.codes_get(handle, "radius", float) == 6367470.0
        latitude, longitude = load_domain("guam").latitude_longitude(slice(-1, None), slice(-1, None))
        truncated = tuple(np.floor(1e3 * v.item()) / 1e3 for v in (latitude, longitude))
        assert truncated == pytest.approx(degrees(handle, "Last"), abs=1e-9)
        assert read_grib(path)[0].domain.projection.endswith(f"+R={EARTH}")


def test_the_urma_file_of_puerto_rico_states_a_last_point_half_a_cell_beyond_its_grid(real_data):
    """16.828685 N 291.804687 E + 176 x 128 steps of 2500 m end at 19.7361 N 296.0155 E, as the terrain file says; URMA
    states 19.7474 N 296.0276 E, which is half a step farther north and east: the outer edge of the last cell."""
    domain = load_domain("puerto_rico")
    stated = degrees(message(real_data / FILES[12][1]), "Last")
    row, column = domain.index(*stated)
    assert (row - (domain.size.y - 1), column - (domain.size.x - 1)) == (
        pytest.approx(0.5, abs=0.01),
        pytest.approx(0.5, abs=0.01),
    )
    row, column = domain.index(*degrees(message(real_data / "terrain/puerto_rico_terrain.grib2"), "Last"))
    assert (row, column) == (pytest.approx(domain.size.y - 1, abs=0.01), pytest.approx(domain.size.x - 1, abs=0.01))


@pytest.mark.parametrize("name", ["conus", "alaska", "hawaii", "guam", "puerto_rico"])
def test_the_kilometre_grid_covers_its_region_from_the_same_corner(name):
    coarse, fine = load_domain(name), load_domain(f"{name}_1km")
    assert fine.corner == coarse.corner
    assert fine.projection == coarse.projection
    for axis in ("x", "y"):
        end = [getattr(d, axis)[-1] - getattr(d, axis)[0] for d in (coarse, fine)]
        assert 0 <= end[0] - end[1] < 1000.0  # the last kilometre that still fits
