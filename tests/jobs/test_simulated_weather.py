"""Simulated weather end to end: a shipped recipe, made smaller, becomes a store that a network learns on."""

import csv

import numpy as np
import pytest

from jobs import command
from mlrtma_dist.samples.store import Store

DOMAIN = """\
name: tiny
title: tiny, 40 x 32 points of 10 km
projection: "+proj=lcc +lat_1=40 +lat_2=40 +lat_0=40 +lon_0=255 +R=6371200"
corner: {latitude: 38.0, longitude: 252.0}
spacing: 10000.0
size: {x: 40, y: 32}
terrain: simulated
land: simulated
"""
TRAINING = """\
samples: {folder}/store.h5
output: {folder}/training
settings: {{variables: 4, fold: 1, widths: [16, 32], groups: 4, background_deviation: 0.5}}
schedule: {{steps: 30, batch: 4, learning_rate: 3.0e-3, warm_up: 3, checkpoint_every: 0, seed: 0}}
engine: {{optimizer: {{type: AdamW, params: {{}}}}}}
validation_from: "2022-07-06T12:00"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a store of 24 cases of the shipped recipe on a tiny domain."""
    folder = tmp_path_factory.mktemp("twins")
    (folder / "tiny.yaml").write_text(DOMAIN)
    (folder / "training.yaml").write_text(TRAINING.format(folder=folder))
    sets = [f"domain={folder / 'tiny.yaml'}", "cases=24"]
    arguments = ["samples", "configs/samples/weather_toy.yaml", "--output", str(folder / "store.h5")]
    assert command.main([*arguments, *(word for each in sets for word in ("--set", each))]) == 0
    return folder


def test_the_store_holds_possible_weather_at_all_times_of_day(folder):
    store = Store(folder / "store.h5")
    assert len(store.time) == 24
    hours = (store.time - store.time.astype("datetime64[D]")) // np.timedelta64(1, "h")
    assert len(set(hours.tolist())) == 24
    names = list(store.layout.fields)
    for case in range(0, 24, 6):
        values = dict(zip(names, store.fields(case, range(32), range(40)), strict=True))
        assert (values["truth_d2m"] <= values["truth_t2m"]).all()
        assert 0.3 < np.sqrt(np.mean((values["background_t2m"] - values["truth_t2m"]) ** 2)) < 4.0
        assert 500 < len(store.observations(case, range(32), range(40))) <= 4 * 300


def test_a_network_of_several_variables_trains_on_it(folder):
    assert not command.main(["train", str(folder / "training.yaml")])
    with (folder / "training" / "metrics.csv").open(newline="") as stream:
        loss = [float(row["loss"]) for row in csv.DictReader(stream)]
    assert len(loss) == 30 and np.isfinite(loss).all()
    assert np.mean(loss[-8:]) < 0.9 * np.mean(loss[:8])
    assert list((folder / "training" / "checkpoints").glob("step_*"))
