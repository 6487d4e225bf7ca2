"""The GRIB2 product: what eccodes reads back is the analysis, on the grid it was made on."""

import dataclasses

import eccodes
import numpy as np
import pytest

from mlrtma_dist.config import ConfigError
from mlrtma_dist.grid.domain import Corner, load_domain
from mlrtma_dist.inference.derived import DERIVED
from mlrtma_dist.inference.product_grib import STEPS, write_product_grib
from mlrtma_dist.io.grib import read_grib
from mlrtma_dist.names import VARIABLES

SPHERE = "+R=6371200"
PLACES = {
    "lambert": (f"+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=265 {SPHERE}", {}),
    "lambert, two parallels": (f"+proj=lcc +lat_1=30 +lat_2=60 +lat_0=30 +lon_0=265 {SPHERE}", {}),
    "polar stereographic": (f"+proj=stere +lat_0=90 +lat_ts=60 +lon_0=210 {SPHERE}", {"corner": (60.0, -150.0)}),
    "southern stereographic": (f"+proj=stere +lat_0=-90 +lat_ts=-71 +lon_0=10 {SPHERE}", {"corner": (-80.0, 20.0)}),
    "mercator": (f"+proj=merc +lat_ts=20 +lon_0=295 {SPHERE}", {"corner": (17.0, -68.0)}),
    "longlat": (f"+proj=longlat {SPHERE}", {"spacing": 0.25}),
    "ellipsoid": ("+proj=lcc +lat_1=25 +lat_0=25 +lon_0=265 +ellps=GRS80", {}),
}


@pytest.fixture(params=PLACES)
def domain(request, make_domain):
    projection, options = PLACES[request.param]
    return make_domain(projection, **options)


def messages(path):
    """Every message's keys and values, by eccodes alone."""
    read = []
    with open(path, "rb") as file:
        while handle := eccodes.codes_grib_new_from_file(file):
            keys = (
                "parameterCategory",
                "parameterNumber",
                "typeOfFirstFixedSurface",
                "typeOfGeneratingProcess",
                "resolutionAndComponentFlags",
                "dataDate",
                "dataTime",
            )
            read.append(
                (
                    {key: eccodes.codes_get(handle, key, int) for key in keys},
                    {key: eccodes.codes_get_array(handle, key) for key in ("values", "latitudes", "longitudes")},
                )
            )
            eccodes.codes_release(handle)
    return read


def test_eccodes_reads_every_field_back_within_packing_at_the_places_it_was_made_for(domain, make_analysis, tmp_path):
    analysis = make_analysis(domain, tuple(VARIABLES))
    path = write_product_grib(analysis, tmp_path)
    read = messages(path)
    identity = [name for name, variable in VARIABLES.items() if variable.transform == "identity"]
    derived = sum(entry.grib is not None for entry in DERIVED.values())
    assert len(read) == len(VARIABLES) + len(identity) + derived
    latitude, longitude = domain.latitude_longitude()
    for keys, arrays in read[:-derived]:
        (name,) = [
            n
            for n, v in VARIABLES.items()
            if v.grib[1:4]
            == tuple(keys[k] for k in ("parameterCategory", "parameterNumber", "typeOfFirstFixedSurface"))
        ]
        error = keys["typeOfGeneratingProcess"] == 7
        truth = (analysis.error if error else analysis.values)[name]
        unit = VARIABLES[name].unit
        factor, step = (100.0, STEPS["%"]) if unit == "1" else (1.0, STEPS[unit])
        rounding = 1e-6 * np.abs(truth).max() * factor  # the values are float32
        np.testing.assert_allclose(arrays["values"].reshape(domain.shape), truth * factor, atol=step / 2 + rounding)
        np.testing.assert_allclose(arrays["latitudes"].reshape(domain.shape), latitude, atol=2e-6)
        difference = (arrays["longitudes"].reshape(domain.shape) - longitude + 180.0) % 360.0 - 180.0
        assert np.abs(difference).max() < 5e-6  # GRIB keeps a corner to 1e-6 degree, which is more near a pole
        assert (keys["dataDate"], keys["dataTime"]) == (20220824, 600)
        assert not keys["resolutionAndComponentFlags"] & 0x08  # winds by the compass


