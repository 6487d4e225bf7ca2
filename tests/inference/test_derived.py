"""Derived fields in the product: their values, their CF attributes, and what readers of GRIB2 call them."""

import dataclasses

import eccodes
import netCDF4
import numpy as np
import pytest
import xarray

from mlrtma_dist.inference.derived import DERIVED, derived_fields
from mlrtma_dist.inference.product import write_product
from mlrtma_dist.inference.product_grib import write_product_grib
from mlrtma_dist.io.grib import read_grib
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.physics.flight_category import (
    CATEGORIES,
    category_probabilities,
    flight_category,
    most_likely_category,
)
from mlrtma_dist.physics.moisture import relative_humidity
from mlrtma_dist.physics.sea_level import sea_level_pressure

LAMBERT = "+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=265 +R=6371200"


@pytest.fixture
def analysis(make_domain, make_analysis):
    """All variables, with values that occur together; one point without a ceiling value and one without temperature."""
    analysis = make_analysis(make_domain(LAMBERT), tuple(VARIABLES))
    random = np.random.default_rng(5)
    shape = analysis.static.domain.shape
    analysis.values["t2m"][:] = random.uniform(250, 310, shape)
    analysis.values["d2m"][:] = analysis.values["t2m"] - random.uniform(-1, 30, shape)
    analysis.values["psfc"][:] = 101325 - 11.5 * analysis.static.terrain
    analysis.values["ceiling"][:] = random.choice([100, 200, 600, 20000], shape)
    analysis.values["visibility"][:] = random.choice([800, 3000, 7000, 16000], shape)
    analysis.values["ceiling"][1, 2] = analysis.values["t2m"][3, 4] = np.nan
    return analysis


def test_the_file_has_the_derived_fields_of_its_own_analysis(analysis, tmp_path):
    with xarray.open_dataset(write_product(analysis, tmp_path, {}), mask_and_scale=True) as dataset:
        for name, entry in DERIVED.items():
            truth = entry.field(analysis)
            np.testing.assert_allclose(dataset[name][0], truth, atol={"Pa": 0.5, "1": 2.0**-10}[entry.unit])
            assert dataset[name].attrs.get("standard_name") == entry.standard_name
        values = {name: dataset[name][0].values for name in ("t2m", "d2m", "psfc", "ceiling", "visibility")}
        terrain = dataset.elevation.values
        np.testing.assert_allclose(
            dataset.relative_humidity[0], relative_humidity(values["t2m"], values["d2m"]), atol=2e-3
        )
        np.testing.assert_allclose(
            dataset.sea_level_pressure[0], sea_level_pressure(values["psfc"], values["t2m"], terrain), atol=2.0
        )
        np.testing.assert_array_equal(
            dataset.flight_category[0], flight_category(values["ceiling"], values["visibility"])
        )


def test_the_category_is_bytes_with_flags_that_cf_readers_decode(analysis, tmp_path):
    with netCDF4.Dataset(write_product(analysis, tmp_path, {})) as dataset:
        variable = dataset["flight_category"]
        assert variable.dtype == variable.flag_values.dtype == np.int8
        meanings = dict(zip(variable.flag_values.tolist(), variable.flag_meanings.split(), strict=True))
        assert tuple(meanings.values()) == CATEGORIES
        words = np.vectorize(meanings.get)(variable[0].filled(0))
        low = (analysis.values["ceiling"] < 152) | (analysis.values["visibility"] < 1609)
        with_ceiling = np.isfinite(analysis.values["ceiling"])
        assert ((words == "LIFR") == low)[with_ceiling].all() and variable[0].mask.sum() == 1


