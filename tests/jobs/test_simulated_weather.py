"""Simulated weather end to end: a shipped recipe, made smaller, becomes a store that a network learns on.

The network then analyses an hour of report files, whose first guess is a regression or a gridded file.
"""

import csv

import netCDF4
import numpy as np
import pytest

from jobs import command
from mlrtma_dist.fields.static import load_static
from mlrtma_dist.grid.domain import load_domain
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.samples.store import Store
from mlrtma_dist.simulation.simulated_hour import simulate_hour

pytestmark = pytest.mark.slow

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
    folder = tmp_path_factory.mktemp("simulated_weather")
    (folder / "tiny.yaml").write_text(DOMAIN)
    (folder / "training.yaml").write_text(TRAINING.format(folder=folder))
    sets = [f"cases.domain={folder / 'tiny.yaml'}", "cases.count=24"]
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


@pytest.fixture(scope="module")
def training(folder):
    """The folder of a network that was trained on the store for 30 steps."""
    assert not command.main(["train", str(folder / "training.yaml")])
    return folder / "training"


def test_a_network_of_several_variables_trains_on_it(training):
    with (training / "metrics.csv").open(newline="") as stream:
        loss = [float(row["loss"]) for row in csv.DictReader(stream)]
    assert len(loss) == 30 and np.isfinite(loss).all()
    assert np.mean(loss[-8:]) < 0.9 * np.mean(loss[:8])
    assert list((training / "checkpoints").glob("step_*"))


@pytest.mark.parametrize("background", [False, True], ids=["regression", "gridded"])
def test_the_network_analyses_an_hour_of_report_files(folder, training, tmp_path, background):
    static = load_static(load_domain(str(folder / "tiny.yaml")))
    hour = simulate_hour(static, np.datetime64("2022-07-09T12:00:00"), stations=120, seed=3)
    write_csv(tmp_path / "reports.csv", hour.observations)
    arguments = ["analyse", "--domain", str(folder / "tiny.yaml"), "--method", "unet"]
    arguments += ["--observations", str(tmp_path / "reports.csv"), "--output", str(tmp_path), "--set", "maps=false"]
    arguments += ["--checkpoint", str(next((training / "checkpoints").glob("step_*")))]
    if background:
        write_state(tmp_path / "background.nc", hour.background)
        arguments += ["--background", str(tmp_path / "background.nc")]
    assert command.main(arguments) == 0
    product = tmp_path / "tiny_20220709T1200Z" / "tiny_20220709T1200Z.nc"
    with netCDF4.Dataset(product) as file:
        names = ("t2m", "d2m", "u10", "v10")
        analysis, increment = ({name: file[name + part][:].squeeze() for name in names} for part in ("", "_increment"))
        assert "gust" not in file.variables
    for name in names:
        assert np.isfinite(analysis[name]).all() and 1e-3 < np.abs(increment[name]).max() < 20.0, name
    error = np.sqrt(np.mean((analysis["t2m"] - hour.truth.values["t2m"]) ** 2))
    assert error < 4.0  # K: 30 steps of training; the analysis stays near the truth
