"""Ensemble forecasts by the verbs: trained, resumed, and written as mean, spread and distribution by lead time."""

import shutil
from types import SimpleNamespace

import netCDF4
import numpy as np
import pytest
from launch import mlrtma
from moving_states import write_world

from jobs import command
from jobs.forecast_input import forecaster_of
from mlrtma_dist import config
from mlrtma_dist.errors import InputError
from mlrtma_dist.inference.ensemble_section import EnsembleSection
from mlrtma_dist.methods.lam import LamMethod
from mlrtma_dist.methods.lam_diffusion import LamDiffusionSettings
from mlrtma_dist.methods.lam_drawing import Drawing
from mlrtma_dist.methods.lam_one_pass import LamOnePass, LamOnePassSettings
from mlrtma_dist.methods.lam_settings import LamSettings
from mlrtma_dist.training.metrics import read
from mlrtma_dist.weights.identity import checksum_of

STEPS = 6
TRAINING = """\
samples: [states.h5]
output: {method}
method: {method}
settings: {{variables: 2, rim: 2, widths: [8, 8], groups: 4, {own}}}
variants: 4
validation_from: "2024-05-01T08:00"
schedule: {{steps: 6, batch: 2, learning_rate: 2.0e-2, warm_up: 1, validate_every: 3, checkpoint_every: 3}}
engine: {{optimizer: {{type: AdamW, params: {{}}}}}}
"""
OWN = {"lam_diffusion": "levels: 2", "lam_one_pass": "steps: 2, smoothed: [4]"}
ENSEMBLE = "ensemble: {quantiles: [0.25, 0.75], above: {t2m: [285.0]}, members: true}\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with states of ten hours, a store of them, and both methods trained on it for a moment."""
    folder = tmp_path_factory.mktemp("members")
    write_world(folder, f"output: out\ncheckpoint: lam_diffusion/checkpoints/step_0000000{STEPS}\nhours: 2\n{ENSEMBLE}")
    for method, own in OWN.items():
        (folder / f"{method}.yaml").write_text(TRAINING.format(method=method, own=own))
        mlrtma(folder, "train", str(folder / f"{method}.yaml"))
    return folder


def fields_of(path) -> dict[str, np.ndarray]:
    with netCDF4.Dataset(path) as product:
        return {
            name: product[name][:].filled(np.nan).astype(np.float64)
            for name in product.variables
            if product[name].ndim > 2
        }


@pytest.mark.slow
@pytest.mark.parametrize("method", OWN)
def test_a_product_has_the_mean_the_spread_and_the_distribution_of_its_members_the_same_on_two_ranks(
    world, method, monkeypatch
):
    checkpoint = ["--checkpoint", f"{method}/checkpoints/step_0000000{STEPS}", "--members", "4"]
    monkeypatch.chdir(world)
    fields = {}
    for ranks in (1, 2):
        output = f"{method}_{ranks}"
        arguments = ["forecast", str(world / "forecast.yaml"), *checkpoint, "--output", output]
        assert ranks > 1 or command.main(arguments) == 0
        if ranks > 1:
            mlrtma(world, *arguments, ranks=ranks)
        path = world / output / "tiny_20240501T0400Z" / "tiny_20240501T0400Z_forecast.nc"
        fields[ranks] = fields_of(path)
    with netCDF4.Dataset(path) as product:
        assert list(product["forecast_period"][:]) == [1.0, 2.0] and list(product["realization"][:]) == [0, 1, 2, 3]
        assert product.method == method and "4 members" in product.source
        assert product["t2m_error"].long_name.endswith("standard deviation of the members")
        assert product["t2m_members"].dimensions == ("realization", "time", "y", "x")
    alone = fields[1]
    for name, step in (("t2m", 2.0**-7), ("u10", 2.0**-7)):
        members = alone[f"{name}_members"]
        assert members.std(0, ddof=1).max() > 0.05
        np.testing.assert_allclose(alone[name], members.mean(0), atol=1.01 * step)
        np.testing.assert_allclose(alone[f"{name}_error"], members.std(0, ddof=1), rtol=0.01, atol=1.01 * step)
        quartile = np.quantile(members, 0.25, axis=0, method="weibull")
        np.testing.assert_allclose(alone[f"{name}_quantile_25"], quartile, atol=1.01 * step)
        np.testing.assert_allclose(fields[2][f"{name}_members"], members, atol=1.01 * step)
    near = np.abs(alone["t2m_members"] - 285.0).min(0) < 0.02
    share = (alone["t2m_members"] >= 285.0).mean(0)
    np.testing.assert_allclose(alone["t2m_above_285"][~near], share[~near], atol=2.0**-9)


@pytest.mark.slow
@pytest.mark.parametrize("method", OWN)
def test_resumed_it_has_the_losses_of_the_uninterrupted_run_and_the_same_weights(world, method):
    newest, half = f"step_0000000{STEPS}", f"step_0000000{STEPS // 2}"
    shutil.copytree(world / method / "checkpoints" / half, world / f"{method}_again" / "checkpoints" / half)
    shutil.copy(world / method / "metrics.csv", world / f"{method}_again" / "metrics.csv")
    mlrtma(world, "train", str(world / f"{method}.yaml"), "--set", f"output={method}_again", "--resume")
    one, other = (read(world / name / "metrics.csv") for name in (method, f"{method}_again"))
    losses = [row["loss"] for row in one]
    assert losses == [row["loss"] for row in other] and len(set(losses)) == STEPS
    first, again = (world / name / "checkpoints" for name in (method, f"{method}_again"))
    assert checksum_of(again / newest) == checksum_of(first / newest) != checksum_of(first / half)


def test_members_of_a_network_that_draws_none_and_limits_of_unknown_variables_are_refused():
    trained = SimpleNamespace(name="lam", method=LamMethod(LamSettings(widths=(8, 8))))
    with pytest.raises(InputError, match=r"drawing \(--members\): the checkpoint is of method lam, which draws no"):
        forecaster_of(trained, 2.0, Drawing(members=3), EnsembleSection())
    with pytest.raises(InputError, match="ensemble: the checkpoint is of method lam, .* name one of lam_diffusion or"):
        forecaster_of(trained, 2.0, None, EnsembleSection(quantiles=(0.5,)))
    assert forecaster_of(trained, 2.0, None, EnsembleSection())[1] == 2
    drawing = SimpleNamespace(name="lam_one_pass", method=LamOnePass(LamOnePassSettings(widths=(8, 8))))
    method, steps = forecaster_of(drawing, 3.0, Drawing(members=7), EnsembleSection(members=True))
    assert method.count == 7 and steps == 3
    for setting, drawn in (("sampler", Drawing(sampler="heun")), ("levels", Drawing(levels=20))):
        with pytest.raises(InputError, match=f"drawing.{setting}: without effect, as the network of method lam_one_pa"):
            forecaster_of(drawing, 3.0, drawn, EnsembleSection())


def test_the_shipped_configurations_describe_these_methods():
    for method, settings in (("lam_diffusion", LamDiffusionSettings), ("lam_one_pass", LamOnePassSettings)):
        recipe = config.load_yaml(config.configs_root() / "training" / f"{method}_era5_uk.yaml")
        assert recipe["method"] == method
        assert config.build(settings, recipe["settings"], method).variables == 1
