"""The weights of `lam` that come with the software forecast real analyses with the scores that their Manifest has."""

import csv

import netCDF4
import numpy as np
import pytest

from jobs import command
from mlrtma_dist.config import data_root
from mlrtma_dist.weights.manifest import Manifest
from mlrtma_dist.weights.release import released

FILE = "metar_plains/metar_plains_20260813-20260819.csv.gz"
TIME = "2026-08-18T15:00:00"  # none of the hours that were trained on, or that chose the checkpoint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (data_root() and (data_root() / FILE).is_file()), reason="needs MLRTMA_REAL_DATA"),
]


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """A folder, and the files of the analyses of the time and of the three hours before it."""
    folder = tmp_path_factory.mktemp("lam_released")
    hours = ["--set", "cases.archive.start='2026-08-18T12:00'", "--set", f"cases.archive.end='{TIME[:16]}'"]
    assert command.main(["reanalysis", "configs/reanalysis/plains.yaml", *hours, "--output", str(folder / "made")]) == 0
    files = sorted(str(path) for path in (folder / "made" / "plains_20km").glob("*/*/*/*.nc"))
    assert len(files) == 4
    return folder, files


def test_the_scores_are_those_of_the_manifest(states):
    folder, files = states
    cases = f"cases={{domain: plains_20km, states: {{files: {files}, time: ['2026-08-18T12:00/{TIME[:16]}'],"
    cases += " variables: [t2m, d2m, u10, v10, psfc]}}"
    run = ["verify", "configs/verification/lam_plains.yaml", "--set", cases, "--output", str(folder / "scores")]
    assert command.main(run) == 0
    with open(folder / "scores" / "case_scores.csv", newline="", encoding="utf-8") as stream:
        scores = {row["variable"]: float(row["rmse"]) for row in csv.DictReader(stream) if row["time"] == TIME}
    stated = Manifest.read(released("lam")).release["scores"][TIME]
    assert {name: pytest.approx(row["rmse"], rel=1e-2) for name, row in stated.items()} == scores
    with netCDF4.Dataset(files[-1]) as now, netCDF4.Dataset(files[1]) as before:
        persistence = np.sqrt(np.square(now["t2m"][:].astype(float) - before["t2m"][:].astype(float)).mean())
    assert scores["t2m"] < 0.7 * persistence  # two hours ahead


def test_a_forecast_needs_no_checkpoint(states):
    folder, files = states
    times = ["--time", "2026-08-18T14:00", TIME[:16], "--hours", "3"]
    run = ["forecast", "--domain", "plains_20km", "--states", *files[-2:], *times, "--output", str(folder / "forecast")]
    assert command.main(run) == 0
    (product,) = (folder / "forecast").glob("*/*_forecast.nc")
    with netCDF4.Dataset(product) as data:
        assert data["t2m"].shape[0] == 3 and np.isfinite(data["t2m"][:]).all()
        assert data.checkpoint == "mlrtma_dist/weights/released/lam"
