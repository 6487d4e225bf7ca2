"""Samples, training and forecast by the verbs: analyses in, a CF product of lead times out, on ranks as alone."""

import contextlib
import csv

import netCDF4
import numpy as np
import pytest
from killed import losses_despite_a_kill
from launch import mlrtma
from moving_states import HOUR, START, write_world

from jobs import command
from mlrtma_dist import config
from mlrtma_dist.methods.lam import LamMethod
from mlrtma_dist.methods.lam_settings import LamSettings
from mlrtma_dist.training.metrics import read

TRAINING = """\
samples: [states.h5]
output: trained
method: lam
settings: {variables: 2, steps: 2, rim: 2, widths: [16, 16], groups: 4}
validation_from: "2024-05-01T08:00"
schedule: {steps: 30, batch: 2, learning_rate: 3.0e-3, warm_up: 3, validate_every: 15, checkpoint_every: 0}
engine: {optimizer: {type: AdamW, params: {}}}
"""
CHECKPOINT = "trained/checkpoints/step_00000030"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with states of ten hours, a store of them, and a network trained on it for a moment."""
    folder = tmp_path_factory.mktemp("forecast")
    write_world(folder, f"output: out\ncheckpoint: {CHECKPOINT}\nhours: 3\n")
    (folder / "training.yaml").write_text(TRAINING)
    mlrtma(folder, "train", str(folder / "training.yaml"))
    return folder


@pytest.mark.slow
def test_samples_training_and_forecast_give_a_product_of_lead_times_the_same_on_two_ranks(world):
    assert read(world / "trained/metrics.csv")[-1]["loss"] < 0.5 * read(world / "trained/metrics.csv")[0]["loss"]
    fields = {}
    for ranks, output in ((1, "one"), (2, "two")):
        printed = mlrtma(world, "forecast", str(world / "forecast.yaml"), "--output", output, ranks=ranks)
        path = world / output / "tiny_20240501T0400Z" / "tiny_20240501T0400Z_forecast.nc"
        assert str(path.relative_to(world)) in printed and (path.parent / "config.yaml").is_file()
        with netCDF4.Dataset(path) as product:
            fields[ranks] = {name: product[name][:].astype(np.float64) for name in ("t2m", "u10")}
            assert list(product["forecast_period"][:]) == [1.0, 2.0, 3.0]
            times = netCDF4.num2date(product["time"][:], product["time"].units, only_use_cftime_datetimes=False)
            assert [str(time) for time in times] == [f"2024-05-01 0{hour}:00:00" for hour in (5, 6, 7)]
            start = netCDF4.num2date(product["forecast_reference_time"][:], product["time"].units)
            assert str(start) == "2024-05-01 04:00:00"
            assert product["forecast_reference_time"].standard_name == "forecast_reference_time"
            assert {"forecast_reference_time", "forecast_period"} <= set(product["t2m"].coordinates.split())
            assert product.title.startswith("Surface weather forecast") and product.method == "lam"
            assert "the outer 2 cells stay as they are" in product.boundary_files
    for name, alone in fields[1].items():
        np.testing.assert_allclose(fields[2][name], alone, atol=2.0**-7)
        assert np.abs(np.diff(alone, axis=0)).max() > 0.02  # it is no persistence


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lam", "lam_diffusion"])
def test_a_rank_killed_with_9_ends_the_training_which_goes_on_with_the_losses_of_an_uninterrupted_one(world, method):
    """Noise, and the cases without a boundary, are drawn again as they were."""
    settings = {"lam": "rim_missing: 0.4, noise: 0.3, steps: 2", "lam_diffusion": "rim_missing: 0.4, levels: 2"}[method]
    text = TRAINING.replace("steps: 2, rim", f"{settings}, rim").replace("method: lam", f"method: {method}")
    (world / f"{method}.yaml").write_text(text + "variants: 8\n")
    sets = ("schedule.checkpoint_every=4", "schedule.validate_every=0")
    whole, resumed = losses_despite_a_kill(world, str(world / f"{method}.yaml"), sets, after=6)
    assert len(whole) == 30 and resumed == pytest.approx(whole, rel=1e-3)  # float32, after 30 steps of Adam


@pytest.mark.slow
def test_the_outer_cells_follow_the_files_of_the_boundary_and_a_forecast_is_itself_a_source_of_states(
    world, monkeypatch
):
    monkeypatch.chdir(world)
    boundary = ["--boundary", "states.nc", "--boundary-time", f"{START + 5 * HOUR}/{START + 7 * HOUR}"]
    assert command.main(["forecast", "forecast.yaml", "--output", "bounded", *boundary]) == 0
    product = "bounded/tiny_20240501T0400Z/tiny_20240501T0400Z_forecast.nc"
    with netCDF4.Dataset(product) as data, netCDF4.Dataset("states.nc") as states:
        np.testing.assert_allclose(data["t2m"][:, :2], states["t2m"][5:8, :2], atol=0.02)
        assert data.boundary_files == "states.nc"
    times = ["--time", f"{START + 6 * HOUR}", f"{START + 7 * HOUR}"]
    again = ["forecast", "forecast.yaml", "--states", product, *times, "--hours", "1", "--output", "again"]
    assert command.main(again) == 0
    assert (world / "again/tiny_20240501T0700Z/tiny_20240501T0700Z_forecast.nc").is_file()


@pytest.mark.slow
def test_the_first_cases_of_a_store_have_no_earlier_states_and_are_left_out_by_every_verb_alike(world, caplog, capsys):
    """Of ten hours the first three have not the three states that two steps of the network begin with."""
    sections = "cases: {domain: tiny.yaml, store: {file: states.h5}}\nmethod: lam\n"
    (world / "store.yaml").write_text(sections + f"checkpoint: {CHECKPOINT}\noutput: of_store\n")
    with contextlib.chdir(world), netCDF4.Dataset("states.nc") as states:
        truth = states["t2m"][3:].astype(np.float64)
        for verb in ("analyse", "verify"):
            caplog.clear()
            assert command.main([verb, "store.yaml"]) == 0, capsys.readouterr().err
            (line,) = [each.getMessage() for each in caplog.records if "left out" in each.getMessage()]
            assert "method lam on tiny: 3 of 10 cases are left out" in line and "180, 120, 60 minutes" in line
        with netCDF4.Dataset("of_store/tiny_lam/tiny_lam.nc") as product:
            times = netCDF4.num2date(product["time"][:], product["time"].units, only_use_cftime_datetimes=False)
            assert [time.hour for time in times] == list(range(3, 10))
            rmse = np.sqrt(np.square(product["t2m"][:].astype(np.float64) - truth).mean())
        with open("of_store/fields.csv", newline="", encoding="utf-8") as stream:
            scores = {(row["method"], row["variable"]): float(row["rmse"]) for row in csv.DictReader(stream)}
        assert scores["lam", "t2m"] == pytest.approx(rmse, abs=0.01)
        caplog.clear()
        options = [
            "--time",
            f"{START}/{START + 9 * HOUR}",
            "--start",
            f"{START}/{START + 2 * HOUR}/PT1H",
            "--output",
            "starts",
        ]
        assert command.main(["forecast", "forecast.yaml", *options]) == 0, capsys.readouterr().err
        assert any("start: 1 of 3 cases are left out" in each.getMessage() for each in caplog.records)
        assert len(list((world / "starts").glob("*/*_forecast.nc"))) == 2
        only = ["--set", "cases={domain: tiny.yaml, states: {files: [states.nc], time: ['2024-05-01T02:00']}}"]
        assert command.main(["analyse", "store.yaml", *only]) != 0


@pytest.mark.slow
def test_what_cannot_be_forecast_is_refused_with_the_way_out(world, monkeypatch, capsys):
    monkeypatch.chdir(world)
    for options, code, expected in (
        (["--hours", "1.5"], 2, "hours: expected a multiple of the network's step of 60 min, got 1.5"),
        (["--start", "2024-05-01T09:00"], 3, "start: expected times of the cases, 2024-05-01T03:00:00 to"),
        (
            ["--boundary", "states.nc", "--boundary-time", "2024-05-01T05:00"],
            3,
            "boundary: expected states of every step",
        ),
        (["--time", "2024-05-01T04:00"], 3, "start: none of 1 cases from 2024-05-01T04:00:00"),
        (["--set", "mesh={data: 2}"], 2, "mesh: expected data: 1"),
    ):
        assert command.main(["forecast", "forecast.yaml", *options]) == code
        assert expected in capsys.readouterr().err, options


def test_the_shipped_configurations_describe_this_method():
    for name, variables in (
        ("lam_hrrr_swidaho", 5),
        ("lam_weather_swidaho", 5),
        ("lam_era5_uk", 1),
        ("lam_era5_uk_graph", 1),
    ):
        recipe = config.load_yaml(config.configs_root() / "training" / f"{name}.yaml")
        settings = config.build(LamSettings, recipe["settings"], name)
        assert recipe["method"] == "lam" and settings.variables == variables
        assert LamMethod(settings).network.alignment in (8, 9)
