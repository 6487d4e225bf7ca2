"""Ensemble: mean and deviations of files whose values are known."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.ensemble import EnsembleError, load_ensemble
from mlrtma_dist.fields.gridded import load_gridded
from mlrtma_dist.fields.static import grid_points
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.methods.settings import assumptions
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.samples.station_hours import Reports, StationHours

SHIFTS = np.array([-1.5, 0.25, 2.0, 0.75])


@pytest.fixture(scope="module")
def files(toy, tmp_path_factory):
    """Four members: the background of the toy world with its temperature shifted and its visibility multiplied."""
    folder, paths = tmp_path_factory.mktemp("ensemble"), []
    for number, shift in enumerate(SHIFTS):
        values = dict(toy.world.background.values)
        values["t2m"] = values["t2m"] + np.float32(shift)
        values["visibility"] = values["visibility"] * np.float32(np.exp(0.02 * shift))
        paths.append(folder / f"member{number}.nc")
        write_state(paths[-1], replace(toy.world.background, values=values))
    return tuple(map(str, paths))


def test_its_mean_and_deviations_are_those_of_the_members(toy, files):
    ensemble = load_ensemble(files, toy.static, toy.time)
    points = grid_points(toy.static, slice(10, 30), slice(5, 25))
    alone = load_gridded(str(toy.background), toy.static, toy.time).mean("t2m", points)
    np.testing.assert_allclose(ensemble.mean("t2m", points), alone + SHIFTS.mean(), atol=1e-4)
    expected = np.broadcast_to((SHIFTS - SHIFTS.mean())[:, None], (4, 400))
    np.testing.assert_allclose(ensemble.perturbations("t2m", points), expected, atol=1e-4)
    assert not ensemble.spread("t2m", points).any()
    assert ensemble.name == "mean of 4 members: member0.nc to member3.nc"


def test_deviations_are_taken_in_analysis_space(toy, files):
    ensemble = load_ensemble(files, toy.static, toy.time)
    points = grid_points(toy.static, slice(10, 30), slice(5, 25))
    low, high = np.log(VARIABLES["visibility"].valid)
    inside = (ensemble.mean("visibility", points) > low + 0.1) & (ensemble.mean("visibility", points) < high - 0.1)
    assert inside.any()
    expected = np.broadcast_to(0.02 * (SHIFTS - SHIFTS.mean())[:, None], (4, int(inside.sum())))
    np.testing.assert_allclose(ensemble.perturbations("visibility", points)[:, inside], expected, atol=1e-4)


def test_members_on_one_grid_share_the_place_of_the_points(toy, files):
    ensemble = load_ensemble(files, toy.static, toy.time)
    points = grid_points(toy.static, slice(10, 30), slice(5, 25))
    ensemble.mean("t2m", points)
    assert all(member.last is ensemble.members[0].last for member in ensemble.members)
    assert ensemble.members[3].last[0][0] is points


def test_beyond_the_members_grid_there_is_no_mean_and_no_deviation(toy, files):
    ensemble = load_ensemble(files, toy.static, toy.time)
    far = replace(grid_points(toy.static, slice(0, 1), slice(0, 1)), latitude=np.array([-40.0]))
    assert np.isnan(ensemble.mean("t2m", far)).all()
    assert (ensemble.perturbations("t2m", far) == 0.0).all()


def test_a_case_takes_the_mean_as_first_guess_unless_there_is_a_background(toy, files):
    whole = Box.whole(toy.static.domain.shape)

    def case(**gridded):
        reports = Reports(observations=(str(toy.observations),), ensemble=files, time=(str(toy.time),), **gridded)
        return StationHours(toy.static, reports, assumptions(toy.settings("t2m"))).case(0, whole)

    of_mean, of_file = case(), case(background=(str(toy.background),))
    assert of_mean.first_guess.name.startswith("mean of 4 members")
    assert of_file.first_guess.name.startswith("gridded: background.nc")
    good = of_mean.used & of_file.used
    assert good.sum() > 200
    np.testing.assert_allclose((of_file.departure - of_mean.departure)[good], SHIFTS.mean(), atol=1e-4)
    assert len(of_file.members.members) == len(of_mean.members.members) == 4


def test_one_file_is_no_ensemble(toy, files):
    with pytest.raises(EnsembleError, match="expected two files or more, one a member, got .*member0.nc"):
        load_ensemble(files[:1], toy.static, toy.time)


def test_a_variable_that_a_member_lacks_is_named_with_those_that_all_have(toy, files, tmp_path):
    values = {"t2m": toy.world.background.values["t2m"]}
    write_state(tmp_path / "part.nc", replace(toy.world.background, values=values))
    ensemble = load_ensemble((files[0], str(tmp_path / "part.nc")), toy.static, toy.time)
    assert ensemble.variables == {"t2m"}
    with pytest.raises(InputError, match="no d2m in every member.*it has t2m: --set variables="):
        ensemble.perturbations("d2m", grid_points(toy.static, slice(0, 2), slice(0, 2)))
