"""Runs of the world of Exercise 2: consecutive states as the model makes them, on the plane and on a part of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from invented import plane
from launch import mlrtma

from jobs import command
from mlrtma_dist import config
from mlrtma_dist.config import ConfigError
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.lam import LamMethod
from mlrtma_dist.methods.lam_settings import LamSettings
from mlrtma_dist.methods.learned import ContentsError
from mlrtma_dist.nn.neighbourhood import Alone
from mlrtma_dist.parallel.ranks import Ranks
from mlrtma_dist.physics.balance import balanced
from mlrtma_dist.physics.shallow_water import ShallowWater
from mlrtma_dist.samples.build import build_store
from mlrtma_dist.samples.store import Store
from mlrtma_dist.samples.successive import successive
from mlrtma_dist.simulation.shallow_plane import ShallowPlane
from mlrtma_dist.simulation.shallow_truths import stream_of
from mlrtma_dist.training.metrics import read

STATES, EVERY = 5, 4
RUNS = ShallowPlane(
    size=24, steps=6, states=STATES, every=EVERY, length=(8.0, 10.0), observations=(40, 9, 9, 9, 9), seed=3
)
PART = plane((16, 20), name="part")
MINUTES = np.timedelta64(60, "s")
SEA = plane(RUNS.shape, periodic=True, name="sea")
DOMAIN = "name: part\ntitle: part\nprojection: plane\nspacing: 1.0\nsize: {x: 20, y: 16}\n"
SAMPLES = """\
cases:
  domain: part.yaml
  count: 15
  shallow_plane: {size: 24, steps: 6, states: 5, every: 4, length: [8.0, 10.0], observations: [40, 9, 9, 9, 9], seed: 3}
output: runs.h5
edge: 8
"""
TRAINING = """\
samples: [runs.h5]
method: lam
settings: {variables: 3, step_minutes: 10, steps: 2, rim: 2, rim_missing: 0.4, ground: false, sun: false, noise: 0.1,
  widths: [16, 16], groups: 4}
