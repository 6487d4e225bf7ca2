"""Exercise 1 as a user runs it: samples, train, analyse, verify, with the configurations that ship, on unseen cases."""

import csv
import os

import netCDF4
import numpy as np
import pytest
from launch import ROOT, mlrtma

from mlrtma_dist.samples.store import Store

pytestmark = pytest.mark.slow

CHECKPOINT = "output/exercise1/unet_ci/checkpoints/best"
UNSEEN = "output/exercise1/unseen.h5"


@pytest.fixture(scope="module")
def passed(tmp_path_factory):
    """The folder after all four verbs, and what verify printed."""
    folder = tmp_path_factory.mktemp("exercise1")
    mlrtma(folder, "samples", "samples/exercise1_small.yaml")
    mlrtma(folder, "samples", "samples/exercise1_unseen.yaml")
    half = ("--set", "schedule.steps=300")  # 1.20 of the limit; all 600 steps reach 1.10
    mlrtma(folder, "train", "training/unet_exercise1_ci.yaml", *half, ranks=min(2, os.cpu_count() or 1))
    mlrtma(folder, "analyse", "inference/exercise1.yaml", "--checkpoint", CHECKPOINT)
    return folder, mlrtma(folder, "verify", "verification/exercise1.yaml", "--checkpoint", CHECKPOINT)


@pytest.fixture(scope="module")
def scores(passed):
    with open(passed[0] / "output/exercise1/verification/fields.csv", newline="", encoding="utf-8") as stream:
        return {row["method"]: row for row in csv.DictReader(stream)}


def test_the_network_of_half_the_steps_is_within_a_quarter_of_the_limit_and_never_beyond_it(passed, scores):
    rmse = {method: float(row["rmse"]) for method, row in scores.items()}
    assert 1.0 < rmse["unet"] / rmse["exact_bayes"] <= 1.25
    assert rmse["unet"] < 0.7 * rmse["exact_oi"] < rmse["first_guess"]
    last = passed[1].strip().splitlines()[-1]
    assert last.startswith(f"U-net / Bayes limit: {rmse['unet'] / rmse['exact_bayes']:.4f} +- 0.0")


def test_the_exact_methods_score_what_the_page_says_of_these_cases(scores):
    assert {row["cases"] for row in scores.values()} == {"256"}
    exact = {method: round(float(row["rmse"]), 4) for method, row in scores.items() if method != "unet"}
    assert exact == {"first_guess": 0.4013, "exact_oi": 0.2241, "exact_bayes": 0.1129}
    page = (ROOT / "docs" / "exercise1.md").read_text(encoding="utf-8")
    assert all(f"| {value:.4f} +- " in page for value in exact.values())


def test_the_product_of_analyse_is_what_verify_has_scored(passed, scores):
    store = Store(passed[0] / UNSEEN)
    truth = np.stack([store.fields(case, range(64), range(64))[1] for case in range(256)]).astype(np.float64)
    with netCDF4.Dataset(passed[0] / "output/exercise1/analysis/plane_unet/plane_unet.nc") as product:
        analysis = product["field"][:].astype(np.float64)
        error, first_guess = analysis - truth, analysis - product["field_increment"][:] - truth
        assert product.checkpoint_step == 300 and product.checkpoint == CHECKPOINT  # as it was named
    assert not np.ma.is_masked(error)
    assert float(scores["unet"]["rmse"]) == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)
    assert float(scores["unet"]["bias"]) == pytest.approx(error.mean(), abs=1e-7)
    # The increment is a float32: 3e-8 of it at each point.
    assert float(scores["first_guess"]["rmse"]) == pytest.approx(np.sqrt(np.mean(first_guess**2)), rel=1e-7)


def test_verify_draws_one_case_and_keeps_its_configuration(passed):
    folder = passed[0] / "output/exercise1/verification"
    for name in ("case.png", "errors.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG") and (folder / name).stat().st_size > 50_000
    assert f"checkpoint: {CHECKPOINT}" in (folder / "config.yaml").read_text(encoding="utf-8")
