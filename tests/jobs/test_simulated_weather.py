"""Simulated weather end to end: a network learns on a store of it, analyses an hour of report files, is verified."""

import csv
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from tiny_domain import DOMAIN

from jobs import command, verify
from mlrtma_dist import config
from mlrtma_dist.fields.state import State
from mlrtma_dist.grid.box import Box
from mlrtma_dist.inference.state_file import write_state
from mlrtma_dist.methods.settings import assumptions, load_settings
from mlrtma_dist.observations.csv_write import write_csv
from mlrtma_dist.observations.table import Observations
from mlrtma_dist.samples.judgement import Judged
from mlrtma_dist.samples.sources import open_cases
from mlrtma_dist.samples.store import Store
from mlrtma_dist.weights.trained import load_trained

VARIABLES = ("t2m", "d2m", "u10", "v10")
CHECKPOINT = "training/checkpoints/best"
WEATHER = str(config.configs_root() / "verification" / "weather.yaml")

pytestmark = pytest.mark.slow

TRAINING = """\
samples: [{folder}/store.h5]
output: {folder}/training
settings: {{variables: 4, fold: 1, widths: [16, 32], groups: 4, background_deviation: 0.5}}
schedule: {{steps: 30, batch: 4, learning_rate: 3.0e-3, warm_up: 3, checkpoint_every: 0, seed: 0}}
engine: {{optimizer: {{type: AdamW, params: {{}}}}}}
validation_from: "2022-07-06T12:00"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a store of 24 cases of the shipped recipe on a tiny domain."""
    folder = tmp_path_factory.mktemp("weather")
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
def trained(folder):
    """The folder after thirty steps of training."""
    assert not command.main(["train", str(folder / "training.yaml")])
    return folder


def test_a_network_of_several_variables_trains_on_it(trained):
    with (trained / "training" / "metrics.csv").open(newline="") as stream:
        loss = [float(row["loss"]) for row in csv.DictReader(stream)]
    assert len(loss) == 30 and np.isfinite(loss).all()
    assert np.mean(loss[-8:]) < 0.9 * np.mean(loss[:8])
    assert list((trained / "training" / "checkpoints").glob("step_*"))


def analyse(output: Path, checkpoint: Path, *arguments: str) -> Path:
    """The product of one hour of report files by a network."""
    learned = ["--method", "unet", "--checkpoint", str(checkpoint), "--set", "maps=false", "--output", str(output)]
    assert command.main(["analyse", *arguments, *learned]) == 0
    (product,) = output.rglob("*.nc")
    return product


def contradictory(reports: Observations) -> np.ndarray:
    """Mask of the reports of stations whose dew point lies above their temperature: those of files are flagged."""
    temperature, dew_point = (dict(zip(t.station, t.value, strict=True)) for t in map(reports.of, ("t2m", "d2m")))
    above = [station for station, value in dew_point.items() if value > temperature.get(station, np.inf)]
    return np.isin(reports.station, above)


def test_a_network_analyses_an_hour_of_report_files_as_the_same_case_of_a_store(trained, tmp_path):
    number, store = 21, Store(trained / "store.h5")
    reports, box = store.reports(number), Box.whole(store.domain.shape)
    excluded = contradictory(reports)
    case = Judged.over(store, assumptions(load_settings("classical", VARIABLES))).case(number, box, excluded)
    write_csv(tmp_path / "reports.csv", reports[~excluded])
    write_state(tmp_path / "background.nc", State(store.domain, case.time, dict(case.background)))
    files = ("--observations", str(tmp_path / "reports.csv"), "--background", str(tmp_path / "background.nc"))
    place = ("--domain", str(trained / "tiny.yaml"), "--time", str(case.time))
    product = analyse(tmp_path / "output", trained / CHECKPOINT, *place, *files)
    expected = load_trained(str(trained / CHECKPOINT)).method.analyse(case).fields()
    with netCDF4.Dataset(product) as file:
        for name in VARIABLES:
            np.testing.assert_allclose(file[name][0], expected.values[name], atol=0.01)  # rounded to 1/128 or finer
            assert np.ptp(file[f"{name}_increment"][0]) > 0.5, "the network must change the background"
        assert file.checkpoint == str(trained / CHECKPOINT) and file.checkpoint_step == 30
        assert not set(file.variables) & {"gust", "psfc", "t2m_error"}  # what it was not trained on, and does not know


def test_a_network_analyses_reports_alone_on_a_domain_that_it_was_not_trained_on(trained, toy, tmp_path):
    place = ("--domain", "toy", "--observations", str(toy.observations), "--time", str(toy.time))
    product = analyse(tmp_path, trained / CHECKPOINT, *place)
    with netCDF4.Dataset(product) as file:
        for name in VARIABLES:
            assert file[name].shape == (1, *toy.static.domain.shape) and np.isfinite(file[name][:]).all()
            difference = file[name][0] - toy.world.truth.values[name]
            assert np.sqrt(np.mean(difference**2)) < 4.0, name  # K or m/s: its first guess is a regression


def test_simulated_weather_is_verified_against_fields_and_at_withheld_stations_in_one_report(trained, tmp_path, capsys):
    methods = ("first_guess", "nearest", "oi", "threedvar", "unet")
    sets = [f"cases.domain={trained / 'tiny.yaml'}", "cases.count=1", "folds=2", "variables=[t2m, d2m, u10, v10]"]
    arguments = ["verify", WEATHER, "--checkpoint", str(trained / CHECKPOINT), "--output", str(tmp_path)]
    arguments += [*(word for each in sets for word in ("--set", each)), "--method", *methods]
    assert command.main(arguments) == 0
    fields, stations = (rows_of(tmp_path / name) for name in ("fields.csv", "scores.csv"))
    assert set(fields) == {(method, name) for method in methods for name in VARIABLES} == set(stations)
    for scores in (fields, stations):
        assert all(scores["threedvar", name] < scores["first_guess", name] for name in VARIABLES)
    run = config.load(verify.Run, tmp_path / "config.yaml")
    cases = open_cases(run.cases)
    case = cases.case(0, Box.whole(cases.contents.domain.shape))
    for name in VARIABLES:
        error = case.background[name].astype(np.float64) - case.truth[name]
        assert fields["first_guess", name] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)
    page, printed = (tmp_path / "report.html").read_text(encoding="utf-8"), capsys.readouterr().out
    assert all(word in page for word in ("U-net", "3D-Var", "nearest station", "in 2 parts", "data:image/png;base64,"))
    assert str(tmp_path / "report.html") in printed and "U-net" in printed


def rows_of(path: Path) -> dict[tuple[str, str], float]:
    """Method and variable -> rmse of all regions."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row.get("region", "all") == "all"]
    return {(row["method"], row["variable"]): float(row["rmse"]) for row in rows}