def test_with_distributions_the_file_has_each_probability_and_the_category_is_the_most_likely(analysis, tmp_path):
    random, shape = np.random.default_rng(6), (4, *analysis.static.domain.shape)
    probability = {name: np.sort(random.uniform(size=shape), axis=0) for name in ("visibility", "ceiling")}
    analysis = dataclasses.replace(analysis, probability=probability)
    with netCDF4.Dataset(write_product(analysis, tmp_path, {})) as dataset:
        truth = category_probabilities(probability["visibility"], probability["ceiling"])
        for number, category in enumerate(CATEGORIES):
            field = dataset[f"flight_category_{category.lower()}"]
            np.testing.assert_allclose(field[0], truth[number], atol=2.0**-10 + 1e-6)
            assert field.units == "1" and field.long_name == f"probability of the flight category {category}"
            assert field.valid_range.tolist() == [0.0, 1.0] and field.cell_methods == "time: point"
        expected = most_likely_category(probability["visibility"], probability["ceiling"])
        np.testing.assert_array_equal(dataset["flight_category"][0], expected)
        assert (expected != flight_category(analysis.values["ceiling"], analysis.values["visibility"])).any()
    del analysis.probability["ceiling"]
    with netCDF4.Dataset(write_product(analysis, tmp_path, {})) as dataset:
        assert "visibility_below_1600" in dataset.variables and "flight_category_ifr" not in dataset.variables


def test_a_field_is_derived_only_where_its_variables_are_analysed_and_a_plane_has_none(make_domain, make_analysis):
    names = {entry.name for entry in derived_fields(make_analysis(make_domain(LAMBERT), ("t2m", "d2m", "ceiling")))}
    assert names == {"relative_humidity"}
    assert derived_fields(make_analysis(make_domain("plane", spacing=1.0), tuple(VARIABLES))) == []


def test_our_readers_take_the_product_with_derived_fields_for_a_background(analysis, tmp_path):
    for field in read_grib(write_product_grib(analysis, tmp_path), names=("sky_cover", "ceiling", "relative_humidity")):
        truth = DERIVED[field.name].field(analysis) if field.name in DERIVED else analysis.values[field.name]
        np.testing.assert_allclose(field.values, truth, atol=0.51)


# shortName and typeOfLevel as ECMWF's and NCEP's own files of these parameters read back
EXPECTED = {
    "t2m": ("2t", "heightAboveGround"),
    "d2m": ("2d", "heightAboveGround"),
    "u10": ("10u", "heightAboveGround"),
    "v10": ("10v", "heightAboveGround"),
    "gust": ("gust", "surface"),
    "psfc": ("sp", "surface"),
    "visibility": ("vis", "surface"),
    "ceiling": ("ceil", "surface"),
    "sky_cover": ("tcc", "entireAtmosphere"),
    "wind_speed": ("10si", "heightAboveGround"),
    "relative_humidity": ("2r", "heightAboveGround"),
    "sea_level_pressure": ("prmsl", "meanSea"),
}


def test_eccodes_names_every_parameter_and_level(analysis, tmp_path):
    read = []
    with open(write_product_grib(dataclasses.replace(analysis, error={}), tmp_path), "rb") as file:
        while handle := eccodes.codes_grib_new_from_file(file):
            read.append(tuple(eccodes.codes_get(handle, key) for key in ("shortName", "typeOfLevel")))
            eccodes.codes_release(handle)
    assert read == list(EXPECTED.values())


def test_cfgrib_opens_every_field_under_its_name(analysis, tmp_path):
    cfgrib = pytest.importorskip("cfgrib", reason="cfgrib is not installed")
    path = write_product_grib(dataclasses.replace(analysis, error={}), tmp_path)
    datasets = cfgrib.open_datasets(str(path), backend_kwargs={"indexpath": ""})
    opened = {name: field for dataset in datasets for name, field in dataset.data_vars.items()}
    names = {"tcc": "sky_cover", "ceil": "ceiling", "r2": "relative_humidity", "prmsl": "sea_level_pressure"}
    assert len(opened) == len(EXPECTED) and set(names) <= set(opened)
    np.testing.assert_allclose(opened["tcc"], 100.0 * analysis.values["sky_cover"], atol=0.07)
    np.testing.assert_allclose(opened["prmsl"], DERIVED["sea_level_pressure"].field(analysis), atol=0.51)
    assert opened["tcc"].attrs["GRIB_typeOfLevel"] == "entireAtmosphere"
