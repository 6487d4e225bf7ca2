"""The one-pass ensemble end to end: losses on tiles as on one rank, members on four ranks, verified by name."""

import csv

import netCDF4
import numpy as np
import pytest
from launch import mlrtma

from mlrtma_dist.training.metrics import read

pytestmark = pytest.mark.slow

CONFIG = "training/one_pass_exercise1.yaml"
SMALL = {
    "samples": "[output/exercise1/samples_small.h5]",
    "make_samples": "exercise1_small",
    "validation_from": "2000-02-12T16:00",
    "settings.widths": "[16,16,16]",
    "settings.reports": "100",
    "schedule.steps": "4",
    "schedule.warm_up": "1",
}
CASES = """\
cases: {domain: plane, count: 1, first: 900000, gaussian_plane: {seed: 3}}
method: [one_pass, first_guess]
checkpoint: one/checkpoints/step_00000004
diffusion: {members: 4}
"""


def test_losses_and_members_on_four_tiles_are_those_of_one_rank_and_the_spread_is_the_error(tmp_path):
    losses, fields = [], []
    (tmp_path / "cases.yaml").write_text(CASES)
    for output, ranks, mesh in (("one", 1, "{}"), ("four", 4, "{y: 2, x: 2}")):
        sets = [f"{key}={value}" for key, value in {**SMALL, "mesh": mesh, "output": output}.items()]
        mlrtma(tmp_path, "train", CONFIG, *(part for each in sets for part in ("--set", each)), ranks=ranks)
        losses.append([row["loss"] for row in read(tmp_path / output / "metrics.csv")])
        sets = ("--set", f"mesh={mesh}", "--set", "method=one_pass", "--output", f"{output}_analysis")
        mlrtma(tmp_path, "analyse", str(tmp_path / "cases.yaml"), *sets, ranks=ranks)
        with netCDF4.Dataset(tmp_path / f"{output}_analysis/plane_one_pass/plane_one_pass.nc") as product:
            fields.append([product[name][:].astype(np.float64) for name in ("field", "field_error")])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    for alone, tiles in zip(*fields, strict=True):
        np.testing.assert_allclose(tiles, alone, atol=1e-4 * np.ptp(alone) + 1e-3)
    assert 0.05 < fields[0][1].mean() < 0.3  # the exact posterior's is 0.11
    mlrtma(tmp_path, "verify", str(tmp_path / "cases.yaml"), "--output", str(tmp_path / "verification"))
    with open(tmp_path / "verification/fields.csv", newline="", encoding="utf-8") as stream:
        rmse = {row["method"]: float(row["rmse"]) for row in csv.DictReader(stream)}
    assert rmse["one_pass"] < 0.8 * rmse["first_guess"]
