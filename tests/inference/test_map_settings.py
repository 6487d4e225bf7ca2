"""Settings of maps: the same colours from hour to hour, units by configuration, and mistakes named with their place."""

import numpy as np
import pytest

from mlrtma_dist.config import ConfigError
from mlrtma_dist.inference.field_range import FieldRange, field_range
from mlrtma_dist.inference.map_atlas import Atlas
from mlrtma_dist.inference.map_canvas import Base
from mlrtma_dist.inference.map_marks import BARBS, INTERVALS
from mlrtma_dist.inference.map_settings import SEASONS, MapSettings, Units, load_map_settings, season_of
from mlrtma_dist.inference.map_style import ROBUST, STYLES
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.units import units_of

LAMBERT = "+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=265 +R=6371200"
SOUTHERN = "+proj=lcc +lat_1=-35 +lat_0=-35 +lon_0=145 +R=6371200"
TROPICAL = "+proj=merc +lat_ts=20 +lon_0=295 +R=6371200"


@pytest.mark.parametrize("style", ["us", "metric"])
def test_two_hours_of_one_season_have_one_scale_and_another_season_its_own(style, make_domain, make_analysis):
    settings, domain = load_map_settings(style), make_domain(LAMBERT)
    assert set(STYLES) == set(settings.scales)  # none is left to the hour
    assert set(settings.increments) == set(VARIABLES)
    calm, stormy = np.linspace(280, 284, 50), np.linspace(250, 310, 50)
    hours = np.array(["2022-07-01T00", "2022-08-24T06", "2022-01-01T00"], "datetime64[s]")
    for name in STYLES:
        norms = []
        for values, hour in zip((calm, stormy, calm), hours, strict=True):
            analysis = make_analysis(domain)
            object.__setattr__(analysis, "time", hour)
            scale = Atlas(analysis, Base(analysis.static), settings).scale(name, field_range(values, ROBUST))
            norms.append((scale.norm.vmin, scale.norm.vmax, scale.colours(0.3)))
        assert norms[0] == norms[1]
        assert (norms[2] == norms[0]) == ("year" in settings.scales[name])


@pytest.mark.parametrize(
    ("projection", "corner", "time", "season"),
    [
        (LAMBERT, (38.0, -103.0), "2022-12-01", "winter"),
        (LAMBERT, (38.0, -103.0), "2022-02-28", "winter"),
        (LAMBERT, (38.0, -103.0), "2022-03-01", "spring"),
        (LAMBERT, (38.0, -103.0), "2022-11-30", "autumn"),
        (SOUTHERN, (-38.0, 140.0), "2022-12-01", "summer"),
        (SOUTHERN, (-38.0, 140.0), "2022-04-15", "autumn"),
        (TROPICAL, (17.0, -68.0), "2022-01-15", "summer"),
    ],
)
def test_seasons_are_those_of_the_hemisphere_and_between_the_tropics_it_is_summer(
    projection, corner, time, season, make_domain
):
    assert season_of(make_domain(projection, corner=corner), np.datetime64(time, "s")) == season


def test_no_colour_is_black_and_the_coldest_is_blue():
    for style in STYLES.values():
        assert style.colour_map()(np.linspace(0, 1, 256))[:, :3].max(axis=1).min() > 0.2
    red, green, blue = STYLES["t2m"].colour_map()(0.0)[:3]
    assert blue > 0.5 and blue > 2 * max(red, green)


def test_the_edges_of_bands_are_the_ends_of_their_colours_and_each_is_labelled(make_domain, make_analysis):
    analysis = make_analysis(make_domain(LAMBERT))
    settings = MapSettings(scales={"visibility": {"year": (0.0, 1.0, 3.0, 5.0)}})
    scale = Atlas(analysis, Base(analysis.static), settings).scale("visibility", FieldRange(1, 1, 0.0, 2.0, 9.0))
    colours = [scale.colours(int(scale.norm(value))) for value in (0.0, 0.99, 1.0, 2.9, 3.0, 4.9)]
    assert colours[0] == colours[1] != colours[2] == colours[3] != colours[4] == colours[5]
    assert [text for _, text in scale.ticks] == ["0", "1", "3", "5"]
    assert scale.arrows(FieldRange(1, 1, 0.0, 2.0, 9.0)) == "max"


