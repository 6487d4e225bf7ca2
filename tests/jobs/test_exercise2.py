"""Exercise 2 as a user runs it, on a quarter of the plane: samples, train, analyse, verify, the same on four ranks."""

import csv
import os
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from launch import mlrtma

from mlrtma_dist.samples.store import Store

OUTPUT = Path("output/exercise2/small")
METHODS, VARIABLES = ("interpolation", "threedvar", "regression"), ("h", "u", "v")


@pytest.fixture(scope="module")
def passed(tmp_path_factory):
    """The folder after all four verbs, and what verify said."""
    folder = tmp_path_factory.mktemp("exercise2")
    mlrtma(folder, "samples", "samples/exercise2_small.yaml")
    mlrtma(folder, "samples", "samples/exercise2_small_unseen.yaml")
    mlrtma(folder, "train", "training/unet_exercise2_ci.yaml", ranks=min(2, os.cpu_count() or 1))
    mlrtma(folder, "analyse", "inference/exercise2_small.yaml")
    return folder, mlrtma(folder, "verify", "verification/exercise2_small.yaml")


def scores_of(folder: Path) -> dict[tuple[str, str], dict[str, float]]:
    with open(folder / "scores.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return {(row.pop("method"), row.pop("variable")): {name: float(text) for name, text in row.items()} for row in rows}


def test_the_network_of_minutes_is_better_than_interpolation_and_variational_analysis_for_every_variable(passed):
    scores = scores_of(passed[0] / OUTPUT / "verification")
    assert set(scores) == {(method, variable) for method in METHODS for variable in VARIABLES}
    truth = np.stack([Store(passed[0] / OUTPUT / "unseen.h5").fields(case, range(32), range(32)) for case in range(64)])
    for number, variable in enumerate(VARIABLES):
        interpolation, variational, network = (scores[method, variable]["rmse"] for method in METHODS)
        assert network < interpolation < truth[:, number].std() and network < variational
    lines = passed[1].strip().splitlines()[-6:]
    for line, (other, variable) in zip(lines, [(m, v) for m in METHODS[:2] for v in VARIABLES], strict=True):
        name = {"interpolation": "interpolation", "threedvar": "3D-Var"}[other]
        value = scores["regression", variable]["rmse"] / scores[other, variable]["rmse"]
        assert line.startswith(f"network / {name}, {variable}: {value:.4f} +- 0.")
        assert float(line.split()[-1]) < 1.0, "the whole interval of the ratio lies below 1"


def test_the_product_holds_the_analyses_that_verify_has_scored_and_no_background(passed):
    store, scores = Store(passed[0] / OUTPUT / "unseen.h5"), scores_of(passed[0] / OUTPUT / "verification")
    truth = np.stack([store.fields(case, range(32), range(32)) for case in range(64)]).astype(np.float64)
    path = passed[0] / OUTPUT / "analysis" / "plane_small_regression" / "plane_small_regression.nc"
    with netCDF4.Dataset(path) as product:
        assert not [name for name in product.variables if "background" in name]
        assert [product[f"{name}_analysis"].units for name in VARIABLES] == ["m", "m s-1", "m s-1"]
        for number, variable in enumerate(VARIABLES):
            error = product[f"{variable}_analysis"][:].astype(np.float64) - truth[:, number]
            assert scores["regression", variable]["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)


def test_four_ranks_score_as_one_does(passed):
    folder = passed[0]
    mlrtma(folder, "verify", "verification/exercise2_small.yaml", "--output", "four", "--method", "interpolation",
           "regression", "--set", "mesh={data: 1, y: 2, x: 2}", ranks=4)
    one, four = scores_of(folder / OUTPUT / "verification"), scores_of(folder / "four")
    assert len(four) == 6
    for key, row in four.items():
        assert row["rmse"] == pytest.approx(one[key]["rmse"], rel=1e-5), key


def test_verify_draws_the_true_the_predicted_and_the_error_of_all_three(passed):
    for name in ("case.png", "errors.png"):
        content = (passed[0] / OUTPUT / "verification" / name).read_bytes()
        assert content.startswith(b"\x89PNG") and len(content) > 50_000
