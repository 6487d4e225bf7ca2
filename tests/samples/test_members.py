"""Members as cases: each in turn the truth, the mean of the others the background; a store of them trains a network."""

import numpy as np
import pytest
import torch
from member_file import write_members

from mlrtma_dist import config
from mlrtma_dist.config import ConfigError
from mlrtma_dist.errors import InputError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.grid.interpolate import same_grid
from mlrtma_dist.io.gridded import read_gridded
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.methods.unet import UNetMethod, UNetSettings
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.parallel.tile import Tile
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.dataset import Dataset
from mlrtma_dist.samples.members import MembersError
from mlrtma_dist.samples.sources import CasesSection, open_cases
from mlrtma_dist.samples.store import Store

SHAPE, MEMBERS = (20, 24), 5
TIMES = np.array(["2018-03-26T00", "2018-03-26T01", "2018-03-26T02"], "datetime64[s]")
DOMAIN = """\
name: small
title: small
projection: "+proj=lcc +lat_1=63 +lat_2=63 +lat_0=63 +lon_0=15 +R=6371000"
corner: {latitude: 58.4, longitude: 9.5}
spacing: 2500.0
size: {x: 24, y: 20}
terrain: null
land: null
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A domain's file, one file of all members, and its values (time, member, y, x): smooth fields that differ."""
    folder, generator = tmp_path_factory.mktemp("members"), np.random.default_rng(4)
    (folder / "small.yaml").write_text(DOMAIN)
    y, x = np.indices(SHAPE) / 24.0
    amplitude = generator.normal(size=(4, len(TIMES), MEMBERS, 1, 1))
    waves = np.sin(3 * x), np.cos(5 * y), np.sin(4 * (x + y)), np.cos(6 * (x - y))
    values = 275.0 + sum(a * wave for a, wave in zip(amplitude, waves, strict=True))
    domain = load_domain(str(folder / "small.yaml"))
    path = write_members(folder / "members.nc", domain, TIMES, {"t2m": values.astype(np.float32)})
    return folder, path, values


def section(world, **more) -> CasesSection:
    folder, path, _ = world
    members = {"files": [path], "time": ["2018-03-26T00:00/2018-03-26T02:00"], **more}
    return config.build(CasesSection, {"domain": str(folder / "small.yaml"), "members": members}, "run.yaml")


