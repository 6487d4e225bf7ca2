"""The diffusion assimilation end to end: trained on tiles as on one rank, members on four ranks, verified."""

import csv

import netCDF4
import numpy as np
import pytest
from killed import losses_despite_a_kill
from launch import mlrtma

from mlrtma_dist.training.metrics import read

pytestmark = pytest.mark.slow

SMALL = ("--set", "settings.widths=[16,16,16]", "--set", "validation_from=null")
ROUNDING = 2.0**-9  # a step of the packed fields of the product
CASES = """\
cases: {domain: plane, count: 2, first: 900000, gaussian_plane: {seed: 3}}
method: diffusion
checkpoint: output/exercise1/diffusion_ci/checkpoints/best
diffusion: {steps: 3, guidance: GUIDANCE, sampler: dpm, at_once: 4}
"""


@pytest.fixture(scope="module")
def with_samples(tmp_path_factory):
    """A folder with a store to train on."""
    folder = tmp_path_factory.mktemp("diffusion")
    mlrtma(folder, "samples", "samples/exercise1_small.yaml")
    return folder


@pytest.fixture(scope="module")
def folder(with_samples):
    """The same with a denoiser after 100 steps on two ranks."""
    folder = with_samples
    mlrtma(folder, "train", "training/diffusion_exercise1_ci.yaml", "--set", "schedule.steps=100", ranks=2)
    for guidance in ("mmps", "jfps"):
        (folder / f"{guidance}.yaml").write_text(CASES.replace("GUIDANCE", guidance))
    return folder


def fields_of(path, names):
    with netCDF4.Dataset(path) as product:
        return [product[name][:].astype(np.float64) for name in names]


def test_losses_on_four_tiles_are_those_of_one_rank(folder):
    losses = []
    for output, ranks, mesh in (("one", 1, "{}"), ("four", 4, "{y: 2, x: 2}")):
        sets = ("--set", "schedule.steps=4", "--set", f"mesh={mesh}", "--set", f"output={output}", *SMALL)
        mlrtma(folder, "train", "training/diffusion_exercise1_ci.yaml", *sets, ranks=ranks)
        losses.append([row["loss"] for row in read(folder / output / "metrics.csv")])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_a_rank_killed_with_9_ends_the_training_which_goes_on_with_the_losses_of_an_uninterrupted_one(with_samples):
    sets = ("schedule.steps=12", "schedule.checkpoint_every=3", *SMALL[1::2])
    losses = losses_despite_a_kill(with_samples, "training/diffusion_exercise1_ci.yaml", sets, after=5)
    assert len(losses[0]) == 12
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)  # float32, after 12 steps of Adam


@pytest.mark.parametrize("guidance", ["mmps", "jfps"])
def test_members_on_four_tiles_are_those_of_one_rank_and_their_spread_is_the_error(folder, guidance):
    names, parts = ("field", "field_error"), []
    for output, ranks, mesh in (("alone", 1, "{}"), ("tiles", 4, "{y: 2, x: 2}")):
        sets = ("--members", "4", "--set", f"mesh={mesh}", "--output", f"{output}_{guidance}")
        mlrtma(folder, "analyse", str(folder / f"{guidance}.yaml"), *sets, ranks=ranks)
        parts.append(fields_of(folder / f"{output}_{guidance}/plane_diffusion/plane_diffusion.nc", names))
    for alone, tiles in zip(*parts, strict=True):
        np.testing.assert_allclose(tiles, alone, atol=1e-4 * np.ptp(alone) + ROUNDING)
    assert 0.05 < parts[0][1].mean() < 0.3  # the exact posterior's is 0.11


def test_members_divided_over_the_data_axis_give_the_product_of_one_rank(folder):
    distribution = "{quantiles: [0.1, 0.5, 0.9], above: {field: [0.5]}, below: {field: [-1.0]}, members: true}"
    names = ("field", "field_error", "field_quantile_10", "field_quantile_50", "field_quantile_90")
    names += ("field_above_0p5", "field_below_m1", "field_members")
    parts = []
    for output, ranks, mesh in (("whole", 1, "{}"), ("two", 2, "{data: 2}"), ("four", 4, "{data: 2, x: 2}")):
        sets = ("--members", "5", "--set", f"mesh={mesh}", "--set", f"ensemble={distribution}", "--output", output)
        mlrtma(folder, "analyse", str(folder / "jfps.yaml"), *sets, ranks=ranks)
        parts.append(fields_of(folder / output / "plane_diffusion/plane_diffusion.nc", names))
    whole = dict(zip(names, parts[0], strict=True))
    np.testing.assert_allclose(whole["field"], whole["field_members"].mean(0), atol=1e-6)
    np.testing.assert_allclose(whole["field_quantile_50"], np.median(whole["field_members"], 0), atol=1e-6)
    np.testing.assert_allclose(whole["field_above_0p5"], (whole["field_members"] >= 0.5).mean(0), atol=2.0**-10)
    for several in parts[1:]:
        for name, one, many in zip(names, parts[0], several, strict=True):
            if name in ("field_above_0p5", "field_below_m1"):  # a member on the limit may lie on either side
                assert (np.abs(many - one) > 2.0**-9).mean() < 1e-3
            else:
                np.testing.assert_allclose(many, one, atol=1e-4 * np.ptp(whole["field"]) + ROUNDING)


def test_the_mean_of_the_members_beats_interpolation_with_the_exact_covariance(folder):
    methods = "method: [first_guess, exact_oi, diffusion, exact_bayes]"
    text = (folder / "jfps.yaml").read_text().replace("method: diffusion", methods).replace("steps: 3", "steps: 6")
    (folder / "verify.yaml").write_text(text + "output: verification\nensemble: {above: {field: [0.5]}}\n")
    mlrtma(folder, "verify", str(folder / "verify.yaml"), "--members", "8")
    with open(folder / "verification/fields.csv", newline="", encoding="utf-8") as stream:
        rmse = {row["method"]: float(row["rmse"]) for row in csv.DictReader(stream)}
    assert rmse["exact_bayes"] < rmse["diffusion"] < rmse["exact_oi"] < rmse["first_guess"]
    with open(folder / "verification/distributions.csv", newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["at"], row["method"], row["n"]) == ("fields", "diffusion", str(2 * 64 * 64))
    assert float(row["rmse"]) == pytest.approx(rmse["diffusion"]) and 0.4 < float(row["crps"]) / rmse["diffusion"] < 0.7
    assert sum(float(row[f"tenth_{number}"]) for number in range(1, 11)) == pytest.approx(1.0)
    with open(folder / "verification/reliability.csv", newline="", encoding="utf-8") as stream:
        bins = list(csv.DictReader(stream))
    assert {(each["side"], each["limit"]) for each in bins} == {("above", "0.5")} and len(bins) > 5
    assert sum(int(each["n"]) for each in bins) == 2 * 64 * 64
    observed = [float(each["observed"]) for each in bins]
    assert observed[0] < 0.1 and observed[-1] > 0.9
    assert "Are the predicted distributions right?" in (folder / "verification/report.html").read_text()