def test_our_reader_takes_it_as_a_background_and_leaves_the_errors_aside(domain, make_analysis, tmp_path):
    analysis = make_analysis(domain, ("t2m", "sky_cover", "ceiling"))
    fields = read_grib(write_product_grib(analysis, tmp_path), names=("t2m", "sky_cover", "ceiling"))
    assert [f.name for f in fields] == ["t2m", "ceiling", "sky_cover"]
    for field in fields:
        step = {"t2m": STEPS["K"], "sky_cover": STEPS["%"] / 100.0, "ceiling": STEPS["m"]}[field.name]
        np.testing.assert_allclose(field.values, analysis.values[field.name], atol=step, rtol=1e-6)
        assert field.valid_time == analysis.time and not field.grid_relative


def test_what_is_unknown_is_missing_and_a_constant_field_is_itself(make_domain, make_analysis, tmp_path):
    analysis = make_analysis(make_domain(PLACES["lambert"][0]), ("t2m", "psfc"))
    holes = analysis.values["t2m"].copy()
    holes[2:4, 3] = np.nan
    flat = np.full_like(holes, 101325.0)
    level = dataclasses.replace(analysis.static, terrain=np.zeros_like(analysis.static.terrain))
    analysis = dataclasses.replace(analysis, static=level, values={"t2m": holes, "psfc": flat}, error={})
    t2m, psfc, _ = read_grib(write_product_grib(analysis, tmp_path))
    np.testing.assert_array_equal(np.isnan(t2m.values), np.isnan(holes))
    np.testing.assert_allclose(t2m.values, holes, atol=STEPS["K"])
    np.testing.assert_array_equal(psfc.values, flat)


@pytest.mark.parametrize(
    "projection",
    [
        "plane",
        "+proj=robin",
        "+proj=lcc +lat_1=25 +lat_0=25 +ellps=clrk66",
        "+proj=stere +lat_0=45 +lon_0=-100 +R=6371200",
        "+proj=lcc +lat_1=25 +lat_0=25 +k_0=0.9 +R=6371200",
    ],
)
def test_what_grib_cannot_say_is_refused_and_nothing_is_left(projection, make_domain, make_analysis, tmp_path):
    analysis = make_analysis(make_domain(projection), ("t2m",))
    with pytest.raises(ConfigError, match="Write netCDF"):
        write_product_grib(analysis, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "real"), [("hawaii", "hawaii_tmax"), ("alaska", "alaska_tmax")])
def test_the_grid_of_an_operational_analysis_is_said_in_the_same_words(name, real, make_analysis, real_data, tmp_path):
    domain = dataclasses.replace(load_domain(name), terrain=None, land=None)
    (operational,) = (real_data / "urma").glob(f"{real}*.grib2")
    # the operational corner differs in the fifth decimal
    near = Corner(round(domain.corner.latitude, 4), round(domain.corner.longitude, 4))
    keys = (
        "gridType",
        "Nx",
        "Ny",
        "shapeOfTheEarth",
        "scanningMode",
        "LaDInDegrees",
        "orientationOfTheGridInDegrees" if name == "alaska" else "DiInMetres",
    )
    keys_of = []
    for path in (operational, write_product_grib(make_analysis(domain, ("t2m",)), tmp_path)):
        with open(path, "rb") as file:
            handle = eccodes.codes_grib_new_from_file(file)
        corner = [eccodes.codes_get(handle, f"{a}OfFirstGridPointInDegrees") for a in ("latitude", "longitude")]
        assert corner == pytest.approx([near.latitude, near.longitude % 360.0], abs=2e-4)
        keys_of.append([eccodes.codes_get(handle, key) for key in keys])
        eccodes.codes_release(handle)
    assert keys_of[0] == keys_of[1]