def test_a_unit_may_be_spelt_in_any_way_and_all_that_fit_can_be_drawn():
    assert Units(wind="kt", visibility="SM", ceiling="feet").of(VARIABLES["visibility"]).name == "mile"
    assert Units(wind="kt").of_wind == Units(wind="knots").of_wind == Units().of_wind
    assert set(BARBS) == set(units_of("m s-1")) and set(INTERVALS) == set(units_of("Pa"))


def test_a_scale_of_the_field_has_plain_round_numbers_where_it_is_logarithmic(make_domain, make_analysis):
    analysis = make_analysis(make_domain(LAMBERT))
    atlas = Atlas(analysis, Base(analysis.static), MapSettings())
    scale = atlas.scale("visibility", field_range(np.linspace(0.4, 12.0, 100), ROBUST))
    assert [text for _, text in scale.ticks] == ["0.5", "1", "2", "5", "10"]
    assert scale.norm(1.0) - scale.norm(0.5) == pytest.approx(scale.norm(10.0) - scale.norm(5.0))


def test_units_are_those_of_the_settings_and_differences_have_no_offset():
    units = Units(temperature="degF", wind="m/s")
    assert units.of(VARIABLES["t2m"]).show(300.0) == pytest.approx(80.33)
    assert (units.of(VARIABLES["t2m"]).label, units.of(VARIABLES["t2m"]).of_difference) == ("°F", "°F")
    assert (units.of(VARIABLES["u10"]).label, units.of(VARIABLES["gust"]).factor) == ("m s⁻¹", 1.0)
    standard = load_map_settings("us").units
    labels = {
        "t2m": "°C",
        "u10": "kt",
        "gust": "kt",
        "psfc": "hPa",
        "visibility": "mi",
        "ceiling": "ft",
        "sky_cover": "%",
    }
    assert {name: standard.of(VARIABLES[name]).label for name in labels} == labels
    assert standard.of(VARIABLES["ceiling"]).show(304.8) == pytest.approx(1000.0)
    assert standard.of_wind.show(1852 / 3600) == pytest.approx(1.0)
    assert standard.of(VARIABLES["t2m"]).of_difference == "K"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("units: {wind: hPa}", "wind: expected one of m/s, knot, km/h, mph, got 'hPa'"),
        ("units: {pressure: furlong}", "pressure: expected one of Pa, hPa, kPa, inHg, mmHg"),
        ("units: {ceiling: 100 ft}", "ceiling: expected one of m, km, foot"),
        ("scales: {t2n: {year: [0, 1]}}", "scales: 't2n' is no variable of maps"),
        ("scales: {t2m: {winter: [0, 1]}}", "scales: t2m: expected the key year, or all of winter, spring"),
        ("scales: {t2m: {year: [5, 1]}}", "scales: t2m: year: expected two or more rising numbers"),
        ("scales: {t2m: {year: [5]}}", "scales: t2m: year: expected two or more rising numbers"),
        ("scales: {visibility: {year: [0, 10]}}", "expected ends above 0 of a logarithmic scale"),
        ("increments: {ceiling: 1}", "increments: ceiling: expected a finite number above 1"),
        ("increments: {t2m: -3}", "increments: t2m: expected a finite number above 0"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_place(text, message, tmp_path):
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load_map_settings(str(tmp_path / "own.yaml"))
    assert "own.yaml" in str(error.value)


def test_a_plane_has_scales_too(make_domain):
    domain = make_domain("plane", spacing=1.0)
    settings = MapSettings(scales={"t2m": dict.fromkeys(SEASONS, (0.0, 1.0))})
    assert settings.scale("t2m", domain, np.datetime64("2022-01-01", "s")) == (0.0, 1.0)
