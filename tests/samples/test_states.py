"""Gridded states as cases: each the truth of its time, with the states before it, and what a training makes of them."""

import os

import numpy as np
import pytest
from moving_states import HOUR, START, even_states, write_states
from tiny_domain import DOMAIN

from mlrtma_dist import config
from mlrtma_dist.config import ConfigError
from mlrtma_dist.errors import InputError
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.methods.lam import LamMethod
from mlrtma_dist.methods.lam_settings import LamSettings
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.parallel.transport import Transport
from mlrtma_dist.samples import states
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.dataset import Dataset
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.samples.states import StatesError
from mlrtma_dist.samples.statistics import gather_statistics
from mlrtma_dist.samples.store import Store

COUNT, SHAPE = 6, (32, 40)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A domain's file, the file of the states, and their values."""
    folder = tmp_path_factory.mktemp("states")
    (folder / "tiny.yaml").write_text(DOMAIN)
    values = even_states(SHAPE, COUNT)
    path = write_states(folder / "states.nc", load_static(load_domain(str(folder / "tiny.yaml"))), values)
    return folder, path, values


def section(world, **more) -> CasesSection:
    folder, path, _ = world
    keys = {"files": [path], "time": [f"{START}/{START + 5 * HOUR}"], "variables": ["t2m", "u10"], **more}
    return config.build(CasesSection, {"domain": str(folder / "tiny.yaml"), "states": keys}, "run.yaml")


@pytest.fixture(scope="module")
def store(world, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "states.h5"
    with Ranks.start(device="cpu") as ranks:
        build_store(path, open_cases(section(world)), ranks)
    return Store(path)


def test_a_case_is_the_state_of_its_time_and_knows_those_before_it_whether_files_or_a_store_hold_them(world, store):
    cases, box, values = open_cases(section(world)), Box(3, 17, 5, 20), world[2]
    assert list(cases.time) == list(store.time) == [START + number * HOUR for number in range(COUNT)]
    for source in (cases, store):
        case = source.case(3, box)
        for name, field in values.items():
            np.testing.assert_allclose(case.truth[name], field[3][box.slices], atol=0.01)
            np.testing.assert_allclose(case.before(2 * HOUR)[name], field[1][box.slices], atol=0.01)
        assert case.before(4 * HOUR) is None and case.before(HOUR // 2) is None
        assert len(case.observations) == 0 and not case.background and case.first_guess is None


def test_only_cases_with_all_their_earlier_states_are_shown_and_changes_have_their_own_unit(store):
    method = LamMethod(LamSettings(variables=2, steps=2, widths=(8, 8)))
    tile = Tile.split(SHAPE, (1, 1), (0, 0), 1)
    units = gather_statistics(
        (store,), np.arange(COUNT), tile, Transport.alone(), reports=False, lag=np.timedelta64(3600, "s")
    )
    change = even_states(SHAPE, 2)
    expected = [float((change[name][1] - change[name][0]).std()) for name in ("t2m", "u10")]
    np.testing.assert_allclose(units.change_deviation, expected, rtol=1e-2)
    assert units.fields == ("truth_t2m", "truth_u10") and units.observed == ()
    method.statistics = units
    data = Dataset((store,), tile, method)
    assert list(data.time) == [START + number * HOUR for number in (3, 4, 5)]
    sample = data.batch([0, 2])
    assert tuple(sample.inputs.shape) == (2, *(method.channels[0], *SHAPE)) and tuple(sample.target.shape)[1] == 4
    method.settings = LamSettings(variables=2, steps=5)
    with pytest.raises(InputError, match="none of 6 cases .* one state each of 360, 300, .* minutes earlier: name a"):
        _ = Dataset((store,), tile, method).time


def test_files_and_times_that_are_not_there_are_refused_with_the_way_out(world):
    with pytest.raises(StatesError, match=r"no file /no/\*.grib2: set files of the section states"):
        open_cases(section(world, files=["/no/*.grib2"]))
    with pytest.raises(StatesError, match="expected a time from .*, got 2024-05-02T00:00:00: name files that hold it"):
        open_cases(section(world)).state(START + 24 * HOUR, Box(0, 4, 0, 4))
    with pytest.raises(ConfigError, match="variables: expected some of t2m"):
        section(world, variables=["rain"])


def test_of_many_files_only_those_of_a_time_are_opened_for_its_state(world, tmp_path, monkeypatch):
    folder, _, values = world
    static, opened = load_static(load_domain(str(folder / "tiny.yaml"))), []
    for number in range(3):
        one = {name: field[number : number + 1] for name, field in values.items()}
        write_states(tmp_path / f"{number}.nc", static, one, START + number * HOUR)
    cases = open_cases(section(world, files=[f"{tmp_path}/*.nc"], time=[f"{START}/{START + 2 * HOUR}"]))
    whole = states.load_label

    def load(paths, *more):
        opened.append([os.path.basename(path) for path in paths])
        return whole(paths, *more)

    monkeypatch.setattr(states, "load_label", load)
    for number in (2, 0):
        state = cases.state(START + number * HOUR, Box.whole(SHAPE))
        np.testing.assert_allclose(state["t2m"], values["t2m"][number], atol=0.01)
    assert opened == [["2.nc"], ["0.nc"]]
