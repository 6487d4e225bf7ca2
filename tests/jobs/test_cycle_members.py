"""The method diffusion in a cycle: its section, the weights about whose analysis it draws, and its way out."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest
from cycle_world import World, clock_at, product, rows_of

from jobs.cycle_loop import make

METHODS = "[{name: diffusion}, {name: threedvar}]"
SECTIONS = {"variables": "[t2m, d2m, u10, v10]", "ensemble": "{members: true}"}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    return World.build(tmp_path_factory.mktemp("cycle"))


def members_of(output: Path) -> tuple[np.ndarray, np.ndarray]:
    """The members of temperature of the newest product, K, shape (member, y, x), and their mean as it is published."""
    with netCDF4.Dataset(output / "east/latest.nc") as file:
        return np.ma.filled(file["t2m_members"][:], np.nan).squeeze(), np.ma.filled(file["t2m"][:], np.nan).squeeze()


@pytest.mark.parametrize("about", ["threedvar", "vit"])
def test_members_are_drawn_as_the_section_says_about_the_analysis_that_it_names(world, tmp_path, about):
    section = f"{{members: 3, steps: 1, about: {about}}}"
    assert make(world.run(tmp_path, methods=METHODS, diffusion=section, **SECTIONS), clock=clock_at(10)) == 0
    attributes, (row,) = product(tmp_path), rows_of(tmp_path / "east/slots.csv")
    assert attributes["method"] == row["method"] == "diffusion" and Path(row["weights"]).name == "diffusion"
    names = {key: value for key, value in attributes.items() if key.endswith("_name") and "checkpoint" in key}
    both = {"checkpoint_diffusion_name": "diffusion", "checkpoint_vit_name": "vit"}
    assert names == (both if about == "vit" else {"checkpoint_name": "diffusion"})
    members, mean = members_of(tmp_path)
    assert len(members) == 3 and members.std(axis=0).min() > 0.0
    np.testing.assert_allclose(members.mean(axis=0), mean, atol=0.02)


def test_other_settings_of_the_section_draw_other_members(world, tmp_path):
    drawn = {}
    for seed in (1, 2):
        run = world.run(
            tmp_path / str(seed), methods=METHODS, diffusion=f"{{members: 2, steps: 0, seed: {seed}}}", **SECTIONS
        )
        assert make(run, clock=clock_at(10)) == 0
        drawn[seed] = members_of(tmp_path / str(seed))[0]
    assert np.abs(drawn[1] - drawn[2]).max() > 0.1


def test_without_the_weights_about_which_it_draws_the_next_method_takes_the_slot(world, tmp_path):
    methods = "[{name: diffusion}, {name: vit, checkpoint: nowhere/current}, {name: threedvar}]"
    run = world.run(tmp_path, methods=methods, diffusion="{members: 2, steps: 0, about: vit}", **SECTIONS)
    assert make(run, clock=clock_at(10)) == 0
    attributes = product(tmp_path)
    assert attributes["method"] == "threedvar"
    assert "diffusion: " in attributes["methods_passed_over"] and "nowhere" in attributes["methods_passed_over"]
