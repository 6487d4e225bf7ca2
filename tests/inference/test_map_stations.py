"""Stations on analysis maps: none overlap, and they are those that are counted elsewhere."""

import numpy as np
import pytest

from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.derived import DERIVED
from mlrtma_dist.inference.map_analysis import analysis_map, surface_map
from mlrtma_dist.inference.map_atlas import Atlas
from mlrtma_dist.inference.map_canvas import Base, Sheet
from mlrtma_dist.inference.map_picture import Tiles
from mlrtma_dist.inference.map_settings import MapSettings, MapUnit
from mlrtma_dist.inference.map_stations import NUMBERS, Stations, number_text
from mlrtma_dist.inference.observation_counts import count_observations, used_rows
from mlrtma_dist.names import MILE, UNLIMITED_CEILING, VARIABLES
from mlrtma_dist.observations.quality_summary import summarise, total
from mlrtma_dist.observations.quality_summary import table as quality_table
from mlrtma_dist.observations.table import Flag
from mlrtma_dist.physics.flight_category import CATEGORIES
from mlrtma_dist.physics.sea_level import sea_level_pressure
from mlrtma_dist.verification.report_counts import counts_section
from mlrtma_dist.verification.report_words import Wording

LAMBERT = "+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=265 +R=6371200"


def tiles_of(atlas: Atlas, thin: int = 1) -> Tiles:
    shape = atlas.analysis.static.domain.shape
    return Tiles(shape, Box.whole(shape), thin)


def texts_of(sheet: Sheet) -> list:
    """Every text of the map itself with its extent in pixels."""
    sheet._figure.canvas.draw()
    renderer = sheet._figure.canvas.get_renderer()
    return [(text.get_text(), text.get_window_extent(renderer)) for text in sheet.axes.texts if text.get_text()]


def stations_at(latitude, longitude, **values) -> Stations:
    count = len(latitude)
    names = np.array([f"S{number:03d}" for number in range(count)])
    columns = {name: np.broadcast_to(np.asarray(value, float), count) for name, value in values.items()}
    return Stations(names, np.asarray(latitude, float), np.asarray(longitude, float), np.full(count, 900.0), columns)


@pytest.mark.parametrize("name", ["t2m", "psfc", "ceiling", "visibility", "relative_humidity"])
def test_no_number_of_a_station_touches_another_or_leaves_the_map(name, atlas):
    variable = VARIABLES.get(name) or DERIVED[name]
    sheet = analysis_map(atlas, variable, tiles_of(atlas))
    texts = texts_of(sheet)
    assert 100 < len(texts) < 1000
    frame = sheet.axes.get_window_extent()
    for number, (_, box) in enumerate(texts):
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        assert not any(box.overlaps(other) for _, other in texts[:number])


def test_station_models_show_every_number_at_its_place_and_none_overlap(atlas):
    sheet = surface_map(atlas, tiles_of(atlas))
    texts = texts_of(sheet)
    pressure = sea_level_pressure(90000.0, np.array(271.15), 900.0)
    assert {text for text, _ in texts} == {"−2", "−15", f"{round(float(pressure) / 10) % 1000:03d}"}
    assert len(texts) > 60
    for number, (_, box) in enumerate(texts):
        assert not any(box.overlaps(other) for _, other in texts[:number])


def test_thinning_keeps_a_distance_prefers_stations_with_more_reports_and_forgets_the_order(make_domain, make_analysis):
    base = Base(make_analysis(make_domain(LAMBERT)).static)
    latitude, longitude = np.full(4, 38.9), np.array([-102.0, -101.98, -101.0, -100.99])
    stations = stations_at(latitude, longitude, t2m=280.0, psfc=[np.nan, 9e4, np.nan, np.nan])
    everyone = np.ones(4, bool)
    assert sorted(stations.thinned(base, everyone, NUMBERS)) == [1, 2]
    assert stations.thinned(base, np.array([True, False, False, True]), NUMBERS).tolist() == [0, 3]
    assert len(stations.thinned(base, everyone, 1e-4)) == 4


def test_stations_are_one_row_each_with_what_is_derived_from_their_own_reports(make_domain, make_analysis):
    analysis = make_analysis(make_domain(LAMBERT), ("t2m", "psfc", "visibility", "ceiling"))
    table = analysis.observations
    values = {"t2m": 285.0, "psfc": 90000.0, "visibility": 2000.0, "ceiling": 5000.0}
    for name, value in values.items():
        table.value[table.variable == name] = value
    table.elevation[:] = 900.0
    stations = Stations.of(analysis)
    assert stations.name.tolist() == sorted(f"S{number}" for number in range(2, 12))  # S0 and S1 are flagged
    np.testing.assert_allclose(
        stations.values["sea_level_pressure"], sea_level_pressure(90000.0, np.array(285.0), 900.0)
    )
    assert {CATEGORIES[int(number)] for number in stations.values["flight_category"]} == {"IFR"}
    assert stations.reporting("t2m", "psfc").all() and "relative_humidity" not in stations.values


@pytest.mark.parametrize(
    ("name", "value", "unit", "text"),
    [
        ("t2m", 272.8, "degC", "0"),  # without the sign of -0.35
        ("t2m", 233.15, "degC", "−40"),
        ("t2m", 300.0, "degF", "80"),
        ("ceiling", 152.4, "foot", "005"),
        ("ceiling", 3657.6, "foot", "120"),
        ("ceiling", UNLIMITED_CEILING, "foot", "–"),
        ("ceiling", 305.0, "m", "305"),
        ("visibility", 0.25 * MILE, "mile", "0.25"),
        ("visibility", 10 * MILE, "mile", "10"),
        ("psfc", 101325.0, "hPa", "1013"),
        ("psfc", 101325.0, "inHg", "29.92"),
        ("gust", 10.0, "knot", "19"),
    ],
)
def test_reports_stand_on_maps_as_people_write_them(name, value, unit, text):
    assert number_text(value, name, MapUnit.of(unit)) == text


def test_maps_quality_control_product_and_report_count_the_same_reports(make_domain, make_analysis):
    analysis = make_analysis(make_domain(LAMBERT), ("t2m", "u10", "v10"))
    table = analysis.observations
    table.flags[3] = Flag.BUDDY  # doubted, and used
    wind = np.flatnonzero(table.variable == "u10")[4]
    table.flags[wind] = Flag.GROSS  # half a wind is left, which no analysis uses
    analysis.weight[:] = np.where(table.usable, 1.0, np.nan)
    analysis.weight[(table.variable == "v10") & (table.station == table.station[wind])] = np.nan
    atlas = Atlas(analysis, Base(analysis.static), MapSettings())
    tallies = summarise(table, used_rows(analysis))
    section = counts_section(analysis, {}, Wording())
    counted = {str(row[0]): int(row[5].value) for row in section.content["table"].rows}
    by_flag = count_observations(analysis).by_flag
    for name, title, used in (
        ("t2m", "2 m temperature", 10),
        ("u10", "10 m eastward wind", 9),
        ("v10", "10 m northward wind", 9),
    ):
        assert atlas.stations.reporting(name).sum() == used
        assert f"| {used} stations used" in " ".join(atlas.subtitle(name).split())
        assert total(tallies, name).used == counted[title] == by_flag[name, "used"] == used
    lines = [line.split() for line in quality_table(tallies).splitlines()]
    assert lines[0][:5] == ["variable", "network", "read", "used", "good"]
    assert ["t2m", "all", "12", "10", "9"] in [line[:5] for line in lines]