@pytest.fixture(scope="module")
def store(world, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "members.h5"
    with Ranks.start(device="cpu") as ranks:
        build_store(path, open_cases(section(world)), ranks)
    return Store(path)


def test_each_member_is_the_truth_and_the_mean_of_the_others_the_background(world):
    cases, values = open_cases(section(world)), world[2]
    assert len(cases.time) == len(TIMES) * MEMBERS
    box = Box(3, 17, 5, 20)
    for number, time in enumerate(cases.time):
        index, member = divmod(number, MEMBERS)
        assert time == TIMES[index]
        case = cases.case(number, box)
        others = np.delete(values[index], member, axis=0).mean(axis=0)
        np.testing.assert_allclose(case.truth["t2m"], values[index, member][box.slices], atol=1e-3)
        np.testing.assert_allclose(case.background["t2m"], others[box.slices], atol=1e-3)
        np.testing.assert_allclose(case.background_of("t2m"), others[box.slices], atol=1e-3)
        assert len(case.observations) == len(case.used) == 0


def test_times_are_in_order_each_once_whatever_the_order_of_their_names(world):
    times = ["2018-03-26T02:00", "2018-03-26T00:00", "2018-03-26T02:00"]
    np.testing.assert_array_equal(open_cases(section(world, time=times)).time, np.repeat(TIMES[[0, 2]], MEMBERS))


def test_a_store_holds_the_cases(world, store):
    values, whole = world[2], Box.whole(SHAPE)
    np.testing.assert_array_equal(store.time, np.repeat(TIMES, MEMBERS))
    assert store.contents.background and store.contents.truth
    case = store.case(7, whole)  # the third member at the second time
    np.testing.assert_allclose(case.truth["t2m"], values[1, 2], atol=1e-3)
    np.testing.assert_allclose(case.background["t2m"], np.delete(values[1], 2, axis=0).mean(axis=0), atol=1e-3)


def test_a_network_trains_on_the_store_and_is_validated_at_the_last_time(store):
    truth = np.stack([store.fields(number, range(SHAPE[0]), range(SHAPE[1])) for number in range(len(store.time))])
    ratio = float((truth[:, 1] - truth[:, 0]).std() / truth[:, 1].std())
    units = Statistics(store.layout.fields, tuple(truth.mean((0, 2, 3))), tuple(truth.std((0, 2, 3))), 15, "", "")
    method = UNetMethod(UNetSettings(widths=(16, 16), groups=4, fold=1, background_deviation=ratio), units)
    data = Dataset((store,), Tile.whole(SHAPE), method, plain_from=TIMES[2])
    training, unseen = np.flatnonzero(data.time < TIMES[2]), np.flatnonzero(data.time >= TIMES[2])
    assert len(training) == 2 * MEMBERS and len(unseen) == MEMBERS
    optimizer, losses = torch.optim.Adam(method.network.parameters(), lr=3e-3), []
    for sample in data.stream([training.tolist()] * 40):
        optimizer.zero_grad()
        total, weight = method.loss(sample, Alone(SHAPE))
        (total / weight).backward()
        optimizer.step()
        losses.append((total / weight).item())
    print(f"ratio {ratio:.2f}, loss {losses[0]:.3f} to {losses[-1]:.3f}")
    assert 0.5 < losses[0] < 2.0, "with the ratio as background_deviation the departures are of size one"
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"variables": ["t2m", "d2m"]}, MembersError, "no d2m in every member.*they have t2m"),
        ({"time": ["2018-03-26T05:00"]}, InputError, "2018-03-26T05:00"),
        ({"time": []}, ConfigError, "at least one file and one time"),
        ({"variables": ["temperature"]}, ConfigError, "variables: expected some of t2m"),
    ],
)
def test_what_the_files_do_not_hold_is_named(world, more, error, words):
    with pytest.raises(error, match=words):
        open_cases(section(world, **more)).case(0, Box.whole(SHAPE))


def test_a_domain_that_the_files_do_not_cover_is_named(world, tmp_path):
    (tmp_path / "large.yaml").write_text(DOMAIN.replace("x: 24", "x: 30").replace("small", "large"))
    members = {"files": [world[1]], "time": ["2018-03-26T00:00"]}
    large = config.build(CasesSection, {"domain": str(tmp_path / "large.yaml"), "members": members}, "run.yaml")
    with pytest.raises(MembersError, match="t2m in every member at all points of large"):
        open_cases(large).case(0, Box.whole((20, 30)))


def test_a_file_that_is_missing_is_named_with_the_way_out(world, tmp_path):
    with pytest.raises(MembersError, match=r"members: no file .*absent.nc \(1 of 1 are missing\): .*MLRTMA_REAL_DATA"):
        open_cases(section(world, files=[str(tmp_path / "absent.nc")]))


def test_two_members_are_too_few(world, tmp_path):
    folder, _, values = world
    domain = load_domain(str(folder / "small.yaml"))
    path = write_members(tmp_path / "two.nc", domain, TIMES, {"t2m": values[:, :2].astype(np.float32)})
    with pytest.raises(MembersError, match="expected at least 3 members, got 2"):
        open_cases(section(world, files=[path]))


def test_the_shipped_domain_is_the_grid_of_its_files_and_the_judged_hours_are_no_samples(real_data):
    run = config.load_yaml(config.find("samples", "members_meps"))
    domain = load_domain("meps_norway")
    file = real_data / "meps_norway/meps_2_5km_20180326T00Z_air_temperature_2m.nc"
    field = read_gridded(file, ("t2m",), member=0, projection=domain.projection)[0]
    assert same_grid(field.domain, domain, 1e-3)
    cases = open_cases(config.build(CasesSection, run["cases"], "members_meps.yaml"))
    distance = np.abs(cases.time - np.datetime64("2018-03-26T07:00"))
    assert distance.min() > np.timedelta64(1, "h") and len(cases.time) == 100
    assert cases.static.has_terrain.all()
