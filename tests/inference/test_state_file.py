"""State file: what was written is what a background reads."""

from dataclasses import replace

import netCDF4
import numpy as np

from mlrtma_dist.fields.gridded import load_gridded
from mlrtma_dist.fields.static import grid_points, make_static
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.names import VARIABLES


def test_a_state_reads_back_as_the_first_guess_that_it_was(toy):
    guess = load_gridded(str(toy.background), toy.static, toy.time)
    points = grid_points(toy.static)
    assert guess.note == "" and "background.nc" in guess.name
    for name, field in toy.world.background.values.items():
        expected = VARIABLES[name].to_analysis(field.astype(np.float64)).ravel()
        step = 1e-5 * np.abs(expected).max()  # float32
        np.testing.assert_allclose(guess.mean(name, points), expected, atol=step, err_msg=name)
        assert not guess.spread(name, points).any()


def test_its_own_terrain_comes_along_and_carries_temperature_to_another_height(toy):
    domain = toy.static.domain
    raised = make_static(domain, toy.static.terrain + 100.0, toy.static.land)
    points, guess = grid_points(raised), load_gridded(str(toy.background), raised, toy.time)
    warm = toy.world.background.values["t2m"].astype(np.float64).ravel()
    difference = guess.mean("t2m", points) - warm
    assert -1.1 < difference.mean() < -0.4  # 100 m at 4 to 11 K/km
    ratio = guess.mean("psfc", points) / toy.world.background.values["psfc"].ravel()
    # hypsometric: dp/p = -g dz / (R T)
    np.testing.assert_allclose(ratio, np.exp(-9.80665 * 100.0 / (287.05 * warm)), atol=3e-4)


def test_without_terrain_the_domains_own_is_taken_and_said(toy, tmp_path):
    write_state(tmp_path / "flat.nc", replace(toy.world.background, elevation=None))
    guess = load_gridded(str(tmp_path / "flat.nc"), toy.static, toy.time)
    assert "terrain is taken to be that of the domain" in guess.note
    unknown = make_static(toy.static.domain, np.zeros_like(toy.static.terrain), toy.static.land, has_terrain=False)
    guess = load_gridded(str(tmp_path / "flat.nc"), unknown, toy.time)
    assert guess.state.elevation is None and "its terrain is not in the file" in guess.note


def test_the_file_names_units_standard_names_and_time(toy):
    with netCDF4.Dataset(toy.background) as file:
        assert file.Conventions == "CF-1.11" and file.title == "simulated background"
        time = file["time"]
        seconds = netCDF4.num2date(time[:], time.units, only_use_cftime_datetimes=False)
        assert np.datetime64(seconds[0]) == toy.time
        for name, variable in VARIABLES.items():
            assert file[name].units == variable.unit and file[name].dimensions == ("time", "y", "x")
            assert getattr(file[name], "standard_name", None) == variable.standard_name
        np.testing.assert_array_equal(file["elevation"][:], toy.static.terrain)
