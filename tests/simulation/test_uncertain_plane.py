"""Backgrounds whose errors are not Gaussian: what displaces, divides, cuts and bends the fields, in closed form."""

from dataclasses import replace

import numpy as np
import pytest
from invented import plane

from mlrtma_dist.grid.box import Box
from mlrtma_dist.samples.symmetry import Symmetry
from mlrtma_dist.simulation.gaussian_plane import Field
from mlrtma_dist.simulation.uncertain_plane import UncertainPlane
from mlrtma_dist.simulation.worlds import world_from

WORLD = UncertainPlane(size=24, errors=(Field(6.0, 0.5),), observations=40, seed=5)
WHOLE = Box.whole(WORLD.shape)


def case_of(world: UncertainPlane, number: int = 3):
    return world.on(plane(world.shape, periodic=True), count=8).case(number, WHOLE)


def test_a_case_is_that_of_its_number_and_reports_are_of_its_truth():
    case = case_of(WORLD)
    np.testing.assert_allclose(case.truth["field"], WORLD.member(3, 0))
    assert np.abs(case.truth["field"] - WORLD.member(3, 1)).max() > 0.5
    errors = case.observations.value - case.truth["field"][tuple(case.place.astype(int).T)]
    assert len(errors) == 40 and 0.06 < errors.std() < 0.14
    assert (case.observations.error == WORLD.observation_error).all()


def test_a_displacement_moves_the_background_and_a_long_one_moves_it_as_a_whole():
    world = replace(WORLD, errors=(), displacement=Field(400.0, 2.0), field=Field(12.0, 1.0))
    background, truth = case_of(world).background["field"], case_of(world).truth["field"]
    spectra = np.fft.rfft2(background), np.fft.rfft2(truth)
    big = np.abs(spectra[0]) > 0.05 * np.abs(spectra[0]).max()
    np.testing.assert_allclose(np.abs(spectra[1])[big], np.abs(spectra[0])[big], rtol=0.02)  # a shift changes phases
    assert np.abs(truth - background).max() > 0.3


def test_the_background_alone_tells_as_little_of_the_truth_as_of_a_member():
    """Truth and members are exchangeable: the truth's rank among members is as often any other."""
    world = replace(WORLD, front=0.5, displacement=Field(16.0, 1.5))
    ranks = np.zeros(5)
    for case in range(60):
        members = np.stack([world.member(case, number) for number in range(5)])[:, ::8, ::8]
        ranks += np.bincount((members[1:] < members[0]).sum(0).ravel(), minlength=5)
    np.testing.assert_allclose(ranks / ranks.sum(), 0.2, atol=0.03)


def test_two_errors_each_act_on_their_part_of_the_plane():
    world = replace(WORLD, errors=(Field(3.0, 1.0), Field(3.0, 1e-3)), parts=10.0)
    departures = np.stack([world.member(number, 0) - world.draw(number)[1]["field"] for number in range(80)])
    small = np.abs(departures) < 5e-3
    assert small.mean() == pytest.approx(0.5, abs=0.06)
    assert departures[~small].std() == pytest.approx(1.0, abs=0.05)
    together = np.mean(small == np.roll(small, 1, 2))
    assert together > 0.8  # the parts are wider than the errors: neighbours are of one


def test_a_limit_is_reached_and_never_passed_and_a_front_divides_two_air_masses():
    limited = np.stack([case_of(replace(WORLD, limit=0.2), number).truth["field"] for number in range(8)])
    assert limited.max() == 0.2 and 0.3 < (limited == limited.max()).mean() < 0.6
    sharp = np.stack([case_of(replace(WORLD, front=0.1), number).truth["field"] for number in range(8)])
    assert np.abs(sharp).max() <= 1.0 and (np.abs(sharp) > 0.9).mean() > 0.7


def test_training_may_change_the_sign_of_a_world_but_not_of_one_with_a_limit():
    signs = {Symmetry.draw(24, 1, case, 1, either_sign=False).sign for case in range(30)}
    assert signs == {1} and {Symmetry.draw(24, 1, case, 1).sign for case in range(30)} == {1, -1}
    assert WORLD.either_sign and not replace(WORLD, limit=0.2).either_sign


def test_a_store_knows_its_world():
    text = "cases: {uncertain_plane: {size: 24, limit: 0.2, errors: [{length: 6.0, deviation: 0.5}]}}"
    assert world_from(text, "here") == UncertainPlane(size=24, limit=0.2, errors=(Field(6.0, 0.5),))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"front": 0.1, "limit": 0.0}, "expected front or limit, not both"),
        ({"front": 0.0}, "front: expected more than 0"),
        ({"errors": ()}, "errors: expected one or two fields, or a displacement, got 0"),
        ({"observations": 1000}, "observations: expected 0 to 576 distinct points"),
        ({"parts": 0.0}, "observation_error, parts: expected more than 0"),
    ],
)
def test_worlds_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        replace(WORLD, **wrong)
