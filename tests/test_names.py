"""The table of variables: what the formats and the methods rely on."""

import numpy as np
import pytest

from mlrtma_dist.names import UNLIMITED_CEILING, VARIABLES, variable


@pytest.mark.parametrize("properties", VARIABLES.values(), ids=VARIABLES)
def test_values_in_the_valid_range_come_back_from_analysis_space(properties):
    values = np.linspace(properties.valid[0], properties.limited or properties.valid[1], 41)
    values = np.append(values, properties.valid[1])
    np.testing.assert_allclose(properties.from_analysis(properties.to_analysis(values)), values, rtol=1e-12)


@pytest.mark.parametrize("properties", VARIABLES.values(), ids=VARIABLES)
def test_whatever_an_analysis_says_ends_in_the_valid_range(properties):
    low, high = properties.valid
    wild = np.array([-1e3, 0.0, 1e3]) if properties.transform == "log" else np.array([-1e9, 0.0, 1e9])
    with np.errstate(over="ignore"):
        back = properties.from_analysis(wild)
    assert back[0] == pytest.approx(low) and back[-1] == pytest.approx(high)
    assert ((back >= low) & (back <= high)).all()


@pytest.mark.parametrize("name", ["visibility", "ceiling"])
def test_visibility_and_ceiling_are_analysed_as_natural_logarithms(name):
    low, high = VARIABLES[name].valid
    assert VARIABLES[name].to_analysis(1000.0) == pytest.approx(np.log(1000.0))
    np.testing.assert_allclose(VARIABLES[name].to_analysis(np.array([0.0, 1e6])), np.log([low, high]))


def test_the_ceiling_by_which_prepbufr_says_unlimited_is_the_highest_valid_one():
    assert VARIABLES["ceiling"].valid[1] == UNLIMITED_CEILING == 20000.0


@pytest.mark.parametrize(
    ("name", "value", "expected", "unit"),
    [
        ("t2m", 273.15, 0.0, "degC"),
        ("psfc", 101325.0, 1013.25, "hPa"),
        ("visibility", 16000.0, 16.0, "km"),
        ("sky_cover", 0.5, 50.0, "%"),
        ("u10", -3.0, -3.0, "m s-1"),
    ],
)
def test_people_see_the_units_they_know(name, value, expected, unit):
    text, factor, offset = VARIABLES[name].display
    assert (text, value * factor + offset) == (unit, pytest.approx(expected, abs=1e-9))


def test_standard_names_are_those_of_the_cf_table_that_fit_the_unit():
    # CF standard name table 93: canonical units of the names used; one cloud base has none that is true.
    canonical = {
        "air_temperature": "K",
        "dew_point_temperature": "K",
        "eastward_wind": "m s-1",
        "northward_wind": "m s-1",
        "wind_speed_of_gust": "m s-1",
        "surface_air_pressure": "Pa",
        "visibility_in_air": "m",
        "cloud_area_fraction": "1",
        "wind_speed": "m s-1",
    }
    named = {v.standard_name: v.unit for v in VARIABLES.values() if v.standard_name}
    assert named == canonical
    assert [v.name for v in VARIABLES.values() if v.standard_name is None] == ["ceiling"]


def test_grib_numbers_are_those_of_wmo_table_4_2():
    # discipline, category, number; those of ceiling and cover are NCEP's local ones
    wmo = {
        "t2m": (0, 0, 0),
        "d2m": (0, 0, 6),
        "u10": (0, 2, 2),
        "v10": (0, 2, 3),
        "gust": (0, 2, 22),
        "psfc": (0, 3, 0),
        "visibility": (0, 19, 0),
    }
    assert {name: VARIABLES[name].grib[:3] for name in wmo} == wmo
    assert len({v.grib for v in VARIABLES.values()}) == len(VARIABLES)


def test_a_gross_error_is_many_errors_and_less_than_the_valid_range():
    for properties in VARIABLES.values():
        low, high = properties.to_analysis(np.array(properties.valid))
        assert 5 * properties.error < properties.gross, properties.name
        # cover has two ends and all between is weather
        if properties.transform == "identity" and properties.name != "sky_cover":
            assert properties.gross < high - low, properties.name


def test_an_unknown_variable_is_refused_with_the_list():
    with pytest.raises(ValueError, match="unknown variable 't2'.*t2m, d2m"):
        variable("t2")