validation_from: "2000-01-03"
schedule: {steps: 15, batch: 2, learning_rate: 3.0e-3, warm_up: 3, validate_every: 15, checkpoint_every: 0}
engine: {optimizer: {type: AdamW, params: {}}}
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Three runs on a part of the plane."""
    path = tmp_path_factory.mktemp("runs") / "part.h5"
    with Ranks.start(device="cpu") as world:
        build_store(path, RUNS.on(PART, count=3 * STATES), world, edge=8)
    return Store(path)


def test_stored_states_are_one_step_of_the_model_after_another_to_rounding(store):
    model, here = ShallowWater(spacing=RUNS.spacing, coriolis=RUNS.coriolis), Alone(RUNS.shape, (True, True))
    state = balanced(model, torch.from_numpy(np.stack([stream_of(RUNS, run) for run in range(3)])), RUNS.depth, here)
    state = model.run(state, RUNS.step, RUNS.steps, here)  # float64, which the source's is not
    for number in range(STATES):
        truth = model.to_centres(state, here).numpy()
        truth[:, 0] -= RUNS.depth
        for run in range(3):
            stored = store.fields(run * STATES + number, range(16), range(20))
            np.testing.assert_allclose(stored, truth[run, :, :16, :20], atol=1e-3)
        moved = model.run(state, RUNS.step, EVERY, here)
        assert (moved - state).abs().amax((0, 2, 3)).min() > 0.1  # a state is not the one before it
        state = moved


def test_a_state_is_the_last_one_of_a_run_that_is_so_much_longer():
    alone = replace(RUNS, states=1)
    for run, state in ((0, 0), (1, 3), (20, STATES - 1)):
        longer = replace(alone, steps=RUNS.steps + state * EVERY)
        np.testing.assert_array_equal(RUNS.truth(run * STATES + state), longer.truth(run))


def test_times_of_a_run_follow_each_other_and_no_other_run_is_as_close_as_its_ends():
    day = replace(RUNS, states=144)  # 23 hours and 50 minutes: the next run would begin ten minutes later
    for world, days in ((RUNS, 1), (day, 2)):
        count = world.states
        time = world.times(np.arange(3 * count)).reshape(3, count)
        assert (np.diff(time, axis=1) == 10 * MINUTES).all()
        assert (np.diff(time[:, 0]) == np.timedelta64(days, "D")).all()
        assert (time[1:, 0] - time[:-1, -1] > time[:-1, -1] - time[:-1, 0]).all()
    part = RUNS.on(PART, first=STATES, count=2 * STATES)
    numbers = successive(part.time, (20 * MINUTES, 10 * MINUTES), "runs")
    assert numbers.tolist() == [2, 3, 4, 7, 8, 9]
    hourly = replace(RUNS, states=1).on(plane(RUNS.shape, periodic=True), first=3, count=2)
    assert [str(each) for each in hourly.time] == ["2000-01-01T03:00:00", "2000-01-01T04:00:00"]


def test_a_part_is_the_corner_of_the_plane_with_its_own_reports_and_a_store_gives_the_states_before(store):
    whole, part = (RUNS.on(domain, count=STATES).case(3, Box(0, 16, 0, 20)) for domain in (SEA, PART))
    for name in ("h", "u", "v"):
        np.testing.assert_array_equal(part.truth[name], whole.truth[name])
    inside = (whole.place < (16, 20)).all(1)
    assert 0 < inside.sum() < len(inside)
    np.testing.assert_array_equal(part.place, whole.place[inside])
    np.testing.assert_array_equal(part.observations.value, whole.observations.value[inside])
    box = Box(2, 16, 4, 12)
    case = store.case_of_tile(3, box)
    earlier = RUNS.truth(2)[:, 2:16, 4:12].astype(np.float32)
    np.testing.assert_array_equal(list(case.before(10 * MINUTES).values()), earlier)
    assert case.before(40 * MINUTES) is None and store.case_of_tile(STATES, box).before(10 * MINUTES) is None


def test_runs_and_parts_that_cannot_be_are_refused():
    for wrong in ({"states": 0}, {"every": 0}):
        with pytest.raises(ValueError, match="states, every: expected whole numbers from 1"):
            replace(RUNS, **wrong)
    with pytest.raises(ValueError, match=r"every: expected whole seconds .*, got 1 steps of 0.5 s"):
        replace(RUNS, every=1, step=0.5)
    with pytest.raises(ValueError, match="every: expected none where states is 1, .* got 9: leave it out, or set"):
        replace(RUNS, states=1, every=9)
    for shape in ((25, 8), (8, 25)):
        with pytest.raises(ConfigError, match=r"domain: expected a periodic plane of \(24, 24\) points or a part of"):
            RUNS.on(plane(shape))
    with pytest.raises(ConfigError, match=r"got plane of \(16, 16\), which wraps"):
        RUNS.on(plane((16, 16), periodic=True))


def test_methods_whose_covariances_are_those_of_a_plane_that_wraps_are_refused_on_a_part(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part.yaml").write_text(DOMAIN)
    world = "shallow_plane: {size: 24, observations: [9, 9, 9, 9, 9]}"
    cases = f"cases={{domain: part.yaml, count: 2, {world}}}"
    training = f"training={{cases: {{domain: part.yaml, count: 2, {world}}}}}"
    sections = ["--set", cases, "--set", training]
    assert command.main(["verify", *sections, "--method", "best_linear", "--output", "refused"]) == 3
    assert "method best_linear needs cases of shallow_plane on its whole plane" in capsys.readouterr().err
    (tmp_path / "sea.yaml").write_text(DOMAIN.replace("x: 20, y: 16", "x: 24, y: 24") + "periodic: true\n")
    sections[1] = sections[1].replace("part.yaml", "sea.yaml")
    assert command.main(["verify", *sections, "--method", "best_linear", "--output", "refused"]) == 2
    message = capsys.readouterr().err
    assert "training: expected a periodic plane of (24, 24) points as that of the cases to be analysed, got" in message
    assert "Name another training." in message


def test_the_shipped_configurations_describe_these_runs():
    training = config.load_yaml(config.configs_root() / "training/lam_shallow_water.yaml")
    settings = config.build(LamSettings, training["settings"], "settings")
    for name in ("lam_shallow_water", "lam_shallow_water_unseen"):
        cases = config.load_yaml(config.configs_root() / "samples" / f"{name}.yaml")["cases"]
        world = config.build(ShallowPlane, cases["shallow_plane"], name)
        assert world.every * world.step == 60 * settings.step_minutes and cases["count"] % world.states == 0
        if name == "lam_shallow_water":
            first = world.times(np.array([64 * world.states]))[0]
            assert str(first.astype("datetime64[D]")) == training["validation_from"]
    assert LamMethod(settings).settings.variables == 3


def test_a_forecast_of_the_world_itself_is_refused_with_the_way_to_its_states():
    method = LamMethod(LamSettings(variables=3, step_minutes=10, ground=False, sun=False))
    case = RUNS.on(PART, count=STATES).case(STATES - 1, Box(0, 16, 0, 20))
    with pytest.raises(ContentsError, match="a simulated world has them in a store alone"):
        method.encode(case)


@pytest.mark.slow
def test_samples_and_training_of_a_part_are_the_same_on_two_uneven_tiles(tmp_path):
    (tmp_path / "part.yaml").write_text(DOMAIN)
    (tmp_path / "samples.yaml").write_text(SAMPLES)
    (tmp_path / "train.yaml").write_text(TRAINING)
    with Ranks.start(device="cpu") as world:
        build_store(tmp_path / "alone.h5", RUNS.on(PART, count=3 * STATES), world, edge=8)
    mlrtma(tmp_path, "samples", str(tmp_path / "samples.yaml"), "--set", "mesh={data: 1, y: 1, x: 2}", ranks=2)
    stores = [Store(tmp_path / name) for name in ("alone.h5", "runs.h5")]
    np.testing.assert_array_equal(*(store.time for store in stores))
    for case in range(3 * STATES):
        np.testing.assert_array_equal(*(store.fields(case, range(16), range(20)) for store in stores))
    for ranks in (1, 2):
        tiles = ("--set", f"mesh={{data: 1, y: 1, x: {ranks}}}", "--set", f"output=trained_{ranks}")
        mlrtma(tmp_path, "train", str(tmp_path / "train.yaml"), *tiles, ranks=ranks)
    folders = [tmp_path / f"trained_{ranks}" for ranks in (1, 2)]
    losses = [[row["loss"] for row in read(folder / "metrics.csv")] for folder in folders]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3) and losses[0][-1] < 0.7 * losses[0][0]
