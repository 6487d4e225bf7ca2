"""The answer of a method whose analysis is known on the grid: closed forms at stations, tiles, and points not owned."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from invented import Invented, plane

from mlrtma_dist import names
from mlrtma_dist.fields.static import station_points
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.points import plane_points
from mlrtma_dist.methods.case import Contents
from mlrtma_dist.methods.learned import GridAnswer


def linear(row, column):
    """An increment that bilinear interpolation reproduces."""
    return -1.0 + 0.002 * np.asarray(row) - 0.004 * np.asarray(column)  # a visibility stays within its range


def analysis_of(case, variable: str) -> np.ndarray:
    """The first guess plus a linear increment in analysis space, on the box, SI."""
    row, column = np.meshgrid(np.arange(case.box.y0, case.box.y1), np.arange(case.box.x0, case.box.x1), indexing="ij")
    value = names.to_analysis(variable, case.background_of(variable)) + linear(row, column)
    return names.from_analysis(variable, value).astype(np.float32)


@pytest.mark.parametrize("variable", ["t2m", "u10", "visibility"])
def test_at_stations_it_is_the_first_guess_at_their_own_height_plus_the_increment(toy, variable):
    case = toy.case(toy.settings(variable))
    answer = GridAnswer.of(case, {variable: analysis_of(case, variable)}, None)
    inside = ((case.grid_place >= 0) & (case.grid_place <= np.array(case.domain.shape) - 1)).all(axis=1)
    points, place = case.points[inside], case.grid_place[inside]
    value, error = answer.at(variable, points)
    expected = case.first_guess.mean(variable, points) + linear(*place.T)
    np.testing.assert_allclose(value, expected, atol=2e-3)  # visibility of 1e4 m as float32 on the way
    assert len(value) > 80 and np.isnan(error).all() and np.isnan(answer.observation_error).all()
    np.testing.assert_array_equal(np.isfinite(answer.weight), case.used)


def test_a_station_above_the_terrain_gets_the_first_guess_of_its_height(toy):
    case = toy.case(toy.settings("t2m"))
    answer = GridAnswer.of(case, {"t2m": analysis_of(case, "t2m")}, None)
    latitude, longitude = case.domain.position(60.0, 80.0)
    ground, above = (
        station_points(case.static, latitude, longitude, case.static.terrain[60, 80] + height)
        for height in (0.0, 500.0)
    )
    difference = answer.at("t2m", above)[0] - answer.at("t2m", ground)[0]
    expected = case.first_guess.mean("t2m", above) - case.first_guess.mean("t2m", ground)
    np.testing.assert_allclose(difference, expected, atol=1e-6)
    assert abs(expected[0]) > 1.0


def test_points_that_the_box_does_not_own_have_no_answer(toy):
    whole = toy.case(toy.settings("t2m"))
    box = Box(30, 70, 40, 100)
    case = replace(whole, box=box)
    around = np.zeros((box.shape[0] + 2, box.shape[1] + 2), np.float32)
    value, _ = GridAnswer(case, {"t2m": case.background_of("t2m")}, {"t2m": around}).at("t2m", whole.points)
    row, column = np.floor(whole.grid_place.T + 0.5)
    np.testing.assert_array_equal(np.isfinite(value), (row >= 30) & (row < 70) & (column >= 40) & (column < 100))


class Cut:
    """A neighbourhood that cuts its rim from a field of the whole plane, which wraps."""

    def __init__(self, field: np.ndarray, box: Box):
        self.field, self.box = field, box

    def rim(self, field, rim, edge):
        box = self.box
        rows, columns = np.arange(box.y0 - 1, box.y1 + 1) % 8, np.arange(box.x0 - 1, box.x1 + 1) % 8
        return torch.from_numpy(self.field[np.ix_(rows, columns)][None, None])


@pytest.mark.parametrize("box", [Box(0, 4, 0, 4), Box(0, 4, 4, 8), Box(4, 8, 0, 4), Box(4, 8, 4, 8)])
def test_on_a_tile_of_a_plane_that_wraps_points_beyond_the_edge_belong_to_the_other_side(box):
    field = np.random.default_rng(2).standard_normal((8, 8)).astype(np.float32)
    contents = Contents(plane((8, 8), periodic=True), ("a",), ("1",), ("a",), background=False, truth=True)
    case = Invented(contents, lambda number, part: field[None][:, *part.slices]).case(0, box)
    place = np.array([[7.75, 7.75], [-0.25, -0.25], [3.75, 0.0], [7.5, 3.25], [8.25, 4.0], [2.5, 7.9]])
    value, _ = GridAnswer.of(case, {"a": case.truth["a"]}, Cut(field, box)).at("a", plane_points(case.domain, place))
    low = np.floor(place).astype(int)
    (up, right), expected = (place - low).T, 0.0
    for i, a in ((0, 1 - up), (1, up)):
        for j, b in ((0, 1 - right), (1, right)):
            expected = expected + a * b * field[(low[:, 0] + i) % 8, (low[:, 1] + j) % 8]
    own = box.owns(np.floor(place + 0.5).astype(int) % 8)
    np.testing.assert_allclose(value, np.where(own, expected, np.nan), atol=1e-6)
