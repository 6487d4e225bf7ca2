"""The gridded first guess on grids of our own: a previous analysis, a plane, the whole earth."""

import dataclasses

import netCDF4
import numpy as np
import pyproj
import pytest

from mlrtma_dist.fields.gridded import GriddedFirstGuess, load_gridded
from mlrtma_dist.fields.state import State
from mlrtma_dist.fields.static import grid_points, load_static, station_points
from mlrtma_dist.grid.domain import Corner, Domain, Size, load_domain
from mlrtma_dist.names import VARIABLES


def at(text: str) -> np.datetime64:
    return np.datetime64(text, "s")


def write_product(path, static, values, time, projection):
    """A file as the product is written: CF-1.11, time, y, x, crs_wkt, terrain as elevation, an increment beside."""
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", 1), ("y", static.domain.size.y), ("x", static.domain.size.x)):
            file.createDimension(name, size)
        axis = file.createVariable("time", "i8", ("time",))
        axis.units, axis.standard_name = "seconds since 1970-01-01 00:00:00", "time"
        axis[:] = time.astype("datetime64[s]").astype(int)
        for name in ("y", "x"):
            axis = file.createVariable(name, "f8", (name,))
            axis.units, axis.standard_name = "m", f"projection_{name}_coordinate"
            axis[:] = getattr(static.domain, name)
        mapping = file.createVariable("projection", "i4", ())
        mapping.setncatts(pyproj.CRS(projection).to_cf())
        for name, array in zip(("latitude", "longitude"), static.domain.latitude_longitude(), strict=True):
            variable = file.createVariable(name, "f4", ("y", "x"))
            variable.standard_name, variable.units = name, f"degrees_{'north' if name == 'latitude' else 'east'}"
            variable[:] = array
        elevation = file.createVariable("elevation", "f4", ("y", "x"))
        elevation.units, elevation.grid_mapping, elevation.standard_name = "m", "projection", "surface_altitude"
        elevation[:] = static.terrain
        for name, field in {**values, "t2m_increment": np.full(static.domain.shape, 0.5, dtype=np.float32)}.items():
            properties = VARIABLES[name.split("_increment")[0]]
            variable = file.createVariable(name, "f4", ("time", "y", "x"), fill_value=np.float32(9.96921e36), zlib=True)
            variable.units, variable.grid_mapping = properties.unit, "projection"
            if properties.standard_name:
                variable.standard_name = properties.standard_name
            variable[0] = np.ma.masked_invalid(field)


@pytest.mark.parametrize("name", ["toy", "guam", "alaska"])
def test_our_own_previous_analysis_comes_back(real_data, tmp_path, name):
    domain = load_domain(name)
    if name == "alaska":
        domain = dataclasses.replace(domain, size=Size(90, 70), terrain=None, land=None)
    static = load_static(domain)
    generator = np.random.default_rng(8)
    values = {n: generator.uniform(270, 290, domain.shape).astype(np.float32) for n in ("t2m",)}
    values |= {n: generator.normal(size=domain.shape).astype(np.float32) for n in ("u10", "v10")}
    values["ceiling"] = generator.uniform(100, VARIABLES["ceiling"].limited, domain.shape).astype(np.float32)
    values["ceiling"][0, 0] = np.nan
    write_product(tmp_path / "previous.nc", static, values, at("2022-08-24T05:00"), domain.projection)
    guess = load_gridded(tmp_path / "previous.nc", static, at("2022-08-24T06:00"))
    points = grid_points(static)
    for key, field in values.items():
        # float32, at places that rounding moves by 1e-9 of a cell
        np.testing.assert_allclose(
            guess.mean(key, points), VARIABLES[key].to_analysis(field.ravel()), atol=2e-4, rtol=1e-5, err_msg=key
        )
    assert np.isnan(guess.mean("psfc", points)).all()
    lifted = dataclasses.replace(points, elevation=points.elevation + 100.0)
    np.testing.assert_allclose(guess.mean("t2m", lifted), values["t2m"].ravel() - 0.65, atol=1e-3)
    assert guess.note == "valid 2022-08-24T05:00:00, 1.0 h from 2022-08-24T06:00:00, taken as it is"


def test_a_state_on_a_periodic_plane_is_a_first_guess_too():
    plane = load_domain("plane")
    static = load_static(plane)
    field = np.cos(2 * np.pi * np.arange(64) / 64)[None, :].repeat(64, axis=0).astype(np.float32)
    guess = GriddedFirstGuess(State(plane, at("2022-08-24T06:00"), {"u10": field}), "a wave")
    points = grid_points(static)
    np.testing.assert_allclose(guess.mean("u10", points), field.ravel(), atol=1e-6)
    between = dataclasses.replace(points, position=points.position + [63.5, 0.0, 0.0])
    expected = 0.5 * (np.roll(field, 1, axis=1) + field)
    np.testing.assert_allclose(guess.mean("u10", between), expected.ravel(), atol=1e-6)


def test_on_a_grid_around_the_earth_pressure_is_carried_at_the_seam_as_elsewhere(real_data):
    """Even pressure over an even sea: what is found does not depend on the longitude."""
    earth = Domain("earth", "earth", "+proj=longlat +R=6371200", Size(36, 17), 10.0, Corner(-80.0, 0.0))
    fields = {"psfc": np.full(earth.shape, 101325.0, dtype=np.float32)}
    sea = np.zeros(earth.shape, dtype=np.float32)
    guess = GriddedFirstGuess(State(earth, at("2022-08-24T06:00"), fields, sea), "even")
    points = station_points(load_static(load_domain("guam")), [15.0, 15.0], [357.0, 145.0], [500.0, 500.0])
    # hypsometric equation with the standard atmosphere's temperature half way up, 286.525 K
    expected = 101325.0 * np.exp(-9.80665 * 500.0 / (287.05 * 286.525))
    np.testing.assert_allclose(guess.mean("psfc", points), expected, rtol=1e-6)
