"""What stands on maps beside stations: barbs in one unit, isobars, categories, and notes that are whole."""

import dataclasses

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex

from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference import map_canvas
from mlrtma_dist.inference.map_analysis import analysis_map, category_map, surface_map, wind_map
from mlrtma_dist.inference.map_atlas import Atlas, number_words
from mlrtma_dist.inference.map_canvas import Base, Sheet
from mlrtma_dist.inference.map_increment import increment_map
from mlrtma_dist.inference.map_marks import Winds, draw_isobars, isobar_interval
from mlrtma_dist.inference.map_picture import Picture, Tiles
from mlrtma_dist.inference.map_settings import MapSettings, MapUnit, Units, load_map_settings
from mlrtma_dist.inference.map_style import CATEGORY_COLOURS
from mlrtma_dist.names import UNLIMITED_CEILING, VARIABLES
from mlrtma_dist.physics.flight_category import CATEGORIES

LAMBERT = "+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=265 +R=6371200"


def tiles_of(atlas: Atlas, thin: int = 1) -> Tiles:
    shape = atlas.analysis.static.domain.shape
    return Tiles(shape, Box.whole(shape), thin)


def test_the_wind_has_one_unit_in_colours_barbs_bar_and_words(atlas, monkeypatch):
    for settings, label, factor, feathers in (
        (load_map_settings("us"), "kt", 3600 / 1852, {"half": 5.0, "full": 10.0, "flag": 50.0}),
        (MapSettings(Units(wind="m/s")), "m s⁻¹", 1.0, {"half": 2.5, "full": 5.0, "flag": 25.0}),
    ):
        drawn = []
        monkeypatch.setattr(
            "matplotlib.axes.Axes.barbs", lambda self, *xyuv, drawn=drawn, **style: drawn.append((xyuv, style))
        )
        sheet = wind_map(dataclasses.replace(atlas, settings=settings), tiles_of(atlas))
        (image,) = sheet.axes.images
        np.testing.assert_allclose(np.unique(image.get_array()), np.hypot(7.7, 6.4) * factor, rtol=1e-5)
        assert len(drawn) == 2  # of the analysis and of stations
        for (_, _, u, v), style in drawn:
            np.testing.assert_allclose(np.hypot(u, v), np.hypot(7.7, 6.4) * factor, rtol=1e-5)
            assert style["barb_increments"] == feathers
        words = " ".join(text.get_text() for text in sheet._figure.texts)
        assert f"pennant {feathers['flag']:g} {label}" in words and f"maximum {10.01 * factor:.1f} {label}" in words
        assert any(axes.get_ylabel() == label for axes in sheet._figure.axes)


def test_barbs_have_the_speed_that_is_analysed_of_its_own_and_the_direction_of_the_vector(make_domain, make_analysis):
    analysis = make_analysis(make_domain(LAMBERT), ("u10", "v10", "wind_speed"))
    analysis.values["u10"][0, 0] = analysis.values["v10"][0, 0] = 0.0  # has no direction
    winds = Winds.sampled(
        analysis, Base(analysis.static), tiles_of(Atlas(analysis, Base(analysis.static), MapSettings()))
    )
    u, v, speed = (analysis.values[name] for name in ("u10", "v10", "wind_speed"))
    np.testing.assert_allclose(np.hypot(winds.u, winds.v)[1:], speed[1:], rtol=1e-5)
    np.testing.assert_allclose(np.arctan2(winds.u, winds.v)[1:], np.arctan2(u, v)[1:], rtol=1e-5)
    assert winds.u[0, 0] == winds.v[0, 0] == 0.0


def test_categories_have_their_colours_and_none_lies_between_two(atlas):
    values, domain = atlas.analysis.values, atlas.analysis.static.domain
    values["visibility"][:] = 16000.0
    values["ceiling"][:, ::2], values["ceiling"][:, 1::2] = 100.0, UNLIMITED_CEILING
    sheet = category_map(atlas, tiles_of(atlas, thin=2))  # squares have a column of each: their mean would be IFR
    (image,) = sheet.axes.images
    assert set(np.unique(image.get_array())) == {3.0} and image.get_array().shape == (
        domain.size.y // 2,
        domain.size.x // 2,
    )
    assert to_hex(image.cmap(image.norm(3.0))) == CATEGORY_COLOURS["VFR"]
    labels = next(axes for axes in sheet._figure.axes if axes is not sheet.axes).get_yticklabels()
    assert [label.get_text() for label in labels] == list(CATEGORIES)
    words = " ".join(text.get_text() for text in sheet._figure.texts)
    assert "LIFR 50.0 %" in words and "VFR 50.0 %" in words
    stations = next(c for c in sheet.axes.collections if isinstance(c, PathCollection))
    assert len(np.unique(stations.get_facecolors(), axis=0)) == 1  # all report half a mile


