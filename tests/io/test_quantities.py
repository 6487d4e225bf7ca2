"""Quantities whose values contradict their unit: read in the only possible unit, with a word, or refused."""

import importlib.util
import pathlib

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.io.field_codes import parse_codes
from mlrtma_dist.io.grid_field import GriddedFileError
from mlrtma_dist.io.gridded import read_gridded
from mlrtma_dist.io.quantities import QUANTITIES, UnitError, to_si
from mlrtma_dist.names import STANDARD_GRAVITY, VARIABLES
from mlrtma_dist.units import UNITS


def load(name: str):
    """A module of this folder."""
    spec = importlib.util.spec_from_file_location(name, pathlib.Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


netcdf, grib = load("netcdf_writer"), load("grib_writer")

# name, unit as it is stated, values, the first in SI
CONTRADICTED = [
    ("relative_humidity", "1", (20, 50, 99), 0.2),
    ("relative_humidity", "", (50, 50, 50), 0.5),
    ("relative_humidity", "%", (0.2, 0.5, 0.99), 0.2),
    ("sky_cover", "1", (0, 40, 100), 0.0),
    ("sky_cover", "", (0, 40, 100), 0.0),
    ("sky_cover", "okta", (20, 40, 100), 0.2),
    ("specific_humidity", "kg kg-1", (3, 7, 12), 0.003),
    ("specific_humidity", "", (3, 7, 12), 0.003),
    ("specific_humidity", "1", (3, 7, 12), 0.003),
    ("specific_humidity", "g kg-1", (0.003, 0.007, 0.012), 0.003),
    ("psfc", "Pa", (650, 900, 1013), 65000.0),
    ("psfc", "hPa", (65000, 90000, 101300), 65000.0),
    ("psfc", "Pa", (65, 90, 101.3), 65000.0),
    ("psfc", "hPa", (27, 29, 30.1), 27 * 3386.389),
    ("t2m", "degC", (270, 280, 300), 270.0),
    ("t2m", "K", (75, 80, 90), 297.0389),
    ("d2m", "degC", (250, 260, 280), 250.0),
    ("ceiling", "m", (0.3, 2, 12), 300.0),
    ("land", "1", (0, 60, 100), 0.0),
]
# name, unit as it is stated, values, the units that the refusal names
UNDECIDED = [
    ("t2m", "K", (7, 9, 20), ("degC", "degF")),
    ("t2m", "", (-5, 9, 20), ("degC", "degF")),
    ("d2m", "K", (-7, 9, 20), ("degC", "degF")),
    ("t2m", "degC", (900, 950, 1000), ("no unit",)),
    ("sky_cover", "1", (0, 4, 8), ("percent", "okta", "tenth")),
    ("sky_cover", "", (0, 0, 3), ("percent", "okta", "tenth")),
    ("visibility", "m", (2, 10, 24), ("km", "mile", "nautical mile")),
    ("visibility", "km", (900, 16000, 24000), ("m", "foot")),
    ("psfc", "Pa", (700, 750, 800), ("hPa", "mmHg")),
    ("u10", "m s-1", (-130, 20, 150), ("km/h", "knot", "mph")),
    ("terrain", "m", (0, 9500, 12000), ("m2/s2", "foot")),
    ("land", "1", (1, 2, 2), ("percent",)),
    ("relative_humidity", "1", (1, 5, 9), ("percent",)),
]


@pytest.mark.parametrize(("name", "unit", "values", "first"), CONTRADICTED)
def test_values_that_are_possible_in_one_other_unit_are_read_in_it_and_the_reader_is_told(name, unit, values, first):
    si, note = to_si(np.array(values, np.float32), unit, name)
    assert si[0] == pytest.approx(first, rel=1e-6) and si.dtype == np.float32
    assert f"{name} is read in" in note and (f"unit {unit!r}" in note or "no unit" in note)


@pytest.mark.parametrize(("name", "unit", "values", "possible"), UNDECIDED)
def test_values_that_are_possible_in_several_other_units_or_none_are_refused(name, unit, values, possible):
    with pytest.raises(
        UnitError, match=f"{name} from .* impossible; possible would be {', '.join(possible)} known here"
    ):
        to_si(np.array(values, np.float32), unit, name)


@pytest.mark.parametrize("name", QUANTITIES)
def test_possible_values_are_converted_from_every_unit_without_a_word(name):
    quantity = QUANTITIES[name]
    low, high = max(quantity.low, 0.0), quantity.high if quantity.high < 2e5 else 3e4
    si = np.linspace(low + 0.2 * (high - low), low + 0.9 * (high - low), 50)
    for unit in quantity.units:
        factor = UNITS[unit].factor / (STANDARD_GRAVITY if unit == "m2/s2" else 1.0)  # terrain as geopotential
        values, note = to_si(((si - UNITS[unit].offset) / factor).astype(np.float32), unit, name)
        np.testing.assert_allclose(values, si, rtol=3e-6)
        assert note == ""


def test_every_analysed_variable_has_its_units():
    assert set(VARIABLES) <= set(QUANTITIES)
    assert all(UNITS[QUANTITIES[name].units[0]] == (variable.unit, 1.0, 0.0) for name, variable in VARIABLES.items())


@pytest.mark.parametrize(
    ("name", "unit", "one"),
    [
        ("specific_humidity", "kg kg**-1", 0.01),
        ("specific_humidity", "g kg^-1", 10.0),
        ("terrain", "m**2 s**-2", 98.0665),
    ],
)
def test_units_of_moisture_and_geopotential_are_read_as_files_spell_them(name, unit, one):
    values, note = to_si(np.full(3, one, np.float32), unit, name)
    assert values[0] == pytest.approx(0.01 if name == "specific_humidity" else 10.0, rel=1e-6) and note == ""


@pytest.mark.parametrize("name", ["t2m", "psfc", "sky_cover", "visibility"])
def test_the_unit_of_another_quantity_is_refused(name):
    with pytest.raises(UnitError, match=f"the unit 's' of {name} is not understood; those of {name} are"):
        to_si(np.ones(3, np.float32), "s", name)


@pytest.mark.parametrize(
    ("name", "sign"), [("t2m", 0.0), ("sky_cover", 255.0), ("psfc", -9999.0), ("terrain", -32768.0)]
)
def test_one_impossible_number_among_possible_ones_is_a_sign_for_missing(name, sign):
    good = {"t2m": 280.0, "sky_cover": 0.4, "psfc": 9e4, "terrain": 300.0}[name]
    values, note = to_si(np.array([good, sign, sign, good + 0.1], np.float32), "", name)
    np.testing.assert_array_equal(np.isnan(values), [False, True, True, False])
    assert f"50.0% of the values of {name}, such as {sign:g}, are impossible and taken for missing" in note


def test_a_number_that_may_be_a_sign_or_a_value_of_another_unit_is_refused():
    with pytest.raises(UnitError, match="possible would be percent"):
        to_si(np.array([0.0, 0.5, 1.0, 99.0], np.float32), "1", "sky_cover")


@pytest.mark.parametrize("name", ["visibility", "ceiling"])
def test_a_height_below_zero_means_that_there_is_none(name):
    values, _ = to_si(np.array([-9999.0, 0.0, 5000.0], np.float32), "m", name)
    np.testing.assert_array_equal(values, [np.nan, 0.0, 5000.0])


def test_a_clear_sky_in_per_cent_is_possible_and_worth_a_word():
    values, note = to_si(np.array([0.0, 0.4, 1.0], np.float32), "%", "sky_cover")
    assert values.max() == np.float32(0.01) and "sky_cover is at most 0.01 by its unit '%'" in note
    assert (
        to_si(np.zeros(3, np.float32), "%", "sky_cover")[1] == to_si(np.ones(3, np.float32), "1", "sky_cover")[1] == ""
    )


def test_the_unit_that_the_user_gives_is_certain(tmp_path):
    variables = netcdf.GRID | netcdf.TIME
    path = netcdf.write(
        tmp_path / "f.nc", variables | {"vis": netcdf.field(np.linspace(1, 20, 30).reshape(5, 6), units="m")}
    )
    with pytest.raises(
        GriddedFileError, match=r"f.nc: variable vis: visibility from 1 to 20 .*codes=\{CODE: visibility in"
    ):
        read_gridded(path)
    for unit, metres in (("km", 1000.0), ("mi", 1609.344)):
        (field,) = read_gridded(path, codes=parse_codes({"vis": f"visibility in {unit}"}))
        assert field.values[0, 0] == pytest.approx(metres) and field.note == ""
    wind = netcdf.write(tmp_path / "w.nc", variables | {"u10": netcdf.field(10.0, units="m s-1")})
    (field,) = read_gridded(wind, codes=parse_codes({"u10": "u10 in kt"}))
    assert field.values[0, 0] == pytest.approx(5.14444, rel=1e-5)


def test_a_unit_in_codes_must_be_one_of_the_quantity():
    with pytest.raises(
        InputError, match=r"codes: vis: the unit 'hPa' of visibility is not understood; .* are m, km, mile"
    ):
        parse_codes({"vis": "visibility in hPa"})


HUMIDITY = (("parameterCategory", 1), ("parameterNumber", 1), ("typeOfFirstFixedSurface", 103), ("level", 2))


def test_grib_that_holds_fractions_where_its_table_has_per_cent_is_read_right(tmp_path, caplog):
    values = np.linspace(0.2, 0.9, 35).reshape(grib.LONGLAT.shape)
    path = grib.save(tmp_path, grib.write_message(grib.LONGLAT, values, keys=HUMIDITY))
    (field,) = read_gridded(path, ("relative_humidity",))
    np.testing.assert_allclose(field.values, values, atol=1e-6)
    assert "relative_humidity is read in '1'" in field.note and field.note in caplog.text
    in_per_cent = parse_codes({"0.1.1@103:2": "relative_humidity in %"})
    (field,) = read_gridded(path, ("relative_humidity",), codes=in_per_cent)
    np.testing.assert_allclose(field.values, values / 100, atol=1e-8)


def test_grib_of_an_impossible_pressure_is_refused_with_the_message(tmp_path):
    keys = (("parameterCategory", 3), ("parameterNumber", 0), ("typeOfFirstFixedSurface", 1))
    path = grib.save(tmp_path, grib.write_message(grib.LONGLAT, grib.pattern(grib.LONGLAT), keys=keys))
    with pytest.raises(GriddedFileError, match="file.grib: message 1 at byte 0: psfc from 280 to 314"):
        read_gridded(path)
