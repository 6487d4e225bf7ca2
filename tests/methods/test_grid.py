"""Gridded files as a method: the file's own field at every point, at the point's own height, and no report in it."""

import dataclasses
import logging

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.static import grid_points
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.methods.grid import GridFiles, GridMethod
from mlrtma_dist.methods.need import Need
from mlrtma_dist.methods.registry import METHODS, check_methods
from mlrtma_dist.names import STANDARD_LAPSE_RATE, VARIABLES

NAMES = ("t2m", "u10", "visibility")


@pytest.fixture
def case(toy):
    """The simulated hour with a regression for a first guess: the file is no part of it."""
    return toy.case(toy.settings(*NAMES), background=False)


def method_of(path) -> GridMethod:
    return GridMethod(GridFiles((str(path),)))


def test_the_answer_on_the_files_grid_is_the_file_and_no_report_is_used(toy, case):
    answer = method_of(toy.background).analyse(case)
    fields = answer.fields()
    assert answer.variables == NAMES == tuple(fields.values) and not fields.first_guess and not fields.error
    for name in NAMES:
        expected = toy.world.background.values[name]
        np.testing.assert_allclose(fields.values[name], expected, rtol=2e-5, atol=1e-4, err_msg=name)
    assert np.isnan(answer.weight).all() and np.isnan(answer.observation_error).all()


def test_at_a_station_above_the_files_terrain_it_is_colder_by_the_lapse_rate(toy, case):
    answer = method_of(toy.background).analyse(case)
    points = grid_points(toy.static, slice(40, 60, 5), slice(30, 90, 7))
    above = dataclasses.replace(points, elevation=points.elevation + 300.0)
    low, high = answer.at("t2m", points), answer.at("t2m", above)
    np.testing.assert_allclose(high[0] - low[0], -300.0 * STANDARD_LAPSE_RATE, atol=1e-3)
    assert np.isnan(low[1]).all()
    np.testing.assert_array_equal(answer.at("u10", points)[0], answer.at("u10", above)[0])


def test_a_tile_has_the_values_of_the_whole_domain(toy, case):
    method, box = method_of(toy.background), Box(17, 101, 40, 97)
    whole = method.analyse(case).fields()
    part = method.analyse(dataclasses.replace(case, box=box)).fields()
    for name in NAMES:
        np.testing.assert_array_equal(part.values[name], whole.values[name][box.slices], err_msg=name)


def test_beyond_the_file_and_in_variables_that_it_lacks_there_is_no_value(toy, case, tmp_path):
    world, half = toy.world.background, toy.static.domain.size.x // 2
    west = dataclasses.replace(world.domain, size=dataclasses.replace(world.domain.size, x=half))
    only = {"t2m": world.values["t2m"][:, :half]}
    state = dataclasses.replace(world, domain=west, values=only, elevation=world.elevation[:, :half])
    write_state(tmp_path / "west.nc", state)
    answer = method_of(tmp_path / "west.nc").analyse(case)
    assert answer.variables == ("t2m",)
    missing = np.isnan(answer.fields().values["t2m"])
    assert not missing[:, :half].any() and missing[:, half + 1 :].all()
    other = toy.case(toy.settings("d2m"), background=False)
    with pytest.raises(InputError, match="method grid: .*west.nc: expected some of d2m, it has t2m"):
        method_of(tmp_path / "west.nc").analyse(other)


def test_a_field_of_another_hour_is_named_and_one_of_another_day_is_refused(toy, case, caplog):
    method = method_of(toy.background)
    with caplog.at_level(logging.WARNING):
        method.analyse(dataclasses.replace(case, time=case.time + np.timedelta64(1, "h")))
    assert "1.0 h from 2022-08-24T07:00:00, taken as it is" in caplog.text
    with pytest.raises(InputError, match="expected a field within 3 h of 2022-08-25"):
        method.analyse(dataclasses.replace(case, time=case.time + np.timedelta64(24, "h")))


def test_it_is_registered_and_needs_files():
    assert METHODS["grid"].needs == (Need.GRID,) and set(NAMES) <= set(VARIABLES)
    check_methods(("grid",), {Need.GRID})
    with pytest.raises(InputError, match="method grid needs gridded files on the earth: --grid FILE"):
        check_methods(("grid",), {Need.FIRST_GUESS})