def test_isobars_lie_where_the_pressure_is_and_their_interval_follows_the_domain(make_domain, make_analysis):
    domain = make_domain(LAMBERT, spacing=10e3, size=(200, 120))
    base, unit = Base(make_analysis(domain).static), MapUnit.of("hPa")
    across = np.arange(200) * 10e3
    field = np.broadcast_to(1000.0 + 15.0 * across / across[-1], domain.shape)
    sheet = Sheet(base, "", "")
    drawn = []
    contour = sheet.axes.contour
    sheet.axes.contour = lambda *arguments, **style: drawn.append(contour(*arguments, **style)) or drawn[-1]
    draw_isobars(Picture(field, 1), sheet, unit)
    (lines,) = drawn
    assert isobar_interval(domain, unit) == 2.0 and {1004.0, 1010.0} <= set(lines.levels)
    for level, segments in zip(lines.levels, lines.allsegs, strict=True):
        if 1002.0 < level < 1013.0:  # at the sides smoothing bends the field
            expected = domain.x[0] + (level - 1000.0) / 15.0 * across[-1]
            np.testing.assert_allclose(np.concatenate(segments)[:, 0], expected, atol=500.0)
    assert [isobar_interval(make_domain(LAMBERT, spacing=d), unit) for d in (5e3, 100e3, 300e3)] == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("size", [(14, 11), (300, 90), (40, 200)])
def test_notes_titles_and_legend_are_whole_inside_the_picture_and_apart(size, make_domain, make_analysis):
    note = " ".join(f"word{number}" for number in range(400))
    analysis = make_analysis(make_domain(LAMBERT, size=size))
    base = Base(analysis.static)
    title, subtitle = "A title that is longer than the map is wide, " * 2, "some facts   |   " * 12
    sheet = Sheet(base, title, subtitle, ["First.", note], legend=True)
    for number in range(3):
        sheet.axes.scatter([], [], label=f"used ({number}), coloured by observation minus first guess")
    sheet.legend()
    sheet._figure.canvas.draw()
    renderer, whole = sheet._figure.canvas.get_renderer(), sheet._figure.bbox
    heading, below, small = sheet._figure.texts
    assert small.get_text().split() == ["First.", *note.split()]
    assert heading.get_text().split() == title.split() and below.get_text().split() == subtitle.split()
    parts = [part.get_window_extent(renderer) for part in (heading, below, small, sheet.axes.get_legend())]
    boxes = [*parts, sheet.axes.get_window_extent()]
    for number, box in enumerate(boxes):
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_a_legend_counts_stations_beyond_the_map(make_domain, make_analysis):
    analysis = make_analysis(make_domain(LAMBERT), ["t2m"])
    table = analysis.observations
    table.latitude[5] = 50.0  # within the margin of a domain, but not on its map
    atlas = Atlas(analysis, Base(analysis.static), MapSettings())
    sheet = increment_map(atlas, VARIABLES["t2m"], tiles_of(atlas))
    label = sheet.axes.get_legend().get_texts()[0].get_text()
    assert (
        label.startswith("used (9; 1 more beyond the map)") and "10 stations used" in sheet._figure.texts[1].get_text()
    )


def test_numbers_in_words_have_no_sign_at_zero():
    assert [number_words(value) for value in (-0.04, -3.26, 1013.4, 65617.0)] == ["0.0", "−3.3", "1,013", "65,617"]


def test_large_grids_show_one_point_of_each_square_not_a_mean_of_categories(atlas, monkeypatch):
    monkeypatch.setattr(map_canvas, "DPI", 3)
    assert atlas.base.thin > 1
    sheet = category_map(atlas, tiles_of(atlas, atlas.base.thin))
    assert set(np.unique(sheet.axes.images[0].get_array())) <= set(range(len(CATEGORIES)))


@pytest.mark.parametrize("stations", [0, 2])
def test_an_analysis_that_uses_no_report_has_its_maps(stations, make_domain, make_analysis):
    analysis = make_analysis(make_domain(LAMBERT), tuple(VARIABLES), num_stations=max(stations, 2))  # both are flagged
    if not stations:
        none = np.zeros(0)
        analysis = dataclasses.replace(
            analysis,
            observations=analysis.observations[none.astype(int)],
            background_departure=none,
            analysis_departure=none,
            observation_error=none,
            weight=none,
        )
    atlas = Atlas(analysis, Base(analysis.static), load_map_settings("metric"))
    sheets = [draw(atlas, tiles_of(atlas)) for draw in (wind_map, surface_map, category_map)]
    sheets += [analysis_map(atlas, VARIABLES[name], tiles_of(atlas)) for name in ("t2m", "sky_cover")]
    sheets.append(increment_map(atlas, VARIABLES["t2m"], tiles_of(atlas)))
    assert all("| 0 stations used" in " ".join(sheet._figure.texts[1].get_text().split()) for sheet in sheets)
