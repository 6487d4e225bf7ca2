"""Units: every one as pint converts it, in every spelling, and what is none."""

import numpy as np
import pytest
from metpy.units import units

from mlrtma_dist.units import UNITS, unit_of, units_of

PINT = {
    "K": "kelvin",
    "degC": "degC",
    "degF": "degF",
    "m/s": "m/s",
    "knot": "knot",
    "km/h": "km/hour",
    "mph": "mile/hour",
    "Pa": "pascal",
    "hPa": "hPa",
    "kPa": "kPa",
    "inHg": "inch_Hg_32F",
    "mmHg": "mm_Hg",
    "m": "meter",
    "km": "km",
    "foot": "foot",
    "US survey foot": "survey_foot",
    "mile": "mile",
    "nautical mile": "nautical_mile",
    "1": "",
    "percent": "percent",
}
SI = {"K": "kelvin", "m s-1": "m/s", "Pa": "pascal", "m": "meter", "1": ""}


@pytest.mark.parametrize("name", sorted(PINT))
def test_every_unit_is_converted_as_pint_converts_it(name):
    unit = unit_of(name)
    truth = units.Quantity(7.25, PINT[name]).to(SI[unit.si]).magnitude
    np.testing.assert_allclose(7.25 * unit.factor + unit.offset, truth, rtol=1e-6)


@pytest.mark.parametrize(
    ("spellings", "name"),
    [
        ("C|c|degC|deg C|°C|Celsius|degree_Celsius|degrees C|DegC", "degC"),
        ("F|degF|deg F|°F|Fahrenheit|FAHRENHEIT|degrees Fahrenheit", "degF"),
        ("K|kelvin", "K"),
        ("kt|kts|knot|knots|KT|Knots|kn", "knot"),
        ("m/s|m s-1|m s**-1|m.s-1|m s^-1|mps|meters/second|m/sec", "m/s"),
        ("km/h|kph|kmh|km h-1|KM/H", "km/h"),
        ("mph|mi/h|Miles/hour|miles per hour", "mph"),
        ("ft|feet|foot|FT|Feet", "foot"),
        ("US survey foot|us_survey_feet|US-ft|survey foot", "US survey foot"),
        ("mi|SM|sm|miles|mile|statute miles|Statute_mile|statute_mile", "mile"),
        ("m|meter|metres|Meters", "m"),
        ("km|kilometers", "km"),
        ("hPa|mb|MB|mbar|millibars|hectopascal", "hPa"),
        ("Pa|Pascals", "Pa"),
        ("inHg|INHG|in Hg|in. Hg|inches of mercury|inches", "inHg"),
        ("%|percent|pct", "percent"),
        ("1|fraction|0-1", "1"),
        ("okta|oktas|octas|eighths|1/8", "okta"),
        ("tenths", "tenth"),
    ],
)
def test_units_are_read_as_people_write_them(spellings, name):
    assert {unit_of(spelling) for spelling in spellings.split("|")} == {UNITS[name]}


def test_a_number_in_front_multiplies():
    tenths, feet = unit_of("0.1 degC"), unit_of("100 ft")
    assert -33 * tenths.factor + tenths.offset == pytest.approx(269.85)
    assert (feet.si, 25 * feet.factor) == ("m", pytest.approx(762.0))
    assert unit_of("0.1 m/s").factor == 0.1 and unit_of("10 * hPa").factor == 1000.0


@pytest.mark.parametrize("text", ["", "furlong", "degrees", "0.1", "m s", "code", "x degC", "-1 degC"])
def test_what_is_no_unit_is_none(text):
    assert unit_of(text) is None


def test_messages_name_the_units_of_a_quantity():
    assert units_of("Pa") == ("Pa", "hPa", "kPa", "inHg", "mmHg")
