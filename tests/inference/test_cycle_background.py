"""Backgrounds of a cycle: a forecast from the newest two analyses a step apart, else the analysis as it is."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from regions import small_region

from mlrtma_dist.fields.gridded import load_gridded
from mlrtma_dist.fields.state import State
from mlrtma_dist.fields.static import grid_points
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.cycle_background import Backgrounds
from mlrtma_dist.inference.cycle_publications import Publications
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.methods.lam import LamMethod
from mlrtma_dist.methods.lam_settings import LamSettings
from mlrtma_dist.methods.statistics import Statistics
from mlrtma_dist.observations.own_influence import OwnInfluence, influence_path
from mlrtma_dist.weights import trained

NOON, HOUR = np.datetime64("2026-08-18T12:00:00", "s"), np.timedelta64(3600, "s")
UNITS = Statistics(("truth_t2m",), (285.0,), (4.0,), 9, "", "", change_deviation=(0.8,))
WARMING = 1.5  # K an hour


class SameAgain(torch.nn.Module):
    """A network by which a step changes what the one before did: straight lines in time."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, channels, neighbourhood):
        """The second channel: the last change in units of its deviation."""
        return self.weight * channels[:, 1:2]


def weights_of(method) -> trained.TrainedMethod:
    """What `load_trained` gives."""
    manifest = SimpleNamespace(run=SimpleNamespace(stores=()))
    return trained.TrainedMethod(Path("weights"), "weights", manifest, "lam", method, "")


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Backgrounds of slots every quarter of an hour, and a function that publishes the analysis of a time."""
    static = small_region(tmp_path, "east", 6.0)
    method = LamMethod(LamSettings(variables=1, steps=1, rim=0, widths=(8, 8)), UNITS)
    method.network = SameAgain()
    monkeypatch.setattr(trained, "load_trained", lambda folder: weights_of(method))
    backgrounds = Backgrounds(Publications(tmp_path / "out", "east"), HOUR // 4, static, "weights")

    def publish(time):
        hours = float((time - NOON) / HOUR)
        values = 280.0 + WARMING * hours + 0.01 * np.add.outer(*map(np.arange, static.domain.shape))
        path = backgrounds.publications.path(time)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_state(path, State(static.domain, time, {"t2m": values.astype(np.float32)}, static.terrain))

    return backgrounds, publish


def put_in(time) -> OwnInfluence:
    """An own influence of one station, of a slot."""
    value = np.array([float((time - NOON) / HOUR)])
    return OwnInfluence(np.array(["S001"]), np.array(["t2m"]), np.array([40.0]), np.array([-105.0]), value)


def mean_of(backgrounds, time) -> float:
    """Mean of t2m over the domain of the background of a time, as a cycle reads it."""
    static = backgrounds.static
    guess = load_gridded([backgrounds.of(time)], static, time)
    box = Box.whole(static.domain.shape)
    return float(guess.mean("t2m", grid_points(static, *box.slices)).mean())


@pytest.mark.parametrize(("missing", "steps"), [((), 1), ((1,), 2)])
def test_a_forecast_begins_with_the_newest_two_analyses_a_step_apart(world, missing, steps):
    backgrounds, publish = world
    for before in (1, 2, 3):
        if before not in missing:
            publish(NOON - before * HOUR)
    publish(NOON - HOUR // 4)  # newer, but it has none a step before it
    expected = 280.0 + 0.01 * (sum(backgrounds.static.domain.shape) - 2) / 2
    assert mean_of(backgrounds, NOON) == pytest.approx(expected, abs=0.01)
    assert backgrounds.of(NOON).endswith(f"/forecast_from_20260818T{12 - steps}00Z.nc")
    publish(NOON)
    publish(NOON + HOUR)
    backgrounds.of(NOON + 2 * HOUR)
    assert len(list(backgrounds.publications.folder.glob("*.nc"))) == 1


def test_a_forecast_has_what_stations_have_put_into_the_newer_of_the_two_analyses(world):
    backgrounds, publish = world
    for before in (1, 2):
        publish(NOON - before * HOUR)
        put_in(NOON - before * HOUR).write(influence_path(backgrounds.publications.path(NOON - before * HOUR)))
    file = Path(backgrounds.of(NOON))
    assert OwnInfluence.read(influence_path(file)).influence.tolist() == [-1.0]
    publish(NOON)
    backgrounds.of(NOON + HOUR)
    assert [each.name for each in backgrounds.publications.folder.glob("forecast_from_*")] == [
        "forecast_from_20260818T1200Z.nc"  # an analysis of which it is not known
    ]


def test_a_damaged_file_of_what_stations_have_put_in_costs_no_forecast(world):
    backgrounds, publish = world
    for before in (1, 2):
        publish(NOON - before * HOUR)
    influence_path(backgrounds.publications.path(NOON - HOUR)).write_bytes(b"\xff\xfe")
    assert Path(backgrounds.of(NOON)).name == "forecast_from_20260818T1100Z.nc"


def test_without_two_analyses_or_weights_the_previous_analysis_is_taken_as_it_is(world, monkeypatch, caplog):
    backgrounds, publish = world
    assert backgrounds.of(NOON) == ""
    publish(NOON - HOUR // 2)
    assert backgrounds.of(NOON).endswith("east_20260818T1130Z.nc")
    publish(NOON - 3 * HOUR // 2)
    monkeypatch.setattr(LamMethod, "forecast", lambda *_: (_ for _ in ()).throw(trained.CheckpointError("damaged")))
    publish(NOON - HOUR)
    publish(NOON - 2 * HOUR)
    assert backgrounds.of(NOON).endswith("east_20260818T1130Z.nc") and "damaged" in caplog.text
    assert backgrounds.of(NOON + 2 * HOUR) == ""


def test_a_network_that_fails_or_diverges_or_has_another_step_leaves_the_previous_analysis(world, monkeypatch, caplog):
    backgrounds, publish = world
    publish(NOON - 2 * HOUR)
    publish(NOON - HOUR)
    with monkeypatch.context() as patch:
        patch.setattr(LamMethod, "forecast", lambda *_: (_ for _ in ()).throw(RuntimeError("out of memory")))
        assert backgrounds.of(NOON).endswith("east_20260818T1100Z.nc") and "out of memory" in caplog.text
    with monkeypatch.context() as patch:
        patch.setattr(SameAgain, "forward", lambda _self, channels, _: float("nan") * channels[:, 1:2])
        assert backgrounds.of(NOON).endswith("east_20260818T1100Z.nc") and "not finite" in caplog.text
    backgrounds.every = HOUR * 2 // 3
    publish(NOON - HOUR * 2 // 3)
    assert (
        backgrounds.of(NOON).endswith("east_20260818T1120Z.nc") and "expected a step that is a multiple" in caplog.text
    )
