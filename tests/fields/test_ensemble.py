"""Ensemble: mean and deviations of files whose values are known."""

from dataclasses import replace

import numpy as np
import pytest
from member_file import write_members

from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.ensemble import EnsembleError, load_ensemble
from mlrtma_dist.fields.gridded import load_gridded
from mlrtma_dist.fields.static import grid_points
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.methods.settings import assumptions
from mlrtma_dist.names import VARIABLES
from mlrtma_dist.physics.moisture import relative_humidity
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
    words = "expected two files or more, one per member, or a netCDF file of all members.*got .*member0.nc"
    with pytest.raises(EnsembleError, match=words):
        load_ensemble(files[:1], toy.static, toy.time)


@pytest.fixture
def of_all(toy, tmp_path):
    """Files of temperature and of relative humidity, each of all members, and the values (member, y, x) of both."""
    values = toy.world.background.values
    temperature = np.stack([values["t2m"] + np.float32(shift) for shift in SHIFTS])
    humidity = np.stack([np.full(toy.static.domain.shape, share, np.float32) for share in (0.5, 0.6, 0.7, 0.8)])
    fields = {"t2m": temperature, "relative_humidity": humidity}
    paths = [
        write_members(tmp_path / f"{name}.nc", toy.static.domain, [toy.time], {name: each[None]})
        for name, each in fields.items()
    ]
    return tuple(paths), temperature, humidity


def test_files_of_all_members_make_the_same_as_one_file_per_member(toy, files, of_all):
    """The dew point is made of each member's own temperature and humidity, which lie in different files."""
    paths, temperature, humidity = of_all
    ensemble = load_ensemble(paths, toy.static, toy.time)
    points, box = grid_points(toy.static, slice(10, 30), slice(5, 25)), (slice(10, 30), slice(5, 25))
    separate = load_ensemble(files, toy.static, toy.time)
    expected = separate.perturbations("t2m", points)
    np.testing.assert_allclose(ensemble.perturbations("t2m", points), expected, atol=1e-4)
    for number, member in enumerate(ensemble.members):
        np.testing.assert_allclose(member.mean("t2m", points), temperature[number][box].ravel(), atol=1e-4)
        share = relative_humidity(temperature[number][box].ravel(), member.mean("d2m", points))
        np.testing.assert_allclose(share, humidity[number][box].ravel(), atol=1e-4)
    assert ensemble.name == "mean of 4 members: t2m.nc to relative_humidity.nc"


def test_one_file_of_all_members_is_an_ensemble(toy, of_all):
    assert len(load_ensemble(of_all[0][:1], toy.static, toy.time).members) == len(SHIFTS)


def test_files_of_different_members_are_named(toy, of_all, tmp_path):
    other = write_members(
        tmp_path / "two.nc", toy.static.domain, [toy.time], {"t2m": of_all[1][None, :2]}, names=[4, 7]
    )
    with pytest.raises(EnsembleError, match="the same members in all files, got t2m.nc: 0, 1, 2, 3; two.nc: 4, 7"):
        load_ensemble((of_all[0][0], other), toy.static, toy.time)


def test_a_file_of_members_is_no_background(toy, of_all):
    with pytest.raises(InputError, match="t2m.nc: holds members of an ensemble.*--ensemble"):
        load_gridded(of_all[0][0], toy.static, toy.time)


def test_a_variable_that_a_member_lacks_is_named_with_those_that_all_have(toy, files, tmp_path):
    values = {"t2m": toy.world.background.values["t2m"]}
    write_state(tmp_path / "part.nc", replace(toy.world.background, values=values))
    ensemble = load_ensemble((files[0], str(tmp_path / "part.nc")), toy.static, toy.time)
    assert ensemble.variables == {"t2m"}
    with pytest.raises(InputError, match="no d2m in every member.*it has t2m: --set variables="):
        ensemble.perturbations("d2m", grid_points(toy.static, slice(0, 2), slice(0, 2)))
