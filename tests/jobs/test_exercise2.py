"""Exercise 2 as a user runs it, with fewer cases: all four verbs; 3D-Var and many ranks on few cases."""

import csv
import os
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from launch import mlrtma

from mlrtma_dist.samples.store import Store

pytestmark = pytest.mark.slow

OUTPUT = Path("output/exercise2/small")
VARIABLES = ("h", "u", "v")
PLANE = "name: small\ntitle: small\nprojection: plane\nspacing: 1.0\nsize: {x: 32, y: 32}\nperiodic: true\n"
FEW = """
edge: 16
cases:
  domain: {folder}/plane.yaml
  shallow_plane:
    {{size: 32, steps: 2, length: [8.0, 12.0], observations: [6, 6, 6, 20, 20], indirect: {{strength: 3.0}}}}
"""


@pytest.fixture(scope="module")
def passed(tmp_path_factory):
    """The folder after all four verbs, and what verify printed."""
    folder = tmp_path_factory.mktemp("exercise2")
    mlrtma(folder, "samples", "samples/exercise2_small.yaml")
    mlrtma(folder, "samples", "samples/exercise2_small_unseen.yaml")
    mlrtma(folder, "train", "training/unet_exercise2_ci.yaml", ranks=min(2, os.cpu_count() or 1))
    mlrtma(folder, "analyse", "inference/exercise2_small.yaml")
    return folder, mlrtma(folder, "verify", "verification/exercise2_small.yaml")


@pytest.fixture(scope="module")
def few(passed):
    """Arguments of verify for twelve cases on a small plane, and 64 to learn from."""
    folder = passed[0]
    (folder / "plane.yaml").write_text(PLANE, encoding="utf-8")
    for name, numbers in {"known": "  count: 64\n", "few": "  count: 12\n  first: 1000\n"}.items():
        (folder / f"{name}.yaml").write_text(FEW.format(folder=folder) + numbers, encoding="utf-8")
        mlrtma(folder, "samples", str(folder / f"{name}.yaml"), "--output", f"{name}.h5")
    return (
        "--store",
        "few.h5",
        "--method",
        "best_linear",
        "outer_loops",
        "unet",
        "--domain",
        str(folder / "plane.yaml"),
        "--set",
        "training={cases: {store: {file: known.h5}}}",
    )


def scores_of(folder: Path) -> dict[tuple[str, str], dict[str, float]]:
    with open(folder / "fields.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return {(row.pop("method"), row.pop("variable")): {name: float(text) for name, text in row.items()} for row in rows}


def test_the_network_of_minutes_is_better_than_optimal_interpolation_for_every_variable(passed):
    scores = scores_of(passed[0] / OUTPUT / "verification")
    truth = np.stack([Store(passed[0] / OUTPUT / "unseen.h5").fields(case, range(64), range(64)) for case in range(64)])
    for number, variable in enumerate(VARIABLES):
        linear, network = (scores[method, variable]["rmse"] for method in ("best_linear", "unet"))
        assert network < linear < 0.7 * truth[:, number].std()
    for line, variable in zip(passed[1].strip().splitlines()[-3:], VARIABLES, strict=True):
        value = scores["unet", variable]["rmse"] / scores["best_linear", variable]["rmse"]
        assert line.startswith(f"U-net / best linear, {variable}: {value:.4f} +- 0.")
        assert float(line.split()[-1]) < 1.0, "the whole 95 % interval of the ratio lies below 1"


def test_the_product_holds_the_analyses_that_verify_has_scored_and_no_background(passed):
    store, scores = Store(passed[0] / OUTPUT / "unseen.h5"), scores_of(passed[0] / OUTPUT / "verification")
    truth = np.stack([store.fields(case, range(64), range(64)) for case in range(64)]).astype(np.float64)
    with netCDF4.Dataset(passed[0] / OUTPUT / "analysis/plane_unet/plane_unet.nc") as product:
        assert not [name for name in product.variables if "increment" in name]  # there is no background
        assert [product[name].units for name in VARIABLES] == ["m", "m s-1", "m s-1"]
        for number, variable in enumerate(VARIABLES):
            error = product[variable][:].astype(np.float64) - truth[:, number]
            assert scores["unet", variable]["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)


def test_verify_draws_the_true_the_predicted_and_the_error_of_all_three_and_reports_them(passed):
    for name in ("case.png", "errors.png"):
        content = (passed[0] / OUTPUT / "verification" / name).read_bytes()
        assert content.startswith(b"\x89PNG") and len(content) > 50_000
    report = (passed[0] / OUTPUT / "verification" / "report.html").read_text(encoding="utf-8")
    assert (
        report.count("data:image/png;base64,") == 2
        and "Rmse of a trained convolutional U-net over that of each other method" in report
    )


def test_four_ranks_score_all_methods_as_one_does_and_their_ratios_come_last(passed, few):
    folder, run = passed[0], ("verification/exercise2_small.yaml", *few)
    printed = mlrtma(folder, "verify", *run, "--output", "one")
    mlrtma(folder, "verify", *run, "--output", "four", "--set", "mesh={data: 1, y: 2, x: 2}", ranks=4)
    one, four = scores_of(folder / "one"), scores_of(folder / "four")
    assert len(one) == len(four) == 9
    for key, row in four.items():
        assert row["rmse"] == pytest.approx(one[key]["rmse"], rel=1e-5), key
    lines = printed.strip().splitlines()
    for method, words, part in (
        ("outer_loops", "3D-Var, outer loops", lines[-6:-3]),
        ("best_linear", "best linear", lines[-3:]),
    ):
        for line, variable in zip(part, VARIABLES, strict=True):
            value = one["unet", variable]["rmse"] / one[method, variable]["rmse"]
            assert line.startswith(f"U-net / {words}, {variable}: {value:.4f} +- 0.")


def test_classical_methods_without_a_training_set_or_with_one_of_another_regime_are_refused(passed, few):
    folder = passed[0]
    place = ("--domain", str(folder / "plane.yaml"), "--output", "refused", "--set", "checkpoint=null")
    run = ("verification/exercise2_small.yaml", "--store", "few.h5", "--method", "best_linear", *place, "--set")
    with pytest.raises(AssertionError, match="method best_linear needs training cases: --set training="):
        mlrtma(folder, "verify", *run, "training=null")
    other = (folder / "known.yaml").read_text(encoding="utf-8").replace("strength: 3.0", "strength: 0.3")
    (folder / "other.yaml").write_text(other, encoding="utf-8")
    mlrtma(folder, "samples", str(folder / "other.yaml"), "--output", "other.h5")
    with pytest.raises(AssertionError, match="other.h5: expected the indirect types"):
        mlrtma(folder, "verify", *run, "training={cases: {store: {file: other.h5}}}")
